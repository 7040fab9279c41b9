"""Edits that a picture goes through before somebody searches by it, each at several strengths."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Final

from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from imagekin.errors import UnknownNameError

_GREY: Final = (128, 128, 128)
_BOX: Final = (24, 24, 28)
_TEXT: Final = (250, 250, 245)


@dataclass(frozen=True, slots=True)
class Edit:
    """One edit at one strength.

    Attributes:
        name: of the kind of edit.
        strength: for people.
        apply: gives an RGB picture, not the given one changed.
    """

    name: str
    strength: str
    apply: Callable[[Image.Image], Image.Image]


def crop(picture: Image.Image, *, keep: float) -> Image.Image:
    """The middle of the picture, *keep* of each side."""
    width, height = max(1, round(picture.width * keep)), max(1, round(picture.height * keep))
    left, top = (picture.width - width) // 2, (picture.height - height) // 2
    return picture.crop((left, top, left + width, top + height))


def jpeg(picture: Image.Image, *, quality: int) -> Image.Image:
    """The picture after JPEG at *quality* 1 … 95."""
    data = BytesIO()
    picture.save(data, "JPEG", quality=quality)
    with Image.open(data) as again:
        return again.convert("RGB")


def blur(picture: Image.Image, *, share: float) -> Image.Image:
    """A Gaussian blur whose standard deviation is *share* of the shorter side."""
    return picture.filter(ImageFilter.GaussianBlur(share * min(picture.size)))


def brightness(picture: Image.Image, *, factor: float) -> Image.Image:
    """Every channel times *factor*, cut off at white."""
    return ImageEnhance.Brightness(picture).enhance(factor)


def saturation(picture: Image.Image, *, factor: float) -> Image.Image:
    """Colours *factor* times as far from grey; 0 leaves greys."""
    return ImageEnhance.Color(picture).enhance(factor)


def rotation(picture: Image.Image, *, degrees: float) -> Image.Image:
    """Turned to the left within its frame, which quarter turns swap; corners become grey."""
    if degrees % 90 == 0:
        return picture.rotate(degrees, expand=True)
    return picture.rotate(degrees, Image.Resampling.BICUBIC, fillcolor=_GREY)


def overlay(picture: Image.Image, *, share: float) -> Image.Image:
    """A dark band with text over the lowest *share* of the picture, as captions are."""
    shown = picture.copy()
    height = max(1, round(picture.height * share))
    band = Image.new("RGB", (picture.width, height), _BOX)
    draw = ImageDraw.Draw(band)
    size = max(6, min(height // 2, picture.width // 8))
    draw.text((band.width // 2, height // 2), "imagekin", fill=_TEXT, anchor="mm", font_size=size)
    shown.paste(band, (0, picture.height - height))
    return shown


def _table() -> Mapping[str, tuple[Edit, ...]]:
    """Each kind with its strengths, mildest first."""
    kinds: dict[str, dict[str, Callable[[Image.Image], Image.Image]]] = {
        "crop": {f"{keep:.0%} of each side kept": _with(crop, keep=keep) for keep in (0.9, 0.75, 0.5)},
        "flip": {"left to right": ImageOps.mirror, "upside down": ImageOps.flip},
        "jpeg": {f"quality {quality}": _with(jpeg, quality=quality) for quality in (50, 20, 5)},
        "blur": {f"{share:.0%} of the shorter side": _with(blur, share=share) for share in (0.01, 0.02, 0.04)},
        "colour": {
            "half as bright": _with(brightness, factor=0.5),
            "half more bright": _with(brightness, factor=1.5),
            "twice as colourful": _with(saturation, factor=2.0),
            "grey": _with(saturation, factor=0.0),
        },
        "rotation": {f"{degrees}°": _with(rotation, degrees=degrees) for degrees in (5, 15, 45, 90)},
        "overlay": {f"caption over {share:.0%}": _with(overlay, share=share) for share in (0.1, 0.25, 0.5)},
    }
    return {
        name: tuple(Edit(name, strength, apply) for strength, apply in strengths.items())
        for name, strengths in kinds.items()
    }


def _with(edit: Callable[..., Image.Image], **strength: float) -> Callable[[Image.Image], Image.Image]:
    return lambda picture: edit(picture, **strength)


EDITS: Final[Mapping[str, tuple[Edit, ...]]] = _table()
"""Kinds of edit by name, each with its strengths, mildest first."""


def chosen(names: Iterable[str] | None) -> tuple[Edit, ...]:
    """Every strength of the edits of these names; None for all.

    Raises:
        UnknownNameError: an unknown name, or none at all; the message lists the known ones.
    """
    wanted = list(EDITS) if names is None else list(dict.fromkeys(names))
    for name in wanted or [""]:
        if name not in EDITS:
            raise UnknownNameError(f"no edit is called {name!r}; known: {', '.join(EDITS)}.")
    return tuple(edit for name in wanted for edit in EDITS[name])
