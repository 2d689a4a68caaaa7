"""When an order comes again: a rule of the calendar (RFC 5545, RECUR) read in the wall time of a zone. Pure.

The rule is a part of RFC 5545 that always comes to an answer soon: by days, weeks, months and years, never twice a day; the
time of day is that of its beginning. A wall time that a change of clocks skips moves forward by the gap, one that comes twice
means the first. An occurrence on a day that is closed is left out or moved to the next or the one before that is open, at the
same wall time; two that come to the same instant so are one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from itertools import islice
from typing import Final

from dateutil.rrule import rrule, rrulestr  # type: ignore[import-untyped]

from itsm.worktime import zones

LONGEST_RULE: Final = 300
MOST_INTERVAL: Final = 100
FARTHEST: Final = timedelta(days=3660)
"""How far ahead an occurrence is looked for; ten years."""

MOST_CLOSED: Final = 62
"""Over how many closed days in a row an occurrence may be moved; beyond them it is left out."""

_LATER: Final = 7600
_DAYS: Final = "(?:MO|TU|WE|TH|FR|SA|SU)"
_FORMS: Final[Mapping[str, str]] = {
    "FREQ": "DAILY|WEEKLY|MONTHLY|YEARLY",
    "INTERVAL": r"[1-9][0-9]{0,2}",
    "COUNT": r"[1-9][0-9]{0,3}",
    "UNTIL": r"2[01][0-9]{6}(?:T[0-9]{6})?",
    "BYDAY": rf"[+-]?[1-5]?{_DAYS}(?:,[+-]?[1-5]?{_DAYS}){{0,6}}",
    "BYMONTHDAY": r"-?[1-9][0-9]?(?:,-?[1-9][0-9]?){0,30}",
    "BYMONTH": r"[1-9][0-9]?(?:,[1-9][0-9]?){0,11}",
    "BYSETPOS": r"-?[1-5]",
    "WKST": _DAYS,
}
_ALLOWED: Final[Mapping[str, frozenset[str]]] = {
    "DAILY": frozenset(),
    "WEEKLY": frozenset({"BYDAY", "WKST"}),
    "MONTHLY": frozenset({"BYDAY", "BYMONTHDAY", "BYSETPOS"}),
    "YEARLY": frozenset({"BYMONTH", "BYMONTHDAY"}),
}
_ALWAYS: Final = frozenset({"FREQ", "INTERVAL", "COUNT", "UNTIL"})


class OnClosed(StrEnum):
    """What becomes of an occurrence on a day that is closed."""

    ORDER = "order"
    SKIP = "skip"
    NEXT = "next"
    PREVIOUS = "previous"


class RuleError(ValueError):
    """A rule that cannot be followed; its text says why, for the person who wrote it."""


Open = Callable[[date], bool]
"""Whether a date is a working day."""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """A rule with all that it needs: `starts` is a local date and time without a zone, `is_open` says working days."""

    rule: str
    starts: datetime
    zone: str
    on_closed: OnClosed = OnClosed.ORDER
    is_open: Open = lambda _day: True

    def after(self, instant: datetime) -> Iterator[datetime]:
        """The instants later than this one at which it is due, in ascending order, up to ten years ahead."""
        farthest = instant + FARTHEST
        last = instant
        begin = instant.astimezone(zones.zone(self.zone)).replace(tzinfo=None) - timedelta(days=MOST_CLOSED + 1)
        for wall in _walls(self.rule, self.starts, begin):
            if wall.year > farthest.year:
                return
            moved = self._moved(wall)
            due = None if moved is None else to_instant(moved, self.zone)
            if due is not None and due > farthest:
                return
            if due is not None and due > last:
                last = due
                yield due

    def first(self, instant: datetime) -> datetime | None:
        """The first of them, if there is any."""
        return next(self.after(instant), None)

    def some(self, instant: datetime, count: int) -> list[datetime]:
        """The first few of them."""
        return list(islice(self.after(instant), count))

    def _moved(self, wall: datetime) -> datetime | None:
        if self.on_closed is OnClosed.ORDER or self.is_open(wall.date()):
            return wall
        if self.on_closed is OnClosed.SKIP:
            return None
        step = timedelta(days=1 if self.on_closed is OnClosed.NEXT else -1)
        days = (wall + number * step for number in range(1, MOST_CLOSED + 1))
        return next((day for day in days if self.is_open(day.date())), None)


def check(rule: str, starts: datetime) -> None:
    """Raise `RuleError` unless this is a rule that can be followed and has an occurrence within ten years of its beginning."""
    found = next(_walls(rule, starts, starts), None)
    if found is None or found > starts + FARTHEST:
        raise RuleError("It never occurs.")


def to_instant(wall: datetime, zone: str) -> datetime:
    """The instant of a wall time: in the gap of a change of clocks later by the gap, in an overlap the first."""
    return wall.replace(tzinfo=zones.zone(zone), fold=0).astimezone(UTC)


def local(text: str) -> datetime:
    """A local date and time, `2026-03-02T09:00`. Raises `RuleError`."""
    try:
        found = datetime.strptime(text, "%Y-%m-%dT%H:%M")  # noqa: DTZ007 (it has no zone: that is said beside it)
    except ValueError:
        raise RuleError("It must be a local date and time like 2026-03-02T09:00.") from None
    if not 2000 <= found.year <= 2100:
        raise RuleError("Its year must be from 2000 to 2100.")
    return found


def _walls(rule: str, starts: datetime, begin: datetime) -> Iterator[datetime]:
    """The wall times of a rule from `begin` on.

    A rule that never occurs is searched by dateutil to the end of the year 9999, which takes seconds. So it is followed 7,600
    years later, where weekdays and leap days are the same (the calendar repeats every 400 years) and the end is near.
    """
    found = _parsed(rule, _shifted(starts, _LATER)).xafter(_shifted(begin, _LATER), inc=True)
    return (_shifted(wall, -_LATER) for wall in found)


def _shifted(wall: datetime, years: int) -> datetime:
    return wall.replace(year=wall.year + years)


def _parsed(rule: str, starts: datetime) -> rrule:
    parts = _parts(rule)
    frequency = parts["FREQ"]
    for name in parts.keys() - _ALWAYS - _ALLOWED[frequency]:
        raise RuleError(f"{name} cannot be used with FREQ={frequency} here.")
    if "COUNT" in parts and "UNTIL" in parts:
        raise RuleError("It has either COUNT or UNTIL, not both.")
    if int(parts.get("INTERVAL", "1")) > MOST_INTERVAL:
        raise RuleError(f"INTERVAL is {MOST_INTERVAL} at most.")
    if frequency == "WEEKLY" and re.search("[0-9]", parts.get("BYDAY", "")):
        raise RuleError("The days of a week have no numbers.")
    if "BYSETPOS" in parts and ("BYDAY" not in parts or "BYMONTHDAY" in parts or re.search("[0-9]", parts["BYDAY"])):
        raise RuleError("BYSETPOS counts the days of BYDAY, and these alone.")
    if until := parts.get("UNTIL"):
        parts["UNTIL"] = f"{int(until[:4]) + _LATER:04d}{until[4:8]}{until[8:] or 'T235959'}"
    try:
        found = rrulestr(";".join(f"{name}={value}" for name, value in parts.items()), dtstart=starts)
    except (ValueError, OverflowError) as error:
        raise RuleError(f"It cannot be followed: {error}.") from None
    assert isinstance(found, rrule)
    return found


def _parts(rule: str) -> dict[str, str]:
    if len(rule) > LONGEST_RULE:
        raise RuleError(f"It has more than {LONGEST_RULE} characters.")
    parts: dict[str, str] = {}
    for part in rule.upper().removeprefix("RRULE:").split(";"):
        name, _, value = part.partition("=")
        if name in parts:
            raise RuleError(f"{name} is said twice.")
        if name not in _FORMS:
            raise RuleError(f"“{name[:20]}” is no part that a rule can have here; there are {', '.join(_FORMS)}.")
        if not re.fullmatch(_FORMS[name], value):
            raise RuleError(f"“{value[:40]}” is nothing that {name} can be here.")
        parts[name] = value
    if "FREQ" not in parts:
        raise RuleError("It begins with FREQ=DAILY, WEEKLY, MONTHLY or YEARLY.")
    return parts
