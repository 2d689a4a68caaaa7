"""A ticket in the hands of one command: loaded under lock (`loading.py`), changed in memory, written once at the end
(`saving.py`).

However much a command does to a ticket — a transition, a comment, the reactions that follow — it costs one read, one update
and one batch of events. `append` is the only way anything is said about a ticket, so the row can always be rebuilt from its
events.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from itsm.platform.outbox import Message
from itsm.tickets.desk import Tx
from itsm.workflow.case import Case, Value
from itsm.workflow.definition import Category
from itsm.workflow.engine import Process

REFERENCE_COLUMNS: Mapping[str, str] = {
    "requester": "requester_id",
    "assignee": "assignee_id",
    "group": "group_id",
    "service": "service_id",
    "ci": "ci_id",
    "organisation": "organisation_id",
    "parent": "parent_id",
}
"""Built-in fields that stand as keys in values and as foreign keys in the row."""


@dataclass(slots=True)
class PendingEvent:
    """An event said but not yet written."""

    kind: str
    payload: dict[str, Any]
    internal: bool
    at: datetime
    actor: str
    on_behalf_of: str | None
    channel: str


@dataclass(frozen=True, slots=True)
class Written:
    """A ticket as its written events tell it."""

    state: str
    category: str
    values: Mapping[str, Value]


class Neighbour(NamedTuple):
    """A ticket near another: its row id, the kind of link as read from the other, and the workflow version it follows; None
    for a parent, whose row a part of it never reads.
    """

    id: int
    kind: str
    version_id: int | None


@dataclass(slots=True)
class Record:
    """A ticket as a command sees it. `values` has every field by name; `ids` the row ids behind the keys among them.

    `written` is how it was before what is `pending`; None for one that is new. `happenings` are events that its workflow may
    react to and that have not been answered yet; `messages` wait for the outbox; `neighbours` are known once somebody asked for
    them (see `cascades.py`).
    """

    id: int
    number: str
    type: str
    process: Process
    workflow_version_id: int
    state: str
    category: str
    values: dict[str, Value]
    ids: dict[str, int | None]
    entered_state_at: datetime
    resolved_at: datetime | None
    closed_at: datetime | None
    work_minutes: int
    event_count: int
    chain: bytes
    opened_by_id: int | None
    names: Mapping[str, str] = field(default_factory=dict)
    """Full names by login, as far as they came with the row."""
    left: frozenset[str] = frozenset()
    """Who of its own people had left when it was read; whoever is named in it since is active."""
    is_new: bool = False
    written: Written | None = None
    pending: list[PendingEvent] = field(default_factory=list)
    happenings: deque[str] = field(default_factory=deque)
    messages: list[Message] = field(default_factory=list)
    neighbours: list[Neighbour] | None = None

    @property
    def version(self) -> int:
        """What the ETag carries: how many things have happened to the ticket."""
        return self.event_count + len(self.pending)

    def case(self, **facts: Any) -> Case:
        """The ticket as the engine wants it, with the facts that the caller fetched."""
        return Case(state=self.state, values=self.values, **facts)

    def declared(self) -> dict[str, Value]:
        """The values of the fields that the workflow declares."""
        known = self.process.fields
        return {name: value for name, value in self.values.items() if name in known and not known[name].builtin}


def append(tx: Tx, record: Record, kind: str, payload: dict[str, Any], *, internal: bool = False) -> None:
    """Say that something happened to the ticket, now, by the transaction's actor."""
    record.pending.append(PendingEvent(kind, payload, internal, tx.now, tx.actor.login, tx.origin, tx.channel.value))


def enter(record: Record, state: str, category: Category, at: datetime) -> None:
    """Put the record into a state: the one place that keeps the columns which follow from it."""
    if state != record.state or record.is_new:
        record.entered_state_at = at
    was_done = record.category in {Category.RESOLVED, Category.CLOSED}
    record.state, record.category = state, category.value
    if category is Category.CLOSED:
        record.closed_at = at
        record.resolved_at = record.resolved_at or at
    elif category is Category.RESOLVED:
        record.closed_at = None
        record.resolved_at = record.resolved_at if was_done and record.resolved_at else at
    else:
        record.resolved_at = record.closed_at = None
