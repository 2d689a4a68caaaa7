"""A cycle cut into intervals: which time counted and which did not, why, and who had the ticket meanwhile.

Every instant from the start of a cycle to its end (or to now) lies in exactly one interval, and the working time of all of them
is what the clock has counted, to the microsecond. A long story is told in coarser grains, never left out: see `intervals`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Final, TypeVar

from itsm.sla.policy import Agreement, OnChange
from itsm.sla.rules import WITH_ANOTHER_GROUP
from itsm.sla.standing import Correction, Cycle, Pause, Stretch
from itsm.worktime import zones
from itsm.worktime.calendar import Calendar
from itsm.worktime.layout import from_micros, to_micros

MOST_INTERVALS: Final = 150
"""Above so many intervals a cycle is told in a coarser grain."""

Piece = TypeVar("Piece", Stretch, Pause)
_OTHER_TERMS: Final = frozenset({OnChange.RESTART.value, OnChange.PRORATE.value})


class Because(StrEnum):
    """Why an interval counts, or does not."""

    WORKING = "working time"
    CLOSED = "outside hours"
    HOLIDAY = "holiday"
    PAUSED = "paused"
    AWAY = WITH_ANOTHER_GROUP
    TAKEN_OUT = "taken out"
    EARLIER_TARGET = "before the target changed"
    NOT_BEGUN = "waiting to begin"


class Grain(StrEnum):
    """How finely a cycle is told: each opening and closing, each week, or only where something happened to the ticket."""

    OPENINGS = "openings"
    WEEKS = "weeks"
    EVENTS = "events"


@dataclass(frozen=True, slots=True)
class Holding:
    """Who had the ticket, and in which state it was."""

    state: str
    group: str | None
    assignee: str | None


@dataclass(frozen=True, slots=True)
class Slice:
    """A time from `start` to `end` of one kind. `working` is what of it counted; `detail` says more than `because` does.

    `left_out` is how many intervals stand in this one's place, where there were too many to tell each; then it has no holding.
    """

    start: int
    end: int
    because: Because
    working: int
    holding: Holding | None
    detail: str = ""
    by: str = ""
    left_out: int = 0

    @property
    def counted(self) -> bool:
        """Whether any of it counted."""
        return self.working > 0


@dataclass(frozen=True, slots=True)
class Span:
    """A time in which nothing happened to ticket or clock. In `calendar`, if it is given, its working time counts."""

    start: int
    end: int
    holding: Holding
    working: int
    calendar: Calendar | None
    because: Because
    detail: str = ""
    by: str = ""


def spans(agreement: Agreement, cycle: Cycle, holdings: Sequence[tuple[int, Holding]], end: int) -> list[Span]:
    """The time of a cycle up to `end`, cut wherever something happened. `holdings` is who had the ticket from when on."""
    cuts = sorted({cut for cut in _cuts(cycle, holdings) if cycle.started_at < cut < end} | {cycle.started_at, end})
    begins = [at for at, _ in holdings]
    found = []
    for start, stop in pairwise(cuts):
        _, holding = holdings[max(0, bisect_right(begins, start) - 1)]
        stretch = _at(cycle.counted, start)
        if stretch is not None:
            calendar = agreement.calendar(stretch.calendar)
            working = calendar.elapsed_micros(start, stop)
            found.append(Span(start, stop, holding, working, calendar, Because.WORKING))
        else:
            because, detail, by = _why_not(cycle, start)
            found.append(Span(start, stop, holding, 0, None, because, detail, by))
    return found


def intervals(told: Sequence[Span]) -> tuple[list[Slice], Grain]:
    """The intervals of these spans in the finest grain that keeps them to about `MOST_INTERVALS`.

    If not even the coarsest does, for a ticket with thousands of events, those in the middle are summed up in one.
    """
    for grain, cut in _GRAINS:
        found = list(_merged(interval for span in told for interval in cut(span)))
        if len(found) <= MOST_INTERVALS:
            return found, grain
    half = MOST_INTERVALS // 2
    return [*found[:half], _summed(found[half:-half]), *found[-half:]], Grain.EVENTS


def _cuts(cycle: Cycle, holdings: Sequence[tuple[int, Holding]]) -> Iterator[int]:
    pieces: list[Stretch | Pause | Correction] = [*cycle.counted, *cycle.pauses, *cycle.corrections]
    for piece in pieces:
        if piece.start is not None:
            yield piece.start
        if piece.end is not None:
            yield piece.end
    yield from (one.at for one in cycle.retargets)
    yield from (at for at, _ in holdings)


def _at(pieces: Sequence[Piece], instant: int) -> Piece | None:
    """The piece that an instant lies in; they are in order and apart."""
    place = bisect_right(pieces, instant, key=lambda one: one.start) - 1
    if place < 0:
        return None
    end = pieces[place].end
    return pieces[place] if end is None or instant < end else None


def _why_not(cycle: Cycle, instant: int) -> tuple[Because, str, str]:
    pause = _at(cycle.pauses, instant)
    if pause is not None:
        return (Because.AWAY, "", "") if pause.why == WITH_ANOTHER_GROUP else (Because.PAUSED, pause.why, "")
    taken = next((one for one in cycle.corrections if _covers(one, instant)), None)
    if taken is not None:
        return Because.TAKEN_OUT, taken.reason, taken.by
    changed = next((one for one in cycle.retargets if one.rule in _OTHER_TERMS and instant < one.at), None)
    if changed is not None:
        return Because.EARLIER_TARGET, changed.was.text, ""
    return Because.NOT_BEGUN, "", ""


def _covers(correction: Correction, instant: int) -> bool:
    return correction.start is not None and correction.end is not None and correction.start <= instant < correction.end


def _by_openings(span: Span) -> Iterator[Slice]:
    if span.calendar is None:
        yield _whole(span)
        return
    at = span.start
    for opens, closes in span.calendar.open_between(span.start, span.end):
        yield from _shut(span.calendar, at, opens, span.holding)
        yield Slice(opens, closes, Because.WORKING, closes - opens, span.holding)
        at = closes
    yield from _shut(span.calendar, at, span.end, span.holding)


def _by_weeks(span: Span) -> Iterator[Slice]:
    if span.calendar is None:
        yield _whole(span)
        return
    for start, end, _ in _days(span.calendar.zone, span.start, span.end, lambda day: day.weekday() == 0):
        working = span.calendar.elapsed_micros(start, end)
        because = Because.WORKING if working else Because.CLOSED
        yield Slice(start, end, because, working, span.holding, "" if working else span.calendar.name)


def _whole(span: Span) -> Slice:
    if span.calendar is not None and not span.working:
        return Slice(span.start, span.end, Because.CLOSED, 0, span.holding, span.calendar.name)
    return Slice(span.start, span.end, span.because, span.working, span.holding, span.detail, span.by)


_GRAINS: Final[tuple[tuple[Grain, Callable[[Span], Iterable[Slice]]], ...]] = (
    (Grain.OPENINGS, _by_openings),
    (Grain.WEEKS, _by_weeks),
    (Grain.EVENTS, lambda span: [_whole(span)]),
)


def _shut(calendar: Calendar, start: int, end: int, holding: Holding) -> Iterator[Slice]:
    """A time in which a calendar is closed, holidays told apart from the rest."""
    for begins, stops, day in _days(calendar.zone, start, end, lambda _: True):
        holiday = calendar.holiday(day) if day not in calendar.exceptions and calendar.weekly[day.weekday()] else None
        if holiday is None:
            yield Slice(begins, stops, Because.CLOSED, 0, holding, calendar.name)
        else:
            yield Slice(begins, stops, Because.HOLIDAY, 0, holding, holiday or str(day))


def _days(zone: str, start: int, end: int, cuts: Callable[[date], bool]) -> Iterator[tuple[int, int, date]]:
    """The time from `start` to `end`, cut at the beginning of local dates that `cuts` picks; each with its first date."""
    while start < end:
        day = following = zones.to_local(from_micros(start), zone).date()
        stop = start
        while stop <= start or (stop < end and not cuts(following)):
            following += timedelta(days=1)
            stop = to_micros(zones.to_instant(datetime.combine(following, time()), zone))
        yield start, min(stop, end), day
        start = stop


def _merged(found: Iterable[Slice]) -> Iterator[Slice]:
    """Neighbours of one kind as one."""
    last: Slice | None = None
    for one in found:
        if last is not None and _kind(last) == _kind(one) and last.end == one.start:
            last = replace(last, end=one.end, working=last.working + one.working)
            continue
        if last is not None:
            yield last
        last = one
    if last is not None:
        yield last


def _kind(one: Slice) -> tuple[object, ...]:
    return one.because, one.detail, one.by, one.holding


def _summed(found: Sequence[Slice]) -> Slice:
    working = sum(one.working for one in found)
    because = Because.WORKING if working else Because.CLOSED
    return Slice(found[0].start, found[-1].end, because, working, None, left_out=len(found))
