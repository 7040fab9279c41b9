"""The tower of a dual model that puts texts where pictures of what they say are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray

from imagekin.distance import as_vectors, normalized
from imagekin.embed.onnx_cut import describe, drop_unread, keep_only
from imagekin.embed.onnx_file import read_model
from imagekin.embed.repository import Repository
from imagekin.embed.runtime import open_session
from imagekin.embed.tokens import Tokens
from imagekin.errors import InputError, ModelError
from imagekin.types import Vectors

_OUTPUTS: Final = ("text_embeds", "pooler_output", "sentence_embedding")
_KNOWN: Final = ("input_ids", "attention_mask", "token_type_ids", "position_ids")
_AT_ONCE: Final = 32
_INTEGERS: Final = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}


class TextTower:
    """An ONNX network that takes tokens, with its tokenizer.

    Args:
        repository: has the tokenizer and the network.
        file: name of the network in it, which may be one that holds the tower of pictures too.
        config: the content of ``config.json``.
        threads: processor threads for one call; None for one.

    Raises:
        MissingPackageError: ``tokenizers`` is not installed.
        ModelError: a file is absent, damaged or unsafe, or the network is no text tower.
    """

    def __init__(
        self, repository: Repository, file: str, config: Mapping[str, Any], *, threads: int | None = None
    ) -> None:
        path = repository.path(file)
        model, _ = read_model(path, repository.within)
        self._path = path
        self._output = _output(model.graph, path)
        keep_only(model, self._output)
        drop_unread(model.graph)
        odd = [value.name for value in model.graph.input if value.name not in _KNOWN]
        if odd or "input_ids" not in [value.name for value in model.graph.input]:
            raise ModelError(f"{path} is no text tower: it takes {', '.join(odd) or 'no input_ids'}.")
        self._tokens = Tokens(repository, config, _fixed_length(model.graph))
        data = model.SerializeToString()
        del model  # the vocabulary of a large tower weighs a gigabyte, and the runtime makes one more copy
        self._session = open_session(data, threads)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """The vectors of texts: ``(n, dim)`` float32, every row of length 1.

        Raises:
            InputError: something in *texts* is not a text.
            ModelError: the network fails, or answers with another shape, NaN or infinity.
        """
        parts = [self._embed(texts[at : at + _AT_ONCE]) for at in range(0, len(texts), _AT_ONCE)]
        return np.concatenate(parts)

    def _embed(self, texts: Sequence[str]) -> Vectors:
        tokens, real = self._tokens.encode(texts)
        given = {"input_ids": tokens, "attention_mask": real, "token_type_ids": np.zeros_like(tokens)}
        given["position_ids"] = np.tile(np.arange(tokens.shape[1]), (len(tokens), 1))
        feed = {each.name: given[each.name].astype(_INTEGERS.get(each.type, np.int64)) for each in self._inputs()}
        try:
            answer = self._session.run([self._output], feed)[0]
        except Exception as error:  # the runtime's exceptions share no base class
            raise ModelError(f"{self._path.name} failed on a text: {str(error).splitlines()[0][:300]}.") from error
        return self._checked(np.asarray(answer), len(texts))

    def _inputs(self) -> Any:
        return self._session.get_inputs()

    def _checked(self, answer: NDArray[Any], rows: int) -> Vectors:
        if answer.ndim != 2 or len(answer) != rows:
            raise ModelError(f"{self._output!r} of {self._path.name} has shape {answer.shape} for {rows} texts.")
        try:
            return normalized(as_vectors(answer, answer.shape[1], what=f"the vectors of {self._path.name}"))
        except InputError as error:
            raise ModelError(str(error)) from error


def _output(graph: onnx.GraphProto, path: Path) -> str:
    names = [value.name for value in graph.output]
    for name in _OUTPUTS:
        if name in names:
            return name
    flat = [value.name for value in graph.output if len(value.type.tensor_type.shape.dim) == 2]
    if len(flat) != 1:
        listed = ", ".join(f"{value.name} {describe(value)}" for value in graph.output)
        raise ModelError(f"{path} is no text tower: of {listed} none is known to be the text's vector.")
    return str(flat[0])


def _fixed_length(graph: onnx.GraphProto) -> int | None:
    """The number of tokens that the network takes, where its input says one."""
    value = next(each for each in graph.input if each.name == "input_ids")
    dims = value.type.tensor_type.shape.dim
    length = dims[1].dim_value if len(dims) == 2 else 0
    return length if 2 <= length <= 8192 else None
