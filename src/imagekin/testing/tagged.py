"""What every store must make of tags; part of ``imagekin.testing.stores``."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Final

from imagekin.store.base import Batch, Store
from imagekin.store.filters import And, Compare, Filter, In, Not, Or, Under, build, parse
from imagekin.testing.oracle import (
    Opened,
    Opener,
    expect,
    expect_nearest,
    filled,
    fits,
    known,
    synthetic_put,
    synthetic_vectors,
)
from imagekin.types import FileInfo

HOSTILE: Final = (
    "it's", '"quoted"', "'); DROP TABLE tag; --", "100%_of[them]*?", "a,b;c|d", "$.a", "\u00e9", "\U0001f408", "None"
)  # fmt: skip
"""Tags that would break a program that takes them for anything but words."""


def _of(number: int) -> Filter:
    return Compare("id", "==", number)


def check_tags(open_store: Opener) -> None:
    """Tags are given and taken, told by item and by name, and seen by another handle; what changes nothing is none."""
    with Opened(open_store, "tags") as store, Opened(open_store, "tags") as other:
        ids = known(store, filled(store, 6))[0].tolist()
        expect(store.tags() == {} and store.get(ids[:1])[0].tags == (), "a new collection has tags")
        before = store.revision
        expect(store.tag(In("id", (*ids[:3], 10**6)), ["sun", "beach"]) == 3, "tagging three items changed not three")
        expect(store.revision > before, "the revision stays the same after tag")
        before = store.revision
        expect(store.tag(_of(ids[0]), ["sun"], ["rain"]) == 0, "what was so already counts as changed")
        expect(store.revision == before, "tagging that changes nothing is a change")
        expect(store.tag(In("id", tuple(ids[2:4])), ["rain"], ["sun"]) == 2, "items that lost and got are not two")
        for handle in (store, other):
            expect(handle.tags() == {"beach": 3, "rain": 2, "sun": 2}, f"tags are {handle.tags()}")
            expect(list(handle.tags())[0] == "beach", "the most frequent tag is not the first")
            found = [item.tags for item in handle.get(ids[:5])]
            right = [("beach", "sun"), ("beach", "sun"), ("beach", "rain"), ("rain",), ()]
            expect(found == right, f"get gives the tags {found}")
            expect([item.tags for item in handle.items(limit=5)] == right, "items give other tags than get")
            expect(handle.tags_of([*ids, 10**6]) == dict(zip(ids, right[:4], strict=False)), "tags_of differs")
        expect(store.tag(Compare("tag", "==", "rain"), ["sun"], ["rain"]) == 2, "renaming a tag changed not two")
        expect(store.tags() == {"sun": 4, "beach": 3}, f"after a tag was renamed there are {store.tags()}")
        expect(
            store.tag(None, (), ["sun", "beach"]) == 4 and store.tags() == {}, "tags that were taken are still there"
        )


def check_tags_stay(open_store: Opener) -> None:
    """A tag stays with its item when the file moves, changes or is away, and goes with it."""
    with Opened(open_store, "tags-stay") as store:
        puts = filled(store, 6)
        ids = known(store, puts)[0].tolist()
        store.tag(None, ["t"])
        moved = replace(puts[0], file=FileInfo("/moved.jpg", 5, 6), id=ids[0], tags=("new", "t"))
        again = replace(puts[1], vector=synthetic_vectors(1, seed=3)[0])
        touched = [(ids[2], FileInfo(puts[2].file.path, 7, 8))]
        store.write(Batch(puts=[moved, again], touches=touched, relabels=[(ids[3], "x", None)], missing=[ids[4]]))
        expect([item.tags for item in store.get(ids)] == [("new", "t"), *[("t",)] * 5], "a change lost or gave tags")
        expect(store.tags() == {"t": 6, "new": 1}, f"{store.tags()} are counted, one of the items missing")
        expect(store.count(Compare("tag", "==", "t")) == 5, "count gives a missing item unasked")
        expect(store.tag(_of(ids[4]), ["away"]) == 1, "a missing item cannot be tagged")
        store.write(Batch(removed=[ids[0]]))
        store.remove(In("id", (ids[4], ids[5])))
        expect(store.tags() == {"t": 3}, f"after three of six items went, {store.tags()} are left")
        store.write(Batch(puts=[synthetic_put(0, puts[0].vector, file=moved.file)]))
        back = store.lookup(["/moved.jpg"])["/moved.jpg"].id
        expect(store.get([back])[0].tags == (), "a new item has the tags of one that is gone")


def check_tag_filters(open_store: Opener) -> None:
    """A filter by tags is that of a slow loop, in counts, lists, pages and searches."""
    with Opened(open_store, "tag-filters") as store:
        puts = filled(store, 600)
        words = {"half": 2, "tenth": 10, "beach": 7, "beaches": 150}
        for number, put in enumerate(puts):
            tags = tuple(sorted(word for word, every in words.items() if number % every == 0))
            puts[number] = replace(put, tags=tags, label="odd" if number % 3 else None)
        store.write(Batch(puts=puts))
        texts = ["tag == 'half'", "tag != 'half'", "tag == 'none'", "tag != 'none'", "tag == None", "tag != None"]
        texts += ["tag in ('tenth', 'beach')", "tag not in ('half', 'beach')", "tag in (None, 'beaches')", "tag in ()"]
        texts += ["'beach' in tag", "'beach' not in tag", "not tag == 'half'", "not tag != 'half'", "not 'x' in tag"]
        texts += [
            "tag == 'beach' and tag == 'half'",
            "tag == 'beach' or label == 'odd'",
            "width > 300 and tag == 'tenth'",
        ]
        texts += ["tag == 'half' and not (tag == 'beach' or id < 20)", "tag == 'half' and tag == None"]
        built = build(tag=["half", "beach"], where="width < 500", label="odd")
        conditions = [*map(parse, texts), built or And(())]
        conditions += [And((Or((Compare("tag", "==", "beach"), Under(("/pictures/2",)))), Not(And(()))))]
        conditions += [In("tag", (*map(str, range(500)), "beach")), In("tag", ("beach",))]
        numbers = {path: row.id for path, row in store.lookup([put.file.path for put in puts]).items()}
        for condition in conditions:
            chosen = [numbers[put.file.path] for put in puts if fits(condition, put, numbers[put.file.path])]
            _expect_listed(store, condition, sorted(chosen))
            expect_nearest(store, synthetic_vectors(2, seed=4), 20, condition, known(store, puts, chosen))


def _expect_listed(store: Store, condition: Filter, chosen: list[int]) -> None:
    about = str(condition)[:200]
    expect(store.count(condition) == len(chosen), f"{about} fits {store.count(condition)}, not {len(chosen)}")
    expect([each.id for each in store.known(condition)] == chosen, f"known({about}) gives something else")
    after = chosen[len(chosen) // 2] if chosen else 0
    page = [item.id for item in store.items(condition, after=after, limit=7)]
    expect(page == [number for number in chosen if number > after][:7], f"items({about}, after={after}) are {page}")


def check_hostile_tags(open_store: Opener) -> None:
    """Tags are words: none of them is taken for a command, a pattern or another one."""
    with Opened(open_store, "hostile-tags") as store:
        ids = known(store, filled(store, len(HOSTILE)))[0].tolist()
        for number, tag in zip(ids, HOSTILE, strict=True):
            store.tag(_of(number), [tag])
        store.tag(None, ["all"])
        expect(store.tags() == {"all": len(ids), **dict.fromkeys(HOSTILE, 1)}, f"tags came back as {store.tags()}")
        for number, tag in zip(ids, HOSTILE, strict=True):
            expect(store.get([number])[0].tags == tuple(sorted(("all", tag))), f"{tag!r} came back changed")
            for condition in (Compare("tag", "==", tag), In("tag", (tag,))):
                expect([item.id for item in store.items(condition)] == [number], f"{condition} finds something else")
        expect(store.tag(Compare("tag", "==", "' or 1=1 --"), (), ["all"]) == 0, "a tag was taken for a command")


def check_tag_races(open_store: Opener) -> None:
    """Two handles that tag the same items at once lose nothing of each other, nor of what is written meanwhile."""
    with Opened(open_store, "tag-races") as one, Opened(open_store, "tag-races") as two:
        puts = filled(one, 40)
        ids = known(one, puts)[0].tolist()

        def give(store: Store, words: list[str]) -> int:
            return sum(store.tag(In("id", tuple(ids)), [word]) for word in words)

        with ThreadPoolExecutor(4) as pool:
            mine = pool.submit(give, one, [f"one{n}" for n in range(10)])
            theirs = pool.submit(give, two, [f"two{n}" for n in range(10)])
            both = [pool.submit(give, store, ["both"]) for store in (one, two)]
            one.write(Batch(puts=puts[:20]))
            expect(mine.result() == theirs.result() == 400, "a handle did not tag each item with each of its words")
            expect(sum(each.result() for each in both) == 40, "of two who give one tag, not just one gave it")
        expect(set(two.tags().values()) == {40} and len(two.tags()) == 21, f"what is left are {two.tags()}")


CHECKS: Final[tuple[Callable[[Opener], None], ...]] = (
    check_tags,
    check_tags_stay,
    check_tag_filters,
    check_hostile_tags,
    check_tag_races,
)
