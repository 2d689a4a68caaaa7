"""One ticket under comparison: its kept clocks, and its story told anew under another agreement.

What is found is counted as it is found; put into words is only what may be told in the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from itsm.sla import measure
from itsm.sla.differences import Difference, Flip, Outcome, Tally, Weightiest, What
from itsm.sla.replay import following
from itsm.sla.standing import OPEN, Cycle, Status, Target
from itsm.sla.threads import ClockKey, Retold
from itsm.workflow.definition import Category

_RESULTS: Final = frozenset({Status.MET, Status.MISSED})
_NO_TARGET: Final = Target(0, "", "", 0)


@dataclass(frozen=True, slots=True)
class Compared:
    """A ticket (its `number` and `category`), its story told anew, and where what is found is noted. `now` in microseconds."""

    ticket: Any
    told: Retold
    outcome: Outcome
    weightiest: Weightiest
    now: int
    with_closed: bool

    def note(self, tally: Tally, found: Iterable[Difference]) -> None:
        """Count what was found, and tell what weighs most."""
        for difference in found:
            tally.note(difference)
            self.weightiest.add(difference)

    def note_shift(self, tally: Tally, key: ClockKey, cycle: int, before: int, after: int) -> None:
        """The same for a due instant that moves."""
        shift, flip = after - before, self.flip(before, after)
        tally.note_shift(shift, flip)
        if self.weightiest.takes((flip is not None, False, abs(shift), self.ticket.number)):
            self.weightiest.add(Difference(self.ticket.number, *key, cycle, What.MOVES, before, after, flip))

    def flip(self, before: int | None, after: int | None) -> Flip | None:
        """Whether a clock would be overdue now, or no longer be, with another due instant."""
        was, is_ = before is not None and before < self.now, after is not None and after < self.now
        return None if was == is_ else Flip.OVERDUE if is_ else Flip.IN_TIME


def compare(compared: Compared, policies: frozenset[str], rows: Iterable[Any]) -> None:
    """Compare the kept cycles of a ticket, ordered by clock, part and number, as far as they are of these policies."""
    kept: dict[ClockKey, list[Any]] = {}
    running: dict[ClockKey, Any] = {}
    for row in rows:
        if row.clock in policies:
            key = row.clock, row.part
            kept.setdefault(key, []).append(row)
            if row.status in OPEN:
                running[key] = row
    is_open = compared.ticket.category != Category.CLOSED.value
    for key in dict.fromkeys((*kept, *compared.told)):
        tally, mine, was = compared.outcome.of(key[0]), kept.get(key, ()), running.get(key)
        if is_open and (was is not None or compared.told.thread(key).is_open):
            _compare_open(compared, tally, key, mine, was)
        if compared.with_closed:
            compared.note(tally, _compare_results(compared, tally, key, mine))


@dataclass(frozen=True, slots=True)
class _Then:
    """The cycle that would be open: its target, its number, and when it is due."""

    target: Target
    number: int
    due: int | None


def _compare_open(compared: Compared, tally: Tally, key: ClockKey, rows: Sequence[Any], was: Any) -> None:
    """What applying would do to the open cycle of a clock, or how there would be one."""
    then = _open_then(compared, key, rows, was)
    if was is None and then is None:
        return
    tally.clocks += 1
    if was is not None and then is not None and was.due_at is not None and then.due is not None:
        if was.due_at != then.due:
            compared.note_shift(tally, key, was.cycle, was.due_at, then.due)
    else:
        compared.note(tally, _others(compared, key, rows, was, then))


def _open_then(compared: Compared, key: ClockKey, rows: Sequence[Any], was: Any) -> _Then | None:
    """The cycle that would be open, as `replay.following` has it; of most clocks that can be told in short."""
    short = compared.told.thread(key).open
    if short is None:
        cycle = next((one for one in _ensuing(compared.told, key, rows, was) if one.is_open), None)
        return None if cycle is None else _Then(cycle.target, cycle.number, measure.due(compared.told.agreement, cycle))
    at = compared.told.instants
    number = 1
    if was is None and rows:
        decided = max((row.stopped_at for row in rows if row.status in _RESULTS), default=0)
        if at[short.began_at] < decided:
            return None
        number = rows[-1].cycle + 1
    return _Then(short.target, number, short.due(at))


def _others(compared: Compared, key: ClockKey, rows: Sequence[Any], was: Any, then: _Then | None) -> Iterator[Difference]:
    """What becomes of a cycle that is not due both before and after: it comes, goes, runs, pauses, or pauses differently."""
    number = compared.ticket.number
    if was is None:
        assert then is not None
        yield Difference(number, *key, then.number, What.APPEARS, None, then.due, compared.flip(None, then.due))
    elif then is None:
        what = What.ENDS if _ensuing(compared.told, key, rows, was) else What.DISAPPEARS
        yield Difference(number, *key, was.cycle, what, was.due_at, None, compared.flip(was.due_at, None))
    elif was.due_at != then.due:
        what = What.RUNS if was.due_at is None else What.PAUSES
        yield Difference(number, *key, was.cycle, what, was.due_at, then.due, compared.flip(was.due_at, then.due))
    elif _target_of(was) != (then.target.text, then.target.calendar, then.target.length):
        yield Difference(number, *key, was.cycle, What.RETARGETED)


def _ensuing(told: Retold, key: ClockKey, rows: Sequence[Any], was: Any) -> list[Cycle]:
    """The cycles that would follow those with a result."""
    results = [_stub(row) for row in rows if row is not was]
    return following(told.of(key), results, None if was is None else _stub(was))


def _compare_results(compared: Compared, tally: Tally, key: ClockKey, rows: Sequence[Any]) -> Iterator[Difference]:
    """Which results would have been others; runs of a clock are held against each other in their order."""
    number = compared.ticket.number
    given = [row for row in rows if row.status in _RESULTS]
    would = [one.cycle for one in compared.told.of(key) if one.cycle.status in _RESULTS]
    tally.results += max(len(given), len(would))
    for row, cycle in zip(given, would, strict=False):
        if row.status != cycle.status.value:
            what = What.WOULD_MEET if cycle.status is Status.MET else What.WOULD_MISS
            yield Difference(number, *key, row.cycle, what, row.due_at, cycle.due_at)
    for row in given[len(would) :]:
        yield Difference(number, *key, row.cycle, What.NO_RESULT, row.due_at)
    for cycle in would[len(given) :]:
        yield Difference(number, *key, cycle.number, What.NEW_RESULT, None, cycle.due_at)


def _stub(row: Any) -> Cycle:
    """As much of a kept cycle as it takes to say which cycles follow it."""
    return Cycle(
        row.clock, row.part, row.cycle, 0, Status(row.status), row.started_at, _NO_TARGET, (), stopped_at=row.stopped_at
    )


def _target_of(row: Any) -> tuple[str, str, int]:
    _, text, calendar, length = orjson.loads(row.detail)[6]
    return text, calendar, length
