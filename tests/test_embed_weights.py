"""The reader of legacy PyTorch files: right about strides, and deaf to everything that is not a tensor."""

from __future__ import annotations

import os
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imagekin.embed import weights
from imagekin.embed.weights import MAGIC, PROTOCOL, read_state_dict
from imagekin.errors import ModelError


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def number(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


def numbers(values: tuple[int, ...]) -> bytes:
    return b"(" + b"".join(map(number, values)) + b"t"


def tensor(
    key: str, count: int, offset: int, size: tuple[int, ...], stride: tuple[int, ...], kind: str = "Float"
) -> bytes:
    """The opcodes that PyTorch writes for one tensor: a reference to a storage, and a view of it."""
    storage = (
        b"(" + text("storage") + f"ctorch\n{kind}Storage\n".encode() + text(key) + text("cpu") + number(count) + b"NtQ"
    )
    view = number(offset) + numbers(size) + numbers(stride) + b"\x89" + b"ccollections\nOrderedDict\n)R"
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + view + b"tR"


def legacy(items: dict[str, bytes], storages: dict[str, np.ndarray[Any, Any]]) -> bytes:
    """A whole file: five pickles, then each storage behind its count."""
    state = (
        b"\x80\x02ccollections\nOrderedDict\n)R(" + b"".join(text(name) + code for name, code in items.items()) + b"u."
    )
    head = b"".join(pickle.dumps(value, 2) for value in (MAGIC, PROTOCOL, {"little_endian": True}))
    tail = b"".join(struct.pack("<q", len(flat)) + flat.tobytes() for flat in storages.values())
    return head + state + pickle.dumps(list(storages), 2) + tail


FLAT = np.arange(24, dtype=np.float32)


def test_a_view_is_read_by_offset_size_and_stride() -> None:
    data = legacy(
        {
            "whole": tensor("a", 24, 0, (4, 6), (6, 1)),
            "turned": tensor("a", 24, 0, (6, 4), (1, 6)),
            "part": tensor("a", 24, 7, (2, 3), (6, 2)),
            "number": tensor("b", 1, 0, (), (), "Long"),
        },
        {"a": FLAT, "b": np.array([7])},
    )
    state = read_state_dict(data)
    assert list(state) == ["whole", "turned", "part", "number"]
    np.testing.assert_array_equal(state["whole"], FLAT.reshape(4, 6))
    np.testing.assert_array_equal(state["turned"], FLAT.reshape(4, 6).T)
    np.testing.assert_array_equal(state["part"], [[7, 9, 11], [13, 15, 17]])
    assert state["number"].shape == () and state["number"] == 7 and state["number"].dtype == np.int64
    assert all(array.flags.c_contiguous for array in state.values())


def test_an_empty_tensor_has_no_elements() -> None:
    assert read_state_dict(legacy({"none": tensor("a", 24, 0, (0, 6), (6, 1))}, {"a": FLAT}))["none"].shape == (0, 6)


@pytest.mark.parametrize(
    ("offset", "size", "stride"),
    [
        (0, (5, 6), (6, 1)),
        (1, (4, 6), (6, 1)),
        (-1, (4,), (1,)),
        (0, (4,), (-1,)),
        (0, (24, 24), (0, 1)),
        (0, (4, 6), (6,)),
        (0, (2**31 - 1, 2**31 - 1), (0, 0)),
    ],
)
def test_a_view_beyond_its_storage_is_refused(offset: int, size: tuple[int, ...], stride: tuple[int, ...]) -> None:
    with pytest.raises(ModelError, match="refused: a tensor"):
        read_state_dict(legacy({"w": tensor("a", 24, offset, size, stride)}, {"a": FLAT}))


class Canary:
    """Touches a file when it is unpickled."""

    def __init__(self, path: Path, function: Any = os.system) -> None:
        self.call = function, (f"touch {path}",)

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("place", ["state", "facts", "keys", "value"])
def test_a_pickle_that_runs_code_is_refused_and_runs_nothing(tmp_path: Path, protocol: int, place: str) -> None:
    trap = tmp_path / "sprung"
    canary = pickle.dumps(Canary(trap), protocol)
    parts = {name: pickle.dumps(value, 2) for name, value in (("facts", {}), ("state", {}), ("keys", []))}
    parts[place] = canary
    if place == "value":
        parts["state"] = pickle.dumps({"w": Canary(trap)}, protocol)
    data = pickle.dumps(MAGIC, 2) + pickle.dumps(PROTOCOL, 2) + parts["facts"] + parts["state"] + parts["keys"]
    with pytest.raises(ModelError, match="refused"):
        read_state_dict(data)
    assert not trap.exists()
    pickle.loads(canary)
    assert trap.exists(), "the canary itself must work"


@pytest.mark.parametrize(
    "code",
    [
        b"cos\nsystem\n(X\x04\x00\x00\x00truetR",
        b"cbuiltins\neval\n(X\x011tR",
        b"(X\x04\x00\x00\x00trueios\nsystem\n",
        b"cimagekin.errors\nModelError\n)\x81",
        b"\x82\x01",
        b"Pname\n",
        b"ctorch\nFloatStorage\n)R",
        b"ccollections\nOrderedDict\n(K\x01tR",
        b"ctorch._utils\n_rebuild_tensor_v2\n)R",
        b"]K\x01a}b",
        b"K\x01K\x02K\x03s",
        b"K\x01K\x02a",
        b"t",
        b"h\x07",
        b"\x86",
        b"",
    ],
)
def test_every_other_operation_is_refused_or_damaged(code: bytes) -> None:
    data = pickle.dumps(MAGIC, 2) + pickle.dumps(PROTOCOL, 2) + b"\x80\x02N." + b"\x80\x02" + code + b"."
    with pytest.raises(ModelError):
        read_state_dict(data)


def test_a_file_cut_anywhere_is_refused() -> None:
    data = legacy({"w": tensor("a", 24, 0, (4, 6), (6, 1))}, {"a": FLAT})
    for length in (*range(0, len(data) - 1, 7), len(data) - 1):
        with pytest.raises(ModelError):
            read_state_dict(data[:length])
    assert read_state_dict(data)["w"].shape == (4, 6)


def test_other_files_are_refused() -> None:
    for data in (b"", b"PK\x03\x04" + bytes(100), b"\x89PNG\r\n", pickle.dumps({"w": 1}, 2), os.urandom(2000)):
        with pytest.raises(ModelError):
            read_state_dict(data)
    with pytest.raises(ModelError, match="something other than a dict of tensors"):
        read_state_dict(legacy({"w": b"N"}, {}))
    with pytest.raises(ModelError, match="24 elements, not 20"):
        read_state_dict(legacy({"w": tensor("a", 20, 0, (4, 5), (5, 1))}, {"a": FLAT}))


def test_work_and_memory_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    view = tensor("a", 24, 0, (4, 6), (6, 1))
    many = legacy({f"w{number}": view for number in range(50)}, {"a": FLAT})
    assert len(read_state_dict(many)) == 50
    monkeypatch.setattr(weights, "MAX_STEPS", 500)
    with pytest.raises(ModelError, match="more than 500"):
        read_state_dict(many)
    monkeypatch.undo()
    monkeypatch.setattr(weights, "MAX_BYTES", 3000)
    with pytest.raises(ModelError, match="at most 3000 are read"):
        read_state_dict(many)
    flat = np.zeros(1000, np.float32)
    shared = legacy({f"w{number}": tensor("a", 1000, 0, (1000,), (1,)) for number in range(50)}, {"a": flat})
    monkeypatch.setattr(weights, "MAX_BYTES", len(shared))
    with pytest.raises(ModelError, match="its tensors take more than"):
        read_state_dict(shared)
