"""The report of a study: one HTML file that needs nothing else.

Names of files, labels, collections and machines are hostile; each goes through ``safe``.  Pictures are embedded.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final

from imagekin import replacement
from imagekin.benchmark.page import shown
from imagekin.benchmark.svg import safe
from imagekin.errors import InputError
from imagekin.studies import explained, pictures
from imagekin.studies.measuring import PARTS
from imagekin.studies.records import Study

if TYPE_CHECKING:
    from imagekin.benchmark import Record
    from imagekin.collection import Collection
    from imagekin.evaluation import Evaluation, SelfRetrieval, Sweep
    from imagekin.maps import Map

PAIRS: Final = 8
"""Confused pairs that are shown in pictures."""

WORST: Final = 15
SUFFIXES: Final = (".html", ".htm")


def write(found: Study, photos: Collection, path: str | Path) -> Path:
    """Write the report of a study, replacing a file of that name in one step.

    Args:
        found: what ``study`` returned.
        photos: the collection, for its pictures.
        path: ends in ``.html``.

    Raises:
        InputError: another suffix, no such folder, or it cannot be written.
    """
    return put(writable(path), page(found, photos))


def put(target: Path, text: str) -> Path:
    """Write a text in place of a file of that name, whole or not at all.

    Raises:
        InputError: it cannot be written.
    """
    with replacement.failures(target):
        replacement.replace(target, text.encode("utf-8", "backslashreplace"))
    return target


def writable(path: str | Path, suffixes: Sequence[str] = SUFFIXES) -> Path:
    """The path of a report, once its suffix and folder are known to be good: to be asked before long work.

    Raises:
        InputError: another suffix, no such folder, a folder of that name, or one that may not be written to.
    """
    if Path(path).suffix.lower() not in suffixes:
        raise InputError(f"a study is written to a file that ends in {suffixes[0]}, not to {str(path)!r}.")
    target = replacement.place(path)
    if not os.access(target.parent, os.W_OK):
        raise InputError(f"cannot write {str(path)!r}: the folder {str(target.parent)!r} may not be written to.")
    return target


def page(found: Study, photos: Collection) -> str:
    """The report as HTML; pictures that cannot be read any more are grey."""
    return "\n".join(_lines(found, photos)) + "\n"


def _lines(found: Study, photos: Collection) -> Iterator[str]:
    title = f"{found.name}: a similarity study"
    style = files("imagekin.benchmark").joinpath("report.css").read_text("utf-8")
    own = files("imagekin.studies").joinpath("study.css").read_text("utf-8")
    yield "<!doctype html>"
    yield '<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    yield (
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
        'img-src data:">'
    )
    yield f"<title>{safe(title)}</title><style>{style}{own}</style></head><body>"
    yield f"<header><h1>{safe(title)}</h1><p>{safe(explained.facts(found))}</p></header>"
    yield '<section class="summary"><h2>In short</h2><ul>'
    yield from (f"<li>{safe(sentence)}</li>" for sentence in explained.summary(found))
    yield "</ul></section>"
    sections = list(_sections(found, photos))
    yield "<nav><ol>"
    yield from (f'<li><a href="#s{number}">{safe(name)}</a></li>' for number, (name, _) in enumerate(sections, 1))
    yield "</ol></nav>"
    for number, (name, body) in enumerate(sections, 1):
        yield f'<section id="s{number}"><h2>{number}. {safe(name)}</h2>'
        yield from body
        yield "</section>"
    yield "</body></html>"


def _sections(found: Study, photos: Collection) -> Iterator[tuple[str, Iterator[str]]]:
    """Heading and body of each part that there is."""
    yield "Data", _data(found, photos)
    yield "Features", _features(found)
    if found.examples:
        yield PARTS["examples"], _examples(found, photos)
    if found.evaluation is not None:
        yield PARTS["accuracy"], _accuracy(found.evaluation)
        if found.evaluation.confusions:
            yield "What is taken for what", _confusions(found.evaluation, photos)
    if found.edits is not None:
        yield "Edited pictures find their originals", _edits(found.edits)
    if found.reduction is not None:
        yield PARTS["dimensions"], _dimensions(found.reduction)
    if found.engines:
        yield PARTS["engines"], _engines(found.engines)
    if found.map is not None:
        yield PARTS["map"], _map(found.map, photos)
    yield "How it was made", _how(found)


def _data(found: Study, photos: Collection) -> Iterator[str]:
    contents = found.contents
    classes = contents.classes
    rows = {"images": f"{contents.images:,}", "folders": ", ".join(contents.roots)}
    if classes:
        sizes = sorted(size for _, size in classes)
        largest, smallest = classes[0], classes[-1]
        rows |= {
            "classes": f"{len(classes):,}",
            "images a class": f"{sizes[len(sizes) // 2]:,} in the middle; {largest[1]:,} of {largest[0]} at most, "
            f"{smallest[1]:,} of {smallest[0]} at least",
        }
    if contents.unlabelled:
        rows["images without a label"] = f"{contents.unlabelled:,}"
    rows["files that could not be read"] = f"{contents.skipped:,}"
    yield from _facts(rows)
    if len(classes) > 1:
        yield pictures.drawn(pictures.class_sizes(classes), "Images of each class, most first.")
    what = "One picture of each class: the one nearest to the mean of its class's features."
    yield pictures.inline(pictures.gallery(found, photos), what if len(classes) > 1 else "Pictures drawn at random.")


def _features(found: Study) -> Iterator[str]:
    one = found.features
    rows = {
        "model": f"{one.model}, {one.precision}",
        "picture seen by the network": f"{one.input_size} x {one.input_size} pixels",
        "vector": f"{one.dim:,} elements, {2 * one.dim:,} bytes as stored; compared by {one.metric} distance",
    }
    if one.pictures and one.seconds:
        speed = f"{one.pictures / one.seconds:,.0f} images a second, from file to vector"
        rows["speed"] = (
            f"{speed} ({'a sample of ' if one.sampled else ''}{one.pictures:,} images, {one.seconds:,.1f} s)"
        )
    yield from _facts(rows)


def _examples(found: Study, photos: Collection) -> Iterator[str]:
    yield f"<p>{len(found.examples)} pictures, drawn at random, each with the {len(found.examples[0].hits)} nearest "
    yield "others. The bar shows the similarity.</p>"
    for example in found.examples:
        yield pictures.inline(pictures.answer(photos, example, found.features.metric), "")


def _accuracy(found: Evaluation) -> Iterator[str]:
    yield f"<p>{safe(explained.how_evaluated(found))}</p>"
    rows = [
        (one.name, f"{one.value:.2%}", f"{one.low:.1%} – {one.high:.1%}", f"{one.class_mean:.2%}")
        for one in found.figures
    ]
    yield "<details open><summary>Every measure</summary>"
    yield from _table(("measure", "mean over queries", "95 % interval over classes", "mean over classes"), rows)
    yield "</details>"
    yield pictures.drawn(pictures.accuracy(found), "Measures, the worst classes, and what is taken for what.")
    k = found.k[0]
    worst = [
        (one.label, f"{one.precision:.1%}", f"{one.map_r:.1%}", f"{one.queries:,}", _taken(one.taken_for, one.taken))
        for one in found.per_class
    ]
    heading = ("class", f"precision@{k}", "mAP@R", "queries", "most often taken for")
    yield f"<h3>The worst {min(WORST, len(worst))} of {len(worst)} classes</h3>"
    yield from _table(heading, worst[:WORST])
    if len(worst) > WORST:
        yield f"<details><summary>All {len(worst)} classes</summary>"
        yield from _table(heading, worst)
        yield "</details>"
    yield from (f'<p class="soft">{safe(note)}</p>' for note in found.notes)


def _taken(label: str | None, count: int) -> str:
    return "" if label is None else f"{label} ({count:,})"


def _confusions(found: Evaluation, photos: Collection) -> Iterator[str]:
    yield f"<p>The pairs of classes that the votes of {found.k[0]} neighbours confuse most, with pictures that were "
    yield "put into the wrong class and what they are nearest to.</p>"
    for confusion in [each for each in found.confusions if each.examples][:PAIRS]:
        yield pictures.inline(pictures.confused(photos, confusion, found.metric), "")


def _edits(found: SelfRetrieval) -> Iterator[str]:
    yield f"<p>{found.pictures:,} pictures were edited, and each was searched for among {found.searched:,}.</p>"
    rows = [
        (f"{one.edit}: {one.strength}", f"{one.recall:.1%}", f"{one.low:.1%} – {one.high:.1%}", f"{one.similarity:.3f}")
        for one in found.edits
    ]
    yield from _table(("edit", "recall@1", "95 % interval", "similarity to the original"), rows)
    yield pictures.drawn(pictures.edited(found), "How often the original is the nearest of all.")


def _dimensions(found: Sweep) -> Iterator[str]:
    yield f"<p>{safe(found.sentence)}</p>"
    heading, rows = explained.reduced(found)
    yield from _table(heading, rows)
    yield pictures.drawn(pictures.reduced(found), "Accuracy and search time against the dimension.")
    yield from (f'<p class="soft">{safe(sentence)}</p>' for sentence in explained.how_reduced(found))


def _engines(found: Sequence[Record]) -> Iterator[str]:
    there = [record for record in found if not record.failed]
    if there:
        data = there[0].data
        yield f"<p>{data['rows']:,} vectors are searched, {data['queries']:,} others ask, {data['k']} hits each. "
        yield "<i>recall</i>: the share of the true nearest that is found.</p>"
    columns = explained.ENGINE_COLUMNS
    rows = [(record.spec, *(shown(name, record.figure(name)) for _, name in columns)) for record in there]
    yield from _table(("engine", *(title for title, _ in columns)), rows)
    failed = [record for record in found if record.failed]
    yield from (f'<p class="soft">{safe(record.spec)}: {safe(record.reason)}</p>' for record in failed)
    if there:
        yield pictures.drawn(pictures.engines(there), "Recall against speed: up and to the right is better.")


def _map(made: Map, photos: Collection) -> Iterator[str]:
    items = photos.get(made.ids)
    yield f"<p>{safe(explained.how_mapped(made))}</p>"
    yield pictures.drawn(pictures.scatter(made, items), "Each point is a picture; colours and names are its label.")
    yield pictures.inline(pictures.mosaic(made, items), "The same in pictures; where they would hide each other, dots.")
    yield from (f'<p class="soft">{safe(note)}</p>' for note in made.notes)


def _how(found: Study) -> Iterator[str]:
    if found.command:
        yield f"<pre>{safe(found.command)}</pre>"
    yield from (f'<p class="note">{safe(note)}</p>' for note in found.notes)
    machine = found.machine
    total = sum(found.seconds.values())
    yield from _facts(
        {
            "made": f"{found.date}, seed {found.seed}",
            "machine": f"{machine.get('processor')}, {machine.get('cores')} cores, {machine.get('memory_gb')} GB, "
            f"{machine.get('system')}",
            "versions": ", ".join(f"{name} {version}" for name, version in found.versions.items()),
            "time": f"{total:,.1f} s: " + ", ".join(f"{name} {took:,.1f}" for name, took in found.seconds.items()),
        }
    )
    yield "<h3>Measures</h3><dl>"
    for name, meaning in explained.MEASURES.items():
        yield f"<dt>{safe(name)}</dt><dd>{safe(meaning)}</dd>"
    yield "</dl>"


def _facts(rows: Mapping[str, str]) -> Iterator[str]:
    yield '<div class="wide"><table class="plain"><tbody>'
    yield from (f'<tr><th scope="row">{safe(name)}</th><td>{safe(text)}</td></tr>' for name, text in rows.items())
    yield "</tbody></table></div>"


def _table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """The first column is what a row is about."""
    yield '<div class="wide"><table><thead><tr>'
    yield "".join(f'<th scope="col">{safe(title)}</th>' for title in heading) + "</tr></thead><tbody>"
    for first, *rest in rows:
        yield f'<tr><th scope="row">{safe(first)}</th>{"".join(f"<td>{safe(text)}</td>" for text in rest)}</tr>'
    yield "</tbody></table></div>"
