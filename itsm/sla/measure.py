"""The arithmetic of one cycle: how much is spent, when it is due, when each threshold is reached.

Everything follows from the stretches that count and the target; nothing is stored that could disagree with them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from itsm.sla.policy import ALWAYS, Agreement, Hours, Threshold
from itsm.sla.standing import Cycle, Status
from itsm.worktime.calendar import Calendar
from itsm.worktime.duration import Duration
from itsm.worktime.layout import from_micros, to_micros
from itsm.worktime.timeline import BeyondCalendarError

_MICROSECOND: Final = timedelta(microseconds=1)

ENDLESS: Final = 10**16
"""Longer, in microseconds, than any calendar knows: a target that is never used up, and so is never due."""


def spent(agreement: Agreement, cycle: Cycle, now: int) -> int:
    """The working time that has counted by `now`."""
    total = cycle.credit
    for one in cycle.counted:
        end = now if one.end is None else min(one.end, now)
        if end > one.start:
            total += worked(agreement.calendar(one.calendar), one.start, end)
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
            return added(calendar, one.start, left)
        counted = worked(calendar, one.start, one.end)
        if counted >= left:
            return added(calendar, one.start, left)
        left -= counted
    return None


def worked(calendar: Calendar, start: int, end: int) -> int:
    """The working time between two instants. Beyond the years that the calendar knows nothing counts: a promise whose hours
    nobody has written down yet must not keep anybody from closing a ticket.
    """
    try:
        return calendar.elapsed_micros(start, end)
    except BeyondCalendarError as beyond:
        start, end = (min(max(instant, beyond.first), beyond.last) for instant in (start, end))
        return calendar.elapsed_micros(start, end)


def added(calendar: Calendar, start: int, length: int) -> int | None:
    """When so much has been worked; None if that lies beyond the years the calendar knows, as where it hardly ever opens."""
    try:
        return calendar.add_micros(start, length)
    except BeyondCalendarError:
        return None


def reached_at(agreement: Agreement, cycle: Cycle, threshold: Threshold) -> int | None:
    """The instant at which a threshold is reached; None if it is not, as things stand."""
    if threshold.share is not None:
        if (passed := next((at for label, at in cycle.passed if label == threshold.label), None)) is not None:
            return passed
        length = -(-threshold.share.numerator * cycle.target.length // threshold.share.denominator)  # up: never too early
        return used_up(agreement, cycle, length)
    ends = used_up(agreement, cycle, cycle.target.length)
    if ends is None:
        return None
    if threshold.before is not None:
        return shifted(agreement, cycle.target.calendar, ends, threshold.before, -1)
    assert threshold.after is not None
    return shifted(agreement, cycle.target.calendar, ends, threshold.after, 1)


def shifted(agreement: Agreement, calendar: str, at: int, by: Duration, sign: int) -> int | None:
    """An instant moved by a duration, forward or (`sign` −1) backward, in a calendar; None beyond the years that it knows."""
    hours = agreement.calendar(calendar)
    working = hours.working_length(by)
    if working is None:
        return at + sign * _micros(by)
    return added(hours, at, sign * (working // _MICROSECOND))


def passed(agreement: Agreement, cycle: Cycle, at: int) -> tuple[tuple[str, int], ...]:
    """The shares of its target that a cycle has reached by an instant, by label, each with when that was."""
    shares = [one for one in agreement.policies[cycle.clock].thresholds if one.share is not None]
    instants = [(one.label, reached_at(agreement, cycle, one)) for one in shares]
    return tuple((label, when) for label, when in instants if when is not None and when <= at)


def outstanding(agreement: Agreement, cycle: Cycle, quiet_until: int, settled_until: int) -> list[tuple[int, Threshold]]:
    """The thresholds of a cycle that are still to be answered, each with its instant, the earliest first.

    Those reached up to `quiet_until` are not, nor any of a cycle that had ended by `settled_until`.

    A clock that has ended reaches no more of them, but those that it had reached before are owed still. One that stops at the
    very instant of a threshold has not reached it: a promise kept in the last microsecond is kept.
    """
    policy = agreement.policies.get(cycle.clock)
    if policy is None or cycle.status is Status.CANCELLED:
        return []
    if cycle.stopped_at is not None and cycle.stopped_at <= settled_until:
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
    """The length of a target that begins at `start`, in working time of its calendar; plain durations run in `always`.

    The end of a business day that lies beyond the years which the calendar knows is `ENDLESS` away.
    """
    hours = agreement.calendar(calendar)
    if target.end_of_day:
        try:
            return hours.elapsed_micros(start, to_micros(hours.end_of_business_day(from_micros(start), target.end_of_day)))
        except BeyondCalendarError:
            return ENDLESS
    working = hours.working_length(target)
    return _micros(target) if working is None else working // _MICROSECOND


def calendar_for(target: Duration, configured: str) -> str:
    """The key of the calendar that a target runs in."""
    return ALWAYS if target.exact else configured


def calendar_key(agreement: Agreement, hours: Hours, places: Mapping[str, Any]) -> str:
    """The key of the calendar that hours mean here: a name, or `name@Zone/Of`."""
    name = hours.default
    if hours.by is not None:
        place = str(places.get(f"{hours.by.value}.location"))
        own = str(places.get(f"{hours.by.value}.calendar") or agreement.openings.get(place))
        name = own if own in agreement.calendars else name
    if hours.zone_by is not None:
        zone = agreement.zones.get(str(places.get(f"{hours.zone_by.value}.location")))
        if zone is not None and zone != agreement.calendar(name).zone:
            return f"{name}@{zone}"
    return name


def _micros(duration: Duration) -> int:
    return duration.exact // _MICROSECOND
