"""The change calendar as other programs subscribe to it: iCalendar (RFC 5545), a `VEVENT` for each change and each freeze."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from icalendar import Calendar, Event

from itsm.changes.queries import Declared, Entry
from itsm.changes.rules import Standing

PRODUCT: Final = "-//itsm//change calendar//EN"
MEDIA_TYPE: Final = "text/calendar; charset=utf-8"

_STATUS: Final = {
    Standing.TENTATIVE: "TENTATIVE",
    Standing.SCHEDULED: "CONFIRMED",
    Standing.UNDER_WAY: "CONFIRMED",
    Standing.DONE: "CONFIRMED",
}


def calendar(entries: Iterable[Entry], freezes: Iterable[Declared], now: datetime) -> bytes:
    """The calendar as a file. `UID`s stay the same from one reading to the next, so that subscribers update what they have."""
    book = Calendar()
    book.add("prodid", PRODUCT)
    book.add("version", "2.0")
    book.add("method", "PUBLISH")
    book.add("x-wr-calname", "Changes")
    for entry in entries:
        book.add_component(_change(entry, now))
    for each in freezes:
        book.add_component(_freeze(each, now))
    text: bytes = book.to_ical()
    return text


def _change(entry: Entry, now: datetime) -> Event:
    event = Event()
    event.add("uid", f"{entry.number}@itsm")
    event.add("dtstamp", now)
    event.add("dtstart", entry.period.start)
    event.add("dtend", entry.period.end)
    event.add("summary", f"{entry.number} {entry.title}")
    event.add("status", _STATUS[entry.standing])
    event.add("categories", ["CHANGE"])
    about = [("Service", entry.service), ("Item", entry.item), ("Implementer", entry.implementer), ("State", entry.state)]
    event.add("description", "\n".join(f"{name}: {value}" for name, value in about if value))
    return event


def _freeze(each: Declared, now: datetime) -> Event:
    freeze = each.freeze
    event = Event()
    event.add("uid", f"freeze-{freeze.key}@itsm")
    event.add("dtstamp", now)
    event.add("dtstart", freeze.period.start)
    event.add("dtend", freeze.period.end)
    event.add("summary", f"Freeze: {freeze.reason}")
    event.add("transp", "TRANSPARENT")
    event.add("categories", ["FREEZE"])
    return event
