"""docs/benchmarks.md, derived from the newest record of each section; nothing in it is typed by hand."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from benchmarks import learning_page, learning_plot, record, study_page
from benchmarks.cells import Figures, Lines, percent
from benchmarks.record import Record
from benchmarks.sections import SECTIONS

PAGE = record.ROOT / "docs" / "benchmarks.md"

INTRODUCTION = """# Benchmarks

Written by `python -m benchmarks report` from the newest records in `benchmarks/records`; `make bench` measures again.
Contestants take turns within one run, each ratio is taken within a round, and what is shown is the median with the
quartiles in brackets. No timing ever fails a test.
"""


def write(page: Path = PAGE, folder: Path = record.FOLDER) -> str:
    """Write the page and say so."""
    page.parent.mkdir(parents=True, exist_ok=True)
    found = record.newest(folder)
    page.write_text(render(found), encoding="utf-8")
    if "study" in found:
        (page.parent / study_page.NAME).write_text(study_page.render(found["study"]), encoding="utf-8")
    if "learning" in found:
        (page.parent / learning_page.NAME).write_text(learning_page.render(found["learning"]), encoding="utf-8")
        (page.parent / "images").mkdir(exist_ok=True)
        learning_plot.save(found["learning"]["figures"], page.parent / "images")
    return f"{page.name} is written from the newest records"


def render(records: Mapping[str, Record]) -> str:
    """The whole page."""
    parts = [INTRODUCTION]
    for name, (title, body) in SECTIONS.items():
        parts.append(f"## {title}\n")
        if name in records:
            parts.append("\n".join([*body(records[name]["figures"]), "", _origin(records[name])]) + "\n")
        else:
            parts.append(f"Not measured yet: `python -m benchmarks {name}`.\n")
    return "\n".join(parts)


def summary(name: str, figures: Figures) -> Lines:
    """A section's tables, for the terminal."""
    return SECTIONS[name][1](figures)


def _origin(found: Record) -> str:
    machine, versions = found["machine"], found["versions"]
    return (
        f"*{found['date'][:10]}, {machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB, "
        f"Python {versions['python']}, ONNX Runtime {versions['onnxruntime']}, NumPy {versions['numpy']}, "
        f"FAISS {versions['faiss-cpu']}, Pillow {versions['pillow']}; source {versions['commit']}; "
        f"`{found['command']}`, {found['figures']['duration_s']} s, while other programs took "
        f"{percent(found['figures']['cores']['others'])} of the cores' time.*"
    )
