"""What a field's value may be: typing of what people, imports and rules write into a ticket.

Values come as JSON does (text, numbers, truth values, lists, objects) and leave as `case.Value`. Nothing is bent into
shape: a number is no text and a truth value is no number, for a silently converted value is a wrong one found late.
Whether a user, group, service, CI or ticket of that key exists is the caller's to check; see `references`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Final

from itsm.platform.words import says_something
from itsm.workflow.builtin import LONGEST
from itsm.workflow.case import Value
from itsm.workflow.definition import Field, FieldType

TEXT_MAX: Final = 4_000
MARKDOWN_MAX: Final = 64_000
KEY_MAX: Final = 200
WHOLE_MAX: Final = 2**53 - 1
"""The largest whole number that every JSON reader keeps exact (RFC 8259 §6)."""

DURATION_MAX: Final = timedelta(days=36_525)
"""A hundred years; longer is a slip of the pen."""

REFERENCES: Final = frozenset({FieldType.USER, FieldType.GROUP, FieldType.SERVICE, FieldType.CI, FieldType.TICKET})
"""Types whose values are keys of something that must exist."""

_AMOUNT: Final = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,4})?")
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_DURATION: Final = re.compile(
    r"(?P<sign>-)?P(?:(?P<weeks>\d{1,6})W)?(?:(?P<days>\d{1,6})D)?"
    r"(?:T(?:(?P<hours>\d{1,7})H)?(?:(?P<minutes>\d{1,9})M)?(?:(?P<seconds>\d{1,11}(?:\.\d{1,6})?)S)?)?",
    re.ASCII,
)
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a value is none of its field's type, as the end of a sentence: “must be …”."""

    must: str


def accept(field: Field, raw: object) -> Value | Fault:
    """The value of `field` that `raw` stands for, or what is wrong with it. Null and text that shows nothing empty a field."""
    if raw is None:
        return None
    return _READERS[field.type](field, raw)


def is_empty(value: Value) -> bool:
    """Whether a field with this value counts as not filled. False and 0 are answers; text that shows nothing is none."""
    return value is None or (isinstance(value, str) and not says_something(value)) or value == []


def references(fields: Mapping[str, Field], values: Mapping[str, Value]) -> list[tuple[str, FieldType, str]]:
    """The keys among `values` that must exist somewhere: (field, what it is a key of, key), in the order of `values`."""
    found = []
    for name, value in values.items():
        field = fields.get(name)
        if field is not None and field.type in REFERENCES and isinstance(value, str):
            found.append((name, field.type, value))
    return found


def longest(field: Field) -> int:
    """How many characters a text of this field may have."""
    usual = {FieldType.TEXT: TEXT_MAX, FieldType.MARKDOWN: MARKDOWN_MAX}.get(field.type, KEY_MAX)
    return LONGEST.get(field.name, usual) if field.builtin else usual


def exact_duration(text: str) -> timedelta:
    """The length of an ISO 8601 duration of weeks, days, hours, minutes and seconds. Raises `ValueError`.

    Years and months have no length of their own, and are refused.
    """
    match = _DURATION.fullmatch(text)
    parts = {name: part for name, part in match.groupdict().items() if name != "sign" and part} if match else {}
    if match is None or not parts or text.endswith("T"):
        raise ValueError(f"not an ISO 8601 duration: {text!r}")
    length = timedelta(**{name: float(part) if "." in part else int(part) for name, part in parts.items()})
    if length > DURATION_MAX:
        raise ValueError(f"longer than a hundred years: {text!r}")
    return -length if match["sign"] else length


