"""What is to be built and measured: whole sweeps by the table of ``ladders``, and engines as they are specified.

An engine without a line in the table is measured as it is by default and, where it tunes itself to a recall, at five.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Final, TypeAlias

from imagekin import index
from imagekin.benchmark import ladders, specs
from imagekin.benchmark.ladders import Parameters
from imagekin.errors import ImagekinError, InputError, MissingPackageError
from imagekin.index import ENGINES


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


_TARGETS: Final = (0.8, 0.9, 0.95, 0.99, 0.999)


def sweep(engine: str, n: int, dim: int, *, describe: Describe) -> list[Build]:
    """What to build and measure of an engine over *n* vectors of *dim* elements; as it is by default comes first.

    So does what a collection of that size is served by when no engine is chosen for it.
    """
    builds = [Build(engine, {})]
    usual_engine, usual = index.parse(index.default(n, dim)[0])
    if usual_engine == engine and usual:
        builds.append(Build(engine, usual))
    if engine in ladders.SWEEPS:
        for parameters, axes in ladders.SWEEPS[engine](n, dim):
            settings = [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]
            builds.append(Build(engine, parameters, settings))
    else:
        recall = describe(engine).options.get("recall")
        if recall is not None:
            builds += [Build(engine, {"recall": target}) for target in _TARGETS if target != recall]
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
        InputError: a spec is none, or nothing is named.
    """
    if not engines and not wanted:
        raise InputError("no engine is named; give names of engines, or all.")
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
