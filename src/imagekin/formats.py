"""Which kinds of file are images, told by suffix or by the first bytes, and what to do about the others."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Final

JPEG, PNG, WEBP, GIF, BMP, TIFF = "JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"
PNM, AVIF, HEIF = "PNM", "AVIF", "HEIF"

NAMES: Final = "JPEG, PNG, WebP, GIF, BMP, TIFF, PGM/PPM, AVIF or HEIC"
"""The formats that are read, as a person would list them."""

HEAD: Final = 512
"""How many of a file's first bytes ``sniff`` looks at."""

_SUFFIXES: Final[Mapping[str, str]] = {
    **dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"), JPEG),
    **dict.fromkeys((".png", ".apng"), PNG),
    ".webp": WEBP,
    ".gif": GIF,
    **dict.fromkeys((".bmp", ".dib"), BMP),
    **dict.fromkeys((".tif", ".tiff"), TIFF),
    **dict.fromkeys((".pgm", ".ppm", ".pnm"), PNM),
    **dict.fromkeys((".avif", ".avifs"), AVIF),
    **dict.fromkeys((".heic", ".heif", ".heics", ".heifs", ".hif"), HEIF),
}

_RAW: Final = (
    ".3fr .arw .cr2 .cr3 .crw .dcr .dng .erf .fff .gpr .iiq .kdc .mef .mos .mrw .nef .nrw .orf .pef .raf .raw .rw2 .rwl"
    " .sr2 .srf .srw .x3f"
).split()

_REFUSED_SUFFIXES: Final[Mapping[str, str]] = {
    **dict.fromkeys((".svg", ".svgz"), "SVG"),
    **dict.fromkeys((".eps", ".ai"), "PostScript"),
    **dict.fromkeys((".psd", ".psb"), "Photoshop"),
    **dict.fromkeys((".jp2", ".j2k", ".jpf", ".jpx", ".jpm"), "JPEG 2000"),
    ".jxl": "JPEG XL",
    ".exr": "OpenEXR",
    ".fits": "FITS",
    **dict.fromkeys((".tga", ".pcx", ".pbm", ".xbm", ".xpm", ".ico", ".icns", ".dds"), "rare"),
    **dict.fromkeys(_RAW, "camera raw"),
}

_REFUSALS: Final[Mapping[str, str]] = {
    "SVG": "an SVG drawing, which is never opened for safety; export it as PNG",
    "PostScript": "a PostScript file, which is never opened for safety; export it as PNG or TIFF",
    "PDF": "a PDF document, which is never opened for safety; export its pages as PNG or JPEG",
    "Photoshop": "a Photoshop file, which is never opened for safety; export it as PNG or TIFF",
    "JPEG 2000": "a JPEG 2000 image, which is never opened for safety; convert it to PNG or TIFF",
    "JPEG XL": "a JPEG XL image, which is not supported; convert it to JPEG or PNG",
    "OpenEXR": "an OpenEXR image, which is not supported; export it as PNG or TIFF",
    "FITS": "a FITS file, which is never opened for safety; export it as PNG or TIFF",
    "camera raw": "a camera's raw file, which is not supported; export it as JPEG or TIFF",
    "rare": "an image of a format that is not supported; convert it to PNG",
    "HTML": "a web page, not an image",
    "XML": "an XML file, not an image",
    "video": "a video, not an image",
    "ZIP": "a ZIP archive, not an image",
}

NOT_IMAGES: Final = frozenset({"PDF", "HTML", "XML", "video", "ZIP"})
"""Kinds that nobody would take for an image; they have a name so that an error can say what was given instead."""

_MAGIC: Final = (
    (b"\xff\xd8\xff", JPEG),
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"GIF87a", GIF),
    (b"GIF89a", GIF),
    (b"II*\x00\x10\x00\x00\x00CR", "camera raw"),
    (b"II*\x00", TIFF),
    (b"MM\x00*", TIFF),
    (b"II+\x00", TIFF),
    (b"MM\x00+", TIFF),
    (b"BM", BMP),
    *((start + space, PNM) for start in (b"P5", b"P6") for space in (b"\n", b" ", b"\r", b"\t")),
    (b"8BPS", "Photoshop"),
    (b"%PDF", "PDF"),
    (b"%!PS", "PostScript"),
    (b"\xc5\xd0\xd3\xc6", "PostScript"),
    (b"\x00\x00\x00\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\x00\x00\x00\x0cJXL ", "JPEG XL"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\x76\x2f\x31\x01", "OpenEXR"),
    (b"SIMPLE  =", "FITS"),
    (b"FUJIFILMCCD-RAW", "camera raw"),
    (b"IIRO", "camera raw"),
    (b"IIU\x00", "camera raw"),
    (b"PK\x03\x04", "ZIP"),
    (b"\x1aE\xdf\xa3", "video"),
)

_MARKUP: Final = ((b"<svg", "SVG"), (b"<!doctype svg", "SVG"), (b"<!doctype html", "HTML"), (b"<html", "HTML"))

_BRANDS: Final[Mapping[bytes, str]] = {
    **dict.fromkeys((b"avif", b"avis"), AVIF),
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"), HEIF),
    b"crx ": "camera raw",
}


def sniff(head: bytes) -> str | None:
    """The kind of a file from its first ``HEAD`` bytes: a format's name, a refused kind, or None when unknown."""
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return name
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return WEBP
    if head[4:8] == b"ftyp":
        return _brand(head)
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith(b"<?xml"):
        return "SVG" if b"<svg" in text else "XML"
    return next((name for start, name in _MARKUP if text.startswith(start)), None)


def by_suffix(suffix: str) -> str | None:
    """The kind that a lower-case *suffix* with its dot promises, or None when it is not an image's."""
    return _SUFFIXES.get(suffix) or _REFUSED_SUFFIXES.get(suffix)


def refusal(kind: str) -> str | None:
    """Why files of *kind* are not read here, and what to do, as a clause; None when they are read."""
    if kind == HEIF and find_spec("pillow_heif") is None:
        return 'an HEIC image, which needs a further package; pip install "imagekin[heif]"'
    if kind == AVIF and not _avif_works():
        return "an AVIF image, which this build of Pillow cannot read; install the Pillow wheel from PyPI"
    return _REFUSALS.get(kind)


def webp_size(data: bytes) -> tuple[int, int] | None:
    """Width and height in a WebP file's header (RFC 9649, 2.5 to 2.7); None for other files."""
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP" or len(data) < 30:
        return None
    if data[12:16] == b"VP8X":
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    if data[12:16] == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return int.from_bytes(data[26:28], "little") & 0x3FFF, int.from_bytes(data[28:30], "little") & 0x3FFF


def _brand(head: bytes) -> str:
    """The kind of an ISO media file: by its major brand, and by the compatible ones where that one is generic."""
    brands = [head[8:12], *(head[at : at + 4] for at in range(16, min(len(head), int.from_bytes(head[:4], "big")), 4))]
    kinds = [_BRANDS[brand] for brand in brands if brand in _BRANDS]
    if brands[0] in (b"mif1", b"msf1") and AVIF in kinds:
        return AVIF
    return kinds[0] if kinds else "video"


def _avif_works() -> bool:
    from PIL import features

    return bool(features.check("avif"))
