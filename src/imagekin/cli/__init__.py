"""The command line: each command parses, calls one verb of the library and formats what it answers."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command that the process was started with, and exit with its code."""
    try:
        from imagekin.cli.app import app
    except KeyboardInterrupt:  # Ctrl-C while Python is still loading
        sys.exit(130)
    app()
