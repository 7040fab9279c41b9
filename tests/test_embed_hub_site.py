"""Models fetched from the hub: pinned to a commit, compared with their hashes, and from the cache ever after."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from imagekin.embed import create
from imagekin.errors import InputError, MissingPackageError, ModelError
from tests import hub_models as hub
from tests.hub_site import COMMIT, LATER, Site, serving, use
from tests.onnx_models import colour

VISION = "onnx/vision_model.onnx"
TEXT = "onnx/text_model.onnx"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    with serving() as served:
        use(served, tmp_path, monkeypatch)
        served.folders["me/clip", COMMIT] = hub.clip(tmp_path / "published")
        yield served


def cached(tmp_path: Path, file: str, commit: str = COMMIT) -> Path:
    return tmp_path / "hub-cache" / "models--me--clip" / "snapshots" / commit / file


def test_a_model_is_fetched_once_and_pinned(site: Site, tmp_path: Path) -> None:
    embedder = create("hub:me/clip")
    assert embedder.spec == f"hub:me/clip@{COMMIT}" and embedder.name == "hub:me/clip" and embedder.takes_text
    assert site.fetched() == [
        "config.json",
        "preprocessor_config.json",
        VISION,
    ]  # and not the 8-bit one, nor the texts'
    np.testing.assert_array_equal(colour(embedder), colour(create(str(tmp_path / "published"))))
    site.asked.clear()
    assert create(embedder.spec).fingerprint == embedder.fingerprint
    assert site.asked == []
    create("hub:me/clip")
    assert site.asked == [("GET", "/api/models/me/clip/revision/main")]


def test_the_text_tower_is_fetched_with_the_first_text(site: Site) -> None:
    embedder = create("hub:me/clip")
    site.asked.clear()
    assert embedder.embed_text([]).shape == (0, 3) and site.asked == []
    np.testing.assert_allclose(embedder.embed_text(["a green dog"]), [[0, 1, 0]], atol=1e-6)
    assert {TEXT, "tokenizer.json", "tokenizer_config.json"} == {*site.fetched()}
    site.asked.clear()
    embedder.embed_text(["red"])
    assert create(embedder.spec).embed_text(["red"]) is not None and site.asked == []


def test_a_branch_that_moves_on_is_another_model_and_the_pinned_one_stays(site: Site, tmp_path: Path) -> None:
    first = create("hub:me/clip")
    site.folders["me/clip", LATER] = hub.clip(tmp_path / "later")
    hub.vectors(tmp_path / "later" / VISION, weight=-1)
    site.refs["main"], site.refs["v1"] = LATER, COMMIT
    second = create("hub:me/clip")
    assert second.spec == f"hub:me/clip@{LATER}" and second.fingerprint != first.fingerprint
    assert create(first.spec).fingerprint == first.fingerprint == create("hub:me/clip@v1").fingerprint
    np.testing.assert_allclose(colour(second), -colour(first), atol=1e-6)


def test_a_change_that_is_not_the_models_leaves_the_fingerprint(site: Site, tmp_path: Path) -> None:
    first = create("hub:me/clip")
    site.folders["me/clip", LATER] = hub.clip(tmp_path / "later", {"README.md": "better words"})
    site.refs["main"] = LATER
    assert create("hub:me/clip").fingerprint == first.fingerprint


def test_variants_of_the_hub(site: Site) -> None:
    embedder = create("hub:me/clip(variant='quantized')")
    assert embedder.precision == "int8" and site.fetched()[-1] == "onnx/vision_model_quantized.onnx"
    assert embedder.spec == f"hub:me/clip@{COMMIT}(variant='quantized')"
    assert create(embedder.spec, precision=embedder.precision).fingerprint == embedder.fingerprint


def test_offline_what_is_cached_is_used(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    spec = create("hub:me/clip").spec
    site.asked.clear()
    site.down = True
    assert create("hub:me/clip").spec == spec and "503" in caplog.text  # the branch as it was the last time
    with pytest.raises(ModelError, match=r"text_model.onnx of me/clip@.* cannot be fetched"):
        create(spec).embed_text(["red"])
    with pytest.raises(ModelError, match="me/other cannot be found on the hub"):
        create("hub:me/other")
    site.asked.clear()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert create("hub:me/clip").spec == spec
    with pytest.raises(ModelError, match=r"text_model.onnx of me/clip is not in the cache .* without HF_HUB_OFFLINE"):
        create(spec).embed_text(["red"])
    with pytest.raises(ModelError, match=r"me/other is not in the cache"):
        create("hub:me/other")
    assert site.asked == []


def test_what_another_program_fetched_is_used_without_the_hub(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub

    for file in ("config.json", "preprocessor_config.json", VISION):
        huggingface_hub.hf_hub_download("me/clip", file, cache_dir=tmp_path / "hub-cache", endpoint=site.url)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    embedder = create("hub:me/clip")
    assert embedder.spec == f"hub:me/clip@{COMMIT}" and not embedder.takes_text  # as far as the cache knows


def test_a_collections_model_is_not_fetched_unasked(site: Site, tmp_path: Path) -> None:
    """A collection from a stranger may name anything; only its reader's own word makes the network be asked."""
    made = create(str(tmp_path / "published"))
    with pytest.raises(ModelError, match=r"me/clip is not in the cache .* --model hub:me/clip"):
        create(f"hub:me/clip@{COMMIT}", fingerprint=made.fingerprint)
    assert site.asked == []
    create("hub:me/clip")
    site.asked.clear()
    embedder = create(f"hub:me/clip@{COMMIT}", fingerprint=made.fingerprint)
    assert site.asked == []
    assert embedder.embed_text(["red"]).shape == (1, 3)  # the repository is the owner's choice, as its files were here
    with pytest.raises(ModelError, match="is not the model that made the collection"):
        create(f"hub:me/clip@{COMMIT}", fingerprint="onnx/0123456789abcdef")


