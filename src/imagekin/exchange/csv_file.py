"""A CSV file: one row an item, metadata in columns of their own, vectors only if they are wanted.

It is written in UTF-8, and ``imagekin index --label-from`` takes its labels and metadata.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np

from imagekin.exchange.outgoing import How
from imagekin.exchange.selection import BLOCK, Listed, Selection
from imagekin.pipeline import batched
from imagekin.replacement import replacing
from imagekin.store.rows import parsed

COLUMNS: Final = ("id", "path", "label", "width", "height", "size", "mtime", "hash", "tags")
_TAGS: Final = COLUMNS.index("tags")


class Writer:
    """Writes one CSV file."""

    parts: ClassVar[tuple[str, ...]] = ()

    def write(self, selection: Selection, target: Path, how: How) -> int:
        """See ``outgoing.Writer.write``."""
        extra = selection.columns()
        names = [*COLUMNS, *named(extra), *(f"v{number}" for number in range(selection.dim if how.vectors else 0))]
        done = 0
        with replacing(target) as handle:
            handle.write(_text([names]))
            for rows in self._blocks(selection, extra, how.vectors):
                handle.write(_text(rows))
                done += len(rows)
                if how.tell is not None:
                    how.tell(done)
        return done

    def _blocks(self, selection: Selection, extra: Sequence[str], vectors: bool) -> Iterator[list[list[Any]]]:
        if not vectors:
            for items in batched(selection.items(), BLOCK):
                yield [_cells(item, extra) for item in items]
            return
        written = texts()
        for block in selection:
            cells = written[block.vectors.view(np.uint16)].tolist()
            yield [[*_cells(item, extra), *line] for item, line in zip(block.items, cells, strict=True)]


def named(extra: Sequence[str]) -> list[str]:
    """The names of metadata columns, told apart from those that every item has."""
    return [f"meta.{name}" if name in COLUMNS or name == "vector" else name for name in extra]


def texts() -> np.ndarray:
    """The shortest text of every half-precision number, by its bits; they say which number it was."""
    halves = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    return np.array([str(number) for number in halves], dtype=object)


def row(item: Listed, extra: Sequence[str]) -> list[Any]:
    """What stands in the columns of an item: ``COLUMNS``, then its *extra* metadata, None for what it has not."""
    date = f"{np.datetime64(item.mtime_ns, 'ns')}Z"
    metadata = parsed(item.metadata) if item.metadata and extra else {}
    own = [item.id, item.path, item.label, item.width, item.height, item.size, date, item.hash.hex(), item.tags]
    return [*own, *(metadata.get(name) for name in extra)]


def _cells(item: Listed, extra: Sequence[str]) -> list[Any]:
    """A row as text has it: tags as a JSON array, for they may hold any sign that could part them."""
    cells = row(item, extra)
    cells[_TAGS] = json.dumps(item.tags, ensure_ascii=False) if item.tags else None
    return cells


def _text(rows: Sequence[Sequence[Any]]) -> bytes:
    """Rows as CSV (RFC 4180); a path that is not UTF-8 keeps its bytes."""
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode("utf-8", "surrogateescape")
