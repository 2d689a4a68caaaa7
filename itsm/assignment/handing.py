"""Giving a ticket to a group and a person, as the desk itself: asked of the workflow first, told in the log, and watched.

The workflow carries it out as its own `assign` would: invariants, guards and separation of duties speak. What they refuse is
noted, and the ticket stays where it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from itsm.assignment.book import Team
from itsm.assignment.rules import Candidate
from itsm.platform.timers import NewTimer
from itsm.tickets import alarms, clockwork, effects, facts, guarding, moves, records
from itsm.tickets.desk import Happened, Tx
from itsm.tickets.records import Record
from itsm.workflow.case import Refusal
from itsm.workflow.definition import Action, Position

KIND: Final = "assignment"
"""The kind of timer rows that end the wait for an assignee to begin."""
TAKE_UP: Final = "take_up"

_HERE: Final = Position("<assignment>", 1, 1)


@dataclass(frozen=True, slots=True)
class Hand:
    """Into which hands a ticket is to come: a group by key and row id, and somebody in it or nobody."""

    group: str
    group_id: int
    to: Candidate | None


@lru_cache(maxsize=1000)
def _assign(group: str, assignee: str | None) -> tuple[Action, ...]:
    """The same tuple each time: what a workflow compiles of it is kept by its identity."""
    return (Action("assign", {"group": group, "assignee": assignee}, _HERE),)


def give(tx: Tx, record: Record, hand: Hand, kind: str, why: Mapping[str, Any]) -> Refusal | None:
    """Put the ticket into these hands and tell so by an event of this kind; what the workflow says against it, if anything.

    `why` is for staff. Where nothing changes, the event is told to staff alone.
    """
    login = None if hand.to is None else hand.to.login
    actions = _assign(hand.group, login)
    case = record.case(**facts.gather(tx, record, record.process.needs_actions(actions)))
    response = record.process.carry_out(actions, case, tx.now)
    refusal = response.refusal or guarding.against_changes(tx, record, response.changes)
    if refusal is not None:
        return refusal
    record.values.update({name: change.new for name, change in response.changes.items()})
    record.ids.update({"group": hand.group_id, "assignee": None if hand.to is None else hand.to.id})
    payload: dict[str, Any] = {"reasons": dict(why)}
    if response.changes:
        payload["changes"] = moves.told(response.changes)
    records.append(tx, record, kind, payload, internal=not response.changes)
    if response.changes:
        record.happenings.append(kind)
        for subscriber in tx.desk.subscribers:
            subscriber(tx, Happened("acted", record, record.state))
    return None


def tell(tx: Tx, record: Record, team: Team, to: Candidate) -> None:
    """Tell somebody that a ticket is his now, if the group has words for that."""
    if team.tell is not None:
        effects.tell(tx, record, team.tell, [to.login])


def watch(tx: Tx, record: Record, team: Team, to: Candidate) -> None:
    """Have the clock look whether the assignee begins in time, if the group says by when."""
    if team.take_up is None:
        return
    due = clockwork.calendar(tx, team.take_up.calendar).add_duration(tx.now, team.take_up.within)
    payload = {"assignee": to.login, "since": record.version}
    alarms.arm(tx, [NewTimer(record.id, KIND, TAKE_UP, due, payload)])


def stop_watching(tx: Tx, record: Record) -> None:
    """Call off the look."""
    alarms.disarm(tx, record.id, KIND, (TAKE_UP,))
