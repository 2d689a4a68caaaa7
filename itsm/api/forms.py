"""The marshmallow the API's schemas are made of: strictly typed, every fault told at once, by JSON pointer (RFC 6901).

A `Form` reads a body or a query and becomes a frozen value; a `Shape` only describes an answer. Nothing is bent: a number is no
text, `"true"` no truth value, and a member nobody asked for is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, NoReturn

from marshmallow import Schema, ValidationError, fields, post_load, validate

from itsm.platform.errors import DeskError, FieldError, invalid

LONGEST_KEY: Final = 200
MOST_FIELDS: Final = 200
"""Members at most in an object of a ticket's own fields."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault before its place is known."""

    code: str
    message: str


_REQUIRED: Final = [Fault("required", "This member is required.")]
_NULL: Final = [Fault("wrong_type", "This member must not be null.")]


class _Told:
    """Gives a field our words; `default_error_messages` is collected along the classes."""

    default_error_messages: ClassVar[Mapping[str, object]] = {"required": _REQUIRED, "null": _NULL}


class Text(_Told, fields.String):
    """Text of `least` to `most` characters, of the given choices or pattern."""

    default_error_messages: ClassVar[dict[str, Any]] = {"invalid": [Fault("wrong_type", "This member must be text.")]}

    def __init__(
        self, most: int = LONGEST_KEY, *, least: int = 1, choices: tuple[str, ...] = (), pattern: str | None = None, **more: Any
    ) -> None:
        rules: list[validate.Validator] = []
        if choices:
            rules.append(validate.OneOf(choices, error="This must be one of: {choices}."))
        elif pattern:
            rules.append(validate.Regexp(re.compile(pattern, re.ASCII), error="This has not the right form."))
        else:
            words = f"This must have {least:,} to {most:,} characters."
            rules.append(validate.Length(least, most, error=words))
        super().__init__(validate=rules, **more)


class WholeNumber(_Told, fields.Integer):
    """A whole number between two bounds. In a query it is written in digits."""

    default_error_messages: ClassVar[dict[str, Any]] = {"invalid": [Fault("wrong_type", "This member must be a whole number.")]}

    def __init__(self, low: int, high: int, *, in_query: bool = False, **more: Any) -> None:
        self._in_query = in_query
        rule = validate.Range(low, high, error=f"This must be from {low} to {high}.")
        super().__init__(strict=True, validate=rule, **more)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **more: Any) -> int:
        if self._in_query and isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value, re.ASCII):
            value = int(value)
        return super()._deserialize(value, attr, data, **more)


class Listed(_Told, fields.List[str]):
    """Values with commas between them, as a query writes them: `state=new,assigned`."""

    def __init__(self, most: int = 20, item: Text | None = None, **more: Any) -> None:
        rule = validate.Length(1, most, error=f"There may be at most {most} values here.")
        super().__init__(item or Text(), validate=rule, **more)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **more: Any) -> list[str]:
        values = list(dict.fromkeys(str(value).split(",")))
        return [self.inner.deserialize(each) for each in values]


class Values(_Told, fields.Dict):
    """Values of a ticket's own fields by name. Their types are the workflow's to say, and are checked there."""

    default_error_messages: ClassVar[dict[str, Any]] = {"invalid": [Fault("wrong_type", "This member must be an object.")]}

    def __init__(self, **more: Any) -> None:
        rule = validate.Length(max=MOST_FIELDS, error=f"There may be at most {MOST_FIELDS} fields here.")
        super().__init__(validate=rule, **more)


class Shape(Schema):
    """What an answer looks like."""


class Form(Schema):
    """What a body or a query must look like. `makes` is the frozen value that it becomes."""

    makes: ClassVar[type]
    error_messages: ClassVar[dict[str, Any]] = {
        "unknown": Fault("unknown_member", "There is no such member, or it cannot be written."),
        "type": Fault("wrong_type", "An object is expected."),
    }

    @post_load
    def _make(self, data: dict[str, Any], **_more: Any) -> Any:
        return self.makes(**data)


def read(form: Form, data: Any) -> Any:
    """The value that `form` makes of `data`. Raises `DeskError` (`invalid_input`) naming every fault."""
    try:
        return form.load(data)
    except ValidationError as error:
        refuse(error.messages)


def refuse(messages: Any) -> NoReturn:
    """Raise `invalid_input` for marshmallow's messages, each at its pointer."""
    faults = tuple(_faults(messages, ""))
    raise invalid(*faults, detail=_in_words(faults))


def refusal(pointer: str, code: str, message: str) -> DeskError:
    """The refusal of a single value."""
    return invalid(FieldError(pointer, code, message), detail=message)


def _faults(messages: Any, pointer: str) -> Iterator[FieldError]:
    if isinstance(messages, dict):
        for name, inner in messages.items():
            step = "" if name == "_schema" else "/" + str(name).replace("~", "~0").replace("/", "~1")
            yield from _faults(inner, pointer + step)
        return
    for each in messages:
        if isinstance(each, Fault):
            yield FieldError(pointer, each.code, each.message)
        else:
            yield FieldError(pointer, "invalid_value", str(each))


def _in_words(faults: tuple[FieldError, ...]) -> str:
    places = ", ".join(fault.pointer or "the body" for fault in faults[:10])
    return f"The input is not valid: see {places}{' and more' if len(faults) > 10 else ''}."
