"""Where there is room for a change: sums of periods, and the places of a length in what is left. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from itsm.changes.rules import MaintenanceWindow, Period, Search
from itsm.platform.time import from_micros, to_micros
from itsm.worktime.calendar import Calendar


def open_stretches(groups: Sequence[Sequence[MaintenanceWindow]], search: Search, within: Period) -> list[Period]:
    """When a change may take place at all: in the windows of everything it is about, else in the hours of `search`."""
    calendars = [[window.calendar for window in group] for group in groups] or [[search.calendar]]
    stretches = [within]
    for each in calendars:
        stretches = list(intersect(stretches, united(opened for calendar in each for opened in _opened(calendar, within))))
    return stretches


def _opened(calendar: Calendar, within: Period) -> list[Period]:
    stretches = calendar.open_between(to_micros(within.start), to_micros(within.end))
    return [Period(from_micros(start), from_micros(end)) for start, end in stretches]


def united(periods: Iterable[Period]) -> list[Period]:
    """The same instants in as few periods as there can be, in order."""
    found: list[Period] = []
    for period in sorted(periods):
        if found and period.start <= found[-1].end:
            found[-1] = Period(found[-1].start, max(found[-1].end, period.end))
        else:
            found.append(period)
    return found


def intersect(some: Iterable[Period], others: Sequence[Period]) -> Iterator[Period]:
    """The instants in both, in the order of the first."""
    for one in some:
        for other in others:
            start, end = max(one.start, other.start), min(one.end, other.end)
            if start < end:
                yield Period(start, end)


def without(some: Iterable[Period], taken: Iterable[Period]) -> Iterator[Period]:
    """The instants of the first that are in none of the others."""
    busy = united(taken)
    for one in some:
        start = one.start
        for other in busy:
            if other.end <= start or other.start >= one.end:
                continue
            if start < other.start:
                yield Period(start, other.start)
            start = max(start, other.end)
        if start < one.end:
            yield Period(start, one.end)


def slots(free: Iterable[Period], length: timedelta, step: timedelta, most: int) -> list[Period]:
    """The first places of a length in free stretches, each beginning on the grid of `step`; one a stretch."""
    found: list[Period] = []
    for stretch in free:
        start = _on_grid(stretch.start, step)
        if start + length <= stretch.end:
            found.append(Period(start, start + length))
            if len(found) == most:
                break
    return found


def _on_grid(instant: datetime, step: timedelta) -> datetime:
    past = (instant - datetime(1970, 1, 1, tzinfo=UTC)) % step
    return instant if not past else instant + step - past
