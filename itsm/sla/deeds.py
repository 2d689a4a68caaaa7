"""What is done to a clock itself: a threshold answered, time taken out, a miss excused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from itsm.sla.moments import CORRECTED, EXCUSED, THRESHOLD_REACHED
from itsm.sla.phases import without
from itsm.sla.standing import Correction, Status
from itsm.sla.step import Step


def _threshold(step: Step) -> None:
    payload = step.moment.payload
    cycle = step.standing.cycles.get((payload["clock"], payload["part"], payload["cycle"]))
    if cycle is not None and payload["threshold"] not in cycle.reached:
        step.put(replace(cycle, reached=(*cycle.reached, payload["threshold"])))
        step.forget()


def _corrected(step: Step) -> None:
    """A time that counted is not to count: it is cut out, and stands among the corrections with its reason."""
    payload = step.moment.payload
    cycle = step.standing.latest(payload["clock"], payload["part"])  # told anew, it may have another number
    if cycle is None or not cycle.is_open:
        return
    start, end = payload["start"], payload["end"]
    correction = Correction(step.moment.at, step.moment.actor, payload["reason"], start, end)
    counted = tuple(piece for one in cycle.counted for piece in without(one, start, end))
    step.put(replace(cycle, counted=counted, corrections=(*cycle.corrections, correction)))


def _excused(step: Step) -> None:
    payload = step.moment.payload
    cycle = step.standing.cycles.get((payload["clock"], payload["part"], payload["cycle"]))
    if cycle is not None and cycle.status is Status.MISSED:  # told anew, it may be another, or no miss
        correction = Correction(step.moment.at, step.moment.actor, payload["reason"])
        step.put(replace(cycle, corrections=(*cycle.corrections, correction)))


DEEDS: Final[Mapping[str, Callable[[Step], None]]] = {
    THRESHOLD_REACHED: _threshold,
    CORRECTED: _corrected,
    EXCUSED: _excused,
}
"""By the kind of the event."""
