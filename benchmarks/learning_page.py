"""docs/learning.md: what learning gains and what it costs, from the newest record; nothing in it is typed by hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from benchmarks.cells import Figures, Lines, figure, percent, table
from benchmarks.record import Record

NAME: Final = "learning.md"

WAYS: Final = {
    "frozen": "frozen: the model as it is",
    "head": "head: `imagekin train head`",
    "fine-tuned": "fine-tuned: `imagekin train finetune`",
    "fine-tuned + head": "fine-tuned, and a head on it",
    "metric-learned": "metric-learned: `imagekin train metric`",
    "metric-learned + head": "metric-learned, and a head on it",
}
"""The rows, in their order."""

IMAGES: Final = ("learning.png", "learning-experiments.png", "learning-maps.png")
"""Plots of the gains and their cost, of the experiments, and of the worst classes."""


def render(found: Record) -> str:
    """The whole page."""
    figures = found["figures"]
    parts = [_head(found), lines(figures), _cost(figures), _layers(figures), _unfrozen(figures), _codes(figures)]
    return "\n".join(line for part in [*parts, _worst(figures), _method(figures)] for line in part)


def lines(figures: Figures) -> Lines:
    """The table of all ways."""
    rows = [_row(WAYS[name], figures["rows"][name]) for name in WAYS if name in figures.get("rows", {})]
    head = ["", "numbers", "known classes", "points", "new classes", "points", "seconds", "joules"]
    failed = [f"Not measured: {name}: {why}" for name, why in figures.get("failed", {}).items()]
    return [*table(head, rows), "", *failed, *([""] if failed else [])]


def _row(name: str, row: Figures) -> list[str]:
    work = row["work"]
    cost = [figure(work["seconds"]), figure(work["joules"])] if work else ["", ""]
    cells = [cell for kind in ("known", "new") for cell in _share(row[kind], gain=bool(work))]
    return [name, f"{row['numbers']:,}", *cells, *cost]


def _share(found: Figures, *, gain: bool) -> list[str]:
    one, points = found["precision@4"], found["gain"]
    return [percent(one["value"], 2), _points(points) if gain else ""]


def _points(gain: Figures) -> str:
    return f"{100 * gain['value']:+.2f} ({100 * gain['low']:+.1f} to {100 * gain['high']:+.1f})"


def _head(found: Record) -> Lines:
    figures, machine = found["figures"], found["machine"]
    learned, asked = figures["learned"], figures["asked"]
    return [
        "# What learning gains, and what it costs",
        "",
        f"Written by `python -m benchmarks report` from the newest record of `{found['command']}`, "
        f"{found['date'][:10]}, {machine['processor']}, {machine['cores']} cores, no GPU.",
        "",
        f"{figures['pictures']:,} pictures of {figures['classes']} classes (Caltech-101), {figures['model']}. "
        f"*Known classes*: learned from {learned[0]:,} pictures, half of each class, and the other {asked[0]:,} ask "
        f"each other. *New classes*: learned from {learned[1]:,} of these, which are of "
        f"{figures['classes'] - figures['fresh']} classes, and all {asked[1]:,} pictures of the other "
        f"{figures['fresh']}, of which nothing was learned, ask each other. The measure is precision@4: the mean share "
        "of the 4 nearest others that have the picture's class. Points are "
        "gained over the frozen model; in brackets their 95 % interval, over classes.",
        "",
    ]


def _cost(figures: Figures) -> Iterator[str]:
    """What the table means, by figures of its own."""
    rows = figures.get("rows", {})
    if not any(row["work"] for row in rows.values()):
        return
    counted = any(row["work"].get("counted") for row in rows.values())
    how = (
        "Joules are the processor's own count."
        if counted
        else "**Joules are an estimate**, not a measurement: this machine shows no counters of energy, so they are "
        f"seconds of processor time, of all cores, times {figures['watts']:g} W, about what a busy core takes."
    )
    yield f"![Points gained against joules, and precision of each way](images/{IMAGES[0]})"
    yield ""
    yield (
        "Seconds and joules are those of learning for the known classes, the network's own pictures read and the model "
        f"exported included. {how}"
    )
    yield ""
    yield from _sentences(figures, rows)


def _sentences(figures: Figures, rows: Figures) -> Iterator[str]:
    learned = {name: row for name, row in rows.items() if row["work"]}
    best = max(learned, key=lambda name: learned[name]["known"]["precision@4"]["value"])
    kind = max(learned, key=lambda name: learned[name]["new"]["precision@4"]["value"])
    yield f"- Best on known classes: {best}, {_points(learned[best]['known']['gain'])} points."
    yield f"- Best on new classes: {kind}, {_points(learned[kind]['new']['gain'])} points."
    if "head" in learned and best != "head":
        head, other = learned["head"], learned[best]
        share = head["known"]["gain"]["value"] / other["known"]["gain"]["value"]
        ratio = other["work"]["joules"] / head["work"]["joules"]
        yield f"- A head alone has {share:.0%} of the gain on known classes; {best} took {ratio:.1f} times its joules"
        reading = figures["reading"]
        yield (
            f"  and reads all pictures again ({figure(reading['seconds'])} s, {figure(reading['joules'])} J for "
            f"{reading['pictures']:,}), which a head does not."
        )
    yield ""


def _layers(figures: Figures) -> Iterator[str]:
    rows = figures.get("layers", [])
    if not rows:
        return
    yield from ("## With and without the top layers", "")
    yield (
        "The frozen network, cut after each of its stages: the mean over places of what it sees there is the vector. "
        "*features* is what imagekin takes. The top turns these into the classes that the network was trained to name."
    )
    yield ""
    cells = [[row["name"], row["numbers"], percent(row["known"], 2), percent(row["new"], 2)] for row in rows]
    yield from table(["vector", "numbers", "known classes", "new classes"], cells)
    yield ""
    if figures.get("unfreeze") or figures.get("fc2"):
        yield f"![The experiments](images/{IMAGES[1]})"
        yield ""


def _unfrozen(figures: Figures) -> Iterator[str]:
    rows = figures.get("unfreeze", {})
    if not rows:
        return
    facts = rows["facts"]
    yield from ("## How many layers to unfreeze", "")
    yield (
        f"Fine-tuning of the last stages only, {facts['epochs']} epochs, learned from {facts['learned']:,} pictures, "
        f"{facts['each']} of a class or fewer; {facts['asked']:,} others ask each other. *Best*: the epoch kept."
    )
    yield ""
    cells = [
        [
            count,
            percent(row["known"], 2),
            row.get("best", ""),
            figure(row["work"]["processor_s"]) if "work" in row else "",
        ]
        for count, row in rows.items()
        if count != "facts"
    ]
    yield from table(["last stages that learn", "precision@4", "best", "processor seconds"], cells)
    yield ""


def _codes(figures: Figures) -> Iterator[str]:
    rows = {name: row for name, row in figures.get("fc2", {}).items() if name != "facts"}
    if not rows:
        return
    facts = figures["fc2"]["facts"]
    yield from ("## How long a vector should be: fc2 of a small network", "")
    yield (
        f"A small convolutional network (`cnn(fc2=N)`) that learned from {facts['learned']:,} grey pictures of 28 x 28 "
        f"pixels; {facts['asked']:,} others ask each other by the N numbers before its classes. The pictures: "
        f"{facts['name']}. *Accuracy*: the class that the 10 nearest vote for."
    )
    if "stand-in" in facts["name"]:
        yield (
            "They stand in for Fashion-MNIST, which the machine that measured could not reach, so the figures are not "
            "Fashion-MNIST's; `imagekin datasets download fashion-mnist` and measuring again gives those."
        )
    yield ""
    cells = [
        [f"fc2 = {name}" if name.isdigit() else name, f"{row['numbers']:,}", percent(row["precision@4"], 1),
         percent(row["mAP@R"], 1), percent(row["accuracy"], 1)]
        for name, row in rows.items()
    ]  # fmt: skip
    yield from table(["vector", "numbers", "precision@4", "mAP@R", "accuracy"], cells)
    yield ""


def _worst(figures: Figures) -> Iterator[str]:
    rows = {name: figures["rows"][name] for name in WAYS if name in figures.get("rows", {})}
    if "frozen" not in rows:
        return
    yield from ("## The worst classes, before and after", "")
    yield "The classes that do worst before anything is learned, and how each way does on their held-out pictures:"
    yield ""
    labels = sorted(rows["frozen"]["worst"], key=lambda label: rows["frozen"]["worst"][label])
    cells = [[f"`{label}`", *(percent(row["worst"][label], 0) for row in rows.values())] for label in labels]
    yield from table(["class", *rows], cells)
    yield ""
    yield f"![t-SNE maps of these classes](images/{IMAGES[2]})"
    yield ""


def _method(figures: Figures) -> Iterator[str]:
    plans = {name: row["plan"] for name, row in figures.get("rows", {}).items() if "plan" in row}
    yield from ("## How it was measured", "")
    yield (
        f"`python -m benchmarks learning`, seed {figures['seed']}. Copies of pictures are taken once. A head is chosen "
        "and learned as `imagekin train head` does it; one on a learned network takes the usual parameters. Networks "
        "choose their best epoch by a part of the pictures that they are given to learn from. The new classes are held "
        "out of a training of their own."
    )
    yield ""
    for name, plan in plans.items():
        said = ", ".join(f"{key} {value}" for key, value in plan.items())
        known, new = figures["rows"][name]["epochs"]
        yield f"- {name}: {said}; {known} and, without the new classes, {new} epochs."
    if plans:
        yield ""
