"""What an answer may be, type by type: how it is read, and how JSON Schema says the same.

The two stand side by side for a reason: for a question without expressions, the schema and the reader take and refuse the very
same values (a law of the test suite). Where a value's form is a pattern, both use that one pattern; it ends in a negative
lookahead instead of `$`, which some dialects let pass before a last line break. What JSON Schema cannot say (a user that
exists, the bounds of an amount) has the prefix `x-itsm-`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final

from itsm.catalog import texts
from itsm.catalog.definition import FIELD_TYPES, Question, QuestionType
from itsm.catalog.texts import END, Json
from itsm.workflow import values
from itsm.workflow.case import Value
from itsm.workflow.values import WHOLE_MAX, Fault, choice_list

_AMOUNT: Final = rf"^[0-9]{{1,15}}(?:\.[0-9]{{1,4}})?{END}"
_DATE: Final = rf"^[12][0-9]{{3}}-[0-9]{{2}}-[0-9]{{2}}{END}"
_DATETIME: Final = (
    r"^[12][0-9]{3}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6})?"
    rf"(?:Z|[+-](?:0[0-9]|1[0-4]):[0-5][0-9]){END}"
)
TODAY: Final = "today"
"""The word for the date of the day in the bounds of a date."""

_WESTERNMOST: Final = timedelta(hours=12)


def accept(question: Question, raw: object, now: datetime) -> Value | Fault:
    """The answer that `raw` stands for, or what is wrong with it. Nothing is bent into shape; null is no answer."""
    found = _READERS.get(question.type, texts.line)(question, raw)
    if question.type is QuestionType.DATE and isinstance(found, str):
        return _in_time(question, found, now)
    return found


def json_schema(question: Question) -> Json:
    """The answers that a question takes, in JSON Schema (draft 2020-12)."""
    schema = _SCHEMAS.get(question.type, texts.line_schema)(question)
    kind = FIELD_TYPES.get(question.type)
    if kind in values.REFERENCES:
        schema["x-itsm-reference"] = kind.value
    return schema | {"title": question.title} | ({"description": question.help} if question.help else {})


# Choices


def _choice(question: Question, raw: object) -> Value | Fault:
    if not isinstance(raw, str) or raw not in question.field.choices:
        return Fault(_among(question, "must be"))
    return raw


def _choices(question: Question, raw: object) -> Value | Fault:
    if not isinstance(raw, list) or not all(isinstance(each, str) and each in question.field.choices for each in raw):
        return Fault(_among(question, "must be a list of"))
    low, high = _entries(question)
    if len(set(raw)) < len(raw) or not low <= len(raw) <= high:
        return Fault(f"must have {low} to {high} different entries")
    return [choice for choice in question.field.choices if choice in raw]


def _among(question: Question, must: str) -> str:
    known = question.field.choices
    return f"{must} {choice_list(known)}" if len(known) <= 20 else f"{must} one of its {len(known)} choices"


def _entries(question: Question) -> tuple[int, int]:
    low = max(1, question.low) if isinstance(question.low, int) else 1
    return low, question.high if isinstance(question.high, int) else len(question.field.choices)


def _choice_schema(question: Question) -> Json:
    return {"type": "string", "enum": list(question.field.choices)}


def _choices_schema(question: Question) -> Json:
    low, high = _entries(question)
    return {"type": "array", "uniqueItems": True, "minItems": low, "maxItems": high, "items": _choice_schema(question)}


# Numbers and truth


def _integer(question: Question, raw: object) -> Value | Fault:
    if isinstance(raw, float) and raw.is_integer() and abs(raw) <= WHOLE_MAX:
        raw = int(raw)  # JSON has one kind of number: 3.0 is a whole one (JSON Schema Core §4.2.2)
    low, high = _bounds(question)
    if isinstance(raw, bool) or not isinstance(raw, int) or not low <= raw <= high:
        return Fault(f"must be a whole number from {low} to {high}")
    return raw


def _decimal(question: Question, raw: object) -> Value | Fault:
    low, high = _bounds(question)
    if isinstance(raw, bool) or not isinstance(raw, int | float) or not low <= raw <= high:
        return Fault(f"must be a number from {low} to {high}")
    return float(raw)


def _bounds(question: Question) -> tuple[int | float, int | float]:
    low = question.low if isinstance(question.low, int | float) else -WHOLE_MAX
    return low, question.high if isinstance(question.high, int | float) else WHOLE_MAX


def _integer_schema(question: Question) -> Json:
    low, high = _bounds(question)
    return {"type": "integer", "minimum": low, "maximum": high}


def _decimal_schema(question: Question) -> Json:
    return _integer_schema(question) | {"type": "number"}


def _money(question: Question, raw: object) -> Value | Fault:
    wrong = Fault(f'must be an amount of money: {{"amount": "12.50", "currency": "{question.currency}"}}')
    if not isinstance(raw, Mapping) or set(raw) != {"amount", "currency"} or raw["currency"] != question.currency:
        return wrong
    amount = raw["amount"]
    if not isinstance(amount, str) or not re.search(_AMOUNT, amount):
        return wrong
    low, high = _bounds(question)
    if not Decimal(str(low)) <= Decimal(amount) <= Decimal(str(high)):
        return Fault(f"must be an amount from {max(low, 0)} to {high} {question.currency}")
    return {"amount": str(Decimal(amount)), "currency": question.currency}


def _money_schema(question: Question) -> Json:
    told = {f"x-itsm-{name}": bound for name, bound in (("minimum", question.low), ("maximum", question.high)) if bound}
    return {
        "type": "object",
        "required": ["amount", "currency"],
        "additionalProperties": False,
        "properties": {"amount": {"type": "string", "pattern": _AMOUNT}, "currency": {"const": question.currency}},
        **told,
    }


def _boolean(_question: Question, raw: object) -> Value | Fault:
    return raw if isinstance(raw, bool) else Fault("must be true or false")


def _boolean_schema(_question: Question) -> Json:
    return {"type": "boolean"}


def _file(_question: Question, raw: object) -> Value | Fault:
    if isinstance(raw, float) and raw.is_integer() and abs(raw) <= WHOLE_MAX:
        raw = int(raw)
    if isinstance(raw, bool) or not isinstance(raw, int) or not 1 <= raw <= WHOLE_MAX:
        return Fault("must be the number of a file that you have uploaded for this item")
    return raw


def _file_schema(_question: Question) -> Json:
    return {"type": "integer", "minimum": 1, "maximum": WHOLE_MAX, "x-itsm-reference": "file"}


# Time


def _date(_question: Question, raw: object) -> Value | Fault:
    wrong = Fault("must be a date: 2026-03-31")
    if not isinstance(raw, str) or not re.search(_DATE, raw):
        return wrong
    try:
        return date.fromisoformat(raw).isoformat()
    except ValueError:
        return wrong


def _in_time(question: Question, day: str, now: datetime) -> Value | Fault:
    """The date, if it lies between its bounds. It is still today as long as it is so anywhere on earth."""
    today = (now - _WESTERNMOST).date().isoformat()
    low, high = (today if bound == TODAY else bound for bound in (question.low, question.high))
    if isinstance(low, str) and day < low:
        return Fault(f"must not be before {low}")
    if isinstance(high, str) and day > high:
        return Fault(f"must not be after {high}")
    return day


def _date_schema(question: Question) -> Json:
    told = {f"x-itsm-{name}": bound for name, bound in (("earliest", question.low), ("latest", question.high)) if bound}
    return {"type": "string", "format": "date", "pattern": _DATE, **told}


def _datetime(question: Question, raw: object) -> Value | Fault:
    wrong = Fault("must be a date and time with its offset: 2026-03-31T16:00:00+02:00")
    if not isinstance(raw, str) or not re.search(_DATETIME, raw):
        return wrong
    try:
        found = values.accept(question.field, raw)
    except ValueError:
        return wrong
    return found if isinstance(found, datetime) else wrong


def _datetime_schema(_question: Question) -> Json:
    return {"type": "string", "format": "date-time", "pattern": _DATETIME}


_READERS: Final[Mapping[QuestionType, Callable[[Question, object], Value | Fault]]] = {
    QuestionType.LONG_TEXT: texts.block,
    QuestionType.CHOICE: _choice,
    QuestionType.MULTI_CHOICE: _choices,
    QuestionType.INTEGER: _integer,
    QuestionType.DECIMAL: _decimal,
    QuestionType.MONEY: _money,
    QuestionType.BOOLEAN: _boolean,
    QuestionType.DATE: _date,
    QuestionType.DATETIME: _datetime,
    QuestionType.DURATION: texts.duration,
    QuestionType.FILE: _file,
    QuestionType.EMAIL: texts.email,
    QuestionType.HOSTNAME: texts.hostname,
    QuestionType.IP: texts.ip,
    QuestionType.URL: texts.url,
}
"""All others are lines of text."""

_SCHEMAS: Final[Mapping[QuestionType, Callable[[Question], Json]]] = {
    QuestionType.LONG_TEXT: texts.block_schema,
    QuestionType.CHOICE: _choice_schema,
    QuestionType.MULTI_CHOICE: _choices_schema,
    QuestionType.INTEGER: _integer_schema,
    QuestionType.DECIMAL: _decimal_schema,
    QuestionType.MONEY: _money_schema,
    QuestionType.BOOLEAN: _boolean_schema,
    QuestionType.DATE: _date_schema,
    QuestionType.DATETIME: _datetime_schema,
    QuestionType.DURATION: texts.duration_schema,
    QuestionType.FILE: _file_schema,
    QuestionType.EMAIL: texts.email_schema,
    QuestionType.HOSTNAME: texts.hostname_schema,
    QuestionType.IP: texts.ip_schema,
    QuestionType.URL: texts.url_schema,
}
