"""Tags: giving them to pictures, taking them away, and asking which there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from imagekin import query as queries
from imagekin.errors import InputError
from imagekin.store import tags
from imagekin.store.base import Store
from imagekin.store.filters import Compare, Filter
from imagekin.store.tags import Tags
from imagekin.types import Ids

if TYPE_CHECKING:
    from imagekin.proposals import Proposals

Chosen = int | Sequence[int] | Ids | None


NOBODY: Final = "tagging needs ids or a filter; for every picture give where='id > 0'."


class Tagging:
    """The part of a ``Collection`` that tags pictures.

    Attributes:
        store: where items and their tags are.
    """

    store: Store

    def tag(self, ids: Chosen, *names: str, **conditions: Any) -> int:
        """Give pictures tags: words of your own, any number a picture.

        A tag stays with its picture when the file moves or is indexed again, and goes when the picture is removed.

        Args:
            ids: of the pictures, missing ones included; None for all that fit the filters.
            names: the tags, each of 1…100 characters that can be seen; space around them is left out.
            conditions: the filters of ``items``; with ids, only those of them that fit.

        Returns:
            How many pictures have a tag that they had not; ids that are not there are passed over.

        Raises:
            InputError: no tag is given, or one that cannot be; or neither ids nor a filter.
        """
        return change(self.store, ids, add=names, **conditions)

    def untag(self, ids: Chosen, *names: str, **conditions: Any) -> int:
        """Take tags from pictures; see ``tag``.  Returns how many pictures had one of them."""
        return change(self.store, ids, remove=names, **conditions)

    def tags(self) -> dict[str, int]:
        """Every tag with the number of its pictures, missing ones included, the most frequent first."""
        return self.store.tags()

    def rename_tag(self, tag: str, to: str, *, merge: bool = False) -> int:
        """Call a tag otherwise.  Returns how many pictures had it.

        Args:
            tag: a tag that there is.
            to: its new name.
            merge: let it become one with a tag that is called so already, which nothing takes apart again.

        Raises:
            InputError: no picture has *tag*, *to* cannot be one, or there is one already and *merge* is false.
        """
        return rename(self.store, tag, to, merge=merge)

    def forget_tag(self, tag: str) -> int:
        """Take a tag from every picture that has it.  Returns how many had it."""
        return self.store.tag(of(tag), (), (tags.checked(tag),))

    def propose(
        self, tag: str | None = None, /, *, ids: Chosen = None, refused: Chosen = None, k: int = 50, **conditions: Any
    ) -> Proposals:
        """Pictures that look as if they deserve a tag, the most certain first.

        Args:
            tag: pictures that have it are examples, and are not proposed.
            ids: further examples.
            refused: pictures that do not deserve it; what looks like them is trusted less.
            k: proposals wanted.
            conditions: the filters of ``items``; only what fits is proposed.

        Returns:
            ``proposals``, hits with a ``confidence``, the probability (0…1) that the picture deserves the tag;
            ``examples``, how many there are; ``calibrated``, whether labels and tags of this collection say how far to
            trust the confidence.

        Raises:
            InputError: there is no example, or an id is not there.
        """
        from imagekin import proposals

        return proposals.propose(self.store, tag, ids=ids, refused=refused, k=k, **conditions)


def change(store: Store, ids: Chosen, *, add: Tags = (), remove: Tags = (), **conditions: Any) -> int:
    """Give and take tags in one step; see ``Tagging.tag``.

    Raises:
        InputError: no tag, one that cannot be, or one both to give and to take; or neither ids nor a filter.
    """
    given, taken = words(add, remove)
    condition = queries.chosen(store, ids, **conditions)
    if condition is None:
        raise InputError(NOBODY)
    return store.tag(condition, given, taken)


def words(add: Tags, remove: Tags) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Tags to give and tags to take, in their one form.

    Raises:
        InputError: there is none, or one that cannot be, or one that is both to give and to take.
    """
    given, taken = tags.several(add), tags.several(remove)
    if not given and not taken:
        raise InputError("no tag is given; name at least one.")
    if both := [name for name in given if name in taken]:
        raise InputError(f"the tag {both[0]!r} is both to be given and to be taken away; decide.")
    return given, taken


def rename(store: Store, tag: str, to: str, *, merge: bool = False) -> int:
    """See ``Tagging.rename_tag``."""
    old, new = tags.checked(tag), tags.checked(to)
    known(store, old)
    if new == old:
        return 0
    if not merge and (count := store.count(of(new), missing=None)):
        raise InputError(
            f"there is a tag {new!r} already, which {count:,} pictures have, and one that both become is not taken "
            "apart again; choose another name, or say that they are to merge."
        )
    return store.tag(of(old), (new,), (old,))


def known(store: Store, tag: str) -> None:
    """Check that a picture has a tag.

    Raises:
        InputError: none has; the message names some that there are.
    """
    if not store.count(of(tag), missing=None):
        others = ", ".join(map(repr, list(store.tags())[:20]))
        raise InputError(f"no picture has the tag {tags.checked(tag)!r}; known: {others or 'none'}.")


def of(tag: str) -> Filter:
    """The filter for the items that have a tag."""
    return Compare("tag", "==", tags.checked(tag))
