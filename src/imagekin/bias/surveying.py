"""The labelled pictures of a collection: which of them are found by their surroundings?"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from imagekin import images, metrics
from imagekin import query as queries
from imagekin.bias.hiding import AREA, SUBJECTS, Hiding, Parted
from imagekin.bias.looking import Found, K, neighbours, tells
from imagekin.bias.records import PARTS, SUBJECT, SURROUNDINGS, WHOLE, Example, Part, Sort, Survey
from imagekin.errors import ImageError, InputError
from imagekin.evaluation.labelled import model_of
from imagekin.evaluation.records import Progress
from imagekin.pipeline import Pipeline, batched
from imagekin.store.base import Store
from imagekin.types import Item, Skipped

if TYPE_CHECKING:
    from imagekin.collection import Collection

SAMPLES: Final = 500
"""Pictures that ask, by default; a second holds some 20 on two cores."""

EXAMPLES: Final = 4
_BATCH: Final = 16
_AHEAD: Final = 32

Shares = NDArray[np.float64]


def survey(
    photos: Collection,
    *,
    k: int = K,
    subject: str = "edge",
    area: float = AREA,
    samples: int = SAMPLES,
    seed: int = 0,
    progress: Callable[[Progress], None] | None = None,
) -> Survey:
    """Hide the surroundings of labelled pictures, and then their subjects, and count what is found.

    Each is searched by among all others.  A class whose surroundings find it better than its subjects do is known by
    where it is seen and not by what it looks like.

    Args:
        photos: a collection with labels.
        k: neighbours that are looked at.
        subject: how it is told from its surroundings, a name of ``SUBJECTS``.
        area: its share of what the network sees.
        samples: pictures that ask, drawn at random, as even over classes as can be.
        seed: of the draw.
        progress: called now and then.

    Raises:
        InputError: no labels, or one class; or an option makes no sense.
        UnsupportedError: the model cannot say where the subject is; give ``centre``.
    """
    started, store, embedder = time.perf_counter(), photos.store, photos.embedder
    if not isinstance(subject, str) or samples < 1:
        raise InputError(f"a survey needs samples >= 1 and a subject by name ({', '.join(SUBJECTS)}).")
    hiding = Hiding(embedder, subject, area, tells(embedder))
    labels = {known.id: known.label for known in store.known(None) if known.label is not None and not known.missing}
    asking = _drawn(store, labels, samples, seed)
    asked, found, skipped = list[Item](), list[Found](), list[Skipped]()
    for batch in batched(_parted(photos, asking, hiding, skipped), _BATCH):
        asked += [item for item, _ in batch]
        found += neighbours(store, embedder, [each for _, each in batch], [item.id for item, _ in batch], k)
        if progress is not None:
            progress(Progress(len(asked) + len(skipped), len(asking), "Hiding parts of pictures"))
    if not asked:
        raise InputError(
            f"none of the {len(asking):,} pictures that were drawn can be read any more; index them again."
        )
    names, right, other, codes = _judged(asked, found)
    shares = [each.share for each in found if each.share is not None]
    return Survey(
        name=Path(photos.location).name or photos.location, model=model_of(photos), images=len(labels), k=k,
        subject=subject, area=area, queries=len(asked), parts=_parts(right, other, codes, seed),
        share=float(np.mean(shares)) if shares else None, sorts=_sorts(names, right, other, codes),
        examples=_examples(asked, found), seed=seed, seconds=time.perf_counter() - started, skipped=tuple(skipped),
        notes=_notes(hiding, len(skipped)),
    )  # fmt: skip


def _drawn(store: Store, labels: dict[int, str], samples: int, seed: int) -> list[int]:
    """Ids that ask: every class in turn gives one, until there are enough."""
    if len(set(labels.values())) < 2:
        what = "no labels" if not labels else "labels of one class only"
        raise InputError(
            f"{store.location} has {what}, so that nothing says what is found rightly; index with --label-from, or "
            "look at one picture: imagekin bias PICTURE"
        )
    random = np.random.default_rng(seed)
    ids = random.permutation(np.array(sorted(labels), np.int64))
    codes = np.unique([labels[number] for number in ids.tolist()], return_inverse=True)[1]
    order = np.argsort(codes, kind="stable")
    rank = np.empty(len(ids), np.int64)
    rank[order] = np.arange(len(ids)) - np.searchsorted(codes[order], codes[order])
    return sorted(ids[np.lexsort((random.permutation(len(ids)), rank))][:samples].tolist())


def _parted(
    photos: Collection, asking: Sequence[int], hiding: Hiding, skipped: list[Skipped]
) -> Iterator[tuple[Item, Parted]]:
    """Pictures in their parts; those that cannot be read are told."""
    side = hiding.embedder.recipe.decode_side

    def read(number: int) -> tuple[Item, images.Photo | str]:
        item = photos.get([number])[0]
        try:
            return item, images.decode(queries.original(item), target=side)
        except ImageError as error:
            return item, str(error)

    with Pipeline() as pipeline:
        for item, photo in pipeline.map(read, iter(asking), ahead=_AHEAD):
            if isinstance(photo, str):
                skipped.append(Skipped(item.path, photo))
            else:
                yield item, hiding.parted(photo.image)


def _judged(
    asked: Sequence[Item], found: Sequence[Found]
) -> tuple[list[str], dict[str, Shares], dict[str, Shares], NDArray[np.int64]]:
    """Names of classes; by part each picture's precision, and whether its neighbours vote otherwise; its class."""
    every = {hit.label or "" for each in found for hits in each.hits.values() for hit in hits}
    names = sorted({item.label or "" for item in asked} | every)
    number = {name: code for code, name in enumerate(names)}
    codes = np.array([number[item.label or ""] for item in asked])
    votes, right = dict[str, NDArray[np.int64]](), dict[str, Shares]()
    for part in PARTS:
        most = max(1, *(len(each.hits[part]) for each in found))
        near = np.full((len(found), most), -1, np.int64)
        for line, each in enumerate(found):
            near[line, : len(each.hits[part])] = [
                -1 if hit.label is None else number[hit.label] for hit in each.hits[part]
            ]
        votes[part] = metrics.vote(near)
        right[part] = (near == codes[:, None]).mean(axis=1)
    return names, right, {part: (votes[part] != votes[WHOLE]).astype(np.float64) for part in PARTS}, codes


