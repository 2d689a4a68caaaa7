"""What the answers about clocks look like, for the documents; see `sla.py`."""

from __future__ import annotations

from marshmallow import fields

from itsm.api import paging
from itsm.api.shapes import Shape, addresses, flag, instant, many, now_and_then, open_object, text, texts, whole


class ClockChangeShape(Shape):
    """Something that happened to a clock."""

    at = instant("When.")
    what = text("What happened.", example="paused")
    due_before = instant("When it had been due; null while it waited.", optional=True)
    due_after = instant("When it was due from then on; null while it waits.", optional=True)
    words = text("The same for people, in the time of the requester's place.")
    by = now_and_then("The login of who did it; for staff only.")
    why = fields.String(allow_none=True, metadata={"description": "The condition or the reason behind it; for staff only."})


class TargetShape(Shape):
    """What is to be kept, and how it is counted."""

    words = text("As it was agreed.", example="8 business hours")
    length = text("Its length, as ISO 8601 writes it.", example="PT8H")
    counted = text("How it is counted, in a sentence.")
    calendar = text("The calendar it is counted in.")
    zone = text("The calendar's time zone.")
    tz_version = text("The release of the IANA database that the zone's rules come from.")
    digest = text("Names the calendar's exact content.")


class MatchedShape(Shape):
    """A condition that held."""

    condition = text("As it was written; `every ticket` where there is none.")
    values = open_object("The values that made it hold, by name.")


class GoalShape(MatchedShape):
    """The row of the decision table that fits."""

    row = whole("Which row, the first being 1.")


class RetargetShape(Shape):
    """A change of the target."""

    at = instant("When.")
    from_ = text("What the target was.", data_key="from")
    to = text("What it became.")
    calendar = text("The calendar it was counted in from then on.")
    rule = text("What became of the time spent.", example="keep_elapsed")
    due_before = instant("When it had been due.", optional=True)
    due_after = instant("When it was due from then on.", optional=True)


class ThresholdShape(Shape):
    """A point on the way."""

    at = text("As it was written.", example="75%")
    due = instant("When it is reached, as things stand; null if it is not.", optional=True)
    state = text("`ahead`, `owed`, `answered`, `not_reached`, or `in_the_past` where it was never this desk's to answer.")
    answered = instant("When it was answered.", optional=True)


class CorrectionShape(Shape):
    """A time that was taken out, or an excuse (without times)."""

    at = instant("When it was made.")
    by = text("The login of who made it.")
    reason = text("Why; null for who does not read internal notes.", optional=True)
    start = instant("From when the time does not count.", optional=True)
    end = instant("Until when.", optional=True)


class IntervalShape(Shape):
    """A time of one kind."""

    from_ = fields.AwareDateTime(format="iso", required=True, data_key="from", metadata={"description": "Its beginning."})
    to = instant("Its end.")
    counted = flag("Whether any of it counted.")
    why = text("Why it counted, or did not.", example="outside hours: office-hours")
    state = text("The state the ticket was in.", optional=True)
    group = text("The group it was with.", optional=True)
    assignee = text("Who worked on it.", optional=True)
    working = text("How much of it counted, as ISO 8601 writes it.", example="PT3H30M")


class StateSumShape(Shape):
    """Time that counted in one state."""

    state = text("The state.")
    working = text("How much, as ISO 8601 writes it.")


class GroupSumShape(Shape):
    """Time that counted with one group."""

    group = text("The group's key.", optional=True)
    working = text("How much, as ISO 8601 writes it.")


class AssigneeSumShape(Shape):
    """Time that counted with one person."""

    assignee = text("The login.", optional=True)
    working = text("How much, as ISO 8601 writes it.")


class PolicyRefShape(Shape):
    """The policy behind a clock."""

    name = text("Its name.")
    title = text("The same for people.")
    version = whole("The version of the agreement it is from.")


class DerivationShape(Shape):
    """How all this follows from the ticket's events."""

    policy = fields.Nested(PolicyRefShape, required=True)
    applies = fields.Nested(MatchedShape, required=True)
    goal = fields.Nested(GoalShape, required=True)
    target = fields.Nested(TargetShape, required=True)
    started = instant("When the cycle began.")
    stopped = instant("When it ended.", optional=True)
    ended_by = text("What ended it.", optional=True)
    late_by = text("How long after its due instant it ended, or how long that is ago; on any clock.")
    carried_over = text("What was carried over from an earlier target, in proportion.")
    retargets = many(RetargetShape, "Every change of the target.")
    thresholds = many(ThresholdShape, "The points on the way.")
    corrections = many(CorrectionShape, "Times that were taken out, and the excuse of a miss.")
    grain = text("How finely the intervals are told: `openings`, `weeks` or `events`.")
    intervals = many(IntervalShape, "Every time from its beginning to its end or to now, and whether it counted.")
    by_state = many(StateSumShape, "What counted in each state; adds up to `elapsed` with `carried_over`.")
    by_group = many(GroupSumShape, "What counted with each group.")
    by_assignee = many(AssigneeSumShape, "What counted with each person.")


