"""From labelled pictures to a model: parted, trained, tried on what was not learned from, and exported."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from imagekin import embed
from imagekin.errors import ImagekinError, InputError, MissingPackageError
from imagekin.evaluation import labelled
from imagekin.evaluation import split as splits
from imagekin.train import losses, pictures, runs, trials
from imagekin.train.pictures import Pictures
from imagekin.train.plan import Plan, from_dict
from imagekin.train.records import Trial
from imagekin.train.runs import History, Run
from imagekin.types import Skipped

if TYPE_CHECKING:
    from imagekin.train.feeds import Plain, Step
    from imagekin.train.loop import Watch
    from imagekin.train.network import Network

HELD: Final = 0.3
"""Share of the pictures that is held out: one half to see when to stop, the other to tell what was gained."""

_NEEDED: Final = ("torch", "timm", "safetensors")

_OTHER: Final = {"pictures": "other pictures or labels", "weights": "other weights"}

_FREE: Final = ("minutes", "device")
"""What may be another when a training is gone on with."""


@dataclass(frozen=True)
class Learned:
    """What a training came to.

    Attributes:
        run: its folder, with the model.
        trial: the network before and after, on pictures that it neither learned from nor was stopped by.
        history: its epochs.
        skipped: files that could not be read.
        notes: sentences on what was left out, and on how it was done.
    """

    run: Run
    trial: Trial
    history: History
    skipped: tuple[Skipped, ...]
    notes: tuple[str, ...]

    @property
    def best(self) -> int:
        """The epoch whose weights were kept; 0 for those it began with."""
        return max(epoch.number for epoch in self.history if epoch.best)

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        own = {"trial": asdict(self.trial), "best": self.best, "notes": list(self.notes)}
        return {**self.run.to_dict(), **own, "skipped": [asdict(skip) for skip in self.skipped]}


def learn(
    given: Pictures,
    made: Network,
    plan: Plan,
    out: str | os.PathLike[str] | None = None,
    *,
    held: float = HELD,
    new_classes: bool = False,
    resume: bool = False,
    watch: tuple[Step | None, Watch | None] = (None, None),
) -> Learned:
    """Train a network on labelled pictures; leave the model, its preprocessing and the figures in a folder.

    Args:
        given: the pictures; see ``pictures.of_folder``.
        made: of ``network.network``; it is left with the weights that did best.
        plan: how.
        out: the run's folder; new, or that of the interrupted run with *resume*; None for a new one below ``runs``.
        held: share of the pictures that is not learned from.
        new_classes: hold whole classes out, for a network that is to compare what it has no name for.
        resume: go on from the last checkpoint.
        watch: two functions that are told how far it is, while pictures are prepared and while the network learns.

    Raises:
        InputError: too few pictures, a folder that is taken, or *resume* of something else than what was begun.
        MissingPackageError: PyTorch, timm or pytorch-metric-learning is not installed.
        ModelError: the network cannot be had, its loss is no number, or its memory does not suffice.
        LockedError: another process trains into the folder.
    """
    if resume and out is None:
        raise InputError("--resume goes on with one training of several; say which by --out FOLDER.")
    out = default_folder(made.spec) if out is None else out
    digest = importlib.import_module("imagekin.embed.torch_network").digest
    asked = {"model": made.spec, "held": held, "new_classes": new_classes, "pictures": given.digest()}
    asked["weights"] = digest(made.module)
    run = _reopened(out, asked, plan) if resume else None
    parts = _Parts.of(given, held, plan.seed, new_classes)
    counts = {"learn": len(parts.learn), "check": len(parts.check), "test": len(parts.test)}
    facts = {**asked, "plan": plan.to_dict(), "labels": list(parts.learn.labels), "images": counts}
    run = run or Run.create(out, facts)
    with run.alone():
        try:
            return _learned(run, parts, made, plan, (resume, *watch))
        except BaseException:
            with contextlib.suppress(InputError):  # such as of a full disk, of which the first error tells
                run.stopped()
            raise


@dataclass(frozen=True)
class _Parts:
    learn: Pictures
    check: Pictures
    test: Pictures
    every: Pictures

    @classmethod
    def of(cls, given: Pictures, held: float, seed: int, new_classes: bool) -> _Parts:
        """Pictures to learn from, with classes from 0; to see when to stop; and to tell what was gained."""
        learning, rest = pictures.held_out(given, held, seed=seed, by_class=new_classes)
        kinds = len(set(rest.families().tolist()))
        if new_classes and kinds < 2 * pictures.FEWEST:
            raise InputError(
                f"{kinds} classes are held out, and {2 * pictures.FEWEST} are needed: half of them to see when to "
                "stop, and half to tell what was gained; give more classes, or hold out more of them (held)."
            )
        test, check = pictures.held_out(rest, 0.5, seed=seed + 1, by_class=new_classes)
        _see(check, test)
        return cls(learning.compact(), check, test, given.compact())


def _see(check: Pictures, test: Pictures) -> None:
    """See that something can be found among the pictures that are held out; raises InputError where it cannot."""
    for part, what in ((check, "to see when to stop"), (test, "to tell what was gained")):
        sizes = [int((part.codes == code).sum()) for code in part.classes()]
        if len(sizes) < pictures.FEWEST or max(sizes) < pictures.FEWEST:
            raise InputError(
                f"of the {len(check) + len(test):,} pictures that are held out, those {what} are not of two classes, "
                "one with two pictures; give more pictures of each class, or hold out more of them (held)."
            )


def _learned(
    run: Run, parts: _Parts, made: Network, plan: Plan, how: tuple[bool, Step | None, Watch | None]
) -> Learned:
    from imagekin.train import feeds, loop, projection

    started = time.perf_counter()
    resume, step, watch = how
    stages = made.unfreeze(plan.unfreeze)
    first = {name: tensor.clone() for name, tensor in made.module.state_dict().items()} if plan.refit else {}
    fed = feeds.feed(made, parts.learn, parts.check, plan, step)
    test = fed.plain(parts.test)
    _see(fed.check.pictures, test.pictures)
    objective = objective_of(plan, made.dim, len(parts.learn.labels))
    with projection.bare(fed.module):
        before = loop.features(fed.module, test.batches())
    projection.start(fed)
    run.write(
        state=runs.RUNNING,
        stages=list(stages),
        how=fed.how,
        images={"learn": len(fed.learn), "check": len(fed.check.pictures), "test": len(test.pictures)},
        k=trials.depth(fed.check.pictures.codes, plan.neighbours),
        versions=_versions(),
    )
    spent = time.perf_counter() - started
    history = loop.fit(made, objective, fed, run=run, resume=resume, spent=spent, watch=watch)
    learned = time.perf_counter()
    trial = _tried(test, (before, loop.features(fed.module, test.batches())), len(fed.learn), plan)
    notes = [*parts.learn.notes, f"Learned: {', '.join(stages)}; {fed.how}."]
    if plan.refit:
        made.module.load_state_dict(first)
        notes.append(_refitted(made, parts, plan, history, (step, watch)))
    _export(run, made)
    run.write(state=runs.DONE, figures=asdict(trial), seconds=history[-1].seconds + time.perf_counter() - learned)
    run.tell(history)
    return Learned(run, trial, history, (*parts.learn.skipped, *fed.skipped), tuple(notes))


def _refitted(
    made: Network, parts: _Parts, plan: Plan, history: History, watch: tuple[Step | None, Watch | None]
) -> str:
    """Let the network, as it was at first, learn from all pictures in as many epochs as were best; says so."""
    from imagekin.train import feeds, loop, projection

    best = max(epoch.number for epoch in history if epoch.best)
    few = replace(plan, epochs=max(1, best), patience=max(1, best), minutes=None)
    fed = feeds.feed(made, parts.every, parts.check, few, watch[0])
    projection.start(fed)
    kept = 0
    if best:
        again = loop.fit(made, objective_of(plan, made.dim, len(parts.every.labels)), fed)
        kept = max(epoch.number for epoch in again if epoch.best)
    return (
        f"The model then learned from all {len(fed.learn):,} pictures, and is that of epoch {kept} of {best}; the "
        "figures are of before."
    )


def objective_of(plan: Plan, dim: int, classes: int) -> Any:
    """The plan's loss, with its own parameters drawn by the plan's seed."""
    torch: Any = importlib.import_module("torch")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.seed)
        return losses.objective(plan.loss, dim, classes, **plan.options)


def _tried(test: Plain, both: tuple[Any, Any], learned: int, plan: Plan) -> Trial:
    """What the training added, on pictures that had no part in it."""
    codes = test.pictures.codes
    first, second = (
        splits.asked(labelled.of_vectors(vectors, codes), trials.QUERIES, seed=plan.seed) for vectors in both
    )
    k = trials.depth(codes, plan.neighbours)
    return trials.compared(first, second, learned=learned, k=k, seed=plan.seed)


def _export(run: Run, made: Any) -> None:
    save = importlib.import_module("safetensors.torch").save
    run.put(runs.WEIGHTS, save(made.state()))
    made.notes = {**made.notes, "run": run.folder.name}
    run.write(deviation=made.export(run.model))


def _reopened(out: str | os.PathLike[str], asked: Mapping[str, Any], plan: Plan) -> Run:
    """The run that is to be gone on with, if it is the same one."""
    run = Run.open(out)
    if run.facts.get("state") == runs.DONE:
        raise InputError(f"the training in {os.fspath(out)} has come to its end; train into another folder.")
    try:
        was, now = from_dict(run.facts["plan"]).to_dict(), plan.to_dict()
    except (ImagekinError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise InputError(f"the plan of {os.fspath(out)} is damaged; train into another folder.") from error
    for name in now:
        if name not in _FREE and was[name] != now[name]:
            raise InputError(
                f"the training in {os.fspath(out)} was begun with {name}={was[name]!r}, not "
                f"{now[name]!r}; say the same."
            )
    for name, value in asked.items():
        if run.facts.get(name) != value:
            what = _OTHER.get(name) or f"{name}={run.facts.get(name)!r}, not {value!r}"
            raise InputError(f"the training in {os.fspath(out)} was begun with {what}; train into another folder.")
    return run


def need(*more: str) -> None:
    """See that PyTorch and what goes with it is installed, and *more*.

    Raises:
        MissingPackageError: it is not; the message says what to install.
    """
    for name in (*_NEEDED, *more):
        if importlib.util.find_spec(name) is None:
            raise MissingPackageError(
                f"training a network needs {name}, which is not installed; install it with: "
                'pip install "imagekin[torch]"'
            )


def _versions() -> dict[str, str]:
    return {name: str(importlib.import_module(name).__version__) for name in ("imagekin", "torch", "timm")}


def default_folder(model: str) -> Path:
    """``runs/MODEL``, or with a number behind it where that is taken."""
    name = Path(embed.parse(model)[0]).name
    start = Path("runs") / "".join(letter if letter.isalnum() or letter in ".-" else "-" for letter in name)
    return next(
        path for number in range(1, 10_000) if not (path := Path(f"{start}-{number}" if number > 1 else start)).exists()
    )
