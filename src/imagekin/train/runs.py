"""The folder of a training: what was asked, how it went, a checkpoint to go on from, and the model that came of it."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

from imagekin.embed.onnx_about import MODEL, RUN
from imagekin.errors import InputError, LockedError
from imagekin.replacement import failures, replace

FORMAT: Final = 1

HISTORY: Final = "history.jsonl"
WEIGHTS: Final = "weights.safetensors"
CHECKPOINT: Final = "checkpoint.pt"
CURVES: Final = "curves.html"

RUNNING: Final = "running"
STOPPED: Final = "stopped"
DONE: Final = "done"

_LARGEST: Final = 64 << 20

_WHOLE: Final = ("number", "batch", "best")


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one round through the pictures came to.

    Attributes:
        number: from 1; 0 is before the first.
        loss: its mean over the epoch; None before the first.
        precision: of the held-out pictures among themselves, at the *k* of the run's facts.
        rate: of learning at its end.
        seconds: since the training began, all its parts counted when it was interrupted.
        batch: pictures that went through the network at once.
        best: whether no epoch before was better.
    """

    number: int
    loss: float | None
    precision: float
    rate: float
    seconds: float
    batch: int
    best: bool

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


History = tuple[Epoch, ...]


def history_of(given: Sequence[Mapping[str, Any]]) -> History:
    """The epochs that ``to_dict`` wrote; raises KeyError or TypeError of what others wrote."""
    known = [each.name for each in fields(Epoch)]
    for row in given:
        for name in known:
            number = isinstance(row[name], int if name in _WHOLE else int | float)
            if not number and not (name == "loss" and row[name] is None):
                raise TypeError(f"{name} of an epoch is no number")
    return tuple(Epoch(**{name: row[name] for name in known}) for row in given)


class Run:
    """A training's folder.

    Attributes:
        folder: its absolute path.
        facts: what ``run.json`` says: ``model``, ``plan``, ``state``, ``labels``, ``figures`` and more.
    """

    def __init__(self, folder: Path, facts: Mapping[str, Any]) -> None:
        self.folder = folder
        self.facts = dict(facts)

    @classmethod
    def create(cls, folder: str | os.PathLike[str], facts: Mapping[str, Any]) -> Run:
        """A new one in a folder that is not there yet, is empty, or holds a training that came to no epoch.

        Raises:
            InputError: something is there, or it cannot be written.
            LockedError: another process trains into it.
        """
        path = Path(folder).expanduser().absolute()
        there = {entry.name for entry in path.iterdir()} - {LOCK} if path.is_dir() else set()
        if is_run(path) and there != {RUN}:
            raise InputError(f"{folder} holds a training already; go on with it by --resume, or choose another folder.")
        if (path.exists() and not path.is_dir()) or there - {RUN}:
            raise InputError(f"{folder} is not an empty folder; choose another one for the training.")
        with failures(folder):
            path.mkdir(parents=True, exist_ok=True)
        run = cls(path, {"format": FORMAT, "state": RUNNING, **facts})
        with run.alone():
            run.write()
        return run

    @classmethod
    def open(cls, folder: str | os.PathLike[str]) -> Run:
        """One that is there.

        Raises:
            InputError: there is none, or its ``run.json`` cannot be read.
        """
        path = Path(folder).expanduser().absolute()
        try:
            with (path / RUN).open("rb") as file:
                facts = json.loads(file.read(_LARGEST))
        except OSError as error:
            raise InputError(f"{folder} holds no training ({error.strerror or error}); leave out --resume.") from error
        except (ValueError, RecursionError):
            facts = None
        if not isinstance(facts, dict) or facts.get("format") != FORMAT or not isinstance(facts.get("model"), str):
            raise InputError(f"{path / RUN} is damaged, or was written by a later version; train into another folder.")
        return cls(path, facts)

    @property
    def model(self) -> Path:
        """The model, once the training is done."""
        return self.folder / MODEL

    @property
    def weights(self) -> Path:
        """The network's weights, once the training is done."""
        return self.folder / WEIGHTS

    @property
    def checkpoint(self) -> Path:
        """All that is needed to go on."""
        return self.folder / CHECKPOINT

    @property
    def history(self) -> History:
        """Its epochs so far; a line that was cut short is left out."""
        found: list[dict[str, Any]] = []
        with (
            contextlib.suppress(OSError, ValueError, TypeError),
            (self.folder / HISTORY).open(encoding="utf-8") as file,
        ):
            for line in file:
                found.append(json.loads(line))
        with contextlib.suppress(KeyError, TypeError):
            return history_of(found)
        return ()

    def write(self, **facts: Any) -> None:
        """Change some facts and keep them.

        Raises:
            InputError: the file cannot be written.
        """
        self.facts.update(facts)
        self.put(RUN, json.dumps(self.facts, indent=1).encode())

    def put(self, name: str, data: bytes) -> None:
        """Write one of its files whole or not at all; raises InputError where it cannot be written."""
        with failures(self.folder / name):
            replace(self.folder / name, data)

    def tell(self, history: History) -> None:
        """Keep the epochs so far, and draw them."""
        from imagekin.train import curves

        lines = "".join(json.dumps(epoch.to_dict()) + "\n" for epoch in history)
        self.put(HISTORY, lines.encode())
        self.put(CURVES, curves.page(self.facts, history).encode())

    def stopped(self) -> None:
        """Keep that it came to no end, and say so on its page; raises InputError where that cannot be written."""
        self.write(state=STOPPED)
        if history := self.history:
            self.tell(history)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """See that no other process trains into the folder while the block runs.

        Raises:
            LockedError: one does.
            InputError: the folder cannot be written to.
        """
        import filelock

        lock = filelock.FileLock(self.folder / LOCK)
        with failures(self.folder):
            try:
                lock.acquire(timeout=0)
            except filelock.Timeout:
                raise LockedError(f"another process trains into {self.folder}; wait for it, or stop it.") from None
        try:
            yield
        finally:
            lock.release()

    def to_dict(self) -> dict[str, Any]:
        """Facts and epochs as plain data."""
        return {"folder": str(self.folder), **self.facts, "history": [epoch.to_dict() for epoch in self.history]}


LOCK: Final = ".lock"


def is_run(folder: str | os.PathLike[str]) -> bool:
    """Whether a training has been begun in *folder*."""
    return os.path.isfile(os.path.join(os.path.expanduser(os.fspath(folder)), RUN))
