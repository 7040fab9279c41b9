"""An index of FAISS in files, all of which are mapped when they are opened.

FAISS would read lists of fast-scan codes into memory.  It does map lists of plain codes (``OnDiskInvertedLists``): a
list is its codes, then its ids, with room for more than it holds.  Fast-scan codes lie in blocks of 32 rows, so a list
with room for whole blocks looks the same in memory, and such codes are kept in a file of their own, in that form.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_LISTS: Final = ".lists"
_LINE: Final = 64
"""Bytes at whose multiples a list begins, for the processor's sake."""


def write(faiss: Any, index: Any, file: Path) -> None:
    """Write an index to *file*, and its lists beside it where FAISS would not map them."""
    lists = _lists(faiss, index)
    if lists is None:
        faiss.write_index(index, str(file))
        return
    there = _OnDisk(faiss, index, lists)
    with file.with_suffix(_LISTS).open("wb") as out:
        for codes, ids, gap in there.parts():
            for part in (codes, ids, gap):
                out.write(part.data)
    if isinstance(lists, faiss.OnDiskInvertedLists):
        faiss.write_index(index, str(file))  # its lists are where they were, and of the same lengths
        return
    hollow, hung = faiss.clone_index(index), there.made(file.with_suffix(_LISTS).name)
    hollow.replace_invlists(hung, False)  # not the index's own: it goes with this function
    faiss.write_index(hollow, str(file))


def read(faiss: Any, file: Path) -> Any:
    """Open what ``write`` wrote."""
    flags, lists = faiss.IO_FLAG_MMAP_IFC, file.with_suffix(_LISTS)
    if not lists.exists():
        return faiss.read_index(str(file), flags)
    index = faiss.read_index(str(file), flags | faiss.IO_FLAG_SKIP_IVF_DATA)
    there = faiss.downcast_InvertedLists(index.invlists)
    there.filename, there.read_only, there.prefetch_nthread = str(lists), True, 0
    there.do_mmap()
    there.filename = lists.name  # what is saved from it says nothing of where it lay
    return index


def _lists(faiss: Any, index: Any) -> Any:
    """The lists of fast-scan codes, where this FAISS can map them; else None."""
    if not hasattr(faiss, "OnDiskInvertedLists") or not isinstance(index, faiss.IndexIVFFastScan):
        return None
    return faiss.downcast_InvertedLists(index.invlists)


class _OnDisk:
    """Where the lists of an index lie in their file."""

    def __init__(self, faiss: Any, index: Any, lists: Any) -> None:
        self._faiss, self._lists = faiss, lists
        self._code = int(index.code_size)
        self._sizes = np.array([lists.list_size(number) for number in range(lists.nlist)], np.int64)
        block = int(index.bbs)
        self._rooms = -(-self._sizes // block) * block
        used = self._rooms * (self._code + 8)
        self._used, self._starts = used, np.concatenate([[0], np.cumsum(-(-used // _LINE) * _LINE)])

    def parts(self) -> Any:
        """Codes, ids and what follows up to the next list, for each list."""
        view = self._faiss.rev_swig_ptr
        for number, (size, room) in enumerate(zip(self._sizes.tolist(), self._rooms.tolist(), strict=True)):
            codes: NDArray[np.uint8] = np.empty(0, np.uint8)
            ids = np.zeros(room, np.int64)
            if size:
                codes = view(self._lists.get_codes(number), room * self._code)
                ids[:size] = view(self._lists.get_ids(number), size)
            start, stop = self._starts[number : number + 2]
            yield codes, ids, np.zeros(int(stop - start - self._used[number]), np.uint8)

    def made(self, name: str) -> Any:
        """The lists as FAISS describes them."""
        made, one = self._faiss.OnDiskInvertedLists(), self._faiss.OnDiskOneList()
        made.nlist, made.code_size, made.filename, made.totsize = (
            len(self._sizes),
            self._code,
            name,
            int(self._starts[-1]),
        )
        for one.size, one.capacity, one.offset in zip(
            self._sizes.tolist(), self._rooms.tolist(), self._starts.tolist()[:-1], strict=True
        ):
            made.lists.push_back(one)
        return made
