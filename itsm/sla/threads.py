"""What a story gives each clock, in a form that stories of one shape share: instants are named by their place in the story."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from itsm.sla import measure
from itsm.sla.policy import Agreement
from itsm.sla.replay import Begun
from itsm.sla.standing import Cycle, Status, Stretch, Target
from itsm.worktime.calendar import Calendar

ClockKey: TypeAlias = tuple[str, str]
"""Policy and part."""

Instants: TypeAlias = Mapping[int, int] | Sequence[int]


@dataclass(frozen=True, slots=True)
class Short:
    """All that a comparison asks of a clock's open cycle, with the places of instants in the place of these.

    `spans` are what counts, each with its calendar, its start and its end (None: it goes on).
    """

    target: Target
    began_at: int
    spans: Sequence[tuple[Calendar, int, int | None]]

    def due(self, instants: Sequence[int]) -> int | None:
        """When it is due in a story with these instants: what `measure.due` says of the cycle, without making it first."""
        left = self.target.length
        for calendar, start, end in self.spans:
            if end is None:
                return measure.added(calendar, instants[start], left)
            counted = measure.worked(calendar, instants[start], instants[end])
            if counted >= left:
                return measure.added(calendar, instants[start], left)
            left -= counted
        return None


@dataclass(frozen=True, slots=True)
class Thread:
    """What a story gives one clock: its cycles, whether one has no result, and the short form of that where it has one."""

    cycles: Sequence[Begun]
    is_open: bool
    open: Short | None = None


_NOTHING: Final = Thread((), is_open=False)

Threads: TypeAlias = Mapping[ClockKey, Thread]


@dataclass(frozen=True, slots=True)
class Retold:
    """A story's cycles by clock, in their order, as `replay.retold` gives them; each clock's are made when they are asked for.

    Only the status of ended cycles and what leads to the due instant are up to date; thresholds are not. With `instants`, the
    threads have their places.
    """

    agreement: Agreement
    threads: Threads
    instants: Sequence[int] = ()

    def __iter__(self) -> Iterator[ClockKey]:
        return iter(self.threads)

    def thread(self, clock: ClockKey) -> Thread:
        """What the story gives a clock; nothing, if that never began."""
        return self.threads.get(clock, _NOTHING)

    def of(self, clock: ClockKey) -> Sequence[Begun]:
        """The cycles of a clock."""
        found = self.thread(clock).cycles
        if not self.instants:
            return found
        at = self.instants
        return [Begun(at[one.began_at], _decided(self.agreement, moved(one.cycle, at))) for one in found]


def in_full(told: Mapping[ClockKey, Mapping[int, Begun]]) -> Threads:
    """What `replay.retold` gives, by clock."""
    found = {clock: list(cycles.values()) for clock, cycles in told.items()}
    return {clock: Thread(cycles, any(one.cycle.is_open for one in cycles)) for clock, cycles in found.items()}


def _decided(agreement: Agreement, cycle: Cycle) -> Cycle:
    """A cycle with the result that its own instants give it, with the due instant if that was reached."""
    if cycle.is_open or cycle.status is Status.CANCELLED or cycle.stopped_at is None:
        return cycle
    due = measure.used_up(agreement, cycle, cycle.target.length)
    missed = due is not None and cycle.stopped_at > due
    return replace(cycle, status=Status.MISSED if missed else Status.MET, due_at=due)


def moved(cycle: Cycle, instants: Instants) -> Cycle:
    """A cycle with other instants in the place of its own."""
    return Cycle(
        clock=cycle.clock,
        part=cycle.part,
        number=cycle.number,
        version=cycle.version,
        status=cycle.status,
        started_at=instants[cycle.started_at],
        target=cycle.target,
        counted=tuple([_at_other(one, instants) for one in cycle.counted]),
        credit=cycle.credit,
        stopped_at=None if cycle.stopped_at is None else instants[cycle.stopped_at],
    )


def _at_other(one: Stretch, instants: Instants) -> Stretch:
    return Stretch(instants[one.start], None if one.end is None else instants[one.end], one.calendar)
