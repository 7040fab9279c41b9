from __future__ import annotations

import io
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import imagekin
from imagekin import location
from imagekin.collection import Collection
from imagekin.errors import (
    FetchError,
    ImageError,
    ImagekinError,
    InputError,
    MismatchError,
    StoreError,
    UnknownNameError,
)
from tests.pictures import folder, picture, save
from tests.pixel_collection import indexed

NAMES = [f"cat/{number:02}.png" for number in range(12)] + [f"dog/{number:02}.png" for number in range(4)]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder(tmp_path_factory.mktemp("photos"), NAMES)


shared = indexed("module", "shared")


def test_every_kind_of_query_finds_the_picture(shared: Collection, root: Path) -> None:
    path = root / NAMES[5]
    with Image.open(path) as image:
        image.load()
    queries: list[Any] = [str(path), path, path.read_bytes(), image, np.asarray(image)]
    for query in queries:
        hit = shared.search(query, k=1)[0]
        assert (hit.path, hit.label, hit.width, hit.height) == (str(path), "cat", 48, 32)
        assert hit.distance == pytest.approx(0, abs=2e-3)
        assert hit.similarity == pytest.approx(1, abs=2e-3)


def test_hits_are_the_nearest_with_their_true_distances(shared: Collection) -> None:
    ids, vectors = shared.vectors()
    query = shared.embed([picture(77)])[0]
    distances = 1 - vectors @ query / np.linalg.norm(vectors, axis=1)
    order = np.lexsort((ids, distances))
    hits = shared.search(picture(77), k=16)
    assert [hit.id for hit in hits] == ids[order].tolist()
    np.testing.assert_allclose([hit.distance for hit in hits], distances[order], atol=1e-5)
    assert all(hit.similarity == pytest.approx(max(1 - hit.distance, 0)) for hit in hits)


def test_a_list_of_queries_gives_a_list_of_lists(shared: Collection) -> None:
    both = shared.search([picture(1), picture(2)], k=3)
    assert both == [shared.search(picture(1), k=3), shared.search(picture(2), k=3)]
    assert shared.search([], k=3) == []
    stack: Any = np.stack([np.asarray(picture(1)), np.asarray(picture(2))])
    assert shared.search(stack, k=3) == both


def test_search_by_id_leaves_the_item_out_unless_asked(shared: Collection) -> None:
    number = next(shared.items()).id
    alone = shared.search(id=number, k=15)
    assert number not in {hit.id for hit in alone}
    assert len(alone) == 15
    with_self = shared.search(id=number, k=16, exclude_self=False)
    assert with_self[0].id == number
    assert with_self[1:] == alone
    many = shared.search(id=[number, number + 1], k=2)
    assert [len(hits) for hits in many] == [2, 2]  # type: ignore[arg-type]
    filtered = shared.search(id=number, k=4, label="dog")  # the item itself does not fit the filter
    assert {hit.label for hit in filtered} == {"dog"}
    assert len(filtered) == 4


def test_copies_of_the_query_are_not_taken_for_the_item_itself(tmp_path: Path) -> None:
    root = folder(tmp_path / "p", ["a.png", "z.png"])
    save(root / "copy.png", 0)
    with imagekin.open(tmp_path / "c", model="pixels") as photos:
        photos.index(root)
        for item in list(photos.items()):
            hits = photos.search(id=item.id, k=5)
            assert sorted(hit.id for hit in hits) == sorted({1, 2, 3} - {item.id})


def test_filters_act_inside_the_search(shared: Collection, root: Path) -> None:
    query = picture(0)  # a cat: without the filter, all nearest are cats
    dogs = shared.search(query, k=4, label="dog")
    assert [hit.label for hit in dogs] == ["dog"] * 4
    assert shared.search(query, k=4, under=root / "dog") == dogs
    assert shared.search(query, k=4, where="label != 'cat'") == dogs
    assert len(shared.search(query, k=10, label="dog")) == 4  # fewer only when fewer exist
    assert shared.search(query, k=4, label="horse") == []
    assert shared.search(query, k=4, where="width > 1000") == []
    assert len(shared.search(query, k=16, under=[str(root / "dog"), str(root / "cat")])) == 16
    assert [hit.label for hit in shared.search(query, k=2, under=root / "cat", where="id > 10")] == ["cat"] * 2