class ClockShape(Shape):
    """One run of one clock."""

    clock = text("The name of the policy.", example="incident-resolution")
    part = text("The group whose clock it is, where each has its own; else empty.")
    cycle = whole("Which run of this clock: a ticket that is reopened may begin another.")
    title = text("The policy's title.")
    kind = text("`sla`, `ola` or `uc`.")
    underpins = now_and_then("The policy that this one underpins; for staff only.")
    state = text("`running`, `paused`, `met`, `missed` or `cancelled`.")
    target = text("What is to be kept.", example="8 business hours")
    elapsed = text("What has counted, as ISO 8601 writes it.", example="PT3H30M")
    remaining = text("What is left of the target; negative where more has counted.")
    due = instant("When the target is used up; null while it waits with time left.", optional=True)
    breached = flag("Whether the due instant had passed when it ended, or has by now.")
    words = text("The promise in plain words, in the time of the requester's place.")
    changes = many(ClockChangeShape, "What happened to it, the oldest first.")
    derivation = fields.Nested(DerivationShape)


class SheetShape(Shape):
    """The clocks of a ticket."""

    number = text("The ticket.")
    as_of = instant("The instant for which this is told.")
    zone = text("The time zone of the words.")
    clocks = many(ClockShape, "The clocks, the oldest first; others than staff are told of what was promised to them.")
    consistent = fields.Boolean(metadata={"description": "Whether what is kept agrees with the events; for staff only."})
    differences = fields.List(fields.String(), metadata={"description": "Where it does not; for staff only."})


class RunningShape(Shape):
    """A clock that runs, and its ticket."""

    ticket = text("The ticket's number.")
    title = text("The ticket's title.")
    type = text("The ticket's type.")
    priority = text("Its priority, if it has one and you may see it.", optional=True)
    state = text("The state it is in.")
    group = text("The key of the group that answers for it.", optional=True)
    assignee = text("The login of who works on it.", optional=True)
    clock = text("The name of the policy.")
    part = text("The group whose clock it is, where each has its own; else empty.")
    cycle = whole("Which run of this clock.")
    policy = text("The policy's title.")
    kind = text("`sla`, `ola` or `uc`.")
    target = text("What is to be kept.")
    due = instant("When the target is used up.")
    left = text("How long until then, on any clock; negative when it has passed.", example="PT1H20M")
    elapsed = text("What has counted, as ISO 8601 writes it.")
    remaining = text("What of the target is left in its own hours; negative when more has counted.")
    breached = flag("Whether the due instant has passed.")
    links = addresses()


class RunningListShape(Shape):
    """Clocks that run, the earliest due first."""

    items = many(RunningShape)
    next = paging.next_field()


class ResultShape(Shape):
    """How the cycles of one clock that ended in one month came out."""

    clock = text("The name of the policy.")
    kind = text("`sla`, `ola` or `uc`.")
    month = text("The month.", example="2026-03")
    of = text(
        "The group, service, organisation or priority; null where there is none, or the count is not parted.", optional=True
    )
    met = whole("How many were met.")
    missed = whole("How many were missed, those that were excused among them.")
    cancelled = whole("How many ended without a result.")
    excused = whole("How many of the missed were excused.")
    corrected = whole("From how many of all these time was taken out.")


class NotedShape(CorrectionShape):
    """A correction or an excuse, and where it was made."""

    ticket = text("The ticket.")
    clock = text("The name of the policy.")
    part = text("The group whose clock it is, where each has its own; else empty.")
    cycle = whole("Which run of this clock.")
    state = text("How it came out.")
    stopped = instant("When it ended.")


class ResultsShape(Shape):
    """Results, the oldest month first."""

    zone = text("The time zone in which months begin.")
    items = many(ResultShape)
    corrections = many(NotedShape, "Times that were taken out and excuses, of the cycles that ended last.")
    more_corrections = flag("Whether there are more of them than are told here.")


class PolicyShape(Shape):
    """A promise that is made."""

    name = text("Its name.")
    title = text("The same for people.")
    kind = text("`sla`, `ola` or `uc`.")
    promise = text("What the requester is told, as the end of “We …”; null where it is not his to see.", optional=True)
    underpins = text("The policy that this one underpins.", optional=True)
    words = texts("All of it, in sentences.")


class PoliciesShape(Shape):
    """What new tickets are promised, in the order of the file."""

    version = whole("The version of the agreement; 0 before the first.")
    items = many(PolicyShape)
