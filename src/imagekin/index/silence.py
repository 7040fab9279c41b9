"""What libraries print past Python while they build is kept from the terminal."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_one: Final = threading.Lock()


@contextmanager
def silenced(stream: int) -> Iterator[None]:
    """Send what this process writes to *stream* (1 = output, 2 = errors) nowhere until the block ends.

    A stray line in the output would break what another program reads, such as ``--json``.  The stream is the whole
    process's, so the block should be short of anything that has something to say.
    """
    with _one:
        _flush()
        kept, nowhere = os.dup(stream), os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, stream)
            yield
        finally:
            _flush()
            os.dup2(kept, stream)
            os.close(kept)
            os.close(nowhere)


def _flush() -> None:
    """Write out what Python and the C library still hold, which would otherwise land on the wrong side."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    if os.name == "posix":
        ctypes.CDLL(None).fflush(None)
