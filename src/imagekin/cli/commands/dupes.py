"""``imagekin dupes``: duplicates listed, and linked, moved or deleted if a person says so."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imagekin.cli import duplicates, evaluating, output
from imagekin.cli.app import INTERRUPTED
from imagekin.cli.commands.options import filtered
from imagekin.cli.settings import Settings, shared
from imagekin.errors import InputError

if TYPE_CHECKING:
    from imagekin.collection import Collection
    from imagekin.duplicates import Found

_EXACT = ("exact",)


@click.command("dupes")
@click.option("--exact", is_flag=True, help="Only files of equal bytes; reads no picture.")
@click.option("--kinds", metavar="KIND,...", help="Only these: exact, near, crop, mirror, rotated [to act: exact].")
@click.option("--prefer", multiple=True, metavar="FOLDER", help="Keep what lies here; may be given several times.")
@click.option("--error", type=float, help="Share of strangers that may be taken for copies [0.0001].")
@filtered
@click.option("--html", metavar="FILE", help="Also write a page with the pictures.")
@click.option("--full", is_flag=True, help="Print every group, and what speaks for each picture.")
@click.option("--hardlink", is_flag=True, help="Make exact copies one file under several names.")
@click.option("--move", metavar="FOLDER", help="Move duplicates into FOLDER.")
@click.option("--delete", is_flag=True, help="Move duplicates into a hidden folder beside the pictures.")
@click.option("-y", "--yes", is_flag=True, help="Do it; without it, only say what would be done.")
@click.option("--log", metavar="FILE", help="Where to write the undo log [undo/ in the collection's folder].")
@click.option("--undo", metavar="LOG", help="Take back what a log tells.")
@shared
@click.pass_obj
def command(settings: Settings, /, html: str | None, full: bool, undo: str | None, **how: Any) -> int:
    """Find duplicates: exact copies, pictures saved anew or edited, crops, mirror images, turned ones.

    Lists them, and touches no file unless an action and --yes are given. What is done can be taken back with --undo.
    """
    act = _act(how, undo)
    with settings.open() as photos:
        if undo is not None:
            return _undo(settings, photos, undo)
        if html is not None:
            from imagekin.duplicates import page

            page.writable(html)
        found = _found(settings, photos, how, act)
        if html is not None:
            page.save(found, html)
        return _acted(settings, photos, (found, act), how) if act else _listed(settings, found, full=full)


def _act(how: dict[str, Any], undo: str | None) -> str | None:
    """The one action that was asked for, if any."""
    chosen = [name for name in ("hardlink", "move", "delete") if how[name]]
    if len(chosen) + (undo is not None) > 1:
        raise click.UsageError("Give one of --hardlink, --move, --delete and --undo.")
    if (how["yes"] or how["log"]) and not chosen:
        raise click.UsageError("--yes and --log go with --hardlink, --move or --delete.")
    return chosen[0] if chosen else None


def _found(settings: Settings, photos: Collection, how: dict[str, Any], act: str | None) -> Found:
    from imagekin.duplicates import find

    how["kinds"] = _kinds(how["kinds"], act)
    exact = how["exact"] or how["kinds"] == _EXACT
    error = {} if how["error"] is None else {"error": how["error"]}
    conditions = {name: how[name] for name in ("under", "label", "where", "tag")}
    with evaluating.bar(settings) as step:
        found = find(photos, exact=exact, prefer=how["prefer"], progress=step, **error, **conditions)
    return found.only(how["kinds"])


def _kinds(given: str | None, act: str | None) -> tuple[str, ...]:
    from imagekin.duplicates import KINDS

    if given is None:
        return _EXACT if act else KINDS
    chosen = tuple(dict.fromkeys(name.strip() for name in given.split(",") if name.strip()))
    unknown = [name for name in chosen or ("",) if name not in KINDS]
    if unknown:
        raise InputError(f"{unknown[0]!r} is no kind of duplicate; known: {', '.join(KINDS)}.")
    return chosen


def _listed(settings: Settings, found: Found, *, full: bool) -> int:
    if settings.json:
        output.record(found.to_dict())
    else:
        output.say(duplicates.table(found, full=full, width=settings.width))
    return 0


def _acted(settings: Settings, photos: Collection, what: tuple[Found, str], how: dict[str, Any]) -> int:
    from imagekin.duplicates import logs, perform, plan

    found, act = what
    proposed = plan(photos, found, act, kinds=how["kinds"], folder=how["move"])
    if not how["yes"]:
        if settings.json:
            output.record(duplicates.proposed(proposed))
        else:
            output.say(duplicates.would(proposed, act))
        return 0
    log = Path(how["log"]).expanduser() if how["log"] else logs.new(photos)
    with evaluating.bar(settings) as step:
        done = perform(photos, proposed, log, progress=step)
    if settings.json:
        output.record(duplicates.plain(done))
    else:
        output.say(duplicates.did(done, proposed, act))
    return INTERRUPTED if done.interrupted else 1 if done.refused else 0


def _undo(settings: Settings, photos: Collection, log: str) -> int:
    from imagekin.duplicates import undo

    done = undo(photos, Path(log).expanduser())
    if settings.json:
        output.record(duplicates.plain(done))
    else:
        output.say(duplicates.undid(done))
    return 1 if done.refused else 0
