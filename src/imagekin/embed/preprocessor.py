"""Reads the configuration of an image processor, as repositories of models carry it, into a recipe and a scaling.

The file ``preprocessor_config.json`` lists what is done to a picture; a key that is absent or null means the default of
the class it names, and classes read some keys in their own way.  Both are data here: a class that is not in the table
is read by its keys alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from imagekin.embed.scaling import IMAGENET_MEAN, IMAGENET_STD, Scaling
from imagekin.embed.steps import Steps
from imagekin.errors import InputError, ModelError

CLIP_MEAN: Final = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD: Final = (0.26862954, 0.26130258, 0.27577711)

LARGEST: Final = 2_048
"""Rows or columns of an input at the most; the largest published ones have about 1,000."""

_FILTERS: Final = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")
"""By the numbers that Pillow gives them."""

_HALF: Final[Mapping[str, Any]] = {"image_mean": 0.5, "image_std": 0.5}
_IMAGENET: Final[Mapping[str, Any]] = {"image_mean": IMAGENET_MEAN, "image_std": IMAGENET_STD}
_CLIP: Final[Mapping[str, Any]] = {
    "image_mean": CLIP_MEAN, "image_std": CLIP_STD,
    "size": {"shortest_edge": 224}, "crop_size": 224, "do_center_crop": True, "resample": 3, "short": True,
}  # fmt: skip
_MOBILENET: Final[Mapping[str, Any]] = {
    **_HALF, "size": {"shortest_edge": 256}, "crop_size": 224, "do_center_crop": True, "resample": 2, "short": True
}  # fmt: skip

_CLASSES: Final[Mapping[str, Mapping[str, Any]]] = {
    "CLIP": _CLIP, "ChineseCLIP": _CLIP, "Bit": _CLIP, "Llava": _CLIP,
    "Siglip": {**_HALF, "size": 224, "resample": 3},
    "ViT": {**_HALF, "size": 224, "resample": 2},
    "DeiT": {**_HALF, "size": 256, "crop_size": 224, "do_center_crop": True, "resample": 3},
    "Beit": {**_HALF, "size": 224, "crop_size": 224, "resample": 3},
    "Blip": {"image_mean": CLIP_MEAN, "image_std": CLIP_STD, "size": 384, "resample": 3},
    "OwlViT": {"image_mean": CLIP_MEAN, "image_std": CLIP_STD, "size": 768, "resample": 3},
    "ConvNext": {**_HALF, "size": 384, "resample": 3, "crop_pct": 224 / 256, "short": True},
    "DINOv3ViT": {**_IMAGENET, "size": 224, "resample": 2, "precise": True},
    "EfficientNet": {**_HALF, "size": 346, "crop_size": 289, "resample": 3, "include_top": True},
    "Levit": {**_CLIP, **_IMAGENET},
    "PoolFormer": {**_CLIP, **_IMAGENET, "crop_pct": 0.9},
    "Pvt": {**_IMAGENET, "size": 224, "resample": 3},
    **dict.fromkeys(("MobileNetV1", "MobileNetV2", "MobileNetV3", "MobileNetV4"), _MOBILENET),
    "MobileViT": {
        "size": 224, "crop_size": 256, "do_center_crop": True, "resample": 3, "short": True,
        "do_normalize": False, "do_flip_channel_order": True,
    },
}  # fmt: skip
"""What a class means by a key that is absent; ``short`` is whether a bare size is that of the short side."""

_ENDS: Final = ("Fast", "Pil", "ImageProcessor", "FeatureExtractor")


@dataclass(frozen=True, slots=True)
class Size:
    """A size as configurations give it: a box, or a side that the other one follows."""

    kind: Literal["box", "short", "long"]
    height: int
    width: int
    longest: int | None = None


class Preprocessor:
    """What a configuration says of preprocessing.

    Args:
        given: the content of ``preprocessor_config.json``.
        config: that of ``config.json``, which may say the size of the network's pictures.

    Raises:
        ModelError: a value is not what it should be; the sentence names the key.
    """

    def __init__(self, given: Mapping[str, Any], config: Mapping[str, Any]) -> None:
        self.name = class_name(given)
        known = {**given, **_own_words(given)}
        self._values = {**_CLASSES.get(self.name, {}), **{key: known[key] for key in known if known[key] is not None}}
        self._values.setdefault("size", _picture_size(config))

    def scaling(self) -> Scaling:
        """Rescaling and normalising, in one step."""
        scale = self._number("rescale_factor", 1 / 255) if self._flag("do_rescale", True) else 1.0
        mean, std = self._channels("image_mean"), self._channels("image_std")
        if not self._flag("do_normalize", True):
            mean, std = (0.0,) * 3, (1.0,) * 3
        elif "image_mean" not in self._values or "image_std" not in self._values:
            raise ModelError("the preprocessor normalises, but says no image_mean and image_std.")
        if self._flag("rescale_offset", False):  # x · scale − 1, before the mean is taken away
            mean = tuple(value + 1 for value in mean)
        if self.name == "EfficientNet" and self._flag("include_top", False):
            std = tuple(value * value for value in std)  # divided by twice
        if scale < 1e-6:
            raise ModelError(f"the preprocessor's rescale_factor is {scale}, and must be 0.000001 or more.")
        channels: Literal["RGB", "BGR"] = "BGR" if self._flag("do_flip_channel_order", False) else "RGB"
        try:
            return Scaling(scale, mean, std, channels)
        except InputError as error:
            raise ModelError(f"the preprocessor cannot be used: {error}") from error

    def steps(self, size: tuple[int, int] | None = None) -> Steps:
        """Resizing and cropping.

        Args:
            size: rows and columns of the input instead of those in the configuration; what is cut away keeps its share.
        """
        resize = self._size("size") if self._flag("do_resize", True) else None
        crop = self._size("crop_size") if self._flag("do_center_crop", False) and "crop_size" in self._values else None
        resize, crop = self._by_share(resize, crop)
        pad = self._size("pad_size") if self._flag("do_pad", False) and "pad_size" in self._values else None
        said = pad or crop or resize or self._size("size")  # a side that others follow is that of a square
        height, width = said.height, said.width
        if size is not None:
            resize = None if resize is None else _scaled(resize, (size[0] / height, size[1] / width))
            height, width = size
        if max(height, width) > LARGEST:
            raise ModelError(f"the preprocessor makes pictures of {height} x {width} pixels; {LARGEST} are the most.")
        return self._made(height, width, resize, "corner" if pad is not None else "centre")

    def _made(self, height: int, width: int, resize: Size | None, pad: Literal["centre", "corner"]) -> Steps:
        side: int | tuple[int, int] | None = None
        longest = None
        if resize is not None:
            side = (resize.height, resize.width) if resize.kind == "box" else resize.height
            longest = resize.longest
            if resize.kind == "long":
                side, longest = None, resize.height
        fills = self._fill() if pad == "corner" else (0, 0, 0)
        try:
            return Steps(
                height, width, resample=self._filter(), fill=fills, resize=side, longest=longest, pad=pad,
                corner=self._values.get("corner", "down"), precise=bool(self._values.get("precise")),
            )  # fmt: skip
        except InputError as error:
            raise ModelError(f"the preprocessor cannot be used: {error}") from error

    def _by_share(self, resize: Size | None, crop: Size | None) -> tuple[Size | None, Size | None]:
        """What classes make of ``crop_pct``, and LeViT of its size."""
        if resize is None or resize.kind == "long":
            return resize, crop
        if self.name == "Levit" and resize.kind == "short":
            return _scaled(resize, (256 / 224, 256 / 224)), crop
        share = self._number("crop_pct", 0.0)
        if not share:
            return resize, crop
        if not 0.05 <= share <= 1:
            raise ModelError(f"the preprocessor's crop_pct is {share}, and must be between 0.05 and 1.")
        if self.name != "ConvNext":
            cut = crop or Size("box", resize.height, resize.width)
            return Size("short", int(resize.height / share), int(resize.width / share)), cut
        if resize.height >= 384:  # warped, as it was trained
            return Size("box", resize.height, resize.width), crop
        return Size("short", int(resize.height / share), int(resize.height / share)), crop or resize

    def _fill(self) -> tuple[int, int, int]:
        """The border's colour, which is laid after normalising there: 0 stands for the mean."""
        scaling = self.scaling()
        means = scaling.mean if not isinstance(scaling.mean, (int, float)) else (scaling.mean,) * 3
        levels = [min(max(round(mean / scaling.scale), 0), 255) for mean in means]
        first, second, third = levels if scaling.channels == "RGB" else levels[::-1]
        return first, second, third

    def _filter(self) -> str:
        value = self._values.get("resample", self._values.get("interpolation", 2))
        if isinstance(value, str) and value in _FILTERS:
            return value
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(_FILTERS):
            return _FILTERS[value]
        raise ModelError(f"the preprocessor's resample is {str(value)[:60]!r}, and must be one of 0 … 5.")

    def _flag(self, key: str, default: bool) -> bool:
        value = self._values.get(key, default)
        if not isinstance(value, bool):
            raise ModelError(f"the preprocessor's {key} is {str(value)[:60]!r}, and must be true or false.")
        return value

    def _number(self, key: str, default: float) -> float:
        value = self._values.get(key, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < 1e6:
            raise ModelError(f"the preprocessor's {key} is {str(value)[:60]}, and must be a number.")
        return float(value)

    def _channels(self, key: str) -> tuple[float, ...]:
        value = self._values.get(key, 0.0)
        values = list(value) if isinstance(value, (list, tuple)) else [value]
        right = len(values) in (1, 3) and all(
            isinstance(each, (int, float)) and not isinstance(each, bool) and abs(each) < 1e6 for each in values
        )
        if not right:
            raise ModelError(f"the preprocessor's {key} is {str(value)[:60]}, and must be one number or three.")
        return tuple(float(each) for each in (values * 3 if len(values) == 1 else values))

    def _size(self, key: str) -> Size:
        return read_size(self._values.get(key), short=bool(self._values.get("short")), key=key)


def class_name(given: Mapping[str, Any]) -> str:
    """The name of the class that a configuration was written by, without its ending: ``CLIP``, ``Siglip``, ``ViT``."""
    name = str(given.get("image_processor_type") or given.get("feature_extractor_type") or "")
    for end in _ENDS:
        name = name.removesuffix(end)
    return name


def read_size(value: Any, *, short: bool, key: str = "size") -> Size:
    """A size in any of the forms that configurations have.

    Args:
        value: a number, two numbers, or a mapping whose keys may be null.
        short: whether a bare number is the short side's, or both sides'.
        key: to be named in the message.

    Raises:
        ModelError: it has none of these forms, or is not within 1 … 8192.
    """
    if isinstance(value, (list, tuple)) and len(value) == 2:
        value = {"height": value[0], "width": value[1]}
    if not isinstance(value, Mapping):
        side = _side(value, key)
        return Size("short" if short and key == "size" else "box", side, side)
    sides = {name: _side(each, key) for name, each in value.items() if each is not None}
    if "height" in sides and "width" in sides:
        return Size("box", sides["height"], sides["width"])
    if "shortest_edge" in sides:
        side = sides["shortest_edge"]
        longest = sides.get("longest_edge")
        return Size("short" if key == "size" else "box", side, side, longest if key == "size" else None)
    if "longest_edge" in sides:
        return Size("long", sides["longest_edge"], sides["longest_edge"])
    raise ModelError(f"the preprocessor's {key} is {str(value)[:80]}, of which nothing can be made.")


def _side(value: Any, key: str) -> int:
    number = isinstance(value, (int, float)) and not isinstance(value, bool) and 1 <= value <= 8192
    if not number or value != int(value):
        raise ModelError(f"the preprocessor's {key} is {str(value)[:80]}, and must be whole pixels from 1 to 8192.")
    return int(value)


def _scaled(size: Size, factors: tuple[float, float]) -> Size:
    """A size by these factors for rows and columns; one that is the short side's by the larger of them."""
    down, across = factors if size.kind == "box" else (max(factors),) * 2
    height, width = max(1, int(size.height * down + 1e-9)), max(1, int(size.width * across + 1e-9))
    longest = None if size.longest is None else max(1, round(size.longest * max(factors)))
    return Size(size.kind, height, width, longest)


def _own_words(given: Mapping[str, Any]) -> dict[str, Any]:
    """What JinaCLIP's and timm's configurations say in words of their own, in those of the others."""
    timm = given.get("pretrained_cfg")
    if isinstance(timm, Mapping):
        return _from_timm(timm)
    if "resize_mode" not in given:
        return {}
    mode, size = given["resize_mode"], given.get("size")
    kinds = {"squash": size, "shortest": {"shortest_edge": size}, "longest": {"longest_edge": size}}
    if not isinstance(mode, str) or mode not in kinds or isinstance(size, Mapping):
        raise ModelError(f"the preprocessor's resize_mode is {str(mode)[:60]!r}, of which nothing can be made.")
    own = {"image_mean": given.get("mean"), "image_std": given.get("std"), "resample": given.get("interpolation")}
    return {
        **own,
        "corner": "round",
        "size": kinds[mode],
        "crop_size": size,
        "do_center_crop": True,
        "do_normalize": True,
    }


def _from_timm(timm: Mapping[str, Any]) -> dict[str, Any]:
    """What ``pretrained_cfg`` says: the input's (channels, rows, columns) and the share of the picture in it."""
    shape, share = timm.get("input_size"), timm.get("crop_pct") or 0.875
    right = isinstance(shape, (list, tuple)) and len(shape) == 3 and isinstance(share, (int, float))
    if not right or not 0.05 <= share <= 1:
        said = " and ".join(str(each)[:60] for each in (shape, share))
        raise ModelError(f"the configuration's input_size and crop_pct are {said}; none can be used.")
    height, width = (_side(side, "input_size") for side in list(shape or ())[1:])
    sides = [math.floor(side / share) for side in (height, width)]
    squash = timm.get("crop_mode") == "squash" or height != width
    size: Any = {"height": sides[0], "width": sides[1]} if squash else {"shortest_edge": sides[0]}
    crop = {"height": height, "width": width}
    words = {"size": size, "crop_size": crop, "do_center_crop": True, "corner": "round"}
    words["resample"] = timm.get("interpolation", "bilinear")
    return {**words, "image_mean": timm.get("mean") or IMAGENET_MEAN, "image_std": timm.get("std") or IMAGENET_STD}


def _picture_size(config: Mapping[str, Any]) -> Any:
    """The size of the network's pictures by its own configuration, or 224."""
    vision = config.get("vision_config")
    inner = vision if isinstance(vision, Mapping) else {}
    return config.get("image_size") or inner.get("image_size") or 224
