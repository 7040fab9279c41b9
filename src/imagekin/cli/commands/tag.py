"""``imagekin tag``: words of one's own for pictures, given, taken, listed and proposed, also by words alone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import click

from imagekin.cli import naming, output, tagging
from imagekin.cli.commands.options import NUMBER, filtered
from imagekin.cli.settings import Settings, shared
from imagekin.store import tags

if TYPE_CHECKING:
    from imagekin.collection import Collection

MANY: Final = 10
"""From more pictures than this a tag is taken only after asking."""


@click.command("tag")
@click.argument("word", required=False, metavar="[TAG]")
@click.argument("paths", nargs=-1, metavar="[FILE|FOLDER]...")
@click.option("--id", "ids", type=NUMBER, multiple=True, help="This item of the collection; may be repeated.")
@filtered
@click.option("--take", is_flag=True, help="Take the tag away from them instead.")
@click.option("--rename", metavar="NEW", help="Call the tag NEW wherever it is; asks before two become one.")
@click.option("--forget", is_flag=True, help="Take the tag from every picture that has it.")
@click.option("--propose", is_flag=True, help="Show pictures that look as if they deserve the tag.")
@click.option("--zero-shot", "labels", metavar="FILE", help="Show what pictures are by labels, one a line of FILE.")
@click.option("-k", type=click.IntRange(1, 1_000), help="Proposals wanted (20), or of each label (3).")
@click.option("--above", type=click.FloatRange(0, 1), metavar="C", help="Tag those of at least this confidence.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@shared
@click.pass_obj
def command(settings: Settings, /, word: str | None, **how: Any) -> int:
    """Give TAG, a word of your own, to pictures: by path, --id or filter. Without TAG, list the tags.

    Tags stay with their pictures when files move or are indexed again. The files themselves are never touched.
    """
    what = _asked(word, how)
    with settings.open() as photos:
        if what == "labels":
            return naming.named(settings, photos, how)
        if word is None:
            tagging.listed(settings, photos.tags())
        elif what == "propose":
            return _proposed(settings, photos, word, how)
        elif what == "rename":
            return _renamed(settings, photos, word, how)
        else:
            chosen = tagging.tagged(photos, word) if what == "forget" else tagging.chosen(photos, how)
            verb = photos.tag if what == "give" else photos.untag
            if what != "give" and not how["yes"] and not _agreed(word, tagging.having(photos, word, chosen)):
                return 1
            tagging.changed(settings, verb(chosen.pop("ids", None), word, **chosen))
    return 0


def _asked(word: str | None, how: dict[str, Any]) -> str:
    """What is to be done: give, take, rename, forget, propose or list."""
    verbs = [name for name in ("take", "rename", "forget", "propose", "labels") if how[name]]
    who = [name for name in ("paths", "ids", "under", "label", "where", "tag") if how[name]]
    if len(verbs) > 1:
        raise click.UsageError("Give one of --take, --rename, --forget, --propose and --zero-shot.")
    if verbs == ["labels"]:
        if word is not None or how["ids"]:
            raise click.UsageError(
                "--zero-shot gives tags of its own to all that fit the filters; leave TAG and --id out."
            )
        _check(how)
        return "labels"
    if word is None and (verbs or who):
        raise click.UsageError("Give the TAG as well.")
    verb = verbs[0] if verbs else "give"
    if word is not None and verb in ("give", "take") and not who:
        raise click.UsageError("Say which pictures: a FILE or FOLDER, --id, --under, --label, --where or --tag.")
    if verb in ("rename", "forget") and who:
        raise click.UsageError(f"--{verb} is for every picture that has the tag; leave out {who[0]}.")
    if how["above"] is not None and verb != "propose":
        raise click.UsageError("--above goes with --propose or --zero-shot.")
    _check(how)
    return verb


def _check(how: dict[str, Any]) -> None:
    if how["above"] is not None and math.isnan(how["above"]):
        raise click.BadParameter("nan is not a confidence; give a number from 0 to 1.", param_hint="--above")


def _renamed(settings: Settings, photos: Collection, word: str, how: dict[str, Any]) -> int:
    number = photos.tags().get(tags.checked(how["rename"]), 0) if tags.checked(how["rename"]) != word else 0
    others = output.plural(number, "picture")
    if number and not how["yes"] and not click.confirm(
        f"{others} have the tag {how['rename']!r} already; make the two one, for good?", err=True
    ):  # fmt: skip
        click.echo("Nothing was changed.", err=True)
        return 1
    tagging.changed(settings, photos.rename_tag(word, how["rename"], merge=bool(number)))
    return 0


def _proposed(settings: Settings, photos: Collection, word: str, how: dict[str, Any]) -> int:
    examples, filters = tagging.examples(photos, how)
    found = photos.propose(word, ids=examples, k=how["k"] or 20, **filters)
    above = how["above"]
    if above is None:
        tagging.proposed(settings, found)
        return 0
    ids = [one.id for one in found.proposals if one.confidence >= above]
    if (
        ids
        and not how["yes"]
        and not click.confirm(f"Give {word!r} to {output.plural(len(ids), 'picture')}?", err=True)
    ):
        click.echo("Nothing was changed.", err=True)
        return 1
    tagging.changed(settings, photos.tag(ids, word))
    return 0


def _agreed(word: str, number: int) -> bool:
    """Whether so few lose the tag that nobody need be asked, or the person says yes."""
    if number <= MANY or click.confirm(f"Take {word!r} from {output.plural(number, 'picture')}?", err=True):
        return True
    click.echo("Nothing was changed.", err=True)
    return False
