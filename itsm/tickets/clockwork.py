"""A workflow's timers as rows: armed on entry into their states, disarmed on leaving them."""

from __future__ import annotations

from datetime import datetime

from itsm.platform.timers import NewTimer
from itsm.tickets import alarms
from itsm.tickets.desk import Tx
from itsm.tickets.records import Record
from itsm.workflow.definition import Timer
from itsm.worktime.calendar import Calendar
from itsm.worktime.duration import Duration

KIND = "workflow"
"""The kind of timer rows that carry a workflow's own timers."""


def rearm(tx: Tx, record: Record, source: str | None) -> None:
    """Disarm what the ticket has left, arm what it has entered. A stay within a timer's states goes on uninterrupted."""
    if source == record.state:
        return
    leaving, entering = [], []
    for timer in record.process.workflow.timers.values():
        was, is_ = source in timer.states, record.state in timer.states
        if was and not is_:
            leaving.append(timer.name)
        elif is_ and not was:
            entering.append(timer)
    if leaving:
        alarms.disarm(tx, record.id, KIND, leaving)
    if entering:
        alarms.arm(tx, [_row(tx, record, timer) for timer in entering])


def due(tx: Tx, timer: Timer, start: datetime, duration: Duration) -> datetime:
    """The instant at which a stay that began at `start` has lasted `duration`, in the timer's calendar."""
    return calendar(tx, timer.calendar).add_duration(start, duration)


def calendar(tx: Tx, name: str | None) -> Calendar:
    """The calendar of this name, or the first of the configuration: the desk's own hours."""
    calendars = tx.desk.calendars
    return calendars[name] if name is not None else next(iter(calendars.values()))


def _row(tx: Tx, record: Record, timer: Timer) -> NewTimer:
    return NewTimer(record.id, KIND, timer.name, due(tx, timer, tx.now, timer.after), cycle=record.version)