def test_crop_searches_by_the_region(shared: Collection) -> None:
    canvas = Image.new("RGB", (200, 100), (10, 200, 30))
    canvas.paste(picture(3), (120, 40))
    hit = shared.search(canvas, k=1, crop=(120, 40, 48, 32))[0]
    assert hit.path.endswith(NAMES[3])
    assert hit.distance == pytest.approx(0, abs=2e-3)
    over_the_edge = shared.search(canvas, k=1, crop=(120, 40, 48, 1_000))[0]
    assert over_the_edge.distance > hit.distance
    for bad in [(0, 0, 0, 5), (500, 0, 5, 5), (0, 0, -3, 5), (1, 2, 3), (0, 0, float("nan"), 1)]:
        with pytest.raises(InputError):
            shared.search(canvas, k=1, crop=bad)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"query": "nowhere.jpg"}, ImageError),
        ({"query": b"no image"}, ImageError),
        ({"query": b""}, ImageError),
        ({"query": "http://example.com/a.jpg"}, FetchError),
        ({"query": 5}, ImagekinError),
        ({}, InputError),
        ({"id": 1, "query": "a.jpg"}, InputError),
        ({"id": 10_000}, InputError),
        ({"id": 2**63}, InputError),
        ({"id": 2**70}, InputError),
        ({"id": "one"}, InputError),
        ({"id": 1.5}, InputError),
        ({"id": 1, "k": 0}, InputError),
        ({"id": 1, "k": -1}, InputError),
        ({"id": 1, "k": 10**9}, InputError),
        ({"id": 1, "where": "width >"}, InputError),
        ({"id": 1, "colour": "red"}, InputError),
    ],
)
def test_senseless_searches_get_one_sentence(
    shared: Collection, options: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error) as caught:
        shared.search(**options)
    assert "\n" not in str(caught.value)


def test_an_empty_collection_answers_with_nothing(tmp_path: Path) -> None:
    with imagekin.open(tmp_path / "c", model="pixels") as photos:
        assert photos.search(picture(0)) == []
        assert len(photos) == 0
        assert list(photos.items()) == []
        assert photos.check() == []
        ids, vectors = photos.vectors()
        assert len(ids) == len(vectors) == 0


def test_k_beyond_the_collection_gives_all(shared: Collection) -> None:
    assert len(shared.search(picture(0), k=1_000)) == 16


def test_get_and_items(shared: Collection, root: Path) -> None:
    items = list(shared.items())
    assert [item.path for item in items] == [str(root / name) for name in NAMES]
    assert shared.get([items[3].id, items[1].id]) == [items[3], items[1]]
    assert list(shared.items(after=items[13].id)) == items[14:]
    assert list(shared.items(limit=5)) == items[:5]
    assert shared.count(label="dog") == 4
    with pytest.raises(InputError, match="no item 999"):
        shared.get([999])


def test_remove_forgets_items_but_never_touches_pictures(tmp_path: Path) -> None:
    root = folder(tmp_path / "p", ["a/1.png", "a/2.png", "b/3.png"])
    with imagekin.open(tmp_path / "c", model="pixels") as photos:
        photos.index(root)
        first = next(photos.items()).id
        assert photos.remove(first) == 1
        assert photos.remove(first) == 0
        assert photos.remove(under=root / "a") == 1
        assert [item.label for item in photos.items()] == ["b"]
        assert [hit.label for hit in photos.search(picture(0))] == ["b"]
        with pytest.raises(InputError, match="ids or a filter"):
            photos.remove()
        assert len(list(root.rglob("*.png"))) == 3
        assert photos.index().added == 2


def test_another_model_is_refused_where_vectors_are_needed(tmp_path: Path) -> None:
    root = folder(tmp_path / "p", ["a.png"])
    with imagekin.open(tmp_path / "c", model="pixels") as photos:
        photos.index(root)
    with imagekin.open(tmp_path / "c", model="efficientnet-lite0") as photos:
        with pytest.raises(
            MismatchError, match="has no vectors of efficientnet-lite0.* only those of pixels"
        ) as caught:
            photos.search(picture(0))
        assert "\n" not in str(caught.value)
    with imagekin.open(tmp_path / "c") as photos:  # without a name: the one it was made with
        assert photos.embedder.name == "pixels"
        assert photos.index().unchanged == 1
    with pytest.raises(UnknownNameError, match="known: "):
        imagekin.open(tmp_path / "c", model="no-such-model")
    with pytest.raises(InputError, match="needs a file"):
        imagekin.open(tmp_path / "other", model="onnx")
    assert not (tmp_path / "other").exists()
    with imagekin.open(tmp_path / "empty", model="pixels"):
        pass
    with imagekin.open(tmp_path / "empty", model="efficientnet-lite0") as photos:  # no image yet: free to change
        assert photos.embedder.name == "efficientnet-lite0"


