"""The lives that a ticket can lead, as far as a few of its fields tell them apart: explored from creation, breadth first.

A station is a state and a value for each field looked at. What is not looked at can be anything, so a way found here may still
be closed by a condition on another field; `invariants.py` then looks again with that field too. A step that would break an
invariant is not taken (the engine refuses it), but remembered: it is what we are looking for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from itsm.workflow.check.steps import Station, Step, Stepper
from itsm.workflow.check.subject import Subject
from itsm.workflow.definition import Invariant

STATIONS_MAX: Final = 5_000
"""A space that may have more is not explored, and nothing is said about it."""


@dataclass(frozen=True, slots=True)
class Breach:
    """A way from creation to a station in which an invariant does not hold."""

    invariant: Invariant
    trail: tuple[Step, ...]
    values: dict[str, object]


def breaches(subject: Subject, names: Iterable[str], wanted: Sequence[Invariant]) -> dict[Invariant, Breach] | None:
    """For each of these invariants that can be broken the shortest way to it; None if the space is too large to say.

    `names` are the fields and counts looked at: a few more than the invariants name may be needed to follow the conditions.
    """
    stepper = Stepper(subject, names)
    if stepper.size > STATIONS_MAX:
        return None
    found: dict[Invariant, Breach] = {}
    came: dict[Station, tuple[Station | None, Step]] = {}
    waiting: list[Station] = []

    def arrive(before: Station | None, step: Step) -> None:
        if step.to in came:
            return
        broken = [each for each in wanted if stepper.breaks(step, each)]
        if step.binding:
            for each in broken:
                trail = (*_trail(came, before), step)
                found.setdefault(each, Breach(each, trail, dict(zip(stepper.names, step.to.values, strict=True)) | dict(step.facts)))
        if not broken and not stepper.refused(step) and not step.blind:
            came[step.to] = (before, step)
            waiting.append(step.to)

    for step in stepper.births():
        arrive(None, step)
    for station in waiting:
        for step in stepper.steps(station):
            arrive(station, step)
    return found


def _trail(came: dict[Station, tuple[Station | None, Step]], station: Station | None) -> tuple[Step, ...]:
    """The steps from creation to a station."""
    steps: list[Step] = []
    while station is not None:
        station, step = came[station]
        steps.append(step)
    return tuple(reversed(steps))
