"""Reads tensors out of PyTorch's legacy (pre-zip) weight files, without PyTorch and without running a pickle.

A legacy file is five pickles (magic number, protocol, machine facts, the state dict, the list of storage keys), then
the storages' bytes, each behind its element count.  ``pickle.Unpickler`` is not used at all: a machine of some thirty
opcodes walks the pickles and knows how to build dicts, tuples, numbers, strings and tensors, and nothing else.

A tensor is a *view* of its storage: offset, size and stride.  Convolution weights in these files are often stored in
another order than they are indexed, so a reader that ignores the strides loads without complaint and answers nonsense.
"""

from __future__ import annotations

import io
import math
import pickletools
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imagekin.errors import ModelError

MAGIC: Final = 0x1950A86A20F9469CFC6C
PROTOCOL: Final = 1001
MAX_BYTES: Final = 1 << 30
MAX_STEPS: Final = 1_000_000

_STORAGES: Final = {
    "torch FloatStorage": "<f4",
    "torch DoubleStorage": "<f8",
    "torch HalfStorage": "<f2",
    "torch LongStorage": "<i8",
    "torch IntStorage": "<i4",
    "torch ByteStorage": "|u1",
}
_MAPPING: Final = "collections OrderedDict"
_TENSOR: Final = "torch._utils _rebuild_tensor_v2"


@dataclass(frozen=True, slots=True)
class _Name:
    """A global that the pickle mentions: a word on our list, never the object of that name."""

    name: str


@dataclass(frozen=True, slots=True)
class _Storage:
    key: str
    dtype: np.dtype[Any]
    count: int


@dataclass(frozen=True, slots=True)
class _Tensor:
    storage: _Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]

    def read(self, flat: NDArray[Any]) -> NDArray[Any]:
        """A contiguous copy of the view that this tensor is of its storage."""
        view = np.lib.stride_tricks.as_strided(
            flat[self.offset :], self.size, [step * flat.itemsize for step in self.stride], writeable=False
        )
        return np.ascontiguousarray(view).reshape(self.size)


_MARK: Final = _Name("mark")


def read_state_dict(data: bytes) -> dict[str, NDArray[Any]]:
    """Read a legacy PyTorch state dict: names to contiguous arrays, in the file's order.

    Args:
        data: the whole file, at most 1 GiB.

    Raises:
        ModelError: not such a file, truncated, too large, or it holds anything but a dict of tensors.
    """
    if len(data) > MAX_BYTES:
        raise ModelError(f"the weight file has {len(data)} bytes; at most {MAX_BYTES} are read.")
    stream = io.BytesIO(data)
    try:
        if (_unpickle(stream), _unpickle(stream)) != (MAGIC, PROTOCOL):
            raise ModelError("the weight file is not in PyTorch's legacy format; give the original file.")
        _unpickle(stream)
        tensors = _unpickle(stream)
        keys = _unpickle(stream)
        if not isinstance(tensors, dict) or not all(isinstance(value, _Tensor) for value in tensors.values()):
            raise ModelError("the weight file holds something other than a dict of tensors; only tensors are read.")
        if sum(math.prod(tensor.size) * tensor.storage.dtype.itemsize for tensor in tensors.values()) > MAX_BYTES:
            raise ModelError(f"the weight file is refused: its tensors take more than {MAX_BYTES} bytes.")
        flats = _storages(data, stream.tell(), keys, {t.storage.key: t.storage for t in tensors.values()})
        return {name: tensor.read(flats[tensor.storage.key]) for name, tensor in tensors.items()}
    except (ValueError, IndexError, KeyError, TypeError, struct.error) as error:
        raise ModelError(f"the weight file is truncated or damaged ({error}); install its package again.") from error


def _storages(data: bytes, at: int, keys: Any, wanted: Mapping[str, _Storage]) -> dict[str, NDArray[Any]]:
    """The flat arrays behind the tensors; they share the memory of *data*."""
    flats = {}
    for key in keys:
        storage = wanted[key]
        (count,) = struct.unpack_from("<q", data, at)
        if count != storage.count:
            raise ModelError(f"the weight file is damaged: storage {key} has {count} elements, not {storage.count}.")
        flats[key] = np.frombuffer(data, storage.dtype, count, at + 8)
        at += 8 + count * storage.dtype.itemsize
    return flats


def _unpickle(stream: io.BytesIO) -> Any:
    machine = _Machine()
    for step, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
        act = _ACTIONS.get(opcode.name)
        if act is None:
            raise ModelError(
                f"the weight file is refused: it uses the pickle operation {opcode.name}; tensors need none."
            )
        if step >= MAX_STEPS:
            raise ModelError(f"the weight file is refused: it takes more than {MAX_STEPS} steps to read.")
        act(machine, argument)
    (result,) = machine.stack
    return result


