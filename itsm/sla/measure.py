"""The arithmetic of one cycle: how much is spent, when it is due, when each threshold is reached.

Everything follows from the stretches that count and the target; nothing is stored that could disagree with them.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from itsm.sla.policy import ALWAYS, Agreement, Threshold
from itsm.sla.standing import Cycle, Status
from itsm.worktime.calendar import Calendar
from itsm.worktime.duration import Duration
from itsm.worktime.layout import to_instant, to_micros
from itsm.worktime.timeline import BeyondCalendarError

_MICROSECOND: Final = timedelta(microseconds=1)


def spent(agreement: Agreement, cycle: Cycle, now: int) -> int:
    """The working time that has counted by `now`."""
    total = cycle.credit
    for one in cycle.counted:
        end = now if one.end is None else min(one.end, now)
        if end > one.start:
            total += agreement.calendar(one.calendar).elapsed_micros(one.start, end)
    return total


def due(agreement: Agreement, cycle: Cycle) -> int | None:
    """The instant at which the target is used up; None for a paused clock with time left."""
    return cycle.due_at if not cycle.is_open else used_up(agreement, cycle, cycle.target.length)


def used_up(agreement: Agreement, cycle: Cycle, length: int) -> int | None:
    """The earliest instant at which so much has counted, if nothing changes any more; None if it never will."""
    left = length - cycle.credit
    if left <= 0:  # part of what was carried over: when it was reached under the former target is not asked again
        carried = cycle.retargets[-1].at
        return min(carried, cycle.counted[0].start) if cycle.counted else carried
    for one in cycle.counted:
        calendar = agreement.calendar(one.calendar)
        if one.end is None:
            return _added(calendar, one.start, left)
        worked = calendar.elapsed_micros(one.start, one.end)
        if worked >= left:
            return _added(calendar, one.start, left)
        left -= worked
    return None


def _added(calendar: Calendar, start: int, length: int) -> int | None:
    """When so much has been worked; None if that lies beyond the years the calendar knows, as where it hardly ever opens."""
    try:
        return calendar.add_micros(start, length)
    except BeyondCalendarError:
        return None


def reached_at(agreement: Agreement, cycle: Cycle, threshold: Threshold) -> int | None:
    """The instant at which a threshold is reached; None if it is not, as things stand."""
    if threshold.share is not None:
        length = -(-threshold.share.numerator * cycle.target.length // threshold.share.denominator)  # up: never too early
        return used_up(agreement, cycle, length)
    ends = used_up(agreement, cycle, cycle.target.length)
    if ends is None:
        return None
    if threshold.before is not None:
        return shifted(agreement, cycle.target.calendar, ends, threshold.before, -1)
    assert threshold.after is not None
    return shifted(agreement, cycle.target.calendar, ends, threshold.after, 1)


def shifted(agreement: Agreement, calendar: str, at: int, by: Duration, sign: int) -> int:
    """An instant moved by a duration, forward or (`sign` −1) backward, in a calendar."""
    hours = agreement.calendar(calendar)
    working = hours.working_length(by)
    if working is None:
        return at + sign * _micros(by)
    return hours.add_micros(at, sign * (working // _MICROSECOND))


def outstanding(agreement: Agreement, cycle: Cycle, quiet_until: int) -> list[tuple[int, Threshold]]:
    """The thresholds of a cycle that are still to be answered, each with its instant, the earliest first.

    A clock that has ended reaches no more of them, but those that it had reached before are owed still. One that stops at the
    very instant of a threshold has not reached it: a promise kept in the last microsecond is kept.
    """
    policy = agreement.policies.get(cycle.clock)
    if policy is None or cycle.status is Status.CANCELLED:
        return []
    if cycle.stopped_at is not None and cycle.stopped_at <= quiet_until:
        return []  # nor need its calendars be known to an agreement that came later
    found = []
    for place, threshold in enumerate(policy.thresholds):
        if threshold.label in cycle.reached:
            continue
        at = reached_at(agreement, cycle, threshold)
        if at is None or at <= quiet_until or (cycle.stopped_at is not None and at >= cycle.stopped_at):
            continue
        found.append((at, place, threshold))
    return [(at, threshold) for at, _, threshold in sorted(found, key=lambda one: one[:2])]


def length_of(agreement: Agreement, calendar: str, target: Duration, start: int) -> int:
    """The length of a target that begins at `start`, in working time of its calendar; plain durations run in `always`."""
    hours = agreement.calendar(calendar)
    if target.end_of_day:
        return hours.elapsed_micros(start, to_micros(hours.end_of_business_day(to_instant(start), target.end_of_day)))
    working = hours.working_length(target)
    return _micros(target) if working is None else working // _MICROSECOND


def calendar_for(target: Duration, configured: str) -> str:
    """The key of the calendar that a target runs in."""
    return ALWAYS if target.exact else configured


def _micros(duration: Duration) -> int:
    return duration.exact // _MICROSECOND
