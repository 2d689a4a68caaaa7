"""The lives that a ticket can lead, as far as a few of its fields tell them apart: explored from creation, breadth first.

A step that would break an invariant is not taken, for the engine refuses it, but noted: it is what we are looking for. What is
not looked at can be anything, so a way found here may still be closed by a condition on another field; `invariants.py` then
looks again with that field too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from itsm.workflow.check.effort import Effort
from itsm.workflow.check.logic import Values
from itsm.workflow.check.steps import Station, Step, Stepper
from itsm.workflow.check.subject import Subject
from itsm.workflow.definition import Invariant

STATIONS_MAX: Final = 5_000
"""A space that may have more is not explored, and nothing is said about it."""


@dataclass(frozen=True, slots=True)
class Breach:
    """A way from creation to where an invariant does not hold, and the values there."""

    trail: tuple[Step, ...]
    values: Values


def breaches(subject: Subject, names: Iterable[str]) -> dict[Invariant, Breach]:
    """For each invariant that can be broken the shortest way to that; nothing if the space is too large to say.

    `names` are the fields and counts looked at; more than an invariant names may be needed to follow the conditions.
    """
    stepper = Stepper(subject, names)
    return _Explorer(stepper, subject.steps).explore() if stepper.size <= STATIONS_MAX else {}


class _Explorer:
    """A walk through all stations. Counts are free at every step, until a condition looks at them: there it ends."""

    def __init__(self, stepper: Stepper, effort: Effort) -> None:
        self._stepper = stepper
        self._effort = effort
        self._came: dict[Station, tuple[Station | None, Step]] = {}
        self._waiting: list[Station] = []
        self._found: dict[Invariant, Breach] = {}

    def explore(self) -> dict[Invariant, Breach]:
        for step in self._stepper.births():
            self._arrive(None, step)
        for station in self._waiting:  # it grows on the way
            for step in self._stepper.steps(station):
                self._arrive(station, step)
                if not self._effort.spend(1):
                    return {}
        return self._found

    def _arrive(self, before: Station | None, step: Step) -> None:
        if step.to in self._came and not step.facts:
            return
        broken = self._stepper.broken(step.to, step.facts)
        for invariant in broken:
            if step.binding and invariant not in self._found:
                values = dict(zip(self._stepper.names, step.to.values, strict=True)) | dict(step.facts)
                self._found[invariant] = Breach((*self._trail(before), step), values)
        if not broken and step.names.isdisjoint(step.facts) and step.to not in self._came:
            self._came[step.to] = (before, step)
            self._waiting.append(step.to)

    def _trail(self, station: Station | None) -> tuple[Step, ...]:
        """The steps from creation to a station."""
        steps: list[Step] = []
        while station is not None:
            station, step = self._came[station]
            steps.append(step)
        return tuple(reversed(steps))
