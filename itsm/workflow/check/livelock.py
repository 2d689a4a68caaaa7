"""The rule about circles: what happens by itself must not go on for ever without anybody."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from itsm.workflow.check.firing import fired_in
from itsm.workflow.check.people import DOERS
from itsm.workflow.check.registry import Fault, rule
from itsm.workflow.check.subject import Automatic, Move, Subject
from itsm.workflow.definition import Timer
from itsm.workflow.findings import Severity


@dataclass(frozen=True, slots=True)
class _Step:
    """A move that a timer or reaction makes by itself."""

    each: Automatic
    move: Move


@rule("livelock", Severity.ERROR)
def livelock(subject: Subject) -> Iterator[Fault]:
    """Timers and reactions move the ticket in a circle, or one of them repeats a move that changes nothing, for ever."""
    steps = [step for step in _steps(subject) if step.move.source in subject.reachable]
    for step in steps:
        if _repeats(subject, step):
            yield Fault(
                step.each.what.at,
                f"{str(step.each).capitalize()} fires “{step.move.branch.trigger}” again and again: the ticket stays in"
                f" “{step.move.source}” and nothing in it changes.",
                "Let it notify in do without firing, or lead to another state.",
            )
    for circle in _circles([step for step in steps if step.move.source != step.move.target]):
        if not _makes_progress(subject, circle):
            first = circle[0]
            way = " → ".join([first.move.source, *(f"({step.each.name}) {step.move.target}" for step in circle)])
            yield Fault(
                first.each.what.at,
                f"The ticket goes in a circle for ever without anybody: {way}.",
                "Let a person make one of these moves.",
            )


def _steps(subject: Subject) -> Iterator[_Step]:
    for each in subject.automatic:
        if each.what.fire and each.event not in DOERS:
            for state in each.states:
                for move in fired_in(subject, each, state):
                    yield _Step(each, move)


def _repeats(subject: Subject, step: _Step) -> bool:
    """Whether a repeating timer makes a move that leaves it running and writes nothing."""
    timer = step.each.what
    if not isinstance(timer, Timer) or timer.every is None or step.move.source != step.move.target:
        return False
    return not subject.written_by(step.move.branch) and not any(True for action in timer.do for _ in subject.writes(action))


def _circles(steps: list[_Step]) -> Iterator[tuple[_Step, ...]]:
    """For every state the shortest circle through it, each circle once."""
    seen: set[frozenset[str]] = set()
    for start in dict.fromkeys(step.move.source for step in steps):
        circle = _shortest(steps, start)
        states = frozenset(step.move.source for step in circle)
        if circle and states not in seen:
            seen.add(states)
            yield circle


def _shortest(steps: list[_Step], start: str) -> tuple[_Step, ...]:
    """The shortest way from a state back to it; empty if there is none."""
    ways: dict[str, tuple[_Step, ...]] = {start: ()}
    waiting = [start]
    for state in waiting:
        for step in steps:
            if step.move.source == state:
                if step.move.target == start:
                    return (*ways[state], step)
                if step.move.target not in ways:
                    ways[step.move.target] = (*ways[state], step)
                    waiting.append(step.move.target)
    return ()


def _makes_progress(subject: Subject, circle: tuple[_Step, ...]) -> bool:
    """Whether the circle may end by itself: it writes a field that one of its own conditions looks at."""
    written = [condition for step in circle for condition in (step.each.what.condition, step.move.branch.condition)]
    names = (name for condition in subject.conditions(*written) for name in condition.names)
    looked_at = {name.split(".")[1] for name in names if name.startswith("ticket.")}
    changed = {name for step in circle for name in subject.written_by(step.move.branch)}
    changed |= {name for step in circle for action in step.each.what.do for name, _ in subject.writes(action)}
    return not looked_at.isdisjoint(changed)
