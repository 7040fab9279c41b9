"""``python -m benchmarks SECTION``: measure, write a record, or turn the records into docs/benchmarks.md."""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import record, report
from benchmarks.load import Load

SECTIONS = {
    "index": "images a second end to end, against the machine's limit and a plain loop",
    "memory": "resident memory while indexing, from 1,000 to 100,000 pictures",
    "cold": "a search in a new process, against the bare imports",
    "warm": "a search in a running process, against the model alone",
    "rescan": "a second look at 100,000 unchanged files",
    "million": "1,000,000 stored vectors: disk, opening, latency, recall, memory",
    "defaults": "the default engine by size: ready when, latency, recall, memory, filters; a fast mode beside hnswlib",
    "adapters": "what an engine's adapter adds to its library's own search",
    "embedding": "networks of timm as they are run here, beside PyTorch and beside the bare session",
    "server": "the HTTP server: latency, clients at once, thumbnails, slow clients, a soak",
    "quality": "precision@4, leave-one-out, over labelled pictures",
    "study": "the lecture notes' study of Caltech-101, done again: docs/study.md",
    "learning": "what learning from labels gains and costs: docs/learning.md",
}
"""Section, the module that measures it, to what it measures."""


def main(words: Sequence[str] | None = None) -> None:
    given = list(sys.argv[1:] if words is None else words) or ["all"]
    arguments = parser().parse_args(given)
    if arguments.section == "report":
        print(report.write())
        return
    names = list(SECTIONS) if arguments.section == "all" else [arguments.section]
    if arguments.work is not None:
        arguments.work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="imagekin-bench-", dir=arguments.work) as work:
        for name in names:
            chosen = arguments if len(names) == 1 else parser().parse_args([name, *given[1:]])
            measure(name, chosen, Path(work), words=[name, *given[1:]])
    if not arguments.records:
        print(report.write())


def measure(name: str, arguments: argparse.Namespace, work: Path, *, words: Sequence[str]) -> None:
    """Run one section and write its record; a long one may keep what it has so far by ``arguments.keep``."""
    print(f"{name}: {SECTIONS[name]} …", flush=True)
    date, begun, load = datetime.now(UTC), time.monotonic(), Load()

    def keep(figures: dict[str, Any]) -> Path:
        figures["duration_s"] = round(time.monotonic() - begun)
        figures["cores"] = load.shares()
        return record.write(name, words, figures, folder=arguments.records or record.FOLDER, begun=date)

    arguments.keep = keep
    figures: dict[str, Any] = importlib.import_module(f"benchmarks.{name}").run(arguments, work)
    path = keep(figures)
    print("\n".join(report.summary(name, figures)))
    print(f"{name}: {figures['duration_s']} s, {path.name}", flush=True)


def parser() -> argparse.ArgumentParser:
    """The command line; ``all`` takes the options that every section has, and their defaults otherwise."""
    made = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure imagekin.")
    commands = made.add_subparsers(dest="section", required=True, metavar="SECTION")
    for name, summary in SECTIONS.items():
        command = commands.add_parser(name, help=summary, description=summary)
        shared(command)
        importlib.import_module(f"benchmarks.{name}").options(command)
    shared(commands.add_parser("all", help="every section in turn (the default), then the report"))
    commands.add_parser("report", help="write docs/benchmarks.md from the newest records")
    return made


def shared(command: argparse.ArgumentParser) -> None:
    """The options of every section."""
    command.add_argument("--images", type=Path, help="folder of pictures [../shared/data/caltech101]")
    command.add_argument("--work", type=Path, help="folder for temporary data [the system's]")
    command.add_argument("--records", type=Path, help="write records here, and leave docs/benchmarks.md as it is")


if __name__ == "__main__":
    main()
