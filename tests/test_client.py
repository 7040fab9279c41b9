"""A collection on a server answers as the one on this machine does: the same tests run on both."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import imagekin
from imagekin.collection import Collection
from imagekin.duplicates import find
from imagekin.errors import (
    FetchError,
    ImageError,
    ImagekinError,
    InputError,
    MissingPackageError,
    StoreError,
    UnsupportedError,
)
from tests.encoded import encoded
from tests.pictures import folder, picture, save
from tests.pixel_collection import indexed
from tests.served import Site, serving, site_of

NAMES = [f"{'cat' if n % 3 else 'dog'}/{n:02}.png" for n in range(20)]
TOKEN = "a-token-of-the-owner"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = folder(tmp_path_factory.mktemp("photos"), NAMES)
    (root / "broken.png").write_bytes(b"no picture")
    return root


local = indexed("module", "local")


site = site_of("local", "module")


@pytest.fixture(scope="module", params=["local", "client"])
def photos(request: pytest.FixtureRequest, local: Collection, site: Site) -> Iterator[Collection]:
    if request.param == "local":
        yield local
        return
    with imagekin.open(f"{site.url}/photos") as client:
        assert isinstance(client, imagekin.Client)
        yield client


# -- on both ---------------------------------------------------------------------------------------------------


def test_what_it_holds(photos: Collection, local: Collection, root: Path) -> None:
    assert len(photos) == 20
    assert list(photos.items()) == list(local.store.items(None))
    assert photos.get([5, 2, 5]) == [local.store.get([number])[0] for number in (5, 2, 5)]
    assert photos.get(np.array([3])) == local.store.get([3])
    assert photos.get([]) == []
    assert photos.count() == 20
    assert photos.roots() == {str(root): "parent"}
    assert [skip.path for skip in photos.skips()] == [str(root / "broken.png")]
    assert photos.info()["images"] == 20


def test_filters(photos: Collection, root: Path) -> None:
    dogs = [item.id for item in photos.items(label="dog")]
    assert len(dogs) == 7
    assert [item.id for item in photos.items(under=root / "dog")] == dogs
    assert [item.id for item in photos.items(under=[root / "dog", root / "nowhere"], where="width > 3")] == dogs
    assert [item.id for item in photos.items(label="dog", after=dogs[1], limit=3)] == dogs[2:5]
    assert photos.count(label="dog") == photos.count(under=str(root / "dog")) == 7
    assert photos.count(where="label == 'dog'", under=[]) == 0
    assert list(photos.items(under=[])) == []
    assert list(photos.items(limit=0)) == []


def test_every_kind_of_query(photos: Collection, root: Path, local: Collection) -> None:
    path = root / NAMES[5]
    expected = local.search(path, k=4)
    with Image.open(path) as image:
        image.load()
    queries: list[Any] = [str(path), path, path.read_bytes(), image, np.asarray(image)]
    for query in queries:
        assert photos.search(query, k=4) == expected
    assert photos.search(queries[:3], k=4) == [expected] * 3
    assert photos.search([], k=4) == []


def test_searches_with_conditions(photos: Collection, local: Collection, root: Path) -> None:
    every = {hit.id: hit for hit in local.search(picture(3), k=20)}
    dogs = photos.search(picture(3), k=4, label="dog")
    assert [hit.label for hit in dogs] == ["dog"] * 4
    assert (
        dogs
        == photos.search(picture(3), k=4, under=root / "dog")
        == photos.search(picture(3), k=4, under=[str(root / "dog")], where="id > 0")
    )
    assert all(every[hit.id] == hit for hit in dogs)
    assert photos.search(picture(3), k=4, under=[]) == []
    assert photos.search(picture(3, 96, 64), k=3, crop=(4, 6.5, 20, 20)) == local.search(
        picture(3, 96, 64), k=3, crop=(4, 6.5, 20, 20)
    )


def test_searches_by_id(photos: Collection, local: Collection) -> None:
    alone = photos.search(id=5, k=6)
    assert alone == local.search(id=5, k=6)
    assert photos.search(id=np.int64(5), k=6) == alone
    assert photos.search(id=5, k=6, exclude_self=False)[0].id == 5
    both: list[Any] = photos.search(id=[5, 9], k=6)
    assert both == [alone, photos.search(id=9, k=6)]
    one: list[Any] = photos.search(id=[5], k=6)
    assert one == [alone]


def test_searches_by_several_together(photos: Collection) -> None:
    found = photos.search(plus=np.array([3, 5]), minus=[8], k=30)
    assert {hit.id for hit in found}.isdisjoint({3, 5, 8})
    assert len(found) == 17
    both = photos.search(picture(2), plus=[3], min_similarity=found[9].similarity, k=30)
    assert all(hit.similarity >= found[9].similarity for hit in both)
    assert photos.search(id=4, plus=[3], minus=np.array([8]), k=5) == photos.search(id=4, plus=(3,), minus=[8], k=5)
    with pytest.raises(InputError):
        photos.search(minus=[8])


def test_many_queries(photos: Collection) -> None:
    sources = [encoded(picture(seed)) for seed in range(20)]
    found: list[Any] = photos.search([*sources, *sources], k=1)
    assert len(found) == 40
    assert [row[0].path for row in found[:20]] == [row[0].path for row in found[20:]]


@pytest.mark.parametrize(
    ("ask", "error"),
    [
        (lambda photos: photos.search(), InputError),
        (lambda photos: photos.search("a.png", id=3), InputError),
        (lambda photos: photos.search("nowhere.png"), ImageError),
        (lambda photos: photos.search(b"no picture"), ImageError),
        (lambda photos: photos.search(b""), ImageError),
        (lambda photos: photos.search("http://example.com/a.png"), FetchError),
        (lambda photos: photos.search(id=999), InputError),
        (lambda photos: photos.search(id="one"), InputError),
        (lambda photos: photos.search(id=2**63), InputError),
        (lambda photos: photos.search(id=1, k=0), InputError),
        (lambda photos: photos.search(id=1, k="many"), InputError),
        (lambda photos: photos.search(id=1, where="import os"), InputError),
        (lambda photos: photos.search(id=1, zoom=3), InputError),
        (lambda photos: photos.search(id=1, crop=(900, 0, 5, 5)), InputError),
        (lambda photos: photos.search(picture(1), crop=(900, 0, 5, 5)), InputError),
        (lambda photos: photos.search(picture(1), crop=(1, 2, 3)), InputError),
        (lambda photos: photos.search(5), InputError),
        (lambda photos: photos.get([999]), InputError),
        (lambda photos: photos.get(["one"]), InputError),
        (lambda photos: list(photos.items(where="width")), InputError),
        (lambda photos: list(photos.items(after=-1)), InputError),
        (lambda photos: photos.count(where="nothing == 1"), InputError),
        (lambda photos: photos.remove(), InputError),
        (lambda photos: photos.index("/nowhere/at/all"), InputError),
    ],
)
def test_mistakes_raise_the_same(photos: Collection, ask: Any, error: type[ImagekinError]) -> None:
    with pytest.raises(error):
        ask(photos)
    assert len(photos) == 20


@pytest.fixture(params=["local", "client"])
def fresh(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Collection]:
    root = folder(tmp_path / "photos", NAMES)
    with imagekin.open(tmp_path / "c", model="pixels") as own:
        own.index(root)
        if request.param == "local":
            yield own
            return
        with serving(own) as site, imagekin.open(site.url) as client:
            yield client


def test_removing(fresh: Collection) -> None:
    dog = next(fresh.items(label="dog")).id
    assert fresh.remove([1, 2, 999]) == 2
    assert fresh.remove(3) == 1
    assert fresh.remove([]) == 0
    assert fresh.remove(under=[]) == 0
    assert fresh.remove([dog, 4], label="dog") == 1
    assert fresh.remove(label="dog") == 6
    assert len(fresh) == 10
    assert fresh.remove(where="id > 0") == 10
    assert len(fresh) == 0
    assert fresh.search(picture(1)) == []


def test_indexing(fresh: Collection, tmp_path: Path) -> None:
    save(tmp_path / "photos/cat/new.png", 50)
    (tmp_path / "photos/cat/01.png").unlink()
    (tmp_path / "photos/broken.png").write_bytes(b"x")
    steps: list[Any] = []
    report = fresh.index(progress=steps.append)
    assert (report.added, report.removed, report.unchanged, report.interrupted) == (1, 1, 19, False)
    assert [skip.path for skip in report.skipped] == [str(tmp_path / "photos/broken.png")]
    assert fresh.index(str(tmp_path / "photos"), force=True).updated == 20
    assert all(step.phase in ("index", "build") for step in steps)


# -- over the network alone ------------------------------------------------------------------------------------


def test_the_client_says_what_it_is(site: Site, local: Collection) -> None:
    with imagekin.Client(f"{site.url}/photos/") as client:
        assert repr(client) == f"<Client '{site.url}/photos'>"
        assert client.location == f"{site.url}/photos"
        assert (client.engine, client.reduce) == (local.engine, local.reduce) == ("auto", None)
        for name in ("engine", "reduce"):
            with pytest.raises(UnsupportedError, match="on a server"):
                setattr(client, name, "exact")
        for name in ("vectors", "check", "embedder"):
            with pytest.raises(UnsupportedError, match="on a server"):
                member = getattr(client, name)
                member()
        with pytest.raises(UnsupportedError, match=r"on its page or by a method of imagekin\.Client"):
            find(client)  # as the command line does with an address
        with pytest.raises(UnsupportedError, match="label_from"):
            client.index(label_from="none")


def test_only_a_server_that_is_there(site: Site) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        with pytest.raises(StoreError, match="imagekin serve"):
            imagekin.open(f"http://127.0.0.1:{nobody.getsockname()[1]}/photos")
    with pytest.raises(InputError, match="no collection is called 'other'"):
        imagekin.open(f"{site.url}/other")
    for url in ("http://", "http://user@host/x", "http://host/x?y=1", "http:///x"):
        with pytest.raises(ImagekinError):
            imagekin.open(url)
    with pytest.raises(UnsupportedError, match="model"):
        imagekin.open(site.url, model="pixels")
    with pytest.raises(UnsupportedError, match="the trust of"):
        imagekin.open(site.url, trust=True)
    with pytest.raises(InputError, match="ftp"):
        imagekin.open("ftp://host/photos")


def test_a_token(local: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IMAGEKIN_TOKEN", raising=False)
    with serving(local, token=TOKEN) as site:
        with pytest.raises(StoreError, match="token"):
            imagekin.open(site.url)
        with imagekin.open(site.url, token=TOKEN) as client:
            assert len(client) == 20
        monkeypatch.setenv("IMAGEKIN_TOKEN", TOKEN)
        monkeypatch.setenv("IMAGEKIN_COLLECTION", f"{site.url}/photos")
        with imagekin.open() as client:
            assert len(client) == 20


def test_a_server_that_is_busy_is_asked_again(local: Collection) -> None:
    with serving(local) as site, imagekin.open(site.url) as client:
        decoding = site.served.searches.decoding
        decoding.busy = decoding.waiting = 2

        def free() -> None:
            decoding.busy = 0

        timer = threading.Timer(0.7, free)
        timer.start()
        assert len(client.search(picture(1), k=3)) == 3
        timer.join()


def test_something_else_that_answers() -> None:
    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(404, "nothing of imagekin")

        def log_message(self, *arguments: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Other) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            with pytest.raises(StoreError, match="perhaps no server of imagekin"):
                imagekin.open(f"http://127.0.0.1:{server.server_port}/photos")
        finally:
            server.shutdown()
            thread.join()


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "httpx", None)
    with pytest.raises(MissingPackageError, match=r'pip install "imagekin\[client\]"'):
        imagekin.open("http://127.0.0.1:9/photos")


def test_a_job_that_fails_is_an_error_here(local: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*folders: Any, **how: Any) -> Any:
        raise StoreError("the disk is full.")

    with serving(local) as site, imagekin.open(site.url) as client:
        monkeypatch.setattr(local, "index", broken)
        with pytest.raises(StoreError, match="the disk is full"):
            client.index()


def test_the_command_line_asks_servers_too(site: Site, local: Collection) -> None:
    import json

    from click.testing import CliRunner

    from imagekin.cli.app import app

    path = local.get([4])[0].path
    for words in (["info"], ["list"], ["index"]):
        assert CliRunner().invoke(app, ["-c", f"{site.url}/photos", *words]).exit_code == 0
    done = CliRunner().invoke(app, ["--json", "-c", f"{site.url}/photos", "search", path, "-k", "3"])
    assert done.exit_code == 0, done.output
    assert [hit["id"] for hit in json.loads(done.stdout)] == [hit.id for hit in local.search(path, k=3)]
    assert os.path.exists(path)
