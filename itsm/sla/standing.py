"""Where a ticket's clocks stand: what the event log says of them so far, as values.

A `Standing` is a fold over the ticket's events (`rules.advance`). It is kept with the ticket so that the next command need not
read the whole log, and can be made anew from the log at any time. All instants and lengths are whole microseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final, TypeAlias

import orjson

Key: TypeAlias = tuple[str, str, int]
"""Policy, part (the group's key for clocks per group, else empty), number of the cycle."""

Spans: TypeAlias = tuple[tuple[int, int | None], ...]


class Status(StrEnum):
    """How a cycle stands. The last three are results, and final."""

    RUNNING = "running"
    PAUSED = "paused"
    MET = "met"
    MISSED = "missed"
    CANCELLED = "cancelled"


OPEN: Final = frozenset({Status.RUNNING, Status.PAUSED})


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be kept: the row of the decision table, its words, the calendar's key, and its length in that calendar."""

    goal: int
    text: str
    calendar: str
    length: int


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time that counts, in a calendar; `end` is None while it goes on."""

    start: int
    end: int | None
    calendar: str


@dataclass(frozen=True, slots=True)
class Pause:
    """A time that does not count, and why not; `end` is None while it goes on."""

    start: int
    end: int | None
    why: str


@dataclass(frozen=True, slots=True)
class Retarget:
    """The target changed: when, what it was, and the rule that says what becomes of the time spent."""

    at: int
    was: Target
    rule: str


@dataclass(frozen=True, slots=True)
class Correction:
    """What somebody with the right to has put right: a time that is not to count (`start` to `end`), or a miss excused."""

    at: int
    by: str
    reason: str
    start: int | None = None
    end: int | None = None


@dataclass(frozen=True, slots=True)
class Cycle:
    """One run of one clock. `counted` are the stretches that count, `credit` what was carried over from an earlier target.

    `reached` are the thresholds that have been answered; `passed` those that had been reached, each with its instant, under a
    target of which the same share was carried over to another since. Once it has ended, `stopped_at`, `due_at` and `ended_by`
    are set and nothing but an excuse is ever added.
    """

    clock: str
    part: str
    number: int
    version: int
    status: Status
    started_at: int
    target: Target
    counted: tuple[Stretch, ...]
    pauses: tuple[Pause, ...] = ()
    credit: int = 0
    reached: tuple[str, ...] = ()
    retargets: tuple[Retarget, ...] = ()
    corrections: tuple[Correction, ...] = ()
    stopped_at: int | None = None
    due_at: int | None = None
    ended_by: str | None = None
    passed: tuple[tuple[str, int], ...] = ()

    @property
    def key(self) -> Key:
        """Its identity within the ticket."""
        return self.clock, self.part, self.number

    @property
    def is_open(self) -> bool:
        """Whether it has no result yet."""
        return self.status in OPEN

    @property
    def excused(self) -> Correction | None:
        """The excuse of its miss, if there is one."""
        return next((one for one in self.corrections if one.start is None), None)


@dataclass(frozen=True, slots=True)
class Standing:
    """All clocks of one ticket.

    `version` is the agreement it was born with or moved to; None if there was none. `places` is what the directory said of
    those near the ticket when that was noted. `cycles` holds each clock's latest cycle, earlier ones with a threshold still to
    be answered, and misses, which may be excused at any time. `waiting` are clocks that have been set off and may not run yet,
    with the time that would have counted so far; `edges` the conditions that held last. Thresholds up to `quiet_until` are
    taken as answered: that past was told, not lived. `applied_at` is when the agreement was applied to the ticket, 0 if it was
    born with it: what had ended by then is settled. `last_at` is when a clock last changed: should the machine's clock be put
    back, these do not run backwards.
    """

    version: int | None = None
    places: Mapping[str, Any] = field(default_factory=dict)
    cycles: Mapping[Key, Cycle] = field(default_factory=dict)
    waiting: Mapping[tuple[str, str], Spans] = field(default_factory=dict)
    edges: frozenset[str] = frozenset()
    quiet_until: int = 0
    last_at: int = 0
    applied_at: int = 0

    @property
    def past(self) -> tuple[int, int]:
        """Up to when thresholds are taken as answered, and up to when cycles that have ended owe nothing."""
        return self.quiet_until, max(self.quiet_until, self.applied_at)

    def latest(self, clock: str, part: str) -> Cycle | None:
        """The newest cycle of a clock; None before the first."""
        found = [cycle for cycle in self.cycles.values() if cycle.clock == clock and cycle.part == part]
        return max(found, key=lambda cycle: cycle.number, default=None)

    def is_past_miss(self, cycle: Cycle) -> bool:
        """Whether a cycle was missed, and its clock has gone on to another since."""
        return cycle.status is Status.MISSED and self.latest(cycle.clock, cycle.part) is not cycle


def encode(standing: Standing) -> str:
    """A standing as it is kept: JSON."""
    return orjson.dumps(
        {
            "version": standing.version,
            "places": standing.places,
            "cycles": [cycle_data(cycle) for cycle in standing.cycles.values()],
            "waiting": [[clock, part, spans] for (clock, part), spans in standing.waiting.items()],
            "edges": sorted(standing.edges),
            "quiet": standing.quiet_until,
            "last": standing.last_at,
            "applied": standing.applied_at,
        }
    ).decode()


def decode(text: str) -> Standing:
    """The standing that a text keeps."""
    data = orjson.loads(text)
    cycles = [cycle_of(one) for one in data["cycles"]]
    return Standing(
        data["version"],
        data["places"],
        {cycle.key: cycle for cycle in cycles},
        {(clock, part): tuple((start, end) for start, end in spans) for clock, part, spans in data["waiting"]},
        frozenset(data["edges"]),
        data["quiet"],
        data["last"],
        data.get("applied", 0),  # kept by an earlier release
    )


def cycle_data(cycle: Cycle) -> list[Any]:
    """A cycle as JSON keeps it, field by field."""
    return [
        cycle.clock,
        cycle.part,
        cycle.number,
        cycle.version,
        cycle.status.value,
        cycle.started_at,
        _row(cycle.target),
        [_row(one) for one in cycle.counted],
        [_row(one) for one in cycle.pauses],
        cycle.credit,
        cycle.reached,
        [[one.at, _row(one.was), one.rule] for one in cycle.retargets],
        [_row(one) for one in cycle.corrections],
        cycle.stopped_at,
        cycle.due_at,
        cycle.ended_by,
        cycle.passed,
    ]


def cycle_of(data: list[Any]) -> Cycle:
    """The cycle that `cycle_data` kept."""
    return Cycle(
        clock=data[0],
        part=data[1],
        number=data[2],
        version=data[3],
        status=Status(data[4]),
        started_at=data[5],
        target=Target(*data[6]),
        counted=tuple(Stretch(*one) for one in data[7]),
        pauses=tuple(Pause(*one) for one in data[8]),
        credit=data[9],
        reached=tuple(data[10]),
        retargets=tuple(Retarget(at, Target(*was), rule) for at, was, rule in data[11]),
        corrections=tuple(Correction(*one) for one in data[12]),
        stopped_at=data[13],
        due_at=data[14],
        ended_by=data[15],
        passed=tuple((label, at) for label, at in data[16]) if len(data) > 16 else (),  # kept by an earlier release
    )


def text_of(data: list[Any]) -> str:
    """Data as the text that is kept."""
    return orjson.dumps(data).decode()


def _row(value: Target | Stretch | Pause | Correction) -> list[Any]:
    return [getattr(value, name) for name in value.__slots__]


def with_cycle(standing: Standing, cycle: Cycle) -> Standing:
    """The standing with this cycle in the place of its former self."""
    return replace(standing, cycles={**standing.cycles, cycle.key: cycle})
