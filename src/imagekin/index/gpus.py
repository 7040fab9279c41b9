"""FAISS on GPUs, where a build of FAISS that has them is installed."""

from __future__ import annotations

import re
from typing import Any, Final

from imagekin.errors import IndexingError, InputError

MAX_K: Final = 2048
"""Hits that FAISS's kernels can find at once, and lists they can visit."""


def check(faiss: Any) -> None:
    """See that FAISS can use a GPU.

    Raises:
        InputError: this build of FAISS has no GPU code, or there is no GPU.
    """
    if not hasattr(faiss, "StandardGpuResources"):
        raise InputError(
            "this FAISS was built without GPU code: install a GPU build (conda install -c pytorch -c nvidia "
            "faiss-gpu), or leave gpu=True out; the engine torch uses GPUs too."
        )
    if not faiss.get_num_gpus():
        raise InputError("FAISS finds no GPU on this machine; leave gpu=True out.")


def copied(faiss: Any, index: Any, factory: str) -> Any:
    """A copy of an index on every GPU there is, the rows shared out among them.

    Raises:
        InputError: FAISS has no such index for GPUs.
        IndexingError: they have no room for it.
    """
    options = faiss.GpuMultipleClonerOptions()
    options.shard = True
    try:
        return faiss.index_cpu_to_all_gpus(index, co=options)
    except RuntimeError as error:
        reason = re.sub(r"\s+", " ", str(error)).rsplit(": ", 1)[-1]
        if "memory" in reason.lower():
            raise IndexingError(
                f"the GPUs have no room for {index.ntotal:,} vectors as {factory} ({reason}); choose shorter codes "
                "such as 'IVF4096,PQ64', or leave gpu=True out."
            ) from error
        raise InputError(
            f"FAISS has no {factory} for GPUs ({reason}); there it has Flat, 'IVF1024,Flat', 'IVF1024,SQ8' and "
            "'IVF1024,PQ32'."
        ) from error


def visit(faiss: Any, index: Any, lists: int) -> None:
    """Set how many lists the next search visits; on GPUs that is a property of the index."""
    faiss.GpuParameterSpace().set_index_parameter(index, "nprobe", min(lists, MAX_K))
