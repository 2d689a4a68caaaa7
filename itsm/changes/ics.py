"""The change calendar as other programs subscribe to it: iCalendar (RFC 5545), a `VEVENT` a change, freeze and meeting."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from icalendar import Calendar, Event

from itsm.changes.board import Head, Item, Sitting, Status
from itsm.changes.freezes import Declared
from itsm.changes.queries import Entry
from itsm.changes.rules import Standing

PRODUCT: Final = "-//itsm//change calendar//EN"
MEDIA_TYPE: Final = "text/calendar; charset=utf-8"

_STATUS: Final = {
    Standing.TENTATIVE: "TENTATIVE",
    Standing.SCHEDULED: "CONFIRMED",
    Standing.UNDER_WAY: "CONFIRMED",
    Standing.DONE: "CONFIRMED",
}


def calendar(entries: Iterable[Entry], freezes: Iterable[Declared], now: datetime, meetings: Iterable[Head] = ()) -> bytes:
    """The calendar as a file. `UID`s stay the same from one reading to the next, so that subscribers update what they have."""
    events = [_change(entry, now) for entry in entries]
    events += [_freeze(each, now) for each in freezes]
    events += [_meeting(head, now) for head in meetings]
    return _file("Changes", events)


def invitation(sitting: Sitting, now: datetime) -> bytes:
    """A meeting as a file, with the agenda that its reader sees."""
    event = _meeting(sitting.head, now)
    if sitting.items:
        event.add("description", "\n".join(_turn(item) for item in sitting.items))
    return _file(sitting.head.title, [event])


def _file(name: str, events: Iterable[Event]) -> bytes:
    book = Calendar()
    book.add("prodid", PRODUCT)
    book.add("version", "2.0")
    book.add("method", "PUBLISH")
    book.add("x-wr-calname", name)
    for event in events:
        book.add_component(event)
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


def _meeting(head: Head, now: datetime) -> Event:
    event = Event()
    event.add("uid", f"meeting-{head.id}@itsm")
    event.add("dtstamp", now)
    event.add("last-modified", head.changed_at)
    event.add("dtstart", head.period.start)
    event.add("dtend", head.period.end)
    event.add("summary", head.title)
    event.add("status", "CANCELLED" if head.status is Status.CANCELLED else "CONFIRMED")
    event.add("categories", ["MEETING"])
    return event


def _turn(item: Item) -> str:
    what = "A change that you do not see" if item.number is None else f"{item.number} {item.title}"
    return f"{item.starts_at:%H:%M} UTC {what}"