class _Machine:
    """The stack and memo of one pickle; every method is one opcode's whole effect."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def put(self, slot: int) -> None:
        self.memo[slot] = self.stack[-1]

    def get(self, slot: int) -> None:
        self.stack.append(self.memo[slot])

    def take(self, count: int) -> None:
        if len(self.stack) < count:
            raise ValueError("the stack is empty")
        values = tuple(self.stack[len(self.stack) - count :])
        del self.stack[len(self.stack) - count :]
        self.stack.append(values)

    def since_mark(self) -> list[Any]:
        at = len(self.stack) - 1
        while at >= 0 and self.stack[at] is not _MARK:
            at -= 1
        if at < 0:
            raise ValueError("a mark is missing")
        values = self.stack[at + 1 :]
        del self.stack[at:]
        return values

    def set_items(self, values: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, dict) or not all(isinstance(key, str) for key in values[::2]):
            raise ModelError("the weight file is refused: it fills something other than a dict with names.")
        target.update(zip(values[::2], values[1::2], strict=True))

    def append_all(self, values: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, list):
            raise ModelError("the weight file is refused: it appends to something other than a list.")
        target.extend(values)

    def set_item(self, _: Any) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self.set_items([key, value])

    def name(self, argument: str) -> None:
        if argument not in {_MAPPING, _TENSOR, *_STORAGES}:
            shown = argument.replace(" ", ".")[:80]
            raise ModelError(f"the weight file is refused: it asks for {shown!r}; only tensors may be built.")
        self.push(_Name(argument))

    def reduce(self, _: Any) -> None:
        arguments, what = self.stack.pop(), self.stack.pop()
        if what == _Name(_MAPPING) and arguments == ():
            self.push({})
        elif what == _Name(_TENSOR) and isinstance(arguments, tuple):
            self.push(_tensor(*arguments))
        else:
            raise ModelError("the weight file is refused: it calls something other than a tensor's constructor.")

    def build(self, _: Any) -> None:
        """Attributes (a state dict's ``_metadata``) are dropped; nothing may carry them but a dict."""
        self.stack.pop()
        if not isinstance(self.stack[-1], dict):
            raise ModelError("the weight file is refused: it sets attributes of something other than a dict.")

    def storage(self, _: Any) -> None:
        kind, dtype, key, _location, count, _view = self.stack.pop()
        if kind != "storage" or not isinstance(dtype, _Name) or not isinstance(key, str) or not isinstance(count, int):
            raise ModelError("the weight file is refused: it refers to something other than a tensor's storage.")
        self.push(_Storage(key, np.dtype(_STORAGES[dtype.name]), count))


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> _Tensor:
    whole = isinstance(size, tuple) and isinstance(stride, tuple) and len(size) == len(stride) <= 8
    if not (isinstance(storage, _Storage) and whole):
        raise ModelError("the weight file is refused: a tensor's size and stride do not fit together.")
    numbers = (offset, *size, *stride)
    if not all(isinstance(number, int) and 0 <= number <= storage.count for number in numbers):
        raise ModelError("the weight file is refused: a tensor's offset, size or stride lies outside its storage.")
    last = offset + sum((length - 1) * step for length, step in zip(size, stride, strict=True))
    elements = math.prod(size)
    if elements > storage.count or (elements and last >= storage.count):
        raise ModelError("the weight file is refused: a tensor reaches beyond the end of its storage.")
    return _Tensor(storage, offset, size, stride)


_Action = Callable[[_Machine, Any], None]
_CONSTANT: Final[_Action] = _Machine.push
_ACTIONS: Final[dict[str, _Action]] = {
    "PROTO": lambda machine, _: None,
    "STOP": lambda machine, _: None,
    "MARK": lambda machine, _: machine.push(_MARK),
    "NONE": lambda machine, _: machine.push(None),
    "NEWTRUE": lambda machine, _: machine.push(True),
    "NEWFALSE": lambda machine, _: machine.push(False),
    "EMPTY_DICT": lambda machine, _: machine.push({}),
    "EMPTY_LIST": lambda machine, _: machine.push([]),
    "EMPTY_TUPLE": lambda machine, _: machine.push(()),
    "TUPLE": lambda machine, _: machine.push(tuple(machine.since_mark())),
    "TUPLE1": lambda machine, _: machine.take(1),
    "TUPLE2": lambda machine, _: machine.take(2),
    "TUPLE3": lambda machine, _: machine.take(3),
    "SETITEM": _Machine.set_item,
    "SETITEMS": lambda machine, _: machine.set_items(machine.since_mark()),
    "APPEND": lambda machine, _: machine.append_all([machine.stack.pop()]),
    "APPENDS": lambda machine, _: machine.append_all(machine.since_mark()),
    "GLOBAL": _Machine.name,
    "REDUCE": _Machine.reduce,
    "BUILD": _Machine.build,
    "BINPERSID": _Machine.storage,
    **dict.fromkeys(("BININT", "BININT1", "BININT2", "LONG1"), _CONSTANT),
    **dict.fromkeys(("BINUNICODE", "SHORT_BINUNICODE"), _CONSTANT),
    **dict.fromkeys(("BINPUT", "LONG_BINPUT"), _Machine.put),
    **dict.fromkeys(("BINGET", "LONG_BINGET"), _Machine.get),
}
