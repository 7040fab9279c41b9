"""What networks run on: names of devices, ONNX Runtime's providers, and the trial of another library."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import imagekin
from imagekin import embed
from imagekin.cli.app import app
from imagekin.embed import devices, quickest, runtime
from imagekin.embed.devices import Device
from imagekin.embed.probe import pictures
from imagekin.errors import InputError, MissingPackageError, ModelError
from tests.onnx_models import classifier
from tests.photographs import photograph, save

CUDA, TENSORRT, COREML = (devices.PROVIDERS[kind] for kind in ("cuda", "tensorrt", "coreml"))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("IMAGEKIN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def with_providers(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    monkeypatch.setattr(devices, "_built_in", lambda: frozenset({*names, "CPUExecutionProvider"}))


@pytest.mark.parametrize(
    ("name", "device"),
    [("cpu", Device("cpu")), ("CUDA", Device("cuda")), ("cuda:1", Device("cuda", 1)), ("auto", Device("auto")),
     (" openvino ", Device("openvino"))],
)  # fmt: skip
def test_names_of_devices(name: str, device: Device) -> None:
    assert devices.parse(name) == device
    assert str(Device("cuda", 1)) == "cuda:1"


@pytest.mark.parametrize("name", ["gpu", "cuda:", "cuda:x", "cuda:-1", "cpu:0", "cuda:1:2", "cuda:99999", "cuda:²"])
def test_no_other_name_is_a_device(name: str) -> None:
    with pytest.raises(InputError, match="is no device; give one of auto, cpu, cuda"):
        devices.parse(name)


def test_the_environment_says_what_is_taken_when_nobody_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGEKIN_DEVICE", "openvino")
    assert devices.parse(None) == Device("openvino")
    assert devices.parse("cpu") == Device("cpu")
    monkeypatch.delenv("IMAGEKIN_DEVICE")
    assert devices.parse(None) == Device("auto")


def test_a_card_is_taken_unasked_but_tensorrt_is_not(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    with_providers(monkeypatch, CUDA, TENSORRT)
    assert devices.providers(Device("auto")) == [(CUDA, {"device_id": "0"}), "CPUExecutionProvider"]
    assert devices.providers(Device("cuda", 3)) == [(CUDA, {"device_id": "3"}), "CPUExecutionProvider"]
    first, second, last = devices.providers(Device("tensorrt"))
    assert (first[0], second[0], last) == (TENSORRT, CUDA, "CPUExecutionProvider")
    assert first[1]["trt_engine_cache_path"] == str(cache / "tensorrt")
    assert devices.providers(Device("cpu")) == ["CPUExecutionProvider"]
    assert devices.available()[:3] == ["cuda", "cpu", "tensorrt"]


def test_without_a_card_the_processor_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    with_providers(monkeypatch)
    assert devices.providers(Device("auto")) == ["CPUExecutionProvider"]
    with pytest.raises(InputError, match="cannot run on cuda; that takes onnxruntime-gpu.*It can run on: cpu"):
        devices.providers(Device("cuda"))
    with_providers(monkeypatch, COREML)
    assert devices.providers(Device("auto")) == [(COREML, {}), "CPUExecutionProvider"]


def test_a_card_that_does_not_start_is_an_error_if_it_was_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with_providers(monkeypatch, CUDA)
    model = classifier(tmp_path / "m.onnx").read_bytes()
    opened: list[Any] = []

    class Session:
        def __init__(self, source: bytes, options: Any, providers: list[Any]) -> None:
            opened.append(providers)

        def get_providers(self) -> list[str]:
            return ["CPUExecutionProvider"]

    library = runtime.library()
    fake = SimpleNamespace(SessionOptions=library.SessionOptions, InferenceSession=Session)
    monkeypatch.setattr(runtime, "library", lambda: fake)
    with pytest.raises(ModelError, match="cannot start on cuda: its drivers or libraries"):
        runtime.open_session(model, device="cuda")
    monkeypatch.setattr(devices, "has_openvino", lambda: False)
    assert runtime.open_session(model, device="auto").get_providers() == ["CPUExecutionProvider"]
    assert [providers[0][0] for providers in opened] == [CUDA, CUDA]


class Runner:
    """A library whose answers and speed are what the test says."""

    def __init__(self, answer: Any, seconds: float, clock: list[float]) -> None:
        self.answer, self.seconds, self.clock, self.sizes = np.asarray(answer, np.float32), seconds, clock, list[int]()

    def run(self, outputs: list[str], inputs: dict[str, Any]) -> list[Any]:
        batch = next(iter(inputs.values()))
        self.sizes.append(len(batch))
        self.clock[0] += self.seconds
        return [np.tile(self.answer, (len(batch), 1))]

    def get_inputs(self) -> list[Any]:
        return [SimpleNamespace(name="x", shape=["n", 8, 8, 3], type="tensor(uint8)")]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    pytest.importorskip("openvino")
    now = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: now[0])
    return now


@pytest.mark.parametrize(
    ("seconds", "answer", "taken"),
    [(0.4, [1, 0.001], True), (0.9, [1, 0.001], False), (0.4, [1, 0.1], False), (0.4, [1, np.nan], False)],
    ids=["faster and alike", "hardly faster", "faster but other vectors", "faster but no numbers"],
)
def test_the_trial(clock: list[float], seconds: float, answer: list[float], taken: bool) -> None:
    own, other = Runner([1, 0], 1.0, clock), Runner(answer, seconds, clock)
    session = quickest.Quickest(own, lambda: other, b"network")
    session.run(["y"], {"x": pictures(3, (8, 8))})
    assert (own.sizes, other.sizes) == ([3], [])  # too few to be worth a trial
    batch = {"x": pictures(4, (8, 8))}
    found = session.run(["y"], batch)[0]
    np.testing.assert_array_equal(found, np.tile(np.array(answer if taken else [1, 0], np.float32), (4, 1)))
    count = len(other.sizes)
    session.run(["y"], {"x": pictures(1, (8, 8))})
    assert len(other.sizes) == count + taken  # from then on, all is the winner's

    again = quickest.Quickest(own, lambda: other, b"network")  # another process, later
    count = len(other.sizes)
    again.run(["y"], batch)
    assert len(other.sizes) == count + taken  # no trial


def test_a_library_that_refuses_the_network_is_left(clock: list[float]) -> None:
    own = Runner([1, 0], 1.0, clock)

    def refusing() -> Any:
        raise ModelError("no such operator")

    session = quickest.Quickest(own, refusing, b"network")
    assert session.run(["y"], {"x": pictures(4, (8, 8))})[0].shape == (4, 2)


def test_only_networks_of_floats_are_tried(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(devices, "has_openvino", lambda: True)
    monkeypatch.setattr(runtime, "has_bfloat16", lambda: True)
    with_providers(monkeypatch)
    model = classifier(tmp_path / "m.onnx").read_bytes()
    assert isinstance(runtime.open_session(model, device="auto"), quickest.Quickest)
    assert not isinstance(runtime.open_session(model, device="cpu"), quickest.Quickest)
    lite = embed.create("efficientnet-lite0", precision="int8", device="auto")
    assert not isinstance(lite._session(1), quickest.Quickest)  # type: ignore[attr-defined]
    monkeypatch.setattr(runtime, "has_bfloat16", lambda: False)
    assert not isinstance(runtime.open_session(model, device="auto"), quickest.Quickest)


def test_openvino_gives_what_onnx_runtime_gives(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    photos = [photograph(number) for number in range(5)]
    here, there = (embed.create("efficientnet-lite0", precision="fp32", device=name) for name in ("cpu", "openvino"))
    assert here.fingerprint == there.fingerprint  # to a collection they are the same model
    # in bfloat16 eight bits are left of each number, and this network has fifty layers
    assert np.einsum("ij,ij->i", here.embed(photos), there.embed(photos)).min() > 0.997
    path = str(classifier(tmp_path / "m.onnx"))
    here, there = (embed.create(path, cut=1, device=device) for device in ("cpu", "openvino"))
    assert np.einsum("ij,ij->i", here.embed(photos), there.embed(photos)).min() > quickest.LIKENESS
    assert here.spec == there.spec


def test_openvino_reports_to_nobody() -> None:
    pytest.importorskip("openvino")
    code = (
        "import json, sys\nfrom imagekin.embed.openvino_run import _library\n_library()\n"
        "print(json.dumps(['openvino' in sys.modules, 'openvino_telemetry' in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(done.stdout) == [True, False]


def test_without_openvino_its_name_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.delitem(sys.modules, "openvino")
    monkeypatch.setattr("importlib.import_module", lambda name: (_ for _ in ()).throw(ImportError(name)))
    with pytest.raises(MissingPackageError, match=r"imagekin\[openvino\]"):
        runtime.open_session(classifier(tmp_path / "m.onnx").read_bytes(), device="openvino")


def test_a_collection_is_opened_on_a_device_and_the_command_line_says_which(tmp_path: Path) -> None:
    save(tmp_path / "photos" / "a.png", photograph(1))
    path = str(classifier(tmp_path / "m.onnx"))
    with imagekin.open(tmp_path / "c", model=f"{path}(cut=1)", device="cpu") as collection:
        collection.index(tmp_path / "photos")
    with pytest.raises(InputError, match="'gpu' is no device"):
        imagekin.open(tmp_path / "c", device="gpu").search(tmp_path / "photos" / "a.png")
    picture = str(tmp_path / "photos" / "a.png")
    words = ["search", picture, "-c", str(tmp_path / "c"), "--device"]
    assert CliRunner().invoke(app, [*words, "cpu"]).exit_code == 0
    refused = CliRunner().invoke(app, [*words, "gpu"])
    assert refused.exit_code == 1
    assert "'gpu' is no device" in refused.output
