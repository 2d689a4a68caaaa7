"""What can become of one cycle: it pauses, goes on, ends, loses a piece of its time, goes on in other hours."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from itsm.sla.standing import Cycle, Pause, Status, Stretch


def concluded(cycle: Cycle, at: int, status: Status, due: int | None, why: str) -> Cycle:
    """A cycle that has ended at an instant, with its result; `due` is what was its due instant then."""
    counted, pauses = _closed(cycle, at)
    return replace(cycle, status=status, counted=counted, pauses=pauses, stopped_at=at, due_at=due, ended_by=why)


def _closed(cycle: Cycle, at: int) -> tuple[tuple[Stretch, ...], tuple[Pause, ...]]:
    counted = tuple(one if one.end is not None else replace(one, end=at) for one in cycle.counted)
    pauses = tuple(one if one.end is not None else replace(one, end=at) for one in cycle.pauses)
    return tuple(one for one in counted if one.end != one.start), tuple(one for one in pauses if one.end != one.start)


def paused(cycle: Cycle, at: int, why: str) -> Cycle:
    if cycle.status is Status.PAUSED and cycle.pauses and cycle.pauses[-1].why == why:
        return cycle
    counted, pauses = _closed(cycle, at)
    return replace(cycle, status=Status.PAUSED, counted=counted, pauses=(*pauses, Pause(at, None, why)))


def resumed(cycle: Cycle, at: int) -> Cycle:
    if cycle.status is Status.RUNNING:
        return cycle
    counted, pauses = _closed(cycle, at)
    return replace(cycle, status=Status.RUNNING, pauses=pauses, counted=(*counted, Stretch(at, None, cycle.target.calendar)))


def used_up_since(cycle: Cycle, due: int, at: int) -> Cycle:
    """All of a target is all of another: used up since the same instant, the microsecond before which still counted."""
    pieces = (piece for one in cycle.counted for piece in without(one, cycle.started_at, due - 1))
    kept = replace(cycle, counted=tuple(pieces), credit=cycle.target.length - 1)
    return from_now_in(kept, at, cycle.target.calendar)


def from_now_in(cycle: Cycle, at: int, calendar: str) -> Cycle:
    """What has counted stays as it was counted; from now on another calendar is asked."""
    if cycle.status is not Status.RUNNING:
        return cycle
    counted, _ = _closed(cycle, at)
    return replace(cycle, counted=(*counted, Stretch(at, None, calendar)))


def without(stretch: Stretch, start: int, end: int) -> Iterable[Stretch]:
    """A stretch without what lies between two instants, the second of which has passed."""
    if end <= stretch.start or (stretch.end is not None and start >= stretch.end):
        return [stretch]
    pieces = []
    if start > stretch.start:
        pieces.append(replace(stretch, end=start))
    if stretch.end is None or end < stretch.end:
        pieces.append(replace(stretch, start=end))
    return pieces
