"""The vocabulary of answers: what their members are, for the documents. Answers themselves are put together by hand."""

from __future__ import annotations

from typing import Any, Final

from marshmallow import RAISE, Schema, fields

from itsm.workflow.definition import Category

CATEGORIES: Final = tuple(category.value for category in Category)


class Shape(Schema):
    """What an answer looks like."""

    class Meta:
        unknown = RAISE


def text(about: str, *, optional: bool = False, example: str | None = None, **more: Any) -> fields.String:
    """A text; null where `optional`."""
    return fields.String(required=True, allow_none=optional, metadata=_told(about, example=example), **more)


def now_and_then(about: str, **more: Any) -> fields.String:
    """A text that is left out where there is none."""
    return fields.String(metadata=_told(about), **more)


def instant(about: str, *, optional: bool = False) -> fields.AwareDateTime:
    """A moment; null where `optional`."""
    return fields.AwareDateTime(format="iso", required=True, allow_none=optional, metadata=_told(about))


def whole(about: str) -> fields.Integer:
    """A whole number."""
    return fields.Integer(required=True, metadata=_told(about))


def flag(about: str) -> fields.Boolean:
    """A truth value."""
    return fields.Boolean(required=True, metadata=_told(about))


def texts(about: str, *, optional: bool = False, **more: Any) -> fields.List[Any]:
    """A list of texts; null where `optional`."""
    return fields.List(fields.String(), required=True, allow_none=optional, metadata=_told(about), **more)


def many(shape: type[Shape], about: str = "", **more: Any) -> fields.List[Any]:
    """A list of values of one shape."""
    return fields.List(fields.Nested(shape), required=True, metadata=_told(about), **more)


def open_object(about: str, **more: Any) -> fields.Dict:
    """An object whose members are not fixed."""
    return fields.Dict(keys=fields.String(), required=True, metadata=_told(about), **more)


def addresses() -> fields.Dict:
    """Paths by name."""
    return fields.Dict(keys=fields.String(), values=fields.String(), required=True, metadata=_told("Where to go from here."))


def category() -> fields.String:
    """The category of a state."""
    about = "What the state means to everyone who does not know the practice."
    return fields.String(required=True, metadata=_told(about, enum=list(CATEGORIES)))


def _told(about: str, **more: Any) -> dict[str, Any]:
    return {name: value for name, value in {"description": about, **more}.items() if value}
