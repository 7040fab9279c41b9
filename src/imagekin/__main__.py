"""``python -m imagekin`` is the same as the command ``imagekin``."""

from __future__ import annotations

from imagekin.cli import main

if __name__ == "__main__":
    main()
