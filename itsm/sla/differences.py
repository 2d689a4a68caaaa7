"""How one agreement differs from another: in what it says, and in what becomes of clocks under it. Values, and counting."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, Final, TypeAlias

from itsm.sla.policy import Agreement, Condition, Hours, Policy

Weight: TypeAlias = tuple[bool, bool, int, str]
"""What is told first: what would be overdue or no longer be, other results, then what moves furthest; then the ticket."""


class What(StrEnum):
    """What would become of a clock, or of a result."""

    MOVES = "moves"
    RUNS = "runs"
    PAUSES = "pauses"
    RETARGETED = "retargeted"
    APPEARS = "appears"
    DISAPPEARS = "disappears"
    ENDS = "ends"
    WOULD_MEET = "would_meet"
    WOULD_MISS = "would_miss"
    NO_RESULT = "no_result"
    NEW_RESULT = "new_result"


class Flip(StrEnum):
    """Whether a running clock would be overdue now, or no longer be."""

    OVERDUE = "overdue"
    IN_TIME = "in_time"


@dataclass(frozen=True, slots=True)
class Difference:
    """One clock of a ticket that would be different; the due instants are in microseconds."""

    ticket: str
    clock: str
    part: str
    cycle: int
    what: What
    before: int | None = None
    after: int | None = None
    flip: Flip | None = None

    @property
    def shift(self) -> int:
        """By how much the due instant moves; 0 where there is not one before and one after."""
        return 0 if self.before is None or self.after is None else self.after - self.before

    @property
    def weight(self) -> Weight:
        """What it weighs beside others; the heaviest are told first."""
        return self.flip is not None, self.what is not What.MOVES, abs(self.shift), self.ticket


class Weightiest:
    """The differences that weigh most, so many and no more: of a million that move, few need to be written down."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._found: list[Difference] = []
        self._least: Weight | None = None

    def takes(self, weight: Weight) -> bool:
        """Whether a difference of this weight could be among them."""
        return self._most > 0 and (self._least is None or weight > self._least)

    def add(self, found: Difference) -> None:
        """Take one in, if it is among them so far."""
        if self.takes(found.weight):
            self._found.append(found)
            if len(self._found) >= 2 * self._most + _ROOM:
                self._found = self.told()
                self._least = self._found[-1].weight

    def told(self) -> list[Difference]:
        """All of them, the weightiest first; of those that weigh the same, the first that was found."""
        return heapq.nlargest(self._most, self._found, key=lambda each: each.weight)


_ROOM: Final = 100


@dataclass(slots=True)
class Tally:
    """How many clocks of one policy were compared, and what would become of them. Shifts are in microseconds."""

    clocks: int = 0
    earlier: int = 0
    later: int = 0
    runs: int = 0
    pauses: int = 0
    retargeted: int = 0
    appears: int = 0
    disappears: int = 0
    ends: int = 0
    overdue: int = 0
    in_time: int = 0
    results: int = 0
    would_meet: int = 0
    would_miss: int = 0
    no_result: int = 0
    new_result: int = 0
    furthest_earlier: int = 0
    furthest_later: int = 0

    def note(self, found: Difference) -> None:
        """Count a difference."""
        if found.what is What.MOVES:
            self.note_shift(found.shift, found.flip)
            return
        setattr(self, found.what.value, getattr(self, found.what.value) + 1)
        self._note_flip(found.flip)

    def note_shift(self, shift: int, flip: Flip | None) -> None:
        """Count a due instant that moves; the shift is in microseconds."""
        if shift < 0:
            self.earlier += 1
            self.furthest_earlier = min(self.furthest_earlier, shift)
        else:
            self.later += 1
            self.furthest_later = max(self.furthest_later, shift)
        self._note_flip(flip)

    def _note_flip(self, flip: Flip | None) -> None:
        if flip is not None:
            setattr(self, flip.value, getattr(self, flip.value) + 1)

    def add(self, other: Tally) -> None:
        """Take in what was counted elsewhere."""
        for each in fields(Tally):
            mine, theirs = getattr(self, each.name), getattr(other, each.name)
            both = {"furthest_earlier": min, "furthest_later": max}.get(each.name)
            setattr(self, each.name, mine + theirs if both is None else both(mine, theirs))


@dataclass(slots=True)
class Outcome:
    """What was found: by policy, and the weightiest differences one by one."""

    tickets: int = 0
    tallies: dict[str, Tally] = field(default_factory=dict)
    shown: list[Difference] = field(default_factory=list)

    @property
    def clocks(self) -> int:
        """How many clocks and results were compared."""
        return sum(tally.clocks + tally.results for tally in self.tallies.values())

    def of(self, policy: str) -> Tally:
        """The tally of a policy."""
        found = self.tallies.get(policy)
        if found is None:
            found = self.tallies[policy] = Tally()
        return found

    def add(self, other: Outcome, most: int) -> None:
        """Take in what was found elsewhere; `most` differences are kept."""
        self.tickets += other.tickets
        for policy, tally in other.tallies.items():
            self.of(policy).add(tally)
        self.shown = heapq.nlargest(most, [*self.shown, *other.shown], key=lambda each: each.weight)


@dataclass(frozen=True, slots=True)
class Changes:
    """How the policies themselves differ from those of the current agreement."""

    new: tuple[str, ...]
    gone: tuple[str, ...]
    changed: tuple[str, ...]
    same: tuple[str, ...]


def changes(old: Agreement | None, new: Agreement) -> Changes:
    """What is new, gone, changed as far as time is concerned, and as it was."""
    before = {} if old is None else {name: _print(old, policy) for name, policy in old.policies.items()}
    after = {name: _print(new, policy) for name, policy in new.policies.items()}
    both = [name for name in after if name in before]
    return Changes(
        tuple(name for name in after if name not in before),
        tuple(name for name in before if name not in after),
        tuple(name for name in both if before[name] != after[name]),
        tuple(name for name in both if before[name] == after[name]),
    )


def _print(agreement: Agreement, policy: Policy) -> tuple[object, ...]:
    """All of a policy that its clocks could depend on, in a form that compares: its own words, and the content of calendars."""
    hours = [goal.hours for goal in policy.goals if not goal.target.exact]
    by_place = any(one.by or one.zone_by for one in hours)
    calendars = agreement.calendars if by_place else {one.default for one in hours} & set(agreement.calendars)
    return (
        policy.kind,
        policy.per_group,
        policy.on_change,
        policy.retroactive,
        _text(policy.applies),
        _text(policy.pause),
        *(_condition(one) for one in (policy.start, policy.stop, policy.cancel, policy.reset)),
        tuple((str(goal.target), _hours(goal.hours), _text(goal.condition)) for goal in policy.goals),
        tuple((name, agreement.calendars[name].digest) for name in sorted(calendars)),
        (sorted(agreement.zones.items()), sorted(agreement.openings.items())) if by_place else (),
    )


def _condition(condition: Condition) -> tuple[object, ...]:
    return sorted(condition.on), _text(condition.when)


def _hours(hours: Hours) -> tuple[object, ...]:
    return hours.default, hours.by, hours.zone_by


def _text(written: Any) -> str | None:
    return None if written is None else written.text
