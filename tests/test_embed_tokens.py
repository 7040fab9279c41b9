"""Texts: their tokens, as models were trained on them, and the towers that take them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto

from imagekin.embed import create
from imagekin.embed.repository import Folder
from imagekin.embed.tokens import Tokens
from imagekin.errors import ImagekinError, InputError, ModelError, UnsupportedError
from tests import hub_models as hub
from tests.onnx_models import node

PAD, END, BEGIN, UNKNOWN, A, DOG, CAT, RED, GREEN, BLUE = range(10)


def tokens(
    folder: Path, kind: str, *, length: int | None = None, text: Any = None, config: Any = None, **made: Any
) -> Tokens:
    files = {"tokenizer.json": hub.tokenizer(**made), "tokenizer_config.json": config or {"pad_token": "<pad>"}}
    hub.write(folder, files)
    return Tokens(Folder(folder), {"model_type": kind, **({"text_config": text} if text else {})}, length)


def rows(found: Tokens, *texts: str) -> tuple[list[list[int]], list[list[int]]]:
    numbers, real = found.encode(texts)
    return numbers.tolist(), real.tolist()


def test_clip_fills_77_and_masks_what_it_fills(tmp_path: Path) -> None:
    found = tokens(tmp_path, "clip", begins=True)
    numbers, real = rows(found, "a dog", "")
    assert numbers == [[BEGIN, A, DOG, END] + 73 * [PAD], [BEGIN, END] + 75 * [PAD]]
    assert real == [4 * [1] + 73 * [0], 2 * [1] + 75 * [0]]


def test_a_long_text_loses_its_end_but_not_the_last_token(tmp_path: Path) -> None:
    long = "dog " * 200
    assert rows(tokens(tmp_path, "clip", begins=True), long)[0] == [[BEGIN] + 75 * [DOG] + [END]]
    ended = {"eos_token": "</s>"}
    assert rows(tokens(tmp_path, "siglip", config=ended, ends=False), long)[0] == [63 * [DOG] + [END]]
    assert rows(tokens(tmp_path, "clip", begins=True, length=5), long)[0] == [[BEGIN, DOG, DOG, DOG, END]]
    assert rows(tokens(tmp_path, "clip", text={"max_position_embeddings": 4}), long)[0] == [[DOG, DOG, DOG, END]]


def test_siglip_fills_64_with_nothing_masked_and_in_lower_case(tmp_path: Path) -> None:
    config = {"pad_token": "<pad>", "eos_token": "</s>"}
    numbers, real = rows(tokens(tmp_path, "siglip", config=config, ends=False), "RED Dog")
    assert numbers == [[RED, DOG, END] + 61 * [PAD]]
    assert real == [64 * [1]]
    assert rows(tokens(tmp_path, "siglip", config=config), "red")[0] == [[RED, END] + 62 * [PAD]]  # one end is enough


def test_flags_of_gemmas_tokenizers(tmp_path: Path) -> None:
    """SigLIP 2: none at the start, whatever the file's own rules say, and one at the end."""
    config = {
        "pad_token": {"content": "<pad>"}, "eos_token": "</s>", "bos_token": "<s>", "add_bos_token": False,
        "add_eos_token": True, "tokenizer_class": "GemmaTokenizer",
    }  # fmt: skip
    found = tokens(tmp_path, "siglip", config=config, begins=True, ends=False)
    assert rows(found, "cat")[0] == [[CAT, END] + 62 * [PAD]]
    found = tokens(tmp_path, "other", config={**config, "add_bos_token": True}, ends=False)
    assert rows(found, "cat")[0] == [[BEGIN, CAT, END]]
    found = tokens(tmp_path, "other", config={**config, "tokenizer_class": "CLIPTokenizer"}, begins=True)
    assert rows(found, "cat")[0] == [[BEGIN, CAT, END]]  # it does not know the flag


def test_others_are_filled_to_the_longest_of_a_batch(tmp_path: Path) -> None:
    found = tokens(tmp_path, "jina_clip", text={"max_position_embeddings": 8194})
    assert found.length == 512
    assert rows(found, "a", "a cat") == ([[A, END, PAD], [A, CAT, END]], [[1, 1, 0], [1, 1, 1]])
    assert tokens(tmp_path, "jina_clip", config={"model_max_length": 10**30}).length == 512
    assert tokens(tmp_path, "jina_clip", config={"model_max_length": 20}).length == 20
    assert found.encode([])[0].shape == (0, 1)