def duration_text(length: timedelta) -> str:
    """A length of time in ISO 8601: `PT1H30M`, `P2DT4H`."""
    sign, length = ("-", -length) if length < timedelta() else ("", length)
    hours, rest = divmod(length.seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    fraction = f".{length.microseconds:06}".rstrip("0") if length.microseconds else ""
    clock = "".join(f"{count}{unit}" for count, unit in ((hours, "H"), (minutes, "M")) if count)
    if seconds or fraction:
        clock += f"{seconds}{fraction}S"
    days = f"{length.days}D" if length.days else ""
    return f"{sign}P{days}{'T' + clock if clock else ''}" if days or clock else "PT0S"


def from_expression(field: Field, result: object) -> object:
    """What an expression yielded, as `accept` takes it: expressions know instants, and fields know dates."""
    if field.type is FieldType.DATE and isinstance(result, datetime):
        return result.date().isoformat()
    return list(result) if isinstance(result, tuple | set | frozenset) else result


def choice_list(choices: Iterable[str]) -> str:
    """`a, b or c`, for sentences."""
    listed = list(choices)
    return listed[0] if len(listed) == 1 else f"{', '.join(listed[:-1])} or {listed[-1]}"


def _text(field: Field, raw: object) -> Value | Fault:
    if not isinstance(raw, str):
        return Fault("must be text")
    if "\x00" in raw or _SURROGATE.search(raw):
        return Fault("must be text without NUL characters and unpaired surrogates")
    if len(raw) > longest(field):
        return Fault(f"must have at most {longest(field):,} characters; it has {len(raw):,}")
    return raw if says_something(raw) else None


def _choice(field: Field, raw: object) -> Value | Fault:
    if not isinstance(raw, str) or raw not in field.choices:
        return Fault(f"must be {choice_list(field.choices)}")
    return raw


def _choices(field: Field, raw: object) -> Value | Fault:
    if not isinstance(raw, list) or not all(isinstance(each, str) and each in field.choices for each in raw):
        return Fault(f"must be a list of {choice_list(field.choices)}")
    return [choice for choice in field.choices if choice in raw] or None


def _integer(_field: Field, raw: object) -> Value | Fault:
    if isinstance(raw, bool) or not isinstance(raw, int) or abs(raw) > WHOLE_MAX:
        return Fault("must be a whole number")
    return raw


def _decimal(_field: Field, raw: object) -> Value | Fault:
    if isinstance(raw, bool) or not isinstance(raw, int | float) or abs(raw) > WHOLE_MAX or math.isnan(raw):
        return Fault("must be a number")
    return float(raw)


def _boolean(_field: Field, raw: object) -> Value | Fault:
    return raw if isinstance(raw, bool) else Fault("must be true or false")


def _money(_field: Field, raw: object) -> Value | Fault:
    fault = Fault('must be an amount of money: {"amount": "12.50", "currency": "EUR"}')
    if not isinstance(raw, Mapping) or set(raw) != {"amount", "currency"}:
        return fault
    amount, currency = raw["amount"], raw["currency"]
    if not (isinstance(amount, str) and isinstance(currency, str)):
        return fault
    if not (_AMOUNT.fullmatch(amount) and _CURRENCY.fullmatch(currency)):
        return fault
    return {"amount": str(Decimal(amount)), "currency": currency}


def _date(_field: Field, raw: object) -> Value | Fault:
    try:
        return date.fromisoformat(raw).isoformat() if isinstance(raw, str) else Fault("must be a date: 2026-03-31")
    except ValueError:
        return Fault("must be a date: 2026-03-31")


def _datetime(_field: Field, raw: object) -> Value | Fault:
    fault = Fault("must be a date and time with its offset: 2026-03-31T16:00:00+02:00")
    try:
        moment = raw if isinstance(raw, datetime) else datetime.fromisoformat(raw) if isinstance(raw, str) else None
        return moment.astimezone(UTC) if moment is not None and moment.tzinfo is not None else fault
    except (ValueError, OverflowError):
        return fault


def _duration(_field: Field, raw: object) -> Value | Fault:
    try:
        return duration_text(exact_duration(raw)) if isinstance(raw, str) else Fault("must be a length of time: PT1H30M")
    except (ValueError, OverflowError):
        return Fault("must be a length of time in ISO 8601, of weeks, days, hours, minutes and seconds: PT1H30M")


_READERS: Final[Mapping[FieldType, Callable[[Field, object], Value | Fault]]] = {
    FieldType.TEXT: _text,
    FieldType.MARKDOWN: _text,
    FieldType.CHOICE: _choice,
    FieldType.MULTI_CHOICE: _choices,
    FieldType.INTEGER: _integer,
    FieldType.DECIMAL: _decimal,
    FieldType.MONEY: _money,
    FieldType.BOOLEAN: _boolean,
    FieldType.DATE: _date,
    FieldType.DATETIME: _datetime,
    FieldType.DURATION: _duration,
    FieldType.USER: _text,
    FieldType.GROUP: _text,
    FieldType.SERVICE: _text,
    FieldType.CI: _text,
    FieldType.TICKET: _text,
}


def json_schema(field: Field) -> dict[str, object]:
    """One field's values in JSON Schema (draft 2020-12); what it cannot say, `accept` still checks."""
    text: dict[str, object] = {"type": "string", "maxLength": longest(field)}
    schema = dict(_SCHEMAS.get(field.type, text))
    if field.type is FieldType.CHOICE:
        schema = {"type": "string", "enum": list(field.choices)}
    elif field.type is FieldType.MULTI_CHOICE:
        schema = {"type": "array", "uniqueItems": True, "items": {"type": "string", "enum": list(field.choices)}}
    if field.type in REFERENCES:
        schema["x-itsm-reference"] = field.type.value
    return schema | {"title": field.title or field.name}


_SCHEMAS: Final[Mapping[FieldType, Mapping[str, object]]] = {
    FieldType.INTEGER: {"type": "integer", "minimum": -WHOLE_MAX, "maximum": WHOLE_MAX},
    FieldType.DECIMAL: {"type": "number", "minimum": -WHOLE_MAX, "maximum": WHOLE_MAX},
    FieldType.MONEY: {
        "type": "object",
        "required": ["amount", "currency"],
        "additionalProperties": False,
        "properties": {
            "amount": {"type": "string", "pattern": r"^-?[0-9]{1,15}(\.[0-9]{1,4})?$"},
            "currency": {"type": "string", "pattern": "^[A-Z]{3}$"},
        },
    },
    FieldType.BOOLEAN: {"type": "boolean"},
    FieldType.DATE: {"type": "string", "format": "date"},
    FieldType.DATETIME: {"type": "string", "format": "date-time"},
    FieldType.DURATION: {"type": "string", "format": "duration"},
}
