"""An explained clock as a text to be read from top to bottom: what was promised, why, and every interval."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta

from itsm.sla import showing, wording
from itsm.sla.explain import Change, Clock, Reached
from itsm.sla.intervals import Slice
from itsm.sla.queries import Sheet
from itsm.worktime import zones
from itsm.worktime.duration import in_hours
from itsm.worktime.layout import from_micros


def account(sheet: Sheet) -> Iterator[str]:
    """The lines that tell why each clock stands as it does; nothing in them is rounded."""
    yield f"{sheet.record.number}: {len(sheet.clocks)} clock(s), times in {wording.place(sheet.home)}."
    for difference in sheet.differences:
        yield f"  What is kept differs from the events: {difference}"
    for clock in sheet.clocks:
        yield ""
        yield from _of_clock(clock, sheet)


def _of_clock(clock: Clock, sheet: Sheet) -> Iterator[str]:
    cycle, policy = clock.cycle, clock.policy
    part = f" of {cycle.part}" if cycle.part else ""
    yield f"{policy.title}{part}, run {cycle.number} ({wording.KINDS[policy.kind]}): {cycle.status.value}"
    yield f"  {wording.promise(clock, sheet.zone)}"
    values = ", ".join(f"{name} is {value}" for name, value in {**clock.applies.values, **clock.goal.values}.items())
    is_rest = clock.goal.condition is None and len(policy.goals) > 1
    goal = "whatever no row before it fits" if is_rest else showing.condition(clock.goal.condition, sheet.reader)
    yield f"  Promised: {cycle.target.text}, for {goal} (row {cycle.target.goal + 1}{f'; {values}' if values else ''})."
    yield f"  Counted: {showing.counted(cycle.target, clock.calendar)} Zone {clock.calendar.zone}, {clock.calendar.tz_version}."
    verb = "exceeded by" if clock.remaining < 0 else "left:"
    yield f"  Spent: {_length(clock.elapsed)}; {verb} {_length(abs(clock.remaining))}."
    if policy.underpins is not None:
        yield f"  It underpins {policy.underpins}."
    yield from _section("What happened", (_change(one, clock, sheet) for one in clock.changes))
    yield from _section("Time", (_interval(one, clock, sheet) for one in clock.intervals))
    yield from _section("What counted", _sums(clock))
    yield from _section("Thresholds", (_threshold(one, sheet) for one in clock.thresholds))


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    told = list(lines)
    if told:
        yield f"  {title}:"
        yield from (f"    {line}" for line in told)


def _change(one: Change, clock: Clock, sheet: Sheet) -> str:
    why = showing.why_changed(one, clock, sheet.reader)
    by = "the desk itself" if one.moment.actor == "system" else one.moment.actor
    return f"{wording.change(one, clock, sheet.home, sheet.names)} By {by}{f' ({why})' if why else ''}."


def _interval(one: Slice, clock: Clock, sheet: Sheet) -> str:
    held = one.holding
    who = ", ".join(filter(None, [held.state, held.group, held.assignee])) if held is not None else ""
    counts = f"counts {_length(one.working)}" if one.counted else "does not count"
    times = f"{_local(one.start, sheet.home)} to {_local(one.end, sheet.home)}"
    return f"{times}: {counts}, {showing.why(one, clock, sheet.reader)}{f' ({who})' if who else ''}"


def _sums(clock: Clock) -> Iterator[str]:
    totals = clock.totals
    for name, sums in (("state", totals.state), ("group", totals.group), ("assignee", totals.assignee)):
        if sums:
            yield f"by {name}: " + "; ".join(f"{key or 'nobody'} {_length(micros)}" for key, micros in sums.items())
    if totals.carried_over:
        yield f"carried over from an earlier target: {_length(totals.carried_over)}"


def _threshold(one: Reached, sheet: Sheet) -> str:
    if one.at is None:
        return f"{one.threshold.label}: not reached"
    when = _local(one.at, sheet.home)
    answered = f" at {_local(one.answered_at, sheet.home)}" if one.answered_at is not None else ""
    return f"{one.threshold.label}: {when}, {one.answer.value.replace('_', ' ')}{answered}"


def _local(at: int, zone: str) -> str:
    return f"{zones.to_local(from_micros(at), zone):%Y-%m-%d %H:%M:%S.%f}".rstrip("0").rstrip(".")


def _length(micros: int) -> str:
    return in_hours(timedelta(microseconds=micros))
