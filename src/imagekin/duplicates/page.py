"""The groups as one HTML file that needs nothing else: small pictures stand in it, no script, no request.

Names of pictures are hostile; each goes through ``svg.safe``, and the page's policy forbids all but its own style and
pictures.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Final

from PIL import Image

from imagekin import images
from imagekin.benchmark.svg import safe
from imagekin.duplicates.calibration import Calibration
from imagekin.duplicates.records import Found, Group
from imagekin.errors import ImagekinError, InputError
from imagekin.replacement import failures, place, replace
from imagekin.types import Item

GROUPS: Final = 300
"""Groups that a page shows at the most, those that save the most."""

MEMBERS: Final = 24
"""Pictures of a group that are shown at the most."""

_TILE: Final = 180
_QUALITY: Final = 72
_POLICY: Final = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def writable(path: str) -> Path:
    """Where to write a page, once the name is known to be good: to be asked before long work.

    Raises:
        InputError: another suffix, or no such folder.
    """
    if Path(path).suffix.lower() not in (".html", ".htm"):
        raise InputError(f"a report is saved as .html, not as {path!r}.")
    return place(path)


def save(found: Found, path: str) -> Path:
    """Write the page, in place of one that may be there, whole or not at all.

    Raises:
        InputError: it cannot be written.
    """
    target = writable(path)
    with failures(path):
        replace(target, page(found).encode())
    return target


def page(found: Found) -> str:
    """The report as HTML."""
    return "\n".join(_lines(found)) + "\n"


def _lines(found: Found) -> Iterator[str]:
    title = f"{found.name}: duplicates"
    yield "<!doctype html>"
    yield '<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    yield f"<title>{safe(title)}</title><style>{_style()}</style></head><body>"
    yield f"<header><h1>{safe(title)}</h1><p>{safe(summary(found))}</p></header>"
    yield from (f'<p class="note">{safe(note)}</p>' for note in found.notes)
    shown = found.groups[:GROUPS]
    for number, group in enumerate(shown, 1):
        yield from _group(number, group)
    if len(found.groups) > len(shown):
        yield f'<p class="note">{len(found.groups) - len(shown):,} further groups are not shown; see --json.</p>'
    yield from _how(found)
    yield "</body></html>"


def summary(found: Found) -> str:
    """What was found in one sentence."""
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in found.counts.items())
    size = sum(group.bytes for group in found.groups) / 1e6
    images = f"{found.images:,} pictures"
    if not found.groups:
        return f"{images}, and no duplicates among them."
    groups = f"{len(found.groups):,} group{'' if len(found.groups) == 1 else 's'}"
    return f"{images}; {groups} with duplicates ({kinds}), which take {size:,.1f} MB."


def _style() -> str:
    return files("imagekin.duplicates").joinpath("page.css").read_text(encoding="utf-8")


def _group(number: int, group: Group) -> Iterator[str]:
    size = f"{len(group.members) + 1} pictures, {group.bytes / 1e6:,.2f} MB to save"
    yield f'<section><h2>{number}. {size}</h2><ul class="row">'
    yield _card(group.keeper, "keep", group.rule, "keeper")
    for member in group.members[:MEMBERS]:
        yield _card(member.item, f"{member.kind}, {member.similarity:.1%}", member.evidence, "")
    yield "</ul>"
    if len(group.members) > MEMBERS:
        yield f'<p class="soft">and {len(group.members) - MEMBERS:,} more</p>'
    yield "</section>"


def _card(item: Item, title: str, evidence: str, kind: str) -> str:
    size = f"{item.width:,} × {item.height:,}, {item.size / 1e3:,.0f} kB"
    return (
        f'<li class="card {kind}">{_thumbnail(item)}<b>{safe(title)}</b><span>{safe(evidence)}</span>'
        f'<span class="soft">{safe(size)}</span><code>{safe(item.path)}</code></li>'
    )


def _thumbnail(item: Item) -> str:
    """The picture, small, as text that stands in the page; or why there is none."""
    try:
        picture = images.load(item.path, target=_TILE).image
    except ImagekinError as error:
        return f'<div class="gone">{safe(error.__cause__ or error)}</div>'
    picture.thumbnail((_TILE, _TILE), Image.Resampling.LANCZOS)
    data = io.BytesIO()
    picture.save(data, "JPEG", quality=_QUALITY)
    text = base64.b64encode(data.getvalue()).decode("ascii")
    return f'<img src="data:image/jpeg;base64,{text}" alt="" width="{picture.width}" height="{picture.height}">'


def _how(found: Found) -> Iterator[str]:
    yield "<section><h2>How it was found</h2><ul>"
    yield f"<li>{found.images:,} pictures have {found.contents:,} different contents.</li>"
    yield from (f"<li>{safe(sentence)}</li>" for sentence in explained(found))
    yield "</ul></section>"


def explained(found: Found) -> Sequence[str]:
    """What the verdicts rest on, in sentences."""
    scale = found.calibration
    if scale is None:
        return ("Only files of equal bytes were looked for.",)
    return (
        f"Pictures with a similarity of {1 - scale.radius:.1%} or more were compared, {found.compared:,} pairs; one is "
        f"a copy of the other where {scale.threshold:.0%} of what both show agrees.",
        _measured(scale),
        f"By that, {found.mistakes:,.1f} of the pairs are expected to be taken for copies wrongly.",
    )


def _measured(scale: Calibration) -> str:
    if not scale.pictures:
        return "These figures were not measured on this collection, which is too small for it."
    kinds = ", ".join(f"{share:.0%} of {kind}" for kind, share in scale.found.items())
    return (
        f"Measured on {scale.pictures:,} of its pictures: edited copies are recognised in {kinds}; of "
        f"{scale.strangers:,} pairs of strangers {scale.mistaken:,} agree as well (at most {scale.bound:.2%} by "
        f"counting, {scale.rate:.4%} by the tail)."
    )