def test_what_padding_is(tmp_path: Path) -> None:
    """By the tokenizer's own rule, else by its configuration, else the end, else 0."""
    assert tokens(tmp_path, "clip", pad=CAT).pad == CAT
    assert tokens(tmp_path, "clip", config={"pad_token": "red"}).pad == RED
    assert tokens(tmp_path, "clip", config={"pad_token": "not a word", "eos_token": "</s>"}).pad == END
    assert tokens(tmp_path, "clip", config={"x": 1}).pad == 0
    assert rows(tokens(tmp_path, "clip", pad=CAT), "a")[0] == [[A, END] + 75 * [CAT]]


def test_padding_comes_first_where_the_tokenizer_says_so(tmp_path: Path) -> None:
    found = tokens(tmp_path, "jina_clip", config={"pad_token": "<pad>", "padding_side": "left"})
    assert rows(found, "a", "a cat") == ([[PAD, A, END], [A, CAT, END]], [[0, 1, 1], [1, 1, 1]])


def test_special_tokens_in_a_file_of_their_own(tmp_path: Path) -> None:
    hub.write(
        tmp_path, {"tokenizer.json": hub.tokenizer(), "special_tokens_map.json": {"pad_token": {"content": "blue"}}}
    )
    assert Tokens(Folder(tmp_path), {"model_type": "clip"}).pad == BLUE


def test_what_is_no_text(tmp_path: Path) -> None:
    found = tokens(tmp_path, "clip")
    for wrong in (b"a", None, 3, ["a"]):
        with pytest.raises(InputError, match="not by"):
            found.encode([wrong])  # type: ignore[list-item]
    with pytest.raises(InputError, match="no text that can be encoded"):
        found.encode(["\ud800"])
    assert DOG in rows(found, "\x00 \u202e dog 犬")[0][0] and UNKNOWN in rows(found, "犬")[0][0]


@pytest.mark.parametrize(
    ("rules", "text"),
    [
        ({"model": {"type": "WordLevel", "vocab": {"dog": 5}, "unk_token": "<none>"}}, "cat"),
        ({"normalizer": {"type": "Replace", "pattern": {"Regex": "(a+)+$"}, "content": ""}}, "a" * 40 + "!"),
    ],
)
def test_a_tokenizer_that_fails_on_a_text(tmp_path: Path, rules: dict[str, Any], text: str) -> None:
    tokens(tmp_path, "clip")
    (tmp_path / "tokenizer.json").write_text(json.dumps({**json.loads(hub.tokenizer()), **rules}))
    with pytest.raises(ModelError, match="the model's tokenizer fails on"):
        Tokens(Folder(tmp_path), {"model_type": "clip"}).encode([text])


def test_a_huge_text_is_looked_at_in_part(tmp_path: Path) -> None:
    assert rows(tokens(tmp_path, "other"), "a " * 5_000_000)[0] == [[A] * 511 + [END]]


@pytest.mark.parametrize("text", ["", "{}", "null", '{"version":"1.0","model":{"type":"Nothing"}}', "\x00"])
def test_damaged_tokenizers(tmp_path: Path, text: str) -> None:
    (tmp_path / "tokenizer.json").write_text(text)
    with pytest.raises(ModelError, match="tokenizer.json of .* cannot be used"):
        Tokens(Folder(tmp_path), {})


# -- towers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mask", [False, True])
@pytest.mark.parametrize("kind", [TensorProto.INT64, TensorProto.INT32])
@pytest.mark.parametrize("length", ["sequence_length", 12])
def test_a_tower_gets_what_it_takes(tmp_path: Path, mask: bool, kind: int, length: int | str) -> None:
    """The network sums the words' vectors; those of padding weigh 0.01 each unless they are masked."""
    folder = hub.clip(tmp_path / "clip", {"tokenizer_config.json": {"pad_token": "<pad>"}})
    hub.texts(folder / "onnx" / "text_model.onnx", mask=mask, kind=kind, length=length)
    vectors = create(str(folder)).embed_text(["red", "red green"])
    columns = 12 if length == 12 else 77
    fills = np.array([0.0, 0.0]) if mask else 0.01 * (columns - np.array([3, 4]))
    expected = np.array([[1, 0, 0], [1, 1, 0]]) + fills[:, None]
    np.testing.assert_allclose(vectors, expected / np.linalg.norm(expected, axis=1, keepdims=True), atol=1e-6)
    assert vectors.dtype == np.float32


