"""A length of time as people write it in a policy: `30 minutes`, `8 business hours`, `5 business days`, `end of business day`.

Elapsed time runs on every clock alike: a day is 24 hours, a week seven of them. Business time runs only while a calendar is
open, so it has no length in seconds before a calendar is named; `Calendar.add_duration` gives it one. The two are never mixed
in one duration. ISO 8601 is read too, for elapsed time. Years and months have no fixed length and are refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from typing import Final

from itsm.platform.errors import DeskError, Kind

LONGEST: Final = timedelta(days=3653)
"""Ten years. A promise longer than this is a slip of the pen."""

_MICROSECOND: Final = timedelta(microseconds=1)
_SECOND: Final = timedelta(seconds=1)
_LENGTHS: Final = {
    "week": timedelta(weeks=1),
    "day": timedelta(days=1),
    "hour": timedelta(hours=1),
    "minute": timedelta(minutes=1),
    "second": _SECOND,
}
_SHORT: Final = {"d": "day", "h": "hour", "hr": "hour", "min": "minute", "sec": "second", "s": "second"}
_PART: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(?:(business|working)\s+)?([a-z]+)(?:(?:\s*,\s*|\s+and\s+|\s+)(?=[0-9])|$)")
_END_OF_DAY: Final = re.compile(r"end of (?:(next|[0-9]{1,4}(?:st|nd|rd|th)) )?(?:business|working) day")
_ISO: Final = re.compile(
    r"P(?:(?P<week>[0-9.,]+)W)?(?:(?P<day>[0-9.,]+)D)?"
    r"(?:T(?:(?P<hour>[0-9.,]+)H)?(?:(?P<minute>[0-9.,]+)M)?(?:(?P<second>[0-9.,]+)S)?)?"
)
_ISO_YEARS_OR_MONTHS: Final = re.compile(r"P[^T]*[0-9][YM]")
_ISO_NUMBER: Final = re.compile(r"[0-9]+(?:[.,][0-9]+)?")
_LONGEST_TEXT: Final = 200


class DurationError(DeskError):
    """A text (or a set of parts) that is no duration: `text` as it was written, `why` as one sentence."""

    def __init__(self, text: str, why: str) -> None:
        super().__init__(Kind.INVALID, "invalid_duration", f"“{text[:_LONGEST_TEXT]}” is not a duration: {why}")
        self.text = text
        self.why = why


@dataclass(frozen=True, slots=True)
class Duration:
    """A positive length of time; exactly one of its three kinds is set.

    `exact` is elapsed time. `business` (working time) and `business_days` (days of the calendar's standard length) add up.
    `end_of_day` counts closings: 1 is the next closing time to come, 2 that of the business day after, and so on.
    Raises `DurationError` if nothing or a mixture is set, or if it is negative or longer than ten years.
    """

    exact: timedelta = timedelta()
    business: timedelta = timedelta()
    business_days: int = 0
    end_of_day: int = 0

    def __post_init__(self) -> None:
        if why := self._fault():
            raise DurationError(repr(self), why)

    def _fault(self) -> str | None:
        if min(self.exact, self.business) < timedelta() or min(self.business_days, self.end_of_day) < 0:
            return "it is negative."
        kinds = (bool(self.exact), bool(self.business or self.business_days), bool(self.end_of_day))
        if not any(kinds):
            return "it has no length; a duration is longer than zero."
        if sum(kinds) > 1:
            return "it mixes elapsed and business time; say all of it in one of the two."
        days = self.business_days + self.end_of_day
        if days > LONGEST.days or max(self.exact, self.business) > LONGEST or self.business + timedelta(days=days) > LONGEST:
            return "it is longer than ten years."
        return None

    @classmethod
    def parse(cls, text: str) -> Duration:
        """Reads words (`1 business day 4 business hours`, `end of business day`) or ISO 8601 (`PT30M`, `P2W`).

        Raises `DurationError` with the reason.
        """
        if len(text) > _LONGEST_TEXT:
            raise DurationError(text, "it is too long a text.")
        try:
            stripped = text.strip()
            return _from_iso(stripped) if stripped[:1] == "P" else _from_words(" ".join(stripped.lower().split()))
        except DurationError as error:
            raise DurationError(text, error.why) from None

    @property
    def needs_calendar(self) -> bool:
        """Whether it has a length only in a calendar."""
        return not self.exact

    def __str__(self) -> str:
        """The canonical words, which `parse` reads back to the same value."""
        if self.end_of_day:
            which = {1: "", 2: "next "}.get(self.end_of_day, f"{_ordinal(self.end_of_day)} ")
            return f"end of {which}business day"
        if self.exact:
            return words(self.exact)
        days = [_counted(str(self.business_days), "business day")] if self.business_days else []
        return " ".join([*days, *_parts(self.business, ("hour", "minute", "second"), "business ")])

    def iso(self) -> str:
        """The duration as ISO 8601 writes it. Raises `DurationError` for business time, for which ISO 8601 has no form."""
        if self.needs_calendar:
            raise DurationError(str(self), "business time has no ISO 8601 form before a calendar gives it a length.")
        return iso(self.exact)


def words(length: timedelta) -> str:
    """An elapsed length in words: `2 weeks`, `1 day 12 hours`, `0 seconds`; a negative one begins with `minus`."""
    if length < timedelta():
        return f"minus {words(-length)}"
    if length and not length % _LENGTHS["week"]:
        return _counted(str(length // _LENGTHS["week"]), "week")
    return " ".join(_parts(length, ("day", "hour", "minute", "second"))) or "0 seconds"


def in_hours(length: timedelta) -> str:
    """A length of working time in words, in hours at most, for a day of work is not 24 hours: `42 hours 30 minutes`."""
    return " ".join(_parts(length, ("hour", "minute", "second"))) or "0 seconds"


def iso(length: timedelta) -> str:
    """An elapsed length as ISO 8601 writes it: `P2W`, `P1DT12H`, `PT0S`; a negative one begins with `-` (ISO 8601-2)."""
    if length < timedelta():
        return f"-{iso(-length)}"
    if length and not length % _LENGTHS["week"]:
        return f"P{length // _LENGTHS['week']}W"
    numbers = _divide(length, ("day", "hour", "minute", "second"))
    days = f"{numbers.pop('day')}D" if "day" in numbers else ""
    time = "".join(f"{number}{unit[0].upper()}" for unit, number in numbers.items())
    return f"P{days}" + (f"T{time}" if time else "") if days or time else "PT0S"


def _from_words(text: str) -> Duration:
    if end := _END_OF_DAY.fullmatch(text):
        which = end[1] or "1st"
        return Duration(end_of_day=2 if which == "next" else int(which[:-2]))
    exact, business, business_days = timedelta(), timedelta(), 0
    position = 0
    while position < len(text):
        part = _PART.match(text, position)
        if part is None:
            raise DurationError(text, _why_unreadable(text))
        number, is_business, unit = Fraction(part[1]), part[2] is not None, _unit(text, part[3])
        if not is_business:
            exact += _times(text, number, _LENGTHS[unit])
        elif unit == "week":
            raise DurationError(text, "a business week has no fixed length; count business days instead.")
        elif unit == "day":
            if number.denominator != 1:
                raise DurationError(text, "business days come whole; add business hours instead.")
            business_days += _whole(text, number)
        else:
            business += _times(text, number, _LENGTHS[unit])
        position = part.end()
    return Duration(exact, business, business_days)


def _why_unreadable(text: str) -> str:
    if text.startswith(("-", "minus")):
        return "it is negative."
    if text.startswith("p") and any(letter.isdigit() for letter in text):
        return "ISO 8601 is written in capitals, like PT30M."
    return "say a number and a unit, like 30 minutes, 5 business days or PT30M."


def _unit(text: str, name: str) -> str:
    unit = _SHORT.get(name, name.removesuffix("s"))
    if unit in _LENGTHS:
        return unit
    if unit in ("year", "month", "quarter"):
        raise DurationError(text, f"a {unit} has no fixed length; say days or weeks.")
    if unit == "m":
        raise DurationError(text, "“m” may be minutes or months; write it out.")
    raise DurationError(text, f"“{name}” is no unit of time; there are seconds, minutes, hours, days and weeks.")


def _from_iso(text: str) -> Duration:
    if _ISO_YEARS_OR_MONTHS.match(text):
        raise DurationError(text, "years and months have no fixed length; say days (P30D) or weeks (P4W).")
    match = _ISO.fullmatch(text)
    numbers = {unit: number for unit, number in match.groupdict().items() if number} if match else {}
    if not numbers or text.endswith("T") or not all(map(_ISO_NUMBER.fullmatch, numbers.values())):
        raise DurationError(text, "ISO 8601 writes durations like PT30M, P1DT12H or P2W.")
    if any(not number.isdigit() for number in list(numbers.values())[:-1]):
        raise DurationError(text, "ISO 8601 allows a fraction in the last part only.")
    lengths = (_times(text, Fraction(number.replace(",", ".")), _LENGTHS[unit]) for unit, number in numbers.items())
    return Duration(exact=sum(lengths, timedelta()))


def _times(text: str, number: Fraction, length: timedelta) -> timedelta:
    micros = number * (length // _MICROSECOND)
    if micros.denominator != 1:
        raise DurationError(text, "it is finer than a microsecond.")
    if micros > LONGEST // _MICROSECOND:
        raise DurationError(text, "it is longer than ten years.")
    return timedelta(microseconds=int(micros))


def _whole(text: str, number: Fraction) -> int:
    if number > LONGEST.days:
        raise DurationError(text, "it is longer than ten years.")
    return int(number)


def _divide(length: timedelta, units: tuple[str, ...]) -> dict[str, str]:
    """The length cut into these units, largest first, those of zero left out; seconds keep their fraction."""
    numbers: dict[str, str] = {}
    for unit in units:
        count, length = divmod(length, _LENGTHS[unit])
        fraction = f"{length // _MICROSECOND:06d}".rstrip("0") if unit == "second" else ""
        if count or fraction:
            numbers[unit] = f"{count}.{fraction}" if fraction else str(count)
    return numbers


def _parts(length: timedelta, units: tuple[str, ...], kind: str = "") -> list[str]:
    return [_counted(number, f"{kind}{unit}") for unit, number in _divide(length, units).items()]


def _counted(number: str, noun: str) -> str:
    return f"{number} {noun}" if number == "1" else f"{number} {noun}s"


def _ordinal(number: int) -> str:
    suffix = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"
