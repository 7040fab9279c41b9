from __future__ import annotations

import random
import struct
import sys
import threading
import warnings

import numpy as np
import pytest
from PIL import Image, JpegImagePlugin, TiffImagePlugin

from imagekin import decoders, formats, images
from imagekin.errors import ImageError
from imagekin.images import Limits
from tests.encoded import HEIF, WRITABLE, encoded, refused, samples, scene


@pytest.mark.parametrize("name", [*WRITABLE, *(["HEIF"] if HEIF else [])])
def test_truncated_files_are_never_taken_for_whole(name: str) -> None:
    noise = Image.fromarray(np.random.default_rng(7).integers(0, 255, (40, 50, 3), np.uint8))
    data = encoded(noise, name)
    assert images.decode(data).width == 50
    for share in (0.5, 0.9):
        reason = refused(data[: int(len(data) * share)])
        assert reason.startswith(("truncated", "damaged")), reason
    if name in ("JPEG", "PNG", "GIF", "BMP", "PPM"):
        assert refused(data[: int(len(data) * 0.9)]) == "truncated: the file ends before the picture does"


def test_mutated_files_give_a_picture_or_a_reason_and_no_noise(capfd: pytest.CaptureFixture[str]) -> None:
    chance = random.Random(20_240_229)
    outcomes = {True: 0, False: 0}
    limits = Limits(pixels=images.MEGA)
    for data in samples():
        assert images.decode(data, target=8).width in (9, 13)
        for _ in range(800):
            mutated = bytearray(data)
            for _ in range(chance.choice((1, 2, 8))):
                mutated[chance.randrange(min(len(data), chance.choice((64, 512, 1 << 20))))] = chance.randrange(256)
            if chance.random() < 0.2:
                del mutated[chance.randrange(len(mutated)) :]
            try:
                photo = images.decode(bytes(mutated), target=8, limits=limits)
            except ImageError as error:
                outcomes[False] += 1
                assert str(error).isprintable()
                assert 0 < len(str(error)) < 130
            else:
                outcomes[True] += 1
                assert photo.image.mode == "RGB"
    assert min(outcomes.values()) > 2000
    assert capfd.readouterr() == ("", "")


FOREIGN = {
    b'<svg xmlns="http://www.w3.org/2000/svg"/>': "an SVG drawing",
    b'\xef\xbb\xbf<?xml version="1.0"?>\n<!-- x -->\n<SVG/>': "an SVG drawing",
    b'<?xml version="1.0"?><note/>': "an XML file",
    b"%PDF-1.7": "a PDF document",
    b"%!PS-Adobe-3.0 EPSF-3.0": "a PostScript file",
    b"\xc5\xd0\xd3\xc6\x20\0\0\0": "a PostScript file",
    b"8BPS\0\1": "a Photoshop file",
    b"\0\0\0\x0cjP  \r\n\x87\n": "a JPEG 2000 image",
    b"\xff\x4f\xff\x51\0\x2f": "a JPEG 2000 image",
    b"\xff\x0a\xfa": "a JPEG XL image",
    b"SIMPLE  =                    T": "a FITS file",
    b"II*\0\x10\0\0\0CR\2\0": "a camera's raw file",
    b"\0\0\0\x18ftypcrx \0\0\0\1crx isom": "a camera's raw file",
    b"\0\0\0\x18ftypisom\0\0\2\0isommp42": "a video",
    b"<!DOCTYPE html><html>": "a web page",
    b"PK\3\4": "a ZIP archive",
    b"": "the file is empty",
    b"\0" * 100: "not an image, or not a JPEG",
    b"hello": "not an image, or not a JPEG",
}


@pytest.mark.parametrize("data", FOREIGN)
def test_foreign_files_are_named_and_no_decoder_is_asked(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoders, "opened", lambda *_: pytest.fail("a decoder was asked"))
    assert refused(data).startswith(FOREIGN[data])


def test_a_raw_file_in_tiff_s_clothes_is_not_taken_for_its_preview() -> None:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[254] = 1
    assert refused(encoded(scene(), "TIFF", tiffinfo=tags)).startswith("a camera's raw file")


def test_heic_asks_for_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(50)
    monkeypatch.setattr(formats, "find_spec", lambda _: None)
    assert refused(heic) == 'an HEIC image, which needs a further package; pip install "imagekin[heif]"'
    unsafe = type(sys)("pillow_heif")
    unsafe.__version__ = "1.6.9"  # type: ignore[attr-defined]
    monkeypatch.setattr(formats, "find_spec", lambda _: object())
    monkeypatch.setitem(sys.modules, "pillow_heif", unsafe)
    decoders._check_heif.cache_clear()
    assert refused(heic) == 'an HEIC image, and pillow-heif 1.6.9 is unsafe; pip install -U "imagekin[heif]"'
    unsafe.__version__ = "1.10.0"  # type: ignore[attr-defined]
    assert refused(heic).startswith("damaged")
    decoders._check_heif.cache_clear()


def test_generic_brands_are_told_apart() -> None:
    assert formats.sniff(b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf") == "AVIF"
    assert formats.sniff(b"\0\0\0\x1cftypmif1\0\0\0\0mif1heicmiaf") == "HEIF"
    assert formats.sniff(b"\0\0\0\x1cftypavif\0\0\0\0mif1avifmiaf") == "AVIF"
    assert formats.sniff(b"\0\0\0\x14ftypqt  \0\0\0\0qt  heic") == "video"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (MemoryError(), "too large: there is not enough memory to decode it"),
        (Image.DecompressionBombError("x"), "too large: it has far too many pixels"),
        (EOFError(), "truncated: the file ends before the picture does"),
        (ValueError("odd\nvalue"), "damaged (odd value)"),
        (struct.error(""), "damaged (error)"),
        (OSError("x" * 81), "damaged (OSError)"),
        (OSError("\x1b[2J"), "damaged (OSError)"),
        (OSError("caf\xe9"), "damaged (OSError)"),
    ],
)
def test_whatever_a_decoder_raises_becomes_a_reason(
    error: Exception, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(_: object) -> None:
        raise error

    monkeypatch.setattr(JpegImagePlugin.JpegImageFile, "load", load)
    assert refused(encoded(scene(), "JPEG")) == reason


def test_an_interrupt_is_no_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(JpegImagePlugin.JpegImageFile, "load", load)
    with pytest.raises(KeyboardInterrupt):
        images.decode(encoded(scene(), "JPEG"))


def test_decoders_warnings_are_kept_in_while_any_thread_decodes_and_no_others() -> None:
    before = list(warnings.filters)
    with decoders.quiet():
        with decoders.quiet():
            warnings.warn_explicit("odd", UserWarning, "file.py", 1, module="PIL.TiffImagePlugin")
        warnings.warn_explicit("odd", UserWarning, "file.py", 1, module="PIL.PngImagePlugin")
        with pytest.raises(UserWarning):
            warnings.warn_explicit("odd", UserWarning, "file.py", 1, module="mine")
    assert list(warnings.filters) == before
    with pytest.raises(UserWarning):
        warnings.warn_explicit("odd", UserWarning, "file.py", 1, module="PIL.PngImagePlugin")


def test_many_threads_decode_alike_and_leave_the_filters_alone() -> None:
    data = samples()
    expected = [np.asarray(images.decode(each).image) for each in data]
    before = list(warnings.filters)
    wrong: list[str] = []

    def work() -> None:
        for _ in range(5):
            for each, pixels in zip(data, expected, strict=True):
                if not np.array_equal(np.asarray(images.decode(each).image), pixels):
                    wrong.append("different")

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert list(warnings.filters) == before
