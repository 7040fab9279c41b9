"""One Parquet file: items, metadata and vectors; see ``arrow`` for its columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from imagekin.exchange import arrow
from imagekin.exchange.outgoing import How
from imagekin.exchange.selection import Selection
from imagekin.replacement import replacing


class Writer:
    """Writes one Parquet file, a group of rows for each block."""

    parts: ClassVar[tuple[str, ...]] = ()

    def write(self, selection: Selection, target: Path, how: How) -> int:
        """See ``outgoing.Writer.write``."""
        columns = arrow.schema(selection, numbers=how.numbers)
        done = 0
        with replacing(target) as handle, opened(handle, columns) as file:
            for block in selection:
                file.write_batch(arrow.batch(block.items, block.vectors, columns))
                done += len(block.items)
                if how.tell is not None:
                    how.tell(done)
        return done


def opened(handle: Any, columns: Any) -> Any:
    """A ``ParquetWriter``; vectors are random bits to it, so they are neither compressed nor looked up nor counted."""
    plain = [name for name in columns.names if name != "vector"]
    compression = {name: "zstd" for name in plain} | {"vector.list.element": "none"}
    return arrow.library("pyarrow.parquet").ParquetWriter(
        handle, columns, compression=compression, use_dictionary=["label", "caption"], write_statistics=plain
    )
