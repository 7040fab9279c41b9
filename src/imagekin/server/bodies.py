"""Bodies of requests: options as JSON, or as the fields of a form that brings pictures, checked by one shape."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from imagekin.server import forms
from imagekin.server.problems import Problem

Shape = TypeVar("Shape", bound=BaseModel)


async def read(
    request: Request, shape: type[Shape], *, form: type[Shape] | None = None, lists: Collection[str] = ()
) -> tuple[Shape, list[bytes]]:
    """The options of a request and the pictures that it brings.

    Args:
        request: its body is read.
        shape: of the options.
        form: of the options of a form, where they differ.
        lists: the fields that may come several times.

    Raises:
        Problem: 400, it cannot be read; 413, too large; 415, of another kind; 422, a form without a picture.
        RequestValidationError: an option makes no sense.
    """
    kind = request.headers.get("content-type", "")
    plain = kind.partition(";")[0].strip().lower()
    if plain == "application/json":
        return of_json(shape, await request.body()), []
    if plain != "multipart/form-data":
        raise Problem(415, "this is sent as application/json, or with pictures as multipart/form-data.")
    brought = await forms.read(request.stream(), kind)
    if not brought.pictures:
        raise Problem(422, "the form has no picture; send one as the field image.")
    fields: dict[str, Any] = {name: v if name in lists else v[-1] for name, v in brought.fields.items()}
    if len(region := brought.fields.get("crop", [])) > 1:  # as four fields, which is how forms have lists
        fields["crop"] = region
    return of_fields(form or shape, fields), brought.pictures


def of_json(shape: type[Shape], body: bytes) -> Shape:
    """The options of a JSON body, in which a number is no text and a text no number."""
    try:
        return shape.model_validate_json(body, strict=True)
    except ValidationError as error:
        if error.errors()[0]["type"] == "json_invalid":
            raise Problem(400, "the body is not JSON.") from None
        raise RequestValidationError(error.errors(include_url=False)) from error


def of_fields(shape: type[Shape], fields: dict[str, Any]) -> Shape:
    """The options of a form, in which everything is text."""
    try:
        return shape.model_validate(fields)
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_url=False)) from error


def described(shape: type[BaseModel], *, form: dict[str, Any], pictures: int) -> dict[str, Any]:
    """What /openapi.json says of a body that is read so.

    Args:
        shape: of the options as JSON.
        form: the schema of the options of a form.
        pictures: how many a form may bring.
    """
    image = {"type": "array", "items": {"type": "string", "format": "binary"}, "maxItems": pictures, "minItems": 1}
    fields = {"type": "object", "required": ["image"], "properties": {"image": image, **form["properties"]}}
    content = {"application/json": {"schema": shape.model_json_schema()}, "multipart/form-data": {"schema": fields}}
    return {"requestBody": {"required": True, "content": content}}
