"""What a sweep measures: for each engine the ways to build it, and for each of these the ways to search it.

The ladders rise by about 1.5, so that the best of a sweep is within a few per cent of the best there is.  An engine
that has no line here is measured as it is by default and, where it tunes itself to a recall, at five of these.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any, Final, TypeAlias

from imagekin import index
from imagekin.benchmark import specs
from imagekin.errors import ImagekinError, InputError, MissingPackageError
from imagekin.index import ENGINES

Parameters: TypeAlias = Mapping[str, Any]
Axes: TypeAlias = Mapping[str, Sequence[Any]]
Line: TypeAlias = tuple[Parameters, Axes]
"""Parameters to build with, and for each parameter of searching the values to try."""


@dataclass(frozen=True, slots=True)
class Build:
    """One index to build, and the settings to search it with.

    Attributes:
        engine: name in the registry.
        parameters: what it is built with.
        settings: what it is searched with, one after the other; ``[{}]`` = as it was built.
        given: the settings that it is built with, which spares the engine the search for some; None = the last of
            ``settings``, which are the widest: what an engine tunes besides is tuned at them.
    """

    engine: str
    parameters: Parameters
    settings: Sequence[Parameters] = field(default=({},))
    given: Parameters | None = None

    @property
    def spec(self) -> str:
        """As text, without the settings."""
        return specs.written(self.engine, self.parameters)

    def searched_with(self, settings: Sequence[Parameters]) -> Build:
        """The same build, built as before, searched with other settings."""
        given = self.settings[-1] if self.given is None else self.given
        return replace(self, settings=settings, given=given)

    def specs(self) -> list[str]:
        """As text, once for each of the settings."""
        return [specs.written(self.engine, {**self.parameters, **settings}) for settings in self.settings]


@dataclass(frozen=True, slots=True)
class About:
    """What an engine says of itself, asked in a process of its own: importing some engines takes seconds, or crashes.

    Attributes:
        options: its parameters with their defaults.
        metrics: that it can rank by.
        knobs: the parameters that act when it searches.
    """

    options: Parameters
    metrics: Sequence[str]
    knobs: Sequence[str]


Describe: TypeAlias = Callable[[str], About]
"""Asks an engine; raises ``ImagekinError`` where it cannot be imported."""


@dataclass(frozen=True, slots=True)
class Absent:
    """An engine that cannot be measured here, and why."""

    engine: str
    reason: str


def _rising(first: float, last: float, factor: float = 1.5) -> list[int]:
    count = math.floor(math.log(last / first, factor) + 1e-9) + 1
    return [round(first * factor**step) for step in range(count)]


def _shares(lists: int) -> list[int]:
    """Numbers of lists to visit: each 1.5 times the one before, up to half of them."""
    return sorted(set(_rising(1, max(2, lists // 2))))


_EF: Final = _rising(10, 600)


def _nothing(n: int, dim: int) -> Iterator[Line]:
    yield from ()


def _graph(n: int, dim: int) -> Iterator[Line]:
    yield {}, {"ef": _EF}
    yield {"M": 32}, {"ef": _EF}


def _usearch(n: int, dim: int) -> Iterator[Line]:
    yield {"dtype": "f32"}, {"ef": _EF}
    yield {"dtype": "f32", "M": 32}, {"ef": _EF}
    # at 16 bits a given ef changes how many candidates are re-ranked, so each has to be built
    yield from (({"recall": target}, {}) for target in (0.9, 0.95))


def _voyager(n: int, dim: int) -> Iterator[Line]:
    yield {}, {"ef": _EF}
    yield {"M": 24}, {"ef": _EF}


def _faiss(n: int, dim: int) -> Iterator[Line]:
    lists = 1 << max(4, round(math.log2(4 * math.sqrt(n))))
    while lists > 16 and 39 * lists > n:
        lists //= 2
    yield {"factory": "HNSW32"}, {"ef": _EF}
    yield {"factory": f"IVF{lists},Flat"}, {"nprobe": _shares(lists), "rerank": (1,)}
    if dim % 2 == 0:
        codes = f"PQ{dim // 4}x4fs" if dim % 4 == 0 and dim >= 512 else f"PQ{dim // 2}x4fs"
        yield {"factory": codes}, {"rerank": (1, 2, 4, 7, 10, 20, 40)}
        yield {"factory": f"IVF{lists},{codes}"}, {"nprobe": _shares(lists), "rerank": (4, 10, 20)}
    yield {"factory": f"IVF{lists},SQ8"}, {"nprobe": _shares(lists), "rerank": (1, 4)}


def _annoy(n: int, dim: int) -> Iterator[Line]:
    searched = _rising(100, 100_000, 2)
    yield {}, {"search_k": searched}
    yield {"trees": 100}, {"search_k": searched}


def _ngt(n: int, dim: int) -> Iterator[Line]:
    yield {}, {"epsilon": (-0.1, -0.05, 0.0, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4)}
    yield {"edges": 20, "search_edges": 60}, {"epsilon": (-0.1, -0.05, 0.0, 0.05, 0.1, 0.2)}


def _lists(n: int, dim: int) -> Iterator[Line]:
    yield {}, {"nprobe": _shares(2 * math.isqrt(n)), "rerank": (2, 4, 10, 20)}


def _lorann(n: int, dim: int) -> Iterator[Line]:
    searched = {"nprobe": _shares(math.isqrt(n)), "rerank": (2, 4, 10)}
    yield {}, searched
    yield {"bits": 4}, searched


def _rabitq(n: int, dim: int) -> Iterator[Line]:
    yield {}, {"nprobe": _shares(4 * math.isqrt(n)), "rerank": (1, 2)}
    yield {"bits": 4}, {"nprobe": _shares(4 * math.isqrt(n)), "rerank": (1, 3, 10)}


def _symphony(n: int, dim: int) -> Iterator[Line]:
    yield {}, {"ef": _EF}
    yield {"bits": 8}, {"ef": _EF, "rerank": (1, 2)}


def _glass(n: int, dim: int) -> Iterator[Line]:
    yield {}, {"ef": _EF, "rerank": (1, 2)}
    yield {"codes": "FP16"}, {"ef": _EF, "rerank": (1,)}


def _svs(n: int, dim: int) -> Iterator[Line]:
    yield {}, {"ef": _EF}
    yield {"degree": 64}, {"ef": _EF}


def _turbovec(n: int, dim: int) -> Iterator[Line]:
    yield {}, {"rerank": (1, 2, 3, 4, 6, 8, 12, 20)}
    yield {"bits": 2}, {"rerank": (2, 4, 8, 12, 20, 40, 100)}


SWEEPS: Final[Mapping[str, Callable[[int, int], Iterator[Line]]]] = {
    "faiss": _faiss,
    "annoy": _annoy,
    "hnswlib": _graph,
    "ngt": _ngt,
    "nmslib": _graph,
    "usearch": _usearch,
    "voyager": _voyager,
    "scann": _lists,
    "symphonyqg": _symphony,
    "rabitq-ivf": _rabitq,
    "pyglass-portable": _glass,
    "lorann": _lorann,
    "scalable-vs": _svs,
    "turbovec": _turbovec,
    "exact": _nothing,
    "kdtree": _nothing,
    "balltree": _nothing,
    "torch": _nothing,
}
"""Engine to the lines of its sweep over *n* vectors of *dim* elements, besides the engine as it is by default."""

_TARGETS: Final = (0.8, 0.9, 0.95, 0.99, 0.999)


def sweep(engine: str, n: int, dim: int, *, describe: Describe) -> list[Build]:
    """What to build and measure of an engine over *n* vectors of *dim* elements; as it is by default comes first."""
    builds = [Build(engine, {})]
    if engine in SWEEPS:
        for parameters, axes in SWEEPS[engine](n, dim):
            settings = [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]
            builds.append(Build(engine, parameters, settings))
    else:
        usual = describe(engine).options.get("recall")
        if usual is not None:
            builds += [Build(engine, {"recall": target}) for target in _TARGETS if target != usual]
    return builds


def of_specs(wanted: Sequence[str], describe: Describe) -> list[Build]:
    """Engines as they are specified, those that differ only in how they search joined to one build.

    Raises:
        InputError: not a spec, or of no engine that there is.
        MissingPackageError: one is not installed.
    """
    joined: dict[str, Build] = {}
    for spec in wanted:
        name, parameters = index.parse(spec)
        require(name)
        later = _checked(name, parameters, describe(name)) if parameters else ()
        build = {key: value for key, value in parameters.items() if key not in later}
        settings = {key: value for key, value in parameters.items() if key in later}
        key = f"{specs.written(name, build)}|{sorted(settings)}"
        before = joined.get(key, Build(name, build, ()))
        if settings not in before.settings:
            joined[key] = Build(name, build, [*before.settings, settings])
    return list(joined.values())


def _checked(engine: str, parameters: Parameters, about: About) -> Sequence[str]:
    """The parameters that act when it searches, once it is sure that it has those that are given."""
    unknown = sorted(parameters.keys() - about.options.keys())
    if unknown:
        known = ", ".join(sorted(about.options)) or "none"
        raise InputError(f"{engine} has no parameter {unknown[0]!r}; known: {known}.")
    return about.knobs


def plan(
    engines: Sequence[str], wanted: Sequence[str], *, n: int, dim: int, describe: Describe
) -> tuple[list[Build], list[Absent]]:
    """Everything to build and measure, and the engines of ``all`` that are not here, with the reason.

    Args:
        engines: names for whole sweeps; ``all`` stands for every engine there is.
        wanted: specs to be measured as they are.
        n: number of vectors.
        dim: their elements.
        describe: asks an engine about itself.

    Raises:
        UnknownNameError: an engine that does not exist was named.
        MissingPackageError: an engine that was named is not installed.
        InputError: a spec is none.
    """
    builds: list[Build] = []
    absent: list[Absent] = []
    for name in dict.fromkeys(engines):
        if name != "all":
            require(name)
        for each in ENGINES if name == "all" else (name,):
            if not ENGINES[each].installed():
                absent.append(Absent(each, f"not installed; {_pip(each)}"))
            elif all(build.engine != each for build in builds):
                try:
                    builds += sweep(each, n, dim, describe=describe)
                except ImagekinError as error:
                    absent.append(Absent(each, str(error)))
    return [*builds, *of_specs(wanted, describe)], absent


def require(engine: str) -> None:
    """Check that an engine exists and that its packages are installed; imports none of them.

    Raises:
        UnknownNameError: no such engine; the message lists the known ones.
        MissingPackageError: a package is not installed; the message is the pip command.
    """
    if not ENGINES[engine].installed():
        raise MissingPackageError(
            f"the engine {engine!r} needs a package that is not installed "
            f"({', '.join(ENGINES[engine].requires)}); install it with: {_pip(engine)}"
        )


def _pip(engine: str) -> str:
    entry = ENGINES[engine]
    return f'pip install "imagekin[{entry.extra}]"' if entry.extra else f"pip install {' '.join(entry.requires)}"
