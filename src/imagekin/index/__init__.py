"""Engines that find the nearest vectors: a table of names, and how to write one with its parameters."""

from __future__ import annotations

import ast
import math
import re
from typing import Any, Final

from imagekin.errors import InputError
from imagekin.index.base import Index
from imagekin.registry import Entry, Registry

__all__ = ["ENGINES", "Index", "create", "default", "parse"]

ENGINES: Final = Registry(
    "engine",
    "imagekin.engines",
    {
        "exact": Entry("imagekin.index.exact:Exact", "", "every vector compared; nothing to build, never wrong"),
        "faiss": Entry(
            "imagekin.index.faiss:Faiss", "", "FAISS by factory string: Flat, HNSW, IVF, PQ, SQ", ("faiss",)
        ),
        "annoy": Entry("imagekin.index.annoy:Annoy", "engines", "Annoy: a forest of random splits", ("annoy",)),
        "hnswlib": Entry("imagekin.index.hnswlib:Hnswlib", "engines", "hnswlib: the HNSW graph", ("hnswlib",)),
        "ngt": Entry("imagekin.index.ngt:Ngt", "engines", "NGT: a neighbourhood graph entered by a tree", ("ngtpy",)),
        "nmslib": Entry("imagekin.index.nmslib:Nmslib", "engines", "NMSLIB: the HNSW graph", ("nmslib",)),
        "pynndescent": Entry(
            "imagekin.index.pynndescent:PyNNDescent", "engines", "PyNNDescent: a graph by descent", ("pynndescent",)
        ),
        "usearch": Entry(
            "imagekin.index.usearch:USearch", "engines", "USearch: HNSW over f32, f16 or i8", ("usearch",)
        ),
        "voyager": Entry("imagekin.index.voyager:Voyager", "engines", "Voyager: HNSW over f32 or 8 bits", ("voyager",)),
        "kdtree": Entry("imagekin.index.trees:KDTree", "engines", "scikit-learn's k-d tree; exact", ("sklearn",)),
        "balltree": Entry("imagekin.index.trees:BallTree", "engines", "scikit-learn's ball tree; exact", ("sklearn",)),
        "scann": Entry("imagekin.index.scann:Scann", "engines", "ScaNN: lists of anisotropic 4-bit codes", ("scann",)),
        "torch": Entry(
            "imagekin.index.torch:Torch", "torch", "PyTorch: every row compared on one or many GPUs", ("torch",)
        ),
        "symphonyqg": Entry(
            "imagekin.index.symphonyqg:SymphonyQG", "engines", "RaBitQ library: a graph of 1-bit codes", ("rabitqlib",)
        ),
        "rabitq-ivf": Entry(
            "imagekin.index.rabitq_ivf:RaBitQIVF",
            "engines",
            "RaBitQ library: lists of 1 to 9-bit codes",
            ("rabitqlib",),
        ),
        "pyglass-portable": Entry(
            "imagekin.index.pyglass:PyGlass", "engines", "Glass: HNSW over 8 or 16 bits, re-ranked", ("glass",)
        ),
        "lorann": Entry("imagekin.index.lorann:Lorann", "engines", "LoRANN: lists scored by low rank", ("lorann",)),
        "scalable-vs": Entry(
            "imagekin.index.scalable_vs:ScalableVS", "engines", "Intel SVS: the Vamana graph, f32 or f16", ("svs",)
        ),
        "turbovec": Entry(
            "imagekin.index.turbovec:TurboVec",
            "engines",
            "turbovec: every row's 2 or 4-bit code compared",
            ("turbovec",),
        ),
    },
)


_SPEC: Final = re.compile(r"([A-Za-z][\w.-]*)\s*(?:\((.*)\))?", re.DOTALL)

_EXACT: Final = 1 << 24
"""Elements up to which the exact scan is the default: 13,000 x 1,280, about 1 ms."""

_LONG: Final = 512
"""Elements of a vector from which 4-bit codes of four elements are quicker than 8-bit codes of one."""


def parse(spec: str) -> tuple[str, dict[str, Any]]:
    """An engine's name and parameters from text.

    ``"exact"``, ``"faiss(factory='IVF1024,PQ64', nprobe=8)"`` and the short form ``"faiss:HNSW32"`` or
    ``"faiss:HNSW32,ef=80"`` (what has no ``=`` is the factory string).

    Raises:
        InputError: not of that form, or a parameter that is not a plain literal.
    """
    if not isinstance(spec, str):
        raise InputError(f"an engine is text, such as exact or faiss:HNSW32, not {spec!r}.")
    spec = spec.strip()
    name, colon, rest = spec.partition(":")
    if colon and "(" not in name:
        return name.strip(), _short(rest)
    form = _SPEC.fullmatch(spec)
    try:
        call = ast.parse(f"engine({form[2] or ''})", mode="eval").body if form else None
        if form and isinstance(call, ast.Call) and not call.args:
            pairs = {word.arg: ast.literal_eval(word.value) for word in call.keywords if word.arg}
            if len(pairs) == len(call.keywords):
                return form[1], pairs
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        pass
    raise InputError(f"{spec!r} names no engine; write it like: exact, faiss:HNSW32 or faiss(factory='IVF256,Flat').")


def _short(text: str) -> dict[str, Any]:
    parameters: dict[str, Any] = {}
    factory: list[str] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = part.partition("=")
        if not equals:
            factory.append(part)
            continue
        try:
            parameters[name.strip()] = ast.literal_eval(value.strip())
        except (SyntaxError, ValueError):
            parameters[name.strip()] = value.strip()
    return {"factory": ",".join(factory), **parameters} if factory else parameters


def create(spec: str, dim: int, metric: str = "cosine") -> Index:
    """An empty index of the engine that *spec* names (see ``parse``).

    Raises:
        UnknownNameError: no such engine.
        InputError: a parameter or metric that it does not know.
        MissingPackageError: a package it needs is not installed; the message is the pip command.
    """
    name, parameters = parse(spec)
    index: Index = ENGINES.load(name)(dim, metric, **parameters)
    return index


def default(n: int, dim: int) -> tuple[str, str]:
    """The engine for *n* vectors of *dim* elements, as a spec, and the reason in words (measured: docs/engines.md).

    Exact while a search takes about a millisecond, then √n lists of codes, of which a tuned number is visited and the
    best are ranked anew by the stored vectors.
    """
    size = f"{n:,} x {dim:,} vectors"
    if n * dim <= _EXACT:
        return "exact", f"{size} are compared one by one in about a millisecond"
    codes = f"PQ{dim // 4}x4fs" if dim >= _LONG and dim % 4 == 0 else "SQ8"
    lists = 1 << max(6, round(math.log2(math.sqrt(n))))
    return f"faiss:IVF{lists},{codes}", f"{size} are too many to look at all; the nearest of {lists} lists are searched"
