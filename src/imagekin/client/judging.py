"""Judgements of a collection on a server, and heads that learn from them there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from imagekin.evaluation.records import Progress
from imagekin.judging import Judging, question, said
from imagekin.tagging import Chosen
from imagekin.types import Judgement


class RemoteJudgements(Judging):
    """The part of a ``Client`` that judges what was found, and has the server learn from it."""

    def judge(self, asked: int | str, *, right: Chosen = None, wrong: Chosen = None, neither: Chosen = None) -> int:
        """Say which of the pictures that a search found are right, and which are wrong; see ``Collection.judge``."""
        fits = said(right, wrong, neither)
        body: dict[str, Any] = _asked(question(asked))
        for name, fit in (("right", True), ("wrong", False), ("neither", None)):
            body[name] = [number for number, each in fits.items() if each is fit]
        return int(self._ask("POST", "/judgements", json=body)["changed"])

    def judgements(self, asked: int | str | None = None) -> list[Judgement]:
        """What was said, the oldest first: of what *asked* found, or of everything."""
        wanted = None if asked is None else _asked(question(asked))
        told = self._ask("GET", "/judgements", params=wanted)["judgements"]
        return [Judgement(**each) for each in told]

    def forget_judgements(self, asked: int | str | None = None) -> int:
        """Forget what was said of what *asked* found, or everything.  Returns how many judgements."""
        wanted = {"all": True} if asked is None else _asked(question(asked))
        return int(self._ask("DELETE", "/judgements", params=wanted)["removed"])

    def learn(
        self, source: str | None = None, *, seed: int = 0, progress: Callable[[Progress], None] | None = None
    ) -> dict[str, Any]:
        """Have the server learn a head, search by it if it is better, and say what it gains; see ``train.head``.

        Args:
            source: ``labels``, ``judgements``, or None for labels where there are enough.
            seed: of every draw.
            progress: called now and then.

        Raises:
            StoreError: there is too little to learn from, as the sentence says.
            InputError: another job is on its way.
        """
        job = self._ask("POST", "/learn", json={"source": source, "seed": seed})
        return self._followed(job, lambda told: Progress(**told), progress)

    def unlearn(self) -> str | None:
        """Take the head away; see ``train.undo``.  Returns the reducer by which vectors are compared then, or None."""
        found = self._ask("POST", "/learn/undo")["reduce"]
        return None if found is None else str(found)

    def _ask(self, method: str, path: str, **request: Any) -> Any:
        raise NotImplementedError

    def _followed(
        self, job: dict[str, Any], read: Callable[[dict[str, Any]], Any], progress: Callable[[Any], None] | None
    ) -> dict[str, Any]:
        raise NotImplementedError


def _asked(asked: int | str) -> dict[str, Any]:
    return {"name": asked} if isinstance(asked, str) else {"id": asked}
