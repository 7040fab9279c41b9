"""Second looks: expanded queries, orders by neighbours; against what the papers' formulas say, computed by loops."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

import imagekin
from imagekin import evaluation
from imagekin.cli.app import app
from imagekin.collection import Collection
from imagekin.distance import normalized
from imagekin.errors import InputError, UnknownNameError
from imagekin.rerank import EXPANSIONS, RERANKINGS, Ways
from imagekin.rerank.neighbours import augmented, expanded, nearest, reciprocal
from tests.pictures import save

Rows = NDArray[np.float32]


def unit(*rows: tuple[float, ...]) -> NDArray[np.float32]:
    return normalized(np.array(rows, np.float32))


def cloud(count: int, dim: int = 6, seed: int = 0) -> NDArray[np.float32]:
    return normalized(np.random.default_rng(seed).normal(0.4, 1, (count, dim)).astype(np.float32))


# -- formulas ----------------------------------------------------------------------------------------------------------


def test_a_query_moves_to_the_mean_of_itself_and_its_neighbours() -> None:
    query, found = unit((1, 0))[0], unit((0, 1))
    assert expanded(query, found) == pytest.approx([2**-0.5, 2**-0.5])
    assert expanded(query, unit((3, 4))) == pytest.approx(unit((1 + 0.6, 0.8))[0])


def test_a_power_makes_what_is_less_like_count_less() -> None:
    query, found = unit((1, 0))[0], unit((3, 4))  # cosine 0.6, to the third power 0.216
    assert expanded(query, found, power=3) == pytest.approx(unit((1 + 0.216 * 0.6, 0.216 * 0.8))[0])
    assert expanded(query, unit((-1, 0.0)), power=3) == pytest.approx(query)  # the opposite does not count at all


def test_neighbours_pull_a_picture_into_its_group() -> None:
    # The lone third is nearer than the two that stand together, whose mean is nearest.
    query = unit((1, 0, 0))[0]
    found = unit((0.80, 0.60, 0.0), (0.79, -0.60, 0.12), (0.795, 0.0, 0.6))
    order = nearest(query, augmented(found, near=1, power=0))
    smooth = [found[[row, _nearest(found, row)]].mean(axis=0) for row in range(3)]
    expected = np.argsort([-float(query @ each / np.linalg.norm(each)) for each in smooth], kind="stable")
    assert order.tolist() == expected.tolist()


def _nearest(found: NDArray[np.float32], row: int) -> int:
    products = found @ found[row]
    products[row] = -np.inf
    return int(products.argmax())


def slow_reciprocal(
    query: NDArray[np.float32], found: NDArray[np.float32], k1: int, k2: int, share: float
) -> list[int]:
    """Zhong et al., equations 2 to 12, by sets and loops."""
    rows = np.concatenate([query[None], found])
    gaps = 1 - rows @ rows.T
    ranks = [np.argsort(line, kind="stable").tolist() for line in gaps]

    def mutual(row: int, k: int) -> set[int]:
        return {other for other in ranks[row][: k + 1] if row in ranks[other][: k + 1]}

    codes = []
    for row in range(len(rows)):
        members = mutual(row, k1)
        for other in list(mutual(row, k1)):
            half = mutual(other, k1 // 2)
            if len(half & mutual(row, k1)) > 2 / 3 * len(half):
                members |= half
        code = np.zeros(len(rows))
        for other in members:
            code[other] = np.exp(-gaps[row, other])
        codes.append(code / code.sum())
    means = [np.mean([codes[other] for other in ranks[row][:k2]], axis=0) for row in range(len(rows))]
    final = []
    for row in range(1, len(rows)):
        low, high = np.minimum(means[0], means[row]).sum(), np.maximum(means[0], means[row]).sum()
        final.append((1 - share) * (1 - low / high) + share * gaps[0, row])
    return [int(row) for row in np.argsort(final, kind="stable")]


@pytest.mark.parametrize(("k1", "k2", "share"), [(6, 3, 0.3), (4, 1, 0.3), (8, 2, 0.7), (20, 6, 0.0)])
def test_reciprocal_neighbours_are_those_of_the_paper(k1: int, k2: int, share: float) -> None:
    for seed in range(5):
        rows = cloud(30, seed=seed)
        found = rows[1:][np.argsort(-(rows[1:] @ rows[0]))]
        order = reciprocal(rows[0], found, k1=k1, k2=k2, share=share)
        assert order.tolist() == slow_reciprocal(rows[0], found, k1, k2, share)


def test_both_orders_together_are_more_than_one_of_them() -> None:
    rows = cloud(60, seed=3)
    found = rows[1:]
    orders = [Ways(*names).order(rows[0], found).tolist() for names in (("dba",), (None, "k-reciprocal"))]
    both = Ways("dba", "k-reciprocal").order(rows[0], found).tolist()
    assert both == reciprocal(rows[0], augmented(found)).tolist()
    assert both not in orders


def test_an_order_keeps_everything_once_however_little_there_is() -> None:
    for count in (0, 1, 2, 3, 40):
        found = cloud(count + 1)[1:]
        for ways in (Ways(expand="dba"), Ways(rerank="k-reciprocal"), Ways("dba", "k-reciprocal")):
            assert sorted(ways.order(cloud(1)[0], found).tolist()) == list(range(count))


def test_more_copies_than_neighbours_that_count_come_first_all_the_same() -> None:
    copies, others = np.repeat(cloud(1), 40, axis=0), cloud(11)[1:]
    order = reciprocal(copies[0], np.concatenate([copies, others]))
    assert sorted(order[:40].tolist()) == list(range(40))


def test_unknown_names_list_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match="expand cannot be 'more'; known: aqe, alpha-qe, dba"):
        Ways(expand="more")
    with pytest.raises(UnknownNameError, match="rerank cannot be 'again'; known: k-reciprocal"):
        Ways(rerank="again")
    assert not Ways()
    assert str(Ways("aqe", "k-reciprocal")) == "aqe, k-reciprocal"


# -- evaluations -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def moons() -> tuple[NDArray[np.float32], list[int]]:
    """Four long, bent groups on a sphere: ends of one group lie nearer to another group than to each other."""
    random, rows, labels = np.random.default_rng(1), [], []
    for label in range(4):
        angle = np.linspace(0, 2.4, 60) + label
        bent = np.stack(
            [np.cos(angle), np.sin(angle), np.full(60, 0.55 * (-1) ** label), np.sin(2 * angle) / 3], axis=1
        )
        rows.append(bent + random.normal(0, 0.03, bent.shape))
        labels += [label] * 60
    return normalized(np.concatenate(rows).astype(np.float32)), labels


@pytest.mark.parametrize("looks", [{"expand": name} for name in EXPANSIONS] + [{"rerank": name} for name in RERANKINGS])
def test_second_looks_find_more_of_a_group_that_is_long_and_bent(
    moons: tuple[NDArray[np.float32], list[int]], looks: dict[str, Any]
) -> None:
    plain = evaluation.evaluate(*moons, k=10).figure("mAP@R").value
    found = evaluation.evaluate(*moons, k=10, **looks)
    assert found.figure("mAP@R").value > plain
    assert found.notes[0] == f"Every search took a second look: {next(iter(looks.values()))}."


def test_an_evaluation_without_second_looks_is_as_it_was(moons: tuple[NDArray[np.float32], list[int]]) -> None:
    plain, same = evaluation.evaluate(*moons, k=10), evaluation.evaluate(*moons, k=10, expand=None, rerank=None)
    assert plain.figures == same.figures
    assert plain.notes == same.notes


def test_second_looks_need_cosines(moons: tuple[NDArray[np.float32], list[int]]) -> None:
    with pytest.raises(InputError, match="metric is euclidean"):
        evaluation.evaluate(*moons, metric="euclidean", expand="aqe")


# -- searches ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collection]:
    root = tmp_path_factory.mktemp("pictures")
    for number in range(60):
        save(root / str(number % 5) / f"{number:02d}.png", number, width=24, height=16)
    with imagekin.open(tmp_path_factory.mktemp("collections") / "c", model="pixels") as collection:
        collection.index(root)
        yield collection


LOOKS: list[dict[str, Any]] = [
    *({"expand": name} for name in EXPANSIONS),
    *({"rerank": name} for name in RERANKINGS),
    {"expand": "aqe", "rerank": "k-reciprocal"},
]


@pytest.mark.parametrize("looks", LOOKS)
def test_a_search_orders_as_an_evaluation_does(photos: Collection, looks: dict[str, Any]) -> None:
    ids, vectors = photos.vectors()
    ways = Ways(**looks)
    for row in (0, 17, 44):
        rest = np.delete(np.arange(len(ids)), row)
        query, unit_rows = vectors[row], vectors[rest]
        asked = query
        if ways.near:
            asked = ways.query(query, unit_rows[np.argsort(-(unit_rows @ query), kind="stable")[: ways.near]])
        order = np.argsort(-(unit_rows @ asked), kind="stable")
        if ways.pool:
            order = order[ways.order(asked, unit_rows[order])]
        hits = photos.search(id=int(ids[row]), k=8, **looks)
        assert [hit.id for hit in hits] == ids[rest][order[:8]].tolist()


def test_hits_keep_their_plain_distance(photos: Collection) -> None:
    plain = {hit.id: hit.distance for hit in photos.search(id=3, k=59)}
    for looks in ({"expand": "aqe"}, {"expand": "dba"}, {"rerank": "k-reciprocal"}):
        hits = photos.search(id=3, k=20, **looks)
        assert [hit.distance for hit in hits] == pytest.approx([plain[hit.id] for hit in hits], abs=2e-3)
        assert len(hits) == 20


def test_filters_and_least_similarities_hold_as_ever(photos: Collection) -> None:
    hits = photos.search(id=3, k=40, label="2", rerank="k-reciprocal", expand="dba")
    assert {hit.label for hit in hits} == {"2"}
    assert len(hits) == 12 - (photos.get([3])[0].label == "2")
    alike = [hit.similarity for hit in photos.search(id=3, k=40)]
    bound = sorted(alike)[30]
    kept = photos.search(id=3, k=40, rerank="k-reciprocal", min_similarity=bound)
    assert {hit.similarity >= bound for hit in kept} == {True}
    assert 0 < len(kept) < 40


def test_several_queries_at_once_are_answered_as_one_by_one(photos: Collection) -> None:
    many: Any = photos.search(id=[3, 9], k=6, expand="aqe", rerank="k-reciprocal")
    assert many == [photos.search(id=number, k=6, expand="aqe", rerank="k-reciprocal") for number in (3, 9)]


def test_an_empty_answer_stays_empty(photos: Collection) -> None:
    assert photos.search(id=3, where="width > 5000", expand="aqe", rerank="k-reciprocal") == []


def test_the_command_line_takes_second_looks(photos: Collection) -> None:
    words = ["-c", photos.location, "search", "--id", "3", "-k", "4", "--rerank", "k-reciprocal", "--expand", "aqe"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    found = [int(line.split()[1]) for line in done.stdout.splitlines()[1:]]
    assert found == [hit.id for hit in photos.search(id=3, k=4, expand="aqe", rerank="k-reciprocal")]
    done = CliRunner().invoke(app, ["-c", photos.location, "evaluate", "--expand", "dba"])
    assert "Every search took a second look: dba." in done.stdout
    assert CliRunner().invoke(app, ["-c", photos.location, "evaluate", "--expand", "dba", "--pca", "4"]).exit_code == 2
    done = CliRunner().invoke(app, ["-c", photos.location, "search", "--id", "3", "--expand", "all"])
    assert (done.exit_code, done.stderr) == (1, "imagekin: expand cannot be 'all'; known: aqe, alpha-qe, dba.\n")


def test_the_file_of_a_query_is_not_needed(photos: Collection, tmp_path: Path) -> None:
    picture = save(tmp_path / "query.png", 7, width=24, height=16)
    assert photos.search(picture, k=1, rerank="k-reciprocal")[0].similarity == pytest.approx(1, abs=1e-2)
