"""How much longer a tokenizer's rules make texts: bounded from the file, and never beyond the bound in truth."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import tokenizers

from imagekin.embed import growth
from imagekin.embed.repository import Folder
from imagekin.embed.tokens import Tokens
from imagekin.errors import ModelError
from tests import hub_models as hub


def replace(letters: str, content: str) -> dict[str, Any]:
    return {"type": "Replace", "pattern": {"String": letters}, "content": content}


def every(pattern: str, content: str) -> dict[str, Any]:
    return {"type": "Replace", "pattern": {"Regex": pattern}, "content": content}


def chain(*rules: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Sequence", "normalizers": list(rules)}


def charsmap(*texts: str) -> str:
    trie = b"\0" * 8
    return base64.b64encode(len(trie).to_bytes(4, "little") + trie + b"\0".join(t.encode() for t in texts)).decode()


def file(**rules: Any) -> bytes:
    return json.dumps({**json.loads(hub.tokenizer()), **rules}).encode()


def times(**rules: Any) -> int:
    return growth.of(file(**rules), "it")


def test_by_hand() -> None:
    assert growth.of(hub.tokenizer().encode(), "it") < 10
    for nothing in (b"", b"{", b"[]", b"3", b"[" * 100_000):
        assert growth.of(nothing, "it") == 1
    assert times(normalizer=replace(" ", "▁"), pre_tokenizer=None) == 3
    assert times(normalizer=replace("ab", "12345"), pre_tokenizer=None) == 3
    assert times(normalizer=replace("", "123"), pre_tokenizer=None) == 7
    assert times(normalizer=every(r"\s+", " "), pre_tokenizer=None) == 3
    assert times(normalizer=chain(replace("a", "bb"), {"type": "NFC"}, replace("b", "c" * 5)), pre_tokenizer=None) == 30
    nested = chain(replace("a", "bb"), chain(replace("b", "ccc"), {"type": "Prepend", "prepend": "▁"}))
    assert times(normalizer=nested, pre_tokenizer=None) == 24
    mapped = {"type": "Precompiled", "precompiled_charsmap": charsmap("a", "seven..", "bb")}
    assert times(normalizer=mapped, pre_tokenizer=None) == 7
    split = {"type": "Sequence", "pretokenizers": [{"type": "ByteLevel"}, {"type": "WhitespaceSplit"}]}
    assert times(normalizer=None, pre_tokenizer=split) == 2


@pytest.mark.parametrize(
    "rule",
    [
        replace("a", "bcd"), replace("", "xy"), every("a", "bcd"), every("", "xy"), every("(?=a)", "x"),
        {"type": "Prepend", "prepend": "abc"}, {"type": "NFKD"}, {"type": "NFKC"}, {"type": "NFD"}, {"type": "NFC"},
        {"type": "Lowercase"}, {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True,
        "strip_accents": None, "lowercase": True}, {"type": "ByteLevel"}, chain(replace("a", "bb"), replace("b", "cc")),
    ],
    ids=str,
)  # fmt: skip
def test_no_text_grows_beyond_the_bound(rule: dict[str, Any]) -> None:
    most = times(normalizer=rule, pre_tokenizer=None)
    normalizer = tokenizers.Tokenizer.from_str(file(normalizer=rule, pre_tokenizer=None).decode()).normalizer
    letters = "\ufdfa\u0130\u01d7\u1f82\u4e2d\u0390\U0001d160"
    for text in ("a", "aaaa", "ab" * 9, "e\u0301", *letters):
        assert len(normalizer.normalize_str(text).encode()) <= most * len(text.encode()), text


EIGHT = chain(*(replace(each, 10 * after) for each, after in zip("abcdefgh", "bcdefghi", strict=True)))


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ({"normalizer": EIGHT}, "4,096 times as long"),
        ({"normalizer": chain(*(every("", "x") for _ in range(40)))}, "4,096 times as long"),
        ({"normalizer": {"type": "Prepend", "prepend": "x" * 5000}}, "4,096 times as long"),
        ({"normalizer": {"type": "Precompiled", "precompiled_charsmap": charsmap("y" * 5000)}}, "4,096 times as long"),
        (
            {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "ByteLevel"}] * 40}},
            "4,096 times as long",
        ),
        (
            {"post_processor": {"type": "TemplateProcessing", "single": [{"Sequence": {"id": "A"}}] * 99}},
            "times as long",
        ),
        (
            {
                "post_processor": {
                    "type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}],
                    "special_tokens": {"<s>": {"id": "<s>", "ids": [2] * 1000, "tokens": ["<s>"] * 1000}},
                }
            },
            "times as long",
        ),
        (
            {
                "normalizer": replace("a", "b" * 4000),
                "added_tokens": [{"id": 9, "content": "a" * 99_000, "normalized": True}],
            },
            "its own tokens too long",
        ),
    ],
)  # fmt: skip
def test_a_file_that_multiplies_texts_is_refused_before_it_is_run(
    rules: dict[str, Any], words: str, tmp_path: Path
) -> None:
    hub.write(tmp_path, {"tokenizer.json": file(**rules).decode()})
    with pytest.raises(ModelError, match=f"^tokenizer.json of .* {words}"):
        Tokens(Folder(tmp_path), {"model_type": "clip"})


def test_of_texts_that_grow_fewer_letters_are_looked_at(tmp_path: Path) -> None:
    plain = {"normalizer": None, "pre_tokenizer": {"type": "WhitespaceSplit"}}
    for rules, letters in (({}, 20_000), ({"normalizer": replace("q", "r" * 640)}, 1_000)):
        hub.write(tmp_path, {"tokenizer.json": file(**{**plain, **rules}).decode()})
        found = Tokens(Folder(tmp_path), {"model_type": "other"})
        assert found._letters == letters
        near, far = (found.encode([" " * (letters - gap) + " dog"])[0].tolist()[0] for gap in (4, 0))
        assert (len(near), len(far)) == (2, 1)  # the text's end is beyond them
