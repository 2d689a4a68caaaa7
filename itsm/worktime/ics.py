"""Holidays out of an iCalendar file (RFC 5545), as administrations, schools and calendar programs hand them out.

All-day events are taken at their word, with their repetitions and exceptions; anything else in the file is refused. A holiday
that is silently skipped would be a promise that nobody can keep.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Final

from itsm.worktime.holidays import YEARS, HolidayError, Listed

if TYPE_CHECKING:
    from icalendar import Event

MOST_DATES: Final = 20_000
"""The most dates one file may name; more is no list of holidays."""

_FREQUENCIES: Final = frozenset({"YEARLY", "MONTHLY", "WEEKLY", "DAILY"})


def read(data: bytes, file: str) -> Listed:
    """The all-day events of a file, repetitions written out for `YEARS`, cancelled ones left out.

    Raises `HolidayError` for what is no iCalendar in UTF-8 (RFC 5545, 3.1.4), and for an event with a time of day, without a
    date or unreadable.
    """
    import icalendar

    try:
        calendars = icalendar.Calendar.from_ical(data.decode(), multiple=True)
    except UnicodeDecodeError as error:
        raise HolidayError(f"{file} is not UTF-8 text: byte 0x{data[error.start]:02x}.", "Save it as UTF-8.") from error
    except (ValueError, KeyError, IndexError) as error:
        raise HolidayError(f"{file} is not an iCalendar file: {error}.", "Export it again as .ics.") from error
    events = [event for calendar in calendars for event in calendar.events]
    if not events:
        raise HolidayError(f"{file} has no events.", "Name a file that has holidays in it.")
    moved = {(str(event.get("UID")), _moved_from(event)) for event in events if "RECURRENCE-ID" in event}
    found: dict[date, str] = {}
    for event in events:
        if str(event.get("STATUS", "")).upper() == "CANCELLED":
            continue
        first, length, name = _all_day(event, file)
        for start in _starts(event, first, file):
            if "RECURRENCE-ID" in event or (str(event.get("UID")), start) not in moved:
                found.update((start + timedelta(days=day), name) for day in range(length))
        if len(found) > MOST_DATES:
            raise HolidayError(f"{file} names more than {MOST_DATES} dates.", "Holidays are a handful of days a year.")
    return Listed(tuple(sorted(found.items())), source=file)


def _all_day(event: Event, file: str) -> tuple[date, int, str]:
    """First date, number of days and name of an all-day event."""
    name = str(event.get("SUMMARY", ""))
    if event.errors:
        what, why = event.errors[0]
        raise HolidayError(f"{file}: {what} of the event “{name}” cannot be read: {why}.", "Mend or remove the event.")
    if "DTSTART" not in event or isinstance(event.start, datetime):
        raise HolidayError(f"{file}: the event “{name}” is not an all-day event.", "Give it a date without a time of day.")
    return event.start, max(1, min(event.duration.days, 366)), name


def _starts(event: Event, first: date, file: str) -> Iterator[date]:
    """The dates on which an event begins, its rules of repetition followed."""
    left_out = {_as_date(day) for day in event.exdates}
    begins = {first, *(_as_date(day) for day, _ in event.rdates if not isinstance(day, tuple))}
    for rule in event.rrules:
        begins.update(_repeated(dict(rule), first, file))
    yield from sorted(day for day in begins - left_out if day.year in YEARS)


def _repeated(rule: dict[str, list[object]], first: date, file: str) -> Iterator[date]:
    from dateutil.rrule import rrulestr  # type: ignore[import-untyped]
    from icalendar import vRecur

    frequency = str(rule.get("FREQ", ["none"])[0]).upper()
    if frequency not in _FREQUENCIES:
        raise HolidayError(f"{file} has an event that repeats {frequency}.", "Holidays repeat by days or more.")
    last = [_as_date(until) for until in rule.pop("UNTIL", []) if isinstance(until, date)]
    text = vRecur(rule).to_ical().decode()  # type: ignore[no-untyped-call]
    try:
        repeated = rrulestr(text, dtstart=datetime(first.year, first.month, first.day))  # noqa: DTZ001 — a date, not an instant
    except ValueError as error:
        raise HolidayError(f"{file} has a rule “{text}” that cannot be followed: {error}.", "Mend the RRULE.") from error
    end = min([*last, date(YEARS.stop - 1, 12, 31)])
    for count, moment in enumerate(repeated):
        if moment.date() > end:
            return
        if count > MOST_DATES:
            raise HolidayError(f"{file} has a rule “{text}” with more than {MOST_DATES} dates.", "Mend the RRULE.")
        yield moment.date()


def _moved_from(event: Event) -> date:
    return _as_date(event.decoded("RECURRENCE-ID"))


def _as_date(moment: object) -> date:
    if isinstance(moment, datetime):
        return moment.date()
    if isinstance(moment, date):
        return moment
    raise HolidayError(f"“{moment}” is not a date.", "Mend the iCalendar file.")
