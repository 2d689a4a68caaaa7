"""A ticket's clocks made anew from its events: what proves the kept ones, explains them, and moves them to another agreement.

When an agreement is applied to a ticket that lives already, what has a result keeps it: such cycles are the past. Open ones are
what the whole story gives under the new agreement, from its first event on; one for which that has no clock is cancelled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeAlias

from itsm.sla import measure
from itsm.sla.judging import Judge
from itsm.sla.moments import APPLIED, LATE, NOTHING, Facts, Moment, moments
from itsm.sla.phases import concluded
from itsm.sla.policy import Agreement
from itsm.sla.rules import advance
from itsm.sla.standing import Cycle, Key, Standing, Status

NO_SUCH_CLOCK: Final = "the agreement that was applied has no such clock"

LoggedEvent: TypeAlias = tuple[int, str, str, Mapping[str, Any]]
"""An event: instant in microseconds, kind, actor, payload."""

Find: TypeAlias = Callable[[int], tuple[Agreement, Judge]]
"""The agreement of a version. Raises `KeyError` for one that does not exist."""


@dataclass(frozen=True, slots=True)
class Derivation:
    """What the events of a ticket give: where its clocks stand, every cycle there ever was, and the ticket at its end."""

    standing: Standing = field(default_factory=Standing)
    cycles: Mapping[Key, Cycle] = field(default_factory=dict)
    facts: Facts = NOTHING


def derive(find: Find, events: Iterable[LoggedEvent]) -> Derivation:
    """The clocks of a ticket with these events, in their order."""
    standing, cycles, facts = Standing(), dict[Key, Cycle](), NOTHING
    for moment, standing, cycles, _ in steps(find, events):  # noqa: B007  (as the last leaves them)
        facts = moment.after
    return Derivation(standing, cycles, facts)


def steps(
    find: Find, events: Iterable[LoggedEvent]
) -> Iterator[tuple[Moment, Standing, dict[Key, Cycle], Mapping[Key, Cycle]]]:
    """The same event by event: where the clocks stand after each, every cycle there was so far, and those that it touched."""
    standing, cycles = Standing(), dict[Key, Cycle]()
    story: list[Moment] = []
    for moment in moments(events):
        touched: Mapping[Key, Cycle] = {}
        if moment.kind == APPLIED:
            standing, touched = _moved(find, standing, cycles, story, moment)
        elif (version := moment.stamp.get("version", standing.version)) is not None:
            agreement, judge = find(version)
            standing, changed = advance(agreement, judge, standing, moment)
            touched = {cycle.key: cycle for cycle in changed}
        cycles.update(touched)
        story.append(moment)
        yield moment, standing, cycles, touched


def _moved(
    find: Find, old: Standing, past: Mapping[Key, Cycle], story: Sequence[Moment], applied: Moment
) -> tuple[Standing, Mapping[Key, Cycle]]:
    """The clocks under another agreement from a moment on, all of them; none under the one that they have already."""
    version = applied.payload["version"]
    if version == old.version:
        return old, {}
    at = max(applied.at, old.last_at)
    new, told = retold(find(version), version, story)
    results = {key: cycle for key, cycle in past.items() if not cycle.is_open}
    was_open = {(cycle.clock, cycle.part): cycle for cycle in past.values() if cycle.is_open}
    taken: dict[Key, Cycle] = {}
    for clock in told:
        before = [cycle for cycle in results.values() if (cycle.clock, cycle.part) == clock]
        taken.update({cycle.key: cycle for cycle in following(list(told[clock].values()), before, was_open.get(clock))})
    for was in was_open.values():
        if was.key not in taken:
            taken[was.key] = concluded(was, at, Status.CANCELLED, measure.due(find(was.version)[0], was), NO_SUCH_CLOCK)
    latest = {key: cycle for key, cycle in old.cycles.items() if not cycle.is_open}
    places = {**old.places, **new.places}
    quiet_until = old.quiet_until if applied.payload.get(LATE) else at
    standing = replace(
        new,
        version=version,
        places=places,
        cycles={**latest, **taken},
        quiet_until=quiet_until,
        applied_at=at,
        last_at=at,
    )
    return standing, {**results, **taken}


@dataclass(frozen=True, slots=True)
class Begun:
    """A cycle as the whole story gives it, and the instant of the event with which it began."""

    began_at: int
    cycle: Cycle


def retold(
    found: tuple[Agreement, Judge], version: int, story: Sequence[Moment]
) -> tuple[Standing, Mapping[tuple[str, str], Mapping[int, Begun]]]:
    """What a story gives from its first event on under an agreement it does not speak of: cycles by clock and number."""
    agreement, judge = found
    standing, told = Standing(version=version), dict[tuple[str, str], dict[int, Begun]]()
    for moment in story:
        if moment.kind == APPLIED:
            continue
        standing, touched = advance(agreement, judge, standing, moment)
        standing = replace(standing, version=version)  # not the one that it was born with
        for cycle in touched:
            mine = told.setdefault((cycle.clock, cycle.part), {})
            began_at = mine[cycle.number].began_at if cycle.number in mine else standing.last_at
            mine[cycle.number] = Begun(began_at, replace(cycle, version=version))
    return standing, told


def following(told: Sequence[Begun], results: Sequence[Cycle], was: Cycle | None) -> list[Cycle]:
    """Which cycles of one clock follow those with a result, numbered after them; `was` is the open one whose place they take.

    An open one does, unless no clock was open and it began before the promise was last kept or broken: then it is done with.
    One that has ended does where a clock was open and knew no such end; a promise that nobody had made is given no result.
    """
    ends = [(cycle.stopped_at or 0, cycle.status) for cycle in results]
    decided = max((at for at, status in ends if status is not Status.CANCELLED), default=0)
    last = max((at for at, _ in ends), default=0)
    found = [
        one.cycle
        for one in told
        if (one.cycle.is_open and (was is not None or one.began_at >= decided))
        or (not one.cycle.is_open and was is not None and one.began_at >= last)
    ]
    number = max((cycle.number for cycle in results), default=0)
    reached = was.reached if was is not None else ()
    return [replace(one, number=number + place, reached=reached) for place, one in enumerate(found, 1)]