def _parts(right: dict[str, Shares], other: dict[str, Shares], codes: NDArray[np.int64], seed: int) -> tuple[Part, ...]:
    counts = np.bincount(codes)
    made = []
    for part in PARTS:
        both = np.stack([np.bincount(codes, each[part], len(counts)) for each in (right, other)], axis=1)
        low, high = metrics.class_bootstrap(both, counts, seed=seed)
        means = both.sum(axis=0) / counts.sum()
        figures = zip(means.tolist(), low.tolist(), high.tolist(), strict=True)
        made.append(Part(part, *(number for figure in figures for number in figure)))
    return tuple(made)


def _sorts(
    names: Sequence[str], right: dict[str, Shares], other: dict[str, Shares], codes: NDArray[np.int64]
) -> tuple[Sort, ...]:
    found = []
    for code in np.unique(codes).tolist():
        rows = codes == code
        count = int(rows.sum())
        changed = {
            part: (float(other[part][rows].mean()), *metrics.wilson(float(other[part][rows].sum()), count))
            for part in (SUBJECT, SURROUNDINGS)
        }
        found.append(Sort(names[code], count, {part: float(right[part][rows].mean()) for part in PARTS}, changed))
    return tuple(sorted(found, key=lambda each: (-each.leaning, each.label)))


def _examples(asked: Sequence[Item], found: Sequence[Found]) -> tuple[Example, ...]:
    """Pictures whose surroundings find most of their neighbours again and their subjects fewest."""
    made = []
    for item, each in zip(asked, found, strict=True):
        whole = {hit.id for hit in each.hits[WHOLE]}
        subject, rest = (sum(hit.id in whole for hit in each.hits[part]) for part in (SUBJECT, SURROUNDINGS))
        if rest > subject:
            made.append(Example(item.id, subject, rest))
    return tuple(sorted(made, key=lambda each: (each.subject - each.surroundings, each.id))[:EXAMPLES])


def _notes(hiding: Hiding, skipped: int) -> tuple[str, ...]:
    notes = []
    if skipped:
        notes.append(f"{skipped:,} files cannot be read, or have changed since they were indexed, and were left out.")
    if not hiding.tells:
        notes.append("The model does not say what each place adds, so the share of the subject's places is unknown.")
    return tuple(notes)
