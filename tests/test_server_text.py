"""Words over HTTP give what they give the library, from programs, forms and the client; mistakes are sentences."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import imagekin
from imagekin import Mixture, Text
from imagekin.collection import Collection
from imagekin.errors import InputError, UnsupportedError
from tests.encoded import encoded
from tests.pictures import picture
from tests.served import HERE, Site, problem, serving, site_of
from tests.worded import NAME, plain

site = site_of("colours", "module")


@pytest.fixture(scope="module")
def client(site: Site) -> Iterator[imagekin.Client]:
    with imagekin.Client(f"{site.url}/photos") as client:
        yield client


def found(answer: Any, row: int = 0) -> list[tuple[int, float]]:
    assert answer.status_code == 200, answer.text
    return [(hit["id"], hit["distance"]) for hit in answer.json()["results"][row]]


def local(colours: Collection, query: Any = None, **options: Any) -> list[tuple[int, Any]]:
    return [(hit.id, pytest.approx(hit.distance, abs=1e-6)) for hit in colours.search(query, **options)]


def test_words_alone(site: Site, colours: Collection) -> None:
    answer = site.search(text="something red", k=4)
    assert found(answer) == local(colours, text="something red", k=4)
    assert set(answer.json()["seconds"]) == {"embed", "search"}
    mixed = 2 * Text("yellow") - 1 * Text("red")
    assert found(site.search(text=["2:yellow", "-1:red"], k=4)) == local(colours, mixed, k=4)
    assert found(site.search(text="red", plus=[3], k=4)) == local(colours, text="red", plus=[3], k=4)
    assert found(site.search(text="red", k=2, offset=2)) == local(colours, text="red", k=4)[2:]


def test_words_beside_items_and_pictures(site: Site, colours: Collection) -> None:
    both = site.search(id=[3, 6], text="-blue", k=4)
    for row, number in enumerate((3, 6)):
        assert found(both, row) == local(colours, id=number, text=-Text("blue"), k=4)
    region = (4.0, 4.0, 20.0, 20.0)
    assert found(site.search(id=3, text="blue", crop=region, k=4)) == local(
        colours, id=3, text="blue", crop=region, k=4
    )
    form = site.ask("search", "POST", files=[("image", ("x", encoded(picture(n)))) for n in (1, 2)],
                    data={"text": ["red", "-0.25:blue"], "k": "3"})  # fmt: skip
    for row, seed in enumerate((1, 2)):
        assert found(form, row) == local(colours, picture(seed) + Text("red") - 0.25 * Text("blue"), k=3)


def test_pictures_with_weights_make_one_query(site: Site, colours: Collection) -> None:
    first, second = picture(1), picture(2)
    answer = site.send(encoded(first), encoded(second), weights="2,-0.75", text="red", k="4")
    assert len(answer.json()["results"]) == 1
    assert found(answer) == local(colours, 2 * Mixture(first) - 0.75 * Mixture(second) + Text("red"), k=4)
    only = site.send(encoded(first), encoded(second), weights="1,1", k="4")
    assert found(only) == local(colours, Mixture(first, second), k=4)


def test_the_client_answers_alike(client: imagekin.Client, colours: Collection, swatches: Path) -> None:
    assert client.takes_text
    assert "takes_text" not in client.info()
    red = swatches / "red/light.png"
    sought: list[Any] = [
        Text("green"), 2 * Text("yellow") - red, Mixture(red, picture(4)) - 1e-3 * Text("blue"), picture(2),
    ]  # fmt: skip
    for query in sought:
        assert [(hit.id, hit.distance) for hit in client.search(query, k=5)] == local(colours, query, k=5)
    for row, query in zip(client.search(sought, 3), sought, strict=True):
        assert [(hit.id, hit.distance) for hit in row] == local(colours, query, k=3)
    options: list[dict[str, Any]] = [
        {"text": "red"}, {"id": 3, "text": "blue"}, {"query": red, "text": -Text("blue")},
        {"text": 3 * Text("red") + Text("blue"), "plus": [4], "label": "red"},
    ]  # fmt: skip
    for each in options:
        assert [(hit.id, hit.distance) for hit in client.search(**each)] == local(colours, **each)
    assert client.search(Mixture(red) + Text("blue"), under=[]) == []


@pytest.mark.parametrize(
    "wanted",
    [
        {"query": Text("red"), "id": 1}, {}, {"query": -Text("red")}, {"text": ""},
        {"text": "red", "crop": (0, 0, 5, 5)},
        {"query": Mixture(*[b"x"] * 17)}, {"query": Mixture(b"x", "http://example.org/a.png")},
    ],
    ids=str,
)  # fmt: skip
def test_what_a_client_refuses(client: imagekin.Client, wanted: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        client.search(**wanted)


def test_pictures_from_addresses_beside_words(colours: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    from imagekin import fetch

    monkeypatch.setattr(fetch, "get", lambda url: encoded(plain(url.rpartition("/")[2])))
    with serving(colours, allow_urls=True) as site, imagekin.open(f"{site.url}/photos") as client:
        urls = ["http://example.org/yellow", "http://example.org/red"]
        each = site.search(url=urls, text="green", k=3)
        assert found(each, 1) == local(colours, plain("red") + Text("green"), k=3)
        query = Mixture(urls[0]) - Mixture(urls[1])
        expected = local(colours, plain("yellow") - Mixture(plain("red")), k=3)
        assert [(hit.id, hit.distance) for hit in client.search(query, k=3)] == expected


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        ({"text": ""}, "at least 1"),
        ({"text": " "}, "needs words"),
        ({"text": ["a"] * 17}, "at most 16"),
        ({"text": "x" * 2_001}, "at most 2000"),
        ({"text": "9999:red"}, "a weight is a number"),
        ({"text": "-red"}, "hits are to be like"),
        ({"text": ["1:red", "-1:red"]}, "cancel"),
        ({"text": "red", "crop": [0, 0, 5, 5]}, "words have no region"),
        ({"id": 1, "weights": [1.0]}, "weights are for pictures"),
        ({"text": "red", "weights": [1.0]}, "one for each picture"),
        ({"text": 5}, "text"),
        ({"k": 3}, "words (text)"),
    ],
)
def test_what_makes_no_sense(site: Site, wanted: dict[str, Any], sentence: str) -> None:
    assert sentence in problem(site.search(**wanted), 422)


@pytest.mark.parametrize("weights", ["1", "1,0", "1,inf", "1,x", "-1,-1"])
def test_weights_that_make_no_sense(site: Site, weights: str) -> None:
    problem(site.send(encoded(picture(1)), encoded(picture(2)), weights=weights), 422)


def test_what_a_server_says_of_its_model(site: Site, tmp_path: Path, worded: str) -> None:
    assert site.ask(HERE).json()["takes_text"] is True
    with imagekin.open(tmp_path / "c", model=NAME) as photos, serving(photos) as empty:
        assert empty.ask(HERE).json()["takes_text"] is False
        plain("red").save(tmp_path / "red.png")
        photos.index(tmp_path / "red.png")
        assert empty.ask(HERE).json()["takes_text"] is True


def test_a_model_without_words_says_so(tmp_path: Path) -> None:
    plain("red").save(tmp_path / "red.png")
    with imagekin.open(tmp_path / "c", model="pixels") as photos:
        photos.index(tmp_path / "red.png")
        with serving(photos) as site:
            assert site.ask(HERE).json()["takes_text"] is False
            answer = site.search(text="red")
            assert "embeds pictures and no words" in problem(answer, 422)
            assert answer.json()["code"] == "UnsupportedError"
            with imagekin.open(f"{site.url}/photos") as client, pytest.raises(UnsupportedError):
                client.search(text="red")