def test_engines_can_be_chosen_and_answer_alike(tmp_path: Path) -> None:
    root = folder(tmp_path / "p", [f"{number:03}.png" for number in range(600)])
    with imagekin.open(tmp_path / "c", model="pixels") as photos:
        photos.index(root)
        exact = photos.search(picture(1_000), k=20)
        assert photos.engine == "auto"
        photos.engine = "faiss(factory='HNSW16', ef=600)"
        photos.store.refresh()
        assert photos.info()["serving"] == "faiss(factory='HNSW16', ef=600)"
        assert photos.search(picture(1_000), k=20) == exact
        save(root / "new.png", 1_000)
        photos.index()
        assert photos.search(picture(1_000), k=20) == [*photos.search(picture(1_000), k=1), *exact[:19]]
        with pytest.raises(UnknownNameError, match="known: "):
            photos.engine = "no-such-engine"
        assert photos.engine == "faiss(factory='HNSW16', ef=600)"
    with imagekin.open(tmp_path / "c") as photos:
        assert photos.search(picture(1_000), k=20)[1:] == exact[:19]
        photos.remove(exact[0].id)
        assert photos.search(picture(1_000), k=20)[1:] == photos.search(picture(1_000), k=25)[1:20]
        assert exact[0] not in photos.search(picture(1_000), k=20)


def test_a_searcher_sees_what_another_handle_writes(tmp_path: Path) -> None:
    root = folder(tmp_path / "p", ["a.png"])
    with imagekin.open(tmp_path / "c", model="pixels") as writer, imagekin.open(tmp_path / "c") as reader:
        writer.index(root)
        assert len(reader.search(picture(0))) == 1
        for seed in range(1, 6):
            save(root / f"{seed}.png", seed)
            writer.index(root)
            assert reader.search(picture(seed), k=1)[0].path == str(root / f"{seed}.png")
        writer.remove(where="id > 1")
        assert [hit.path for hit in reader.search(picture(3))] == [str(root / "a.png")]


def test_many_threads_get_the_answers_of_one(shared: Collection) -> None:
    expected = [shared.search(picture(seed), k=5) for seed in range(8)]
    wrong: list[int] = []

    def work(seed: int) -> None:
        for _ in range(20):
            if shared.search(picture(seed), k=5) != expected[seed]:
                wrong.append(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_names_live_in_the_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGEKIN_HOME", str(tmp_path))
    monkeypatch.delenv("IMAGEKIN_COLLECTION", raising=False)
    assert imagekin.collections() == []
    with imagekin.open("photos", model="pixels") as photos:
        assert Path(photos.location) == tmp_path / "collections" / "photos"
    with imagekin.open(model="pixels"):
        pass
    assert imagekin.collections() == ["default", "photos"]
    monkeypatch.setenv("IMAGEKIN_COLLECTION", "photos")
    assert location.resolve() == tmp_path / "collections" / "photos"
    assert location.resolve(tmp_path / "x") == tmp_path / "x"
    assert location.resolve(str(tmp_path / "x" / "collection.db")) == tmp_path / "x"
    for bad in ["", "a\nb", "-", "x" * 200, "con\0", "?"]:
        with pytest.raises(InputError):
            location.resolve(bad) if bad else location.resolve(" ")


def test_a_collection_that_is_absent_is_not_made_when_not_wanted(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no collection"):
        imagekin.open(tmp_path / "c", create=False)
    assert not (tmp_path / "c").exists()


def test_jpeg_queries_with_a_draft_find_their_original(shared_data: Path, tmp_path: Path) -> None:
    """The whole way with the real model: all orientations of one scene are nearest to each other."""
    with imagekin.open(tmp_path / "c") as photos:
        report = photos.index(shared_data / "exif_orientation")
        assert report.skipped == []
        _, vectors = photos.vectors()
        groups = {item.path: vector for item, vector in zip(photos.items(), vectors, strict=True)}
        for kind in ("Landscape", "Portrait"):
            chosen = np.stack([vector for path, vector in groups.items() if kind in path])
            assert len(chosen) >= 8
            assert (chosen @ chosen.T).min() > 0.92  # each has another digit drawn into it
        buffer = io.BytesIO()
        Image.open(next(iter(groups))).convert("RGB").save(buffer, "JPEG", quality=60)
        assert photos.search(buffer.getvalue(), k=1)[0].similarity > 0.9


def test_import_is_light() -> None:
    code = (
        "import sys, imagekin; print(sorted({m.split('.')[0] for m in sys.modules} & {'PIL', 'onnxruntime', 'apsw'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
