"""Turns texts into the numbers of a model's vocabulary, by the tokenizer that was published with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from imagekin.embed import growth
from imagekin.embed.repository import Repository
from imagekin.errors import InputError, MissingPackageError, ModelError

LONGEST: Final = 512
"""Tokens of a text at the most, whatever a configuration says."""

_LETTERS: Final = 20_000
"""Letters of a text that are looked at; no text tower takes in as much."""

_GROWN: Final = 32
"""Times that the rules may make so many letters longer; of texts that grow more, fewer letters are looked at."""

_LENGTHS: Final = {"siglip": 64, "clip": 77, "mobileclip": 77, "metaclip": 77}
"""Starts of the kinds of models that were trained on texts filled up to one length, and the length."""

_FLAGGED: Final = ("Gemma", "Llama", "Siglip2")
"""Tokenizers that go by the flags of their configuration, whatever rules their file has."""


class Tokens:
    """A tokenizer with what its model expects around it: length, padding, first and last token.

    Args:
        repository: has ``tokenizer.json``, and perhaps ``tokenizer_config.json``.
        config: the content of ``config.json``.
        length: tokens that the network takes, where it takes only so many.

    Raises:
        MissingPackageError: ``tokenizers`` is not installed.
        ModelError: the tokenizer's file is absent or damaged.
    """

    def __init__(self, repository: Repository, config: Mapping[str, Any], length: int | None = None) -> None:
        self._said = repository.json("special_tokens_map.json") | repository.json("tokenizer_config.json")
        self._kind = str(config.get("model_type", "")).lower()
        self._tokenizer, grown = _tokenizer(repository)
        self._letters = _LETTERS * _GROWN // max(_GROWN, grown)
        self.length = length or self._longest(config)
        self.whole = length is not None or self._kind.startswith(tuple(_LENGTHS))
        self.masks = not self._kind.startswith("siglip")  # it was trained to look at the padding too
        padding = self._tokenizer.padding or {}
        self.pad = int(padding.get("pad_id", self._number("pad_token", self._number("eos_token", 0))))
        self._bos = self._number("bos_token")
        flagged = str(self._said.get("tokenizer_class")).startswith(_FLAGGED)
        self._begins = self._said.get("add_bos_token") if flagged else None
        self._last = self._number("eos_token") if self._ends() else None
        self._lower = self._said.get("do_lower_case") is True or self._kind.startswith("siglip")
        self._left = "left" in (self._said.get("padding_side"), str(padding.get("direction")).lower())
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(self.length)

    def encode(self, texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The tokens of texts and which of them are no padding: two arrays ``(n, length)``.

        A text that is too long loses its end, but not the last token that says that it ends.

        Raises:
            InputError: something in *texts* is not a text.
        """
        rows = [self._row(text) for text in texts]
        columns = self.length if self.whole else max((len(row) for row in rows), default=1)
        tokens = np.full((len(rows), columns), self.pad, np.int64)
        real = np.zeros((len(rows), columns), np.int64)
        for at, row in enumerate(rows):
            place = slice(columns - len(row), None) if self._left else slice(len(row))
            tokens[at, place], real[at, place] = row, 1
        return tokens, real if self.masks else np.ones_like(real)

    def _row(self, text: str) -> list[int]:
        if not isinstance(text, str):
            raise InputError(f"a text is searched by a text, not by {type(text).__name__}.")
        text = text[: self._letters].lower() if self._lower else text[: self._letters]
        try:
            row = [int(number) for number in self._tokenizer.encode(text).ids]
        except (TypeError, ValueError) as error:  # half of a surrogate pair
            raise InputError(f"{text[:60]!r} is no text that can be encoded.") from error
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # as in `_tokenizer`: rules that fit no text, or need too long for this one
            raise ModelError(f"the model's tokenizer fails on {text[:60]!r} ({str(error)[:200]}).") from error
        if self._begins is False and row[:1] == [self._bos]:
            row = row[1:]
        if self._begins is True and self._bos is not None and row[:1] != [self._bos]:
            row = [self._bos, *row][: self.length]
        if self._last is not None and row[-1:] != [self._last]:
            row = [*row[: self.length - 1], self._last]
        return row

    def _longest(self, config: Mapping[str, Any]) -> int:
        """Tokens of a text: what the network was trained on, else what the tokenizer says."""
        inner = config.get("text_config")
        said = (inner if isinstance(inner, Mapping) else {}).get("max_position_embeddings")
        usual = next((each for start, each in _LENGTHS.items() if self._kind.startswith(start)), None)
        for value in (said, usual, self._said.get("model_max_length")):
            if isinstance(value, (int, float)) and not isinstance(value, bool) and 2 <= value <= LONGEST:
                return int(value)
        return LONGEST

    def _ends(self) -> bool:
        """Whether a last token is added where the tokenizer's own rules do not: as configurations of Gemma's say."""
        said = self._said.get("add_eos_token")
        return said is True or (said is None and self._kind.startswith("siglip"))

    def _number(self, name: str, default: Any = None) -> Any:
        """The number of a token that the configuration names: as a text, or as an object that has one."""
        token = self._said.get(name)
        token = token.get("content") if isinstance(token, Mapping) else token
        number = self._tokenizer.token_to_id(token) if isinstance(token, str) else None
        return default if number is None else number


def _tokenizer(repository: Repository) -> tuple[Any, int]:
    """The tokenizer, and how many times as long it can make a text."""
    try:
        import tokenizers
    except ImportError as error:
        raise MissingPackageError(
            'texts need a package that is not installed (tokenizers); install it with: pip install "imagekin[hub]"'
        ) from error
    data = repository.read("tokenizer.json")
    grown = growth.of(data, repository.name)  # rules are applied even while it is read
    try:
        return tokenizers.Tokenizer.from_buffer(data), grown
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # what goes wrong within the library's own language is no Exception
        raise ModelError(f"tokenizer.json of {repository.name} cannot be used ({str(error)[:200]}).") from error
