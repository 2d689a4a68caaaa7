"""An explained clock as data: JSON for programs and for pages that draw it. Durations are ISO 8601, instants RFC 3339 in UTC.

What a reader may not see of the ticket he does not learn from its clocks: a condition on a field that is hidden from him is
not told, nor are its values, and reasons that were given for staff are told to those who read internal notes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from itsm.platform.time import from_micros, rfc3339
from itsm.sla.explain import Change, Clock, Deed, Matched, Reached
from itsm.sla.intervals import Because, Slice
from itsm.sla.policy import ALWAYS
from itsm.sla.standing import Correction, Retarget, Target
from itsm.workflow.expression import Compiled
from itsm.worktime.calendar import Calendar
from itsm.worktime.duration import Duration, iso

HIDDEN: Final = "a condition on fields that you may not see"
EVERY_TICKET: Final = "every ticket"

_OF_TICKETS: Final = frozenset({"type", "number", "state", "category", "created_at"})
_ROOTS: Final = {"service": "service", "group": "group", "requester": "requester", "organisation": "organisation", "ci": "ci"}


@dataclass(frozen=True, slots=True)
class Reader:
    """For whom it is told: the fields of the ticket that he sees (None: all of them), and whether he reads internal notes."""

    fields: frozenset[str] | None = None
    internal: bool = True

    def sees(self, field: str) -> bool:
        """Whether a field is his to see."""
        return self.fields is None or field in self.fields or field in _OF_TICKETS

    def may_know(self, condition: Compiled) -> bool:
        """Whether everything that a condition asks for is his to see."""
        return all(self.sees(field_of(name)) for name in condition.names)


def field_of(name: str) -> str:
    """The ticket's field that a variable rests on: cost for `ticket.cost.amount`, service for `service.owner`."""
    root, _, rest = name.partition(".")
    return _ROOTS.get(root) or rest.partition(".")[0]


def clock(told: Clock, reader: Reader) -> dict[str, Any]:
    """All there is to say about a cycle."""
    cycle = told.cycle
    return {
        "policy": {"name": cycle.clock, "title": told.policy.title, "version": cycle.version},
        "applies": _matched(told.applies, reader),
        "goal": {"row": cycle.target.goal + 1, **_matched(told.goal, reader)},
        "target": _target(cycle.target, told),
        "started": instant(cycle.started_at),
        "stopped": instant(cycle.stopped_at),
        "ended_by": _ended_by(told, reader),
        "late_by": iso(timedelta(microseconds=told.late_by)),
        "carried_over": length(cycle.credit),
        "retargets": _retargets(told),
        "thresholds": [_threshold(one) for one in told.thresholds],
        "corrections": [correction(one, reader) for one in cycle.corrections],
        "grain": told.grain.value,
        "intervals": [_interval(one, told, reader) for one in told.intervals],
        "by_state": _sums("state", told.totals.state, reader),
        "by_group": _sums("group", told.totals.group, reader),
        "by_assignee": _sums("assignee", told.totals.assignee, reader),
    }


def why_changed(one: Change, told: Clock, reader: Reader) -> str | None:
    """The reason for a change in the terms of the policy; None where there is nothing more to say, or not to this reader."""
    cycle = one.cycle
    match one.deed:
        case Deed.PAUSED:
            return why_paused(cycle.pauses[-1].why, told, reader)
        case Deed.RETARGETED:
            return f"{cycle.retargets[-1].was.text} before, {cycle.target.text} now: {cycle.retargets[-1].rule}"
        case Deed.TAKEN_OUT | Deed.EXCUSED:
            return cycle.corrections[-1].reason if reader.internal else None
        case Deed.ENDED:
            return _ended_by(told, reader)
        case _:
            return None


def why_paused(why: str, told: Clock, reader: Reader) -> str:
    """The condition that paused a clock, or that the ticket is with another group."""
    pause = told.policy.pause
    if pause is not None and why == pause.text and not reader.may_know(pause):
        return HIDDEN
    return why


def why(one: Slice, told: Clock, reader: Reader) -> str:
    """Why an interval counts or does not, in a few words."""
    if one.left_out:
        return f"{one.left_out} intervals that are not told one by one"
    match one.because:
        case Because.PAUSED:
            return f"paused: {why_paused(one.detail, told, reader)}"
        case Because.TAKEN_OUT:
            return f"taken out by {one.by}: {one.detail}" if reader.internal else f"taken out by {one.by}"
        case _:
            return f"{one.because.value}: {one.detail}" if one.detail else one.because.value


