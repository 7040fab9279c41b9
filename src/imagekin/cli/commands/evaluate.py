"""``imagekin evaluate``: how good the collection's neighbours are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from imagekin import escape
from imagekin.cli import evaluating, output
from imagekin.cli.commands.options import by_model, second_looks
from imagekin.cli.settings import Settings, shared

if TYPE_CHECKING:
    from pathlib import Path

    from imagekin.collection import Collection
    from imagekin.evaluation import Episodes, Evaluation, SelfRetrieval, Sweep

    Found = Episodes | Evaluation | SelfRetrieval | Sweep


class Cutoffs(click.ParamType[tuple[int, ...]]):
    """Whole numbers ``4,1,10``."""

    name = "K,…"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """Numbers from text."""
        try:
            return value if isinstance(value, tuple) else tuple(int(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} is not one whole number or several, such as 4 or 4,1,10.", param, ctx)


@click.command("evaluate")
@click.option("--k", type=Cutoffs(), help="Neighbours to look at; classes are told for the first. [4,1,10]")
@click.option("--split", metavar="SHARE|EXPR", help="Who asks, and is not searched; by default each in turn.")
@click.option("--queries", type=click.IntRange(1), metavar="N", help="Let only N pictures ask, drawn at random.")
@click.option("--pca", type=Cutoffs(), metavar="D,…", help="How far can PCA shrink the vectors? Try these lengths.")
@click.option("--edits", metavar="all|NAME,...", help="Without labels: do edited pictures find their originals?")
@click.option("--sample", type=click.IntRange(1), metavar="N", help="Pictures to edit, drawn at random. [200]")
@click.option("--episodes", metavar="NxK,…", help="From K examples each, which of N classes? Such as 5x1,20x5.")
@second_looks
@click.option("--verify", type=click.IntRange(1), metavar="N", help="With --edits: compare the N nearest by points.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of everything drawn at random.")
@click.option("--plot", metavar="FILE", help="Also draw a plot into a PNG, SVG, PDF, JPEG or WebP file.")
@click.option("--sheets", metavar="FOLDER", help="Also draw the most confused pairs into a folder.")
@click.option("--full", is_flag=True, help="Print every class and every confused pair.")
@by_model
@shared
@click.pass_obj
def command(settings: Settings, /, plot: str | None, sheets: str | None, full: bool, **how: Any) -> None:
    """Measure how often a picture's nearest neighbours have its label, by exact search."""
    _check(how, plot, sheets)
    target, folder = _writable(plot, sheets)
    with settings.open() as photos:
        found = _measured(settings, photos, how)
        drawn = _draw(photos, found, target, folder)
    if settings.json:
        output.record(evaluating.plain(found, plot=target, sheets=drawn))
        return
    output.say(_told(found, full, settings.width))
    output.say(escape.terminal(str(path)) for path in [*filter(None, [target]), *drawn])


def _check(how: dict[str, Any], plot: str | None, sheets: str | None) -> None:
    drawn = {"--plot": plot, "--sheets": sheets}
    options = ("k", "split", "queries", "pca", "edits", "sample", "expand", "rerank", "verify")
    asked = [f"--{name}" for name in options if how[name] is not None]
    asked += [name for name, value in drawn.items() if value is not None]
    if how["episodes"] is not None and asked:
        raise click.UsageError(f"--episodes goes without {asked[0]}.")
    labelled = {"--pca": how["pca"], "--k": how["k"], "--split": how["split"], "--queries": how["queries"]}
    labelled |= {"--sheets": sheets, "--expand": how["expand"], "--rerank": how["rerank"]}
    given = [name for name, value in labelled.items() if value is not None]
    if how["edits"] is not None and given:
        raise click.UsageError(f"{given[0]} is about labels and does not go with --edits.")
    if how["pca"] is not None and sheets is not None:
        raise click.UsageError("--sheets draws classes that are confused and does not go with --pca.")
    if how["pca"] is not None and (how["expand"] or how["rerank"]):
        raise click.UsageError("--pca measures plain searches and does not go with --expand or --rerank.")
    if how["edits"] is None and how["verify"] is not None:
        raise click.UsageError("--verify goes with --edits: what shows the same thing is not what has the same label.")
    if how["edits"] is None and how["sample"] is not None:
        raise click.UsageError("--sample goes with --edits; --queries limits an evaluation by labels.")


def _writable(plot: str | None, sheets: str | None) -> tuple[Path | None, Path | None]:
    """Where to draw, known to be good before the long work."""
    from imagekin import figures
    from imagekin.evaluation import sheets as folders

    return figures.writable(plot) if plot else None, folders.writable(sheets) if sheets else None


def _measured(settings: Settings, photos: Collection, how: dict[str, Any]) -> Found:
    from imagekin import evaluation

    with evaluating.bar(settings) as step:
        if how["episodes"] is not None:
            return evaluation.few_shot(photos, tasks=how["episodes"], seed=how["seed"], progress=step)
        if how["edits"] is None:
            options = {name: how[name] for name in ("queries", "seed")} | {"split": _split(how["split"])}
            k = how["k"] or evaluation.CUTOFFS
            if how["pca"] is not None:
                return evaluation.by_dimension(photos, how["pca"], k=k[0], progress=step, **options)
            looks = {name: how[name] for name in ("expand", "rerank")}
            return evaluation.evaluate(photos, k=k, progress=step, **options, **looks)
        names = None if how["edits"] == "all" else [name.strip() for name in how["edits"].split(",") if name.strip()]
        sample = {} if how["sample"] is None else {"sample": how["sample"]}
        return evaluation.self_retrieval(
            photos, edits=names, verify=how["verify"], seed=how["seed"], progress=step, **sample
        )


def _split(given: str | None) -> float | str | None:
    """A share where it is a number, else a filter."""
    try:
        return None if given is None else float(given)
    except ValueError:
        return given


def _draw(photos: Collection, found: Found, target: Path | None, folder: Path | None) -> list[Path]:
    from imagekin import figures
    from imagekin.evaluation import Episodes, Evaluation, plot, sheets

    if target is not None and not isinstance(found, Episodes):
        figures.save(plot.figure(found), target)
    return sheets.save(photos, found, folder) if folder is not None and isinstance(found, Evaluation) else []


def _told(found: Found, full: bool, width: int | None) -> Any:
    from imagekin.evaluation import Episodes, Evaluation, Sweep

    if isinstance(found, Episodes):
        return evaluating.by_episodes(found, width=width)
    if isinstance(found, Evaluation):
        return evaluating.by_labels(found, full=full, width=width)
    if isinstance(found, Sweep):
        return evaluating.by_dimension(found, width=width)
    return evaluating.by_edits(found, width=width)
