"""What learning from labels gains and costs: frozen features, a head on them, fine-tuned and metric-learned networks.

All learn from the same pictures and are asked by the same others, twice: half of each class's pictures are learned from
and the other half asks; and of a fifth of the classes nothing is learned, and these ask each other.  Networks learn by
the commands that users have; their own search for the best epoch sees nothing of the pictures that ask here.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

import imagekin
from benchmarks import codes, energy, layers, lessons, pictures
from benchmarks.energy import Meter
from benchmarks.lessons import Rows
from benchmarks.rounds import significant
from imagekin import embed, maps, train
from imagekin.errors import ImagekinError
from imagekin.evaluation import Evaluation
from imagekin.reduce.head import Head
from imagekin.types import Vectors

Figures = dict[str, Any]

MODEL: Final = "efficientnet-lite0"
"""What everything starts from, at float32."""

PARTS: Final = ("rows", "layers", "unfreeze", "fc2")

FINETUNED: Final[Figures] = {"unfreeze": 1, "augment": "flip", "epochs": 4, "backbone": 0.5, "held": 0.1}
METRIC: Final[Figures] = {"loss": "multi-similarity", **FINETUNED}
"""Of ``train.finetune`` and ``train.metric``, where it differs from what is usual."""

UNFROZEN: Final = (1, 2, 3)
UNFREEZING: Final[Figures] = {"augment": "flip", "epochs": 8, "held": 0.4}
FEW: Final = 10
"""Pictures of each class that the experiment with more and more stages learns from, and as many that ask."""

WORST: Final = 10
"""Classes that are drawn as maps."""


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--count", type=int, default=0, help="pictures, spread over the folder; 0 for all")
    parser.add_argument("--parts", default=",".join(PARTS), help=f"any of {', '.join(PARTS)}, with commas [all]")
    parser.add_argument("--watts", type=float, default=energy.WATTS, help="of a busy core, where no counter is read")
    parser.add_argument("--seed", type=int, default=0, help="of every draw")
    parser.add_argument("--fashion", type=Path, help="folder of Fashion-MNIST [its own place, or a stand-in]")
    parser.add_argument("--resume", type=Path, help="a record; what it has is not measured again")


def run(arguments: argparse.Namespace, work: Path) -> Figures:
    """Everything; each row is kept as soon as it is measured."""
    root = pictures.subset(pictures.folder(arguments.images), arguments.count, work / "pictures")
    study = Study(root, arguments, work)
    steps = {"rows": study.rows, "layers": study.layers, "unfreeze": study.unfreeze, "fc2": study.fc2}
    for name in arguments.parts.split(","):
        steps[name.strip()]()
    return study.figures


class Study:
    """One run.

    Attributes:
        figures: what has been measured so far.
    """

    def __init__(self, root: Path, arguments: argparse.Namespace, work: Path) -> None:
        self.work, self.seed = work, arguments.seed
        self.watts, self.fashion = arguments.watts, arguments.fashion
        self._keep: Callable[[Figures], object] = getattr(arguments, "keep", None) or (lambda _: None)
        self.base = embed.create(MODEL, precision="fp32", device="cpu")
        self.lessons = lessons.prepared(root, self.base.recipe, self.seed)
        known = json.loads(arguments.resume.read_text("utf-8"))["figures"] if arguments.resume else {}
        given = self.lessons
        self.figures: Figures = {
            **known,
            "pictures": len(given.paths),
            "classes": len(given.names),
            "learned": [len(given.learn), len(given.known)],
            "asked": [len(given.held), len(given.fresh)],
            "fresh": len(np.unique(given.codes[given.fresh])),
            "model": f"{MODEL} (fp32)",
            "dim": self.base.dim,
            "watts": self.watts,
            "seed": self.seed,
        }
        self._splits = ((given.learn, given.held), (given.known, given.fresh))

    # -- frozen, head, fine-tuned, metric-learned ----------------------------------------------------------------------

    def rows(self) -> None:
        """What each way reaches; the worst classes of the first on the map of each."""
        kept = self.figures.setdefault("rows", {})
        meter, count = Meter(self.watts), len(self.lessons.paths)
        vectors = lessons.embedded(self.base, self.lessons.pixels)
        self.figures.setdefault("reading", {**meter.used(), "pictures": count})
        self._before = tuple(self._measured(vectors[held], held) for _, held in self._splits)
        self._worst = [one.label for one in self._before[0].per_class[:WORST]]
        if "frozen" not in kept:
            self._row("frozen", [vectors[held] for _, held in self._splits], {}, {"numbers": self.base.dim})
        if "head" not in kept:
            self._attempt("head", partial(self._head, vectors))
        for name, learn, plan in (("fine-tuned", "finetune", FINETUNED), ("metric-learned", "metric", METRIC)):
            if name not in kept or f"{name} + head" not in kept:
                self._attempt(name, partial(self._network, name, learn, plan))

    def _head(self, vectors: Vectors) -> None:
        """As ``imagekin train head`` learns it: recipes tried and all."""
        place = self._collection(vectors)
        meter = Meter(self.watts)
        with imagekin.open(place) as photos:
            found = train.head(photos, seed=self.seed, apply=False)
        used = meter.used()
        recipe = dict(found.chosen.recipe)
        self._row("head", self._heads([vectors, vectors], recipe), used, {"numbers": found.short, "recipe": recipe})

    def _network(self, name: str, learn: str, plan: Figures) -> None:
        """A network that learned, and a head on what it gives, which learns from the same pictures."""
        found, used, epochs = [], Figures(), []
        for number, (teaching, _) in enumerate(self._splits):
            folder = self.lessons.folder(teaching, self.work / f"{number}-teaching")
            meter = Meter(self.watts)
            own = {"known_classes": number == 0} if learn == "metric" else {}
            learned = self._learned(learn, folder, self.work / f"{number}-{name}", {**plan, **own})
            used = used or meter.used()
            epochs.append(learned.history[-1].number)
            found.append(lessons.embedded(embed.create(str(learned.run.folder)), self.lessons.pixels))
        asked = [vectors[held] for vectors, (_, held) in zip(found, self._splits, strict=True)]
        self._row(name, asked, used, {"numbers": found[0].shape[1], "plan": dict(plan), "epochs": epochs})
        meter = Meter(self.watts)
        headed = self._heads(found, {})
        after = meter.used()
        both = {key: significant(used[key] + after[key] / len(found)) for key in ("seconds", "processor_s", "joules")}
        self._row(f"{name} + head", headed, {**used, **both}, {"numbers": headed[0].shape[1]})

    def _heads(self, vectors: list[Vectors], recipe: Figures) -> list[Vectors]:
        """What a head that learned from those who teach makes of those who ask."""
        return [
            Head(**recipe).fit(each[teaching], self.lessons.labels(teaching)).transform(each[held])
            for each, (teaching, held) in zip(vectors, self._splits, strict=True)
        ]

    def _row(self, name: str, asked: list[Vectors], used: Figures, more: Figures) -> None:
        found = [self._measured(each, held) for each, (_, held) in zip(asked, self._splits, strict=True)]
        known, new = (lessons.figures(*pair, self.seed) for pair in zip(found, self._before, strict=True))
        worst = {one.label: round(one.precision, 4) for one in found[0].per_class if one.label in self._worst}
        row = {**more, "known": known, "new": new, "work": used, "worst": worst, "map": self._map(asked[0])}
        self._done("rows", name, row)

    def _map(self, asked: Vectors) -> Figures:
        """Where the pictures of the worst classes lie, by t-SNE."""
        labels = np.array(self.lessons.labels(self.lessons.held))
        chosen = np.isin(labels, self._worst)
        made = maps.map(asked[chosen], seed=self.seed)
        return {"labels": labels[chosen].tolist(), "xy": made.xy.round(3).tolist(), "title": made.title}

    def _measured(self, vectors: Vectors, rows: Rows) -> Evaluation:
        return lessons.measured(vectors, self.lessons.labels(rows), self.seed)

    def _collection(self, vectors: Vectors) -> Path:
        """A collection of all pictures with these vectors, as ``index`` would leave it."""
        from imagekin.store import open_store
        from imagekin.store.base import Batch, Put
        from imagekin.types import FileInfo

        place = self.work / "collection"
        store = open_store(place, create=True)
        store.claim({**self.base.describe(), "spec": self.base.spec})
        labels, (height, width) = self.lessons.labels(np.arange(len(vectors))), self.base.input_size
        puts = [
            Put(FileInfo(path, 1, 1), lessons.digest(path), width, height, vector, label)
            for path, vector, label in zip(self.lessons.paths, vectors, labels, strict=True)
        ]
        store.write(Batch(puts=puts))
        store.close()
        return place

    # -- the notes' experiments ----------------------------------------------------------------------------------------

    def layers(self) -> None:
        """Search by what each stage of the network sees, and by the classes that it names."""
        if "layers" in self.figures:
            return
        rows = []
        for name, vectors in layers.seen(self.lessons.pixels).items():
            found = [self._measured(vectors[held], held) for _, held in self._splits]
            known, new = (one.figure("precision@4").value for one in found)
            shares = {"known": lessons.short(known), "new": lessons.short(new)}
            rows.append({"name": name, "numbers": vectors.shape[1], **shares})
        self._done("layers", None, rows)

    def unfreeze(self) -> None:
        """Fine-tuning of more and more of the last stages, on few pictures."""
        self._attempt("unfreeze", self._unfreeze)

    def _unfreeze(self) -> None:
        kept = self.figures.setdefault("unfreeze", {})
        teaching, held = (self.lessons.fewer(rows, FEW) for rows in self._splits[0])
        pixels = self.lessons.pixels[held]
        kept["facts"] = {**UNFREEZING, "learned": len(teaching), "asked": len(held), "each": FEW}
        if "0" not in kept:
            self._unfrozen(0, lessons.embedded(self.base, pixels), held, {"numbers": self.base.dim})
        folder = self.lessons.folder(teaching, self.work / "few")
        for count in (count for count in UNFROZEN if str(count) not in kept):
            meter = Meter(self.watts)
            plan = {**UNFREEZING, "unfreeze": count}
            learned = train.finetune(folder, MODEL, out=self.work / f"{count}-unfrozen", seed=self.seed, **plan)
            more = {"best": learned.best, "work": meter.used()}
            self._unfrozen(count, lessons.embedded(embed.create(str(learned.run.folder)), pixels), held, more)

    def _unfrozen(self, count: int, vectors: Vectors, held: Rows, more: Figures) -> None:
        found = self._measured(vectors, held).figure("precision@4")
        self._done("unfreeze", str(count), {"known": lessons.short(found.value), **more})

    def fc2(self) -> None:
        """A small network of small grey pictures, and how long its vectors are."""
        self._attempt("fc2", self._fc2)

    def _fc2(self) -> None:
        codes.measure(
            codes.clothes(self.lessons, self.fashion, self.seed),
            self.work,
            seed=self.seed,
            watts=self.watts,
            known=self.figures.get("fc2", {}),
            done=partial(self._done, "fc2"),
        )

    def _learned(self, learn: str, folder: Path, out: Path, plan: Figures) -> Any:
        function = getattr(train, learn)
        return function(folder, model=MODEL, out=out, seed=self.seed, **plan)

    # -- keeping -------------------------------------------------------------------------------------------------------

    def _attempt(self, name: str, work: Callable[[], None]) -> None:
        """What fails is told in the record; the others go on."""
        missing = [package for package in ("torch", "timm") if importlib.util.find_spec(package) is None]
        if name != "head" and missing:
            self._done("failed", name, f"{' and '.join(missing)} not installed")
            return
        try:
            work()
            self.figures.get("failed", {}).pop(name, None)
        except ImagekinError as error:
            self._done("failed", name, str(error))

    def _done(self, part: str, name: str | None, found: Any) -> None:
        if name is None:
            self.figures[part] = found
        else:
            now = datetime.now(UTC).isoformat(timespec="seconds")
            self.figures.setdefault(part, {})[name] = {**found, "date": now} if isinstance(found, dict) else found
        self._keep(self.figures)
        print(f"  {part}{f', {name}' if name else ''}", flush=True)