def correction(one: Correction, reader: Reader) -> dict[str, Any]:
    """A time that was taken out, or an excuse."""
    return {
        "at": instant(one.at),
        "by": one.by,
        "reason": one.reason if reader.internal else None,
        "start": instant(one.start),
        "end": instant(one.end),
    }


def counted(target: Target, calendar: Calendar) -> str:
    """How a target is counted, in one sentence: which of the forms of docs/working-time.md, rule 9, and with what length."""
    if target.calendar == ALWAYS:
        return f"{target.text} of elapsed time, day and night."
    return calendar.explain(Duration.parse(target.text))


def condition(asked: Compiled | None, reader: Reader) -> str:
    """A condition as it was written, if it is the reader's to know."""
    if asked is None:
        return EVERY_TICKET
    return asked.text if reader.may_know(asked) else HIDDEN


def instant(at: int | None) -> str | None:
    """An instant as RFC 3339 writes it."""
    return None if at is None else rfc3339(from_micros(at))


def length(micros: int) -> str:
    """A length as ISO 8601 writes it, in hours at most: a day of work is not 24 hours."""
    seconds, fraction = divmod(abs(micros), 1_000_000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    rest = f"{seconds}.{fraction:06}".rstrip("0").rstrip(".") if fraction else str(seconds)
    parts = [f"{number}{unit}" for number, unit in ((hours, "H"), (minutes, "M"), (rest, "S")) if number not in (0, "0")]
    return f"{'-' if micros < 0 else ''}PT{''.join(parts) or '0S'}"


def _matched(told: Matched, reader: Reader) -> dict[str, Any]:
    known = told.condition is not None and reader.may_know(told.condition)
    return {"condition": condition(told.condition, reader), "values": dict(told.values) if known else {}}


def _target(target: Target, told: Clock) -> dict[str, Any]:
    calendar = told.calendar
    return {
        "words": target.text,
        "length": length(target.length),
        "counted": counted(target, calendar),
        "calendar": target.calendar,
        "zone": calendar.zone,
        "tz_version": calendar.tz_version,
        "digest": calendar.digest,
    }


def _ended_by(told: Clock, reader: Reader) -> str | None:
    cycle = told.cycle
    if cycle.ended_by not in ("stop", "cancel"):
        return cycle.ended_by
    asked = told.policy.stop if cycle.ended_by == "stop" else told.policy.cancel
    end = next((one for one in told.changes if one.deed is Deed.ENDED), None)
    happened = sorted(end.moment.happenings & asked.on) if end is not None else []
    if happened or asked.when is None:
        return ", ".join(happened) or cycle.ended_by
    return condition(asked.when, reader)


def _retargets(told: Clock) -> list[dict[str, Any]]:
    changes = {one.moment.at: one for one in told.changes if one.deed is Deed.RETARGETED}
    targets = [*(one.was for one in told.cycle.retargets), told.cycle.target]
    pairs = zip(told.cycle.retargets, targets[1:], strict=True)
    return [_retarget(one, becomes, changes.get(one.at)) for one, becomes in pairs]


def _retarget(one: Retarget, becomes: Target, seen: Change | None) -> dict[str, Any]:
    return {
        "at": instant(one.at),
        "from": one.was.text,
        "to": becomes.text,
        "calendar": becomes.calendar,
        "rule": one.rule,
        "due_before": None if seen is None else instant(seen.due_before),
        "due_after": None if seen is None else instant(seen.due_after),
    }


def _threshold(one: Reached) -> dict[str, Any]:
    return {
        "at": one.threshold.label,
        "due": instant(one.at),
        "state": one.answer.value,
        "answered": instant(one.answered_at),
    }


def _interval(one: Slice, told: Clock, reader: Reader) -> dict[str, Any]:
    held = one.holding
    return {
        "from": instant(one.start),
        "to": instant(one.end),
        "counted": one.counted,
        "why": why(one, told, reader),
        "state": None if held is None else held.state,
        "group": held.group if held is not None and reader.sees("group") else None,
        "assignee": held.assignee if held is not None and reader.sees("assignee") else None,
        "working": length(one.working),
    }


def _sums(name: str, sums: Mapping[Any, int], reader: Reader) -> list[dict[str, Any]]:
    if not reader.sees(name) and name != "state":
        return []
    return [{name: key, "working": length(micros)} for key, micros in _longest_first(sums.items())]


def _longest_first(sums: Iterable[tuple[Any, int]]) -> list[tuple[Any, int]]:
    return sorted(sums, key=lambda one: -one[1])
