"""Models measured against each other on one's own labelled pictures: accuracy, speed, size.

``run(of_folder("Pictures"), ["efficientnet-lite0", "./mine.onnx"], Path("results"))`` measures and keeps records;
``write(outcome, Path("results"))`` makes JSON, CSV and a plot of them.
"""

from __future__ import annotations

from imagekin.leaderboard.pictures import Pictures, of_folder
from imagekin.leaderboard.plot import figure
from imagekin.leaderboard.report import Files, write
from imagekin.leaderboard.running import Options, available, run

__all__ = ["Files", "Options", "Pictures", "available", "figure", "of_folder", "run", "write"]
