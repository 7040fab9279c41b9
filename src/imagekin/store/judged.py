"""What people said of pictures that were found: the table ``judgement`` of a collection file."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final

from imagekin.store.base import Store, as_text
from imagekin.store.database import Database
from imagekin.types import Judgement

_NAMED: Final = "name:"
"""What a question begins with that is no item, so that none of them is taken for one."""

_WRITE: Final = """
INSERT INTO judgement (question, item, asked, fits, made)
SELECT ?1, id, ?2, ?3, ?4 FROM item WHERE id = ?5 AND (?2 IS NULL OR EXISTS (SELECT 1 FROM item WHERE id = ?2))
ON CONFLICT (question, item) DO UPDATE SET fits = excluded.fits, made = excluded.made
WHERE judgement.fits <> excluded.fits RETURNING item
"""


class JudgedStore(Store):
    """A store whose file has a table of judgements."""

    database: Database

    def judge(self, asked: int | str, fits: Mapping[int, bool | None]) -> int:
        """See ``Store.judge``."""
        question, item, now = _question(asked), None if isinstance(asked, str) else asked, time.time_ns()
        changed = 0
        with self.database.transaction() as writer:
            for number, fit in fits.items():
                if fit is None:
                    sql = "DELETE FROM judgement WHERE question = ? AND item = ? RETURNING item"
                    rows = writer.execute(sql, (question, number))
                else:
                    rows = writer.execute(_WRITE, (question, item, int(fit), now, number))
                changed += len(list(rows))
        return changed

    def judgements(self, asked: int | str | None = None) -> list[Judgement]:
        """See ``Store.judgements``."""
        sql = "SELECT question, asked, item, fits, made FROM judgement WHERE ?1 IS NULL OR question = ?1"
        rows = self.database.all(f"{sql} ORDER BY made, question, item", (None if asked is None else _question(asked),))
        return [
            Judgement(question.removeprefix(_NAMED) if number is None else number, item, bool(fits), made / 1e9)
            for question, number, item, fits, made in rows
        ]

    def judged(self) -> tuple[int, int]:
        """See ``Store.judged``."""
        ((total, searches),) = self.database.all("SELECT count(*), count(DISTINCT question) FROM judgement")
        return total, searches

    def forget_judgements(self, asked: int | str | None = None) -> int:
        """See ``Store.forget_judgements``."""
        sql = "DELETE FROM judgement WHERE ?1 IS NULL OR question = ?1 RETURNING item"
        with self.database.transaction() as writer:
            return len(list(writer.execute(sql, (None if asked is None else _question(asked),))))


def _question(asked: int | str) -> str:
    return f"{_NAMED}{as_text(asked)}" if isinstance(asked, str) else f"item:{asked}"
