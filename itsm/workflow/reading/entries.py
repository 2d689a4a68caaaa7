"""The single entries of forms: text, names, closed sets, numbers, expressions, spans of time.

Each reads a scalar of a source tree (or the plain value that stands for it), raises `form.fault`s, and describes itself as
JSON Schema for editors. What holds other entries is in `compounds.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, Final, TypeAlias, TypeVar

from marshmallow import ValidationError, fields

from itsm.workflow import source
from itsm.workflow.definition import Expression, Position
from itsm.workflow.reading.form import NOWHERE, Fault, Noun, fault, names, shape, suggestion
from itsm.worktime.duration import Duration, DurationError

Json: TypeAlias = dict[str, object]
T = TypeVar("T")

_NAME: Final = "[a-z][a-z0-9_]{0,62}"
_PATH: Final = re.compile(r"now|comment|(actor|ticket|tasks|approvals|links)(\.[a-z_][a-z0-9_]*)+")


class Entry(fields.Field[T]):
    """A field of a form, which can describe itself to an editor."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> T:
        return self.take(value)

    def take(self, value: Any) -> T:
        """What is meant by a value that is written. Raises `ValidationError`, best by `form.fault`."""
        raise NotImplementedError

    def json_schema(self) -> Json:
        """The JSON Schema of what may be written here."""
        return {}


class Raw(Entry[Any]):
    """Anything, kept as it is until more is known."""

    def take(self, value: Any) -> Any:
        return value


class Text(Entry[str]):
    """A word or a text, exactly as written: `no` and `1.10` are text like any other."""

    def take(self, value: Any) -> str:
        return text_of(value)

    def json_schema(self) -> Json:
        return {"type": ["string", "number", "boolean"]}


class NewName(Text):
    """A name that is given here; expressions, addresses and columns bear it. Some are `refused`, for reasons of their own."""

    def __init__(self, noun: str, refused: Mapping[str, Fault] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.noun = noun
        self.refused = refused or {}

    def take(self, value: Any) -> str:
        name = text_of(value)
        if not re.fullmatch(_NAME, name):
            hint = "Use lower-case letters, digits and _, with a letter first, 63 at most."
            raise fault("bad-name", f"{source.quoted(name)} cannot be the name of a {self.noun}.", hint)
        if name in self.refused:
            raise ValidationError([self.refused[name]])
        return name

    def json_schema(self) -> Json:
        return {"type": "string", "pattern": f"^{_NAME}$"}


class Name(Text):
    """A name that is given elsewhere. `also` are words that may stand in its place."""

    def __init__(self, noun: Noun, also: Iterable[str] = (), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.noun = noun
        self.also = frozenset(also)

    def take(self, value: Any) -> str:
        name = text_of(value)
        if name not in self.also:
            names().require(self.noun, name)
        return name

    def json_schema(self) -> Json:
        known = names().known.get(self.noun)
        return {"type": "string"} if known is None else {"enum": sorted(known | self.also)}


class Word(Entry[Any]):
    """A word of a closed set; the `noun` makes the code when it is none of them: `unknown-rule`."""

    def __init__(self, words: Iterable[str], noun: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.words = tuple(words)
        self.noun = noun

    def take(self, value: Any) -> Any:
        word = text_of(value)
        if word not in self.words:
            message = f"There is no {self.noun} {source.quoted(word)}."
            raise fault(f"unknown-{self.noun}", message, suggestion(word, self.words))
        return word

    def json_schema(self) -> Json:
        return {"enum": [str(word) for word in self.words]}


class OneOf(Word):
    """A member of an enumeration, by its word."""

    def __init__(self, words: type[StrEnum], noun: str, **kwargs: Any) -> None:
        super().__init__(words, noun, **kwargs)
        self.enumeration = words

    def take(self, value: Any) -> StrEnum:
        return self.enumeration(super().take(value))


class Matching(Text):
    """A text of a certain form, with a code of its own when it has not."""

    def __init__(self, pattern: str, code: str, wanted: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pattern = pattern
        self.code = code
        self.wanted = wanted

    def take(self, value: Any) -> str:
        text = text_of(value)
        if not re.fullmatch(self.pattern, text):
            raise fault(self.code, f"{source.quoted(text)} is not {self.wanted}.")
        return text

    def json_schema(self) -> Json:
        return {"type": "string", "pattern": f"^{self.pattern}$"}


class Whole(Entry[int]):
    """A whole number, not below `least`."""

    def __init__(self, least: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.least = least

    def take(self, value: Any) -> int:
        number = value.core if isinstance(value, source.Scalar) else value
        if isinstance(number, bool) or not isinstance(number, int) or number < self.least:
            raise fault("wrong-type", f"Here a whole number of at least {self.least} is wanted, not {shape(value)}.")
        return number

    def json_schema(self) -> Json:
        return {"type": "integer", "minimum": self.least}


class Span(Entry[Duration]):
    """A span of time: ISO 8601 or words."""

    def take(self, value: Any) -> Duration:
        try:
            return Duration.parse(text_of(value))
        except DurationError as error:
            raise fault("bad-duration", str(error), "Such as “30 minutes”, “5 business days” or “PT4H”.") from None

    def json_schema(self) -> Json:
        return {"type": "string", "examples": ["30 minutes", "5 business days", "PT4H"]}


class Cel(Entry[Expression]):
    """A CEL expression, unread: `expression.py` types and compiles it."""

    def take(self, value: Any) -> Expression:
        return Expression(text_of(value), begin_of(value))

    def json_schema(self) -> Json:
        return {"type": ["string", "boolean"], "examples": ["tasks.open == 0"]}


class Said(Entry["str | Expression"]):
    """A text, or `= ` and the CEL expression that makes it; if `alone` counts, also a variable's path and nothing else.

    A text that is written out may have to be the name of something.
    """

    def __init__(self, noun: Noun | None = None, *, alone: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.noun = noun
        self.alone = alone

    def take(self, value: Any) -> str | Expression:
        text = text_of(value)
        if expression := computed(value, alone=self.alone):
            return expression
        if self.noun:
            names().require(self.noun, text)
        return text

    def json_schema(self) -> Json:
        return {"type": ["string", "number", "boolean"], "examples": ["= 'Review of ' + ticket.title"]}


def text_of(value: object) -> str:
    """The text of a scalar. Raises `ValidationError` for anything else, nothing included."""
    if isinstance(value, str) and not is_nothing(value):
        return str(value)
    raise fault("wrong-type", f"Here a word or a text is wanted, not {shape(value)}.")


def is_nothing(value: object) -> bool:
    """Whether nothing was written, or null."""
    return value is None or (isinstance(value, source.Scalar) and value.is_null)


def begin_of(value: object) -> Position:
    """Where the text of a scalar begins."""
    return value.begins if isinstance(value, source.Scalar) else NOWHERE


def computed(value: object, *, alone: bool = False) -> Expression | None:
    """The expression that a value is: what follows `= `, or (if `alone` counts) a variable's path and nothing else."""
    if not isinstance(value, str):
        return None
    at = begin_of(value)
    if value.startswith("= "):
        return Expression(value[2:], Position(at.file, at.line, at.column + 2))
    return Expression(str(value), at) if alone and _PATH.fullmatch(value) else None