def test_many_texts_are_the_same_as_each(tmp_path: Path) -> None:
    embedder = create(str(hub.clip(tmp_path / "clip")))
    texts = [f"{colour} {'dog ' * number}" for number in range(15) for colour in ("red", "green", "blue")]
    together = embedder.embed_text(texts)
    np.testing.assert_allclose(together, np.concatenate([embedder.embed_text([text]) for text in texts]), atol=1e-6)
    np.testing.assert_allclose(together[:3], np.eye(3), atol=1e-6)


def other_length(folder: Path) -> None:
    nodes = [*hub.MEAN_COLOUR, node("Concat", "colour colour", "image_embeds", axis=1)]
    hub.network(folder / "onnx" / "vision_model.onnx", nodes, hub.PICTURES, {"image_embeds": ("batch_size", 6)})


def of_pictures(folder: Path) -> None:
    hub.vectors(folder / "onnx" / "text_model.onnx", "text_embeds")


INPUT_IDS = {"input_ids": (TensorProto.INT64, ("b", "s"))}


def of_tokens(folder: Path) -> None:
    nodes = [node("Cast", "input_ids", "real", to=TensorProto.FLOAT), node("Unsqueeze", "real last", "text_embeds")]
    outputs = {"text_embeds": ("b", "s", 1)}
    hub.network(folder / "onnx" / "text_model.onnx", nodes, INPUT_IDS, outputs, {"last": np.array([2])})


def without_numbers(folder: Path) -> None:
    nodes = [node("Cast", "input_ids", "real", to=TensorProto.FLOAT), node("Sub", "real real", "zero")]
    nodes.append(node("Div", "zero zero", "text_embeds"))
    hub.network(folder / "onnx" / "text_model.onnx", nodes, INPUT_IDS, {"text_embeds": ("b", "s")})


def of_too_few_words(folder: Path) -> None:
    words = json.loads(hub.tokenizer())
    words["model"]["vocab"]["purple"] = 1_000_000
    hub.write(folder, {"tokenizer.json": words})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (other_length, "have 3 numbers and its pictures 6"),
        (of_pictures, "is no text tower: it takes pixel_values"),
        (without_numbers, "NaN"),
        (of_too_few_words, "text_model.onnx failed on a text"),
        (lambda folder: (folder / "onnx" / "text_model.onnx").write_bytes(b"x"), "is not an ONNX model"),
        (lambda folder: (folder / "tokenizer.json").write_text("{"), "tokenizer.json of .* cannot be used"),
        (lambda folder: (folder / "tokenizer_config.json").write_text("[]"), "holds a list"),
    ],
)
def test_towers_that_do_not_fit(tmp_path: Path, make: Any, message: str) -> None:
    folder = hub.clip(tmp_path / "clip")
    make(folder)
    with pytest.raises(ImagekinError, match=message) as caught:
        create(str(folder)).embed_text(["purple"])
    assert "\n" not in str(caught.value)


def test_an_answer_of_another_shape(tmp_path: Path) -> None:
    folder = hub.clip(tmp_path / "clip")
    of_tokens(folder)
    with pytest.raises(ModelError, match=r"'text_embeds' of text_model.onnx has shape \(1, 77, 1\) for 1 texts"):
        create(str(folder)).embed_text(["red"])


def test_a_model_without_one_says_so(tmp_path: Path) -> None:
    folder = hub.clip(tmp_path / "clip")
    (folder / "onnx" / "text_model.onnx").unlink()
    embedder = create(str(folder))
    assert not embedder.takes_text
    with pytest.raises(UnsupportedError, match="embeds pictures and no words"):
        embedder.embed_text(["red"])


def test_the_texts_variant_is_that_of_the_pictures_if_there_is_one(tmp_path: Path) -> None:
    folder = hub.clip(tmp_path / "clip")
    embedder: Any = create(str(folder), precision="int8")
    assert embedder._texts == "onnx/text_model.onnx"
    hub.texts(folder / "onnx" / "text_model_quantized.onnx")
    embedder = create(str(folder), precision="int8")
    assert embedder._texts == "onnx/text_model_quantized.onnx"
