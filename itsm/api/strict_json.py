"""JSON without surprises: what another reader might understand otherwise is refused (RFC 8259; RFC 7493, I-JSON).

Python's own reader takes NaN, repeated members, unpaired surrogates and numbers of any length; orjson takes repeated members
and rounds long numbers. Here each is `malformed_json`, and so is what would take long: very many values, deep nesting.
"""

from __future__ import annotations

import json
import math
import re
from itertools import chain
from typing import Any, Final, NoReturn

import orjson

from itsm.platform.errors import DeskError, Kind

MOST_VALUES: Final = 50_000
DEEPEST: Final = 64
_WHOLE_LIMIT: Final = 1 << 63
_NUL: Final = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_TEXT: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)


def loads(raw: bytes) -> Any:
    """The value that `raw` stands for. Raises `DeskError` (`malformed_json`)."""
    if _marks(raw) > MOST_VALUES and _marks(_TEXT.sub(b"", raw)) > MOST_VALUES:
        _refuse(f"it has more than {MOST_VALUES:,} values")
    try:
        value = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_members,
            parse_int=_whole_number,
            parse_float=_fraction,
            parse_constant=_constant,
        )
    except UnicodeDecodeError:
        _refuse("it is not UTF-8")
    except RecursionError:
        _refuse(f"it is nested deeper than {DEEPEST} levels")
    except ValueError as error:  # JSONDecodeError tells the place
        _refuse(str(error).removesuffix(".").replace("\ufeff", ""))
    if raw.count(b"[") + raw.count(b"{") > DEEPEST:
        _refuse_depth(value)
    if b"\\u" in raw:
        _refuse_escapes(raw, value)
    return value


def _marks(raw: bytes) -> int:
    """What every value but the first of an object or list needs before it; more than the values, if texts hold such marks."""
    return raw.count(b",") + raw.count(b"[") + raw.count(b"{")


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        _refuse("a member is given twice")
    return members


def _whole_number(text: str) -> int:
    if len(text) > 20 or not -_WHOLE_LIMIT <= (number := int(text)) < _WHOLE_LIMIT:
        _refuse("a whole number has more than 64 bits")
    return number


def _fraction(text: str) -> float:
    number = float(text) if len(text) <= 400 else math.inf
    if not math.isfinite(number):
        _refuse("a number is too long")
    return number


def _constant(text: str) -> NoReturn:
    _refuse(f"{text} is no JSON")


def _refuse_depth(value: Any) -> None:
    """Go down level by level; the stack that nesting could exhaust is not used."""
    level = [value]
    for _ in range(DEEPEST):
        inner = (each.values() if isinstance(each, dict) else each for each in level if isinstance(each, (dict, list)))
        level = [each for each in chain.from_iterable(inner) if isinstance(each, (dict, list))]
        if not level:
            return
    _refuse(f"it is nested deeper than {DEEPEST} levels")


def _refuse_escapes(raw: bytes, value: Any) -> None:
    if b"\\u0000" in raw and _NUL.search(raw):
        _refuse("a text has a NUL character")
    try:
        orjson.dumps(value)
    except TypeError:
        _refuse("a text has half a surrogate pair")


def _refuse(why: str) -> NoReturn:
    raise DeskError(Kind.MALFORMED, "malformed_json", f"The body is not the JSON we take: {why}.")
