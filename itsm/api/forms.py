"""The marshmallow that input is read with: strictly typed, every fault told at once, by JSON pointer (RFC 6901).

A `Form` reads a body or a query and becomes a frozen value. Nothing is bent: a number is no text, `"true"` no truth value, and
a member that nobody asked for is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final, NoReturn, cast

from marshmallow import RAISE, Schema, ValidationError, fields, post_load, validate

from itsm.platform.errors import DeskError, FieldError, invalid

LONGEST_KEY: Final = 200
MOST_FIELDS: Final = 200
"""Members at most in an object of a ticket's own fields."""

FIRST_YEAR: Final = 1970
LAST_YEAR: Final = 2199


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault before its place is known."""

    code: str
    message: str


def fault(code: str, message: str) -> ValidationError:
    """The error that a field raises."""
    return ValidationError([Fault(code, message)])


def words(kind: str) -> dict[str, Any]:
    """What a field says of a value that is missing or of another type."""
    wrong = [Fault("wrong_type", f"This member must be {kind}.")]
    return {"required": [Fault("required", "This member is required.")], "null": wrong, "invalid": wrong}


def within_reach(instant: datetime) -> None:
    """Raise a fault for an instant near the ends of what a datetime can be, where no span could be added or taken away."""
    if not FIRST_YEAR <= instant.year <= LAST_YEAR:
        raise fault("invalid_value", f"This must lie in the years from {FIRST_YEAR} to {LAST_YEAR}.")


class Text(fields.String):
    """Text of `least` to `most` characters, or one of `choices`; it begins with `pattern`, if one is given."""

    def __init__(
        self,
        about: str,
        most: int = LONGEST_KEY,
        *,
        least: int = 1,
        choices: tuple[str, ...] = (),
        pattern: str | None = None,
        example: str | None = None,
        **more: Any,
    ) -> None:
        rules: list[validate.Validator] = []
        if choices:
            rules.append(validate.OneOf(choices, error="This must be one of: {choices}."))
        else:
            rules.append(validate.Length(least, most, error=f"This must have {least:,} to {most:,} characters."))
        if pattern:
            rules.append(validate.Regexp(re.compile(pattern), error="This has not the right form."))
        metadata = {"description": about} if example is None else {"description": about, "example": example}
        super().__init__(validate=rules, error_messages=words("text"), metadata=metadata, **more)


class WholeNumber(fields.Integer):
    """A whole number between two bounds; in a query it stands in digits."""

    def __init__(self, about: str, low: int, high: int, *, in_query: bool = False, **more: Any) -> None:
        self._in_query = in_query
        rule = validate.Range(low, high, error=f"This must be from {low} to {high}.")
        metadata = {"description": about}
        super().__init__(strict=True, validate=rule, error_messages=words("a whole number"), metadata=metadata, **more)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **more: Any) -> int:
        if self._in_query and re.fullmatch(r"[0-9]{1,18}", value, re.ASCII):
            value = int(value)
        return super()._deserialize(value, attr, data, **more)


class Listed(fields.List[Any]):
    """Values with commas between them, as a query writes them: `state=new,assigned`."""

    def __init__(self, about: str, most: int = 20, *, choices: tuple[str, ...] = (), **more: Any) -> None:
        rule = validate.Length(1, most, error=f"There may be at most {most} values here.")
        super().__init__(Text("", choices=choices), validate=rule, metadata={"description": about}, **more)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_more: Any) -> list[Any]:
        return [self.inner.deserialize(each, attr, data) for each in dict.fromkeys(value.split(","))]


class Values(fields.Dict):
    """Values of a ticket's own fields by name. Their types are the workflow's to say, and are checked there."""

    def __init__(self, about: str, **more: Any) -> None:
        metadata = {"description": about, "maxProperties": MOST_FIELDS}
        super().__init__(error_messages=words("an object"), metadata=metadata, **more)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **more: Any) -> dict[str, Any]:
        if isinstance(value, dict) and len(value) > MOST_FIELDS:
            raise fault("invalid_value", f"There may be at most {MOST_FIELDS} fields here.")
        return cast(dict[str, Any], super()._deserialize(value, attr, data, **more))  # type: ignore[no-untyped-call]


class Form(Schema):
    """What a body or a query must look like. `makes` is the frozen value that it becomes."""

    class Meta:
        unknown = RAISE

    makes: ClassVar[Any]
    error_messages = cast(
        dict[str, str],  # so marshmallow says, and takes what it gets
        {
            "unknown": Fault("unknown_member", "There is no such member, or it cannot be written."),
            "type": Fault("wrong_type", "An object is expected."),
        },
    )

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