# -- bad connections and wrong hashes --------------------------------------------------------------------------


def test_a_cut_connection_is_taken_up_where_it_broke(site: Site, tmp_path: Path) -> None:
    whole = (tmp_path / "published" / VISION).stat().st_size
    site.cuts[VISION] = [40, whole // 3]
    embedder = create("hub:me/clip")
    assert site.cuts[VISION] == [] and site.fetched().count(VISION) == 3
    assert embedder.fingerprint == create(str(tmp_path / "published")).fingerprint


def test_a_connection_that_always_breaks_leaves_nothing(site: Site, tmp_path: Path) -> None:
    site.cuts[VISION] = [0]
    with pytest.raises(ModelError, match=r"onnx/vision_model.onnx of me/clip@\w+ cannot be fetched") as caught:
        create("hub:me/clip")
    assert "\n" not in str(caught.value) and not cached(tmp_path, VISION).exists()
    site.cuts.clear()
    assert create("hub:me/clip").dim == 3


@pytest.mark.parametrize("file", [VISION, "config.json", "preprocessor_config.json"])
def test_a_file_whose_hash_is_wrong_is_never_read(site: Site, tmp_path: Path, file: str) -> None:
    data = (tmp_path / "published" / file).read_bytes()
    site.changed[file] = data[:-1] + bytes([data[-1] ^ 1])  # of the same length, so that only the hash tells
    with pytest.raises(ModelError, match=r"has the hash \w+, and the hub says \w+; it was removed"):
        create("hub:me/clip")
    assert not cached(tmp_path, file).exists()
    site.changed.clear()
    assert create("hub:me/clip").dim == 3


def test_a_file_that_was_changed_in_the_cache_is_found_out(site: Site, tmp_path: Path) -> None:
    spec = create("hub:me/clip").spec
    blob = cached(tmp_path, VISION).resolve()
    hub.vectors(blob, weight=-1)
    with pytest.raises(ModelError, match="has the hash .* it was removed: try again"):
        create(spec)
    site.asked.clear()
    create(spec)
    assert site.fetched() == [VISION]


def test_a_link_out_of_the_cache_is_not_followed(site: Site, tmp_path: Path) -> None:
    spec = create("hub:me/clip").spec
    link = cached(tmp_path, VISION)
    link.unlink()
    link.symlink_to(tmp_path / "published" / VISION)
    with pytest.raises(ModelError, match="leads out of the cache"):
        create(spec)


def test_weights_in_further_files_come_along_and_are_checked_too(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "published" / VISION
    onnx.save(onnx.load(path), path, save_as_external_data=True, location="vision_model.onnx_data", size_threshold=0)
    local = create(str(tmp_path / "published"))
    embedder = create("hub:me/clip")
    assert f"{VISION}_data" in site.fetched() and cached(tmp_path, f"{VISION}_data").is_symlink()
    assert embedder.fingerprint == local.fingerprint
    cached(tmp_path, f"{VISION}_data").resolve().write_bytes(bytes(4))
    with pytest.raises(ModelError, match="vision_model.onnx_data .* has the hash"):
        create(embedder.spec)


# -- hostile answers -------------------------------------------------------------------------------------------


def test_names_that_lead_out_are_refused(site: Site, tmp_path: Path) -> None:
    site.extra = [f"{VISION}/../../../../evil"]
    with pytest.raises(ModelError, match="which lies outside of it"):
        create("hub:me/clip")
    assert not list(tmp_path.rglob("evil"))


@pytest.mark.parametrize(
    "name",
    ["me/clip/onnx", "../clip", "me/..", "me clip", "", "me/clip@", "me/clip@a/../b", "me/clip@-x", "x" * 300, "é/a"],
)
def test_names_that_cannot_be(site: Site, name: str) -> None:
    if name == "me/clip@":  # nothing behind it is the main branch
        assert create(f"hub:{name}").spec == f"hub:me/clip@{COMMIT}"
        return
    with pytest.raises((InputError, ModelError)):
        create(f"hub:{name}")
    assert site.asked == []


def test_what_the_hub_does_not_have(site: Site, tmp_path: Path) -> None:
    for name, message in {
        "me/other": "me/other cannot be found on the hub .*404",
        "me/clip@v9": "me/clip cannot be found on the hub .*404",
        f"me/clip@{LATER}": "cannot be found on the hub",
    }.items():
        with pytest.raises(ModelError, match=message) as caught:
            create(f"hub:{name}")
        assert "\n" not in str(caught.value)
    site.folders["me/gone", COMMIT] = hub.clip(tmp_path / "gone")
    site.extra = ["processor_config.json"]
    (tmp_path / "gone" / "preprocessor_config.json").unlink()
    with pytest.raises(ModelError, match="processor_config.json of me/gone.* cannot be fetched .*404"):
        create("hub:me/gone")


def test_a_commit_that_is_none_is_refused(site: Site) -> None:
    site.folders["me/clip", "../../x"] = site.folders["me/clip", COMMIT]
    site.refs["main"] = "../../x"
    with pytest.raises(ModelError, match="which is no commit"):
        create("hub:me/clip")


def test_what_was_kept_of_the_hubs_answers_may_be_damaged(site: Site, tmp_path: Path) -> None:
    spec = create("hub:me/clip").spec
    kept = sorted((tmp_path / "own-cache" / "hub").iterdir())
    assert [path.name for path in kept] == [f"me--clip-{COMMIT}.json", "me--clip-of-main.json"]
    for path in kept:
        path.write_text("[1")
    site.asked.clear()
    assert create(spec).takes_text and site.asked == [("GET", f"/api/models/me/clip/revision/{COMMIT}")]


def test_a_cache_that_cannot_be_written_is_a_warning(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("IMAGEKIN_CACHE", str(tmp_path / "file"))
    assert create("hub:me/clip").dim == 3
    assert "cannot be kept" in caplog.text


# -- packages and politeness -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("package", "what"), [("huggingface_hub", "models of the hub"), ("tokenizers", "texts")])
def test_without_the_extra(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str, what: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    embedder = create(str(tmp_path / "published"))  # a folder's pictures need neither
    assert embedder.embed([np.zeros((9, 9, 3), np.uint8)]).shape == (1, 3)
    with pytest.raises(MissingPackageError, match=rf'{what} need .*pip install "imagekin\[hub\]"'):
        create("hub:me/clip") if package == "huggingface_hub" else embedder.embed_text(["red"])


def test_nothing_but_the_model_is_asked_for(site: Site, tmp_path: Path) -> None:
    """In a process of its own, as the hub's package reads its settings when it is imported."""
    code = "import imagekin.embed as e; print(e.create('hub:me/clip').embed_text(['red']).shape)"
    environment = {**os.environ, "HF_HOME": str(tmp_path / "home"), "HF_ENDPOINT": site.url}
    environment.pop("HF_HUB_DISABLE_TELEMETRY", None)
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout == "(1, 3)\n", done.stderr
    allowed = ("/api/models/me/clip/", "/me/clip/resolve/", "/elsewhere/me/clip/content/")
    assert [path for _, path in site.asked if not path.startswith(allowed)] == []


def test_the_hash_in_the_fingerprint_is_that_of_the_published_file(site: Site, tmp_path: Path) -> None:
    embedder: Any = create("hub:me/clip")
    assert embedder._digest == hashlib.sha256((tmp_path / "published" / VISION).read_bytes()).hexdigest()
