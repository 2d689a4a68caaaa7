"""The gate for pipelines: may this be deployed now, must it wait, and for whom; and if not, why.

A pipeline asks about a change, or about what it is going to touch. The answer looks at the ticket, its window and what is
frozen now; it never moves the ticket, and being told `approved` is no authorisation of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import sqlalchemy as sa

from itsm.changes import freezes, queries, rules
from itsm.changes.rules import (
    ASSESSMENT,
    AUTHORISATION,
    AUTHORISED,
    CHANGE,
    DRAFT,
    SCHEDULED,
    UNDER_WAY,
    Book,
    Freeze,
    Period,
)
from itsm.platform.database import Prepared
from itsm.platform.errors import FieldError, invalid
from itsm.platform.time import rfc3339
from itsm.services import queries as things
from itsm.services.models import ConfigurationItem, Service
from itsm.services.rules import Node, Sort
from itsm.tickets import loading
from itsm.tickets.desk import Tx
from itsm.tickets.models import Ticket
from itsm.tickets.records import Record
from itsm.tickets.visibility import SIGHTS, parameters, sight, visible_to
from itsm.workflow.definition import Category

MOST: Final = 50
"""How many open changes of a service or item are looked at, the newest first."""

APPROVERS: Final = "approvers"
_WAITS: Final[Mapping[str, str]] = {
    DRAFT: "It has not been submitted.",
    ASSESSMENT: "It is being assessed.",
    AUTHORISATION: "It awaits authorisation.",
    AUTHORISED: "It is authorised, but not begun.",
}
_OPEN = {
    kind: Prepared(
        sa.select(Ticket.number)
        .outerjoin(Service, Service.id == Ticket.service_id)
        .outerjoin(ConfigurationItem, ConfigurationItem.id == Ticket.ci_id)
        .where(
            visible_to(kind),
            Ticket.type == CHANGE,
            Ticket.category != Category.RESOLVED.value,
            Ticket.category != Category.CLOSED.value,
            sa.or_(
                Service.key == sa.bindparam("service", type_=sa.Text),
                ConfigurationItem.key == sa.bindparam("item", type_=sa.Text),
            ),
        )
        .order_by(Ticket.id.desc())
        .limit(MOST)
    )
    for kind in SIGHTS
}


class Answer(StrEnum):
    """What a pipeline is told, the best first."""

    APPROVED = "approved"
    WAIT = "wait"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Ruling:
    """The answer to a pipeline: about which change, why, and whose deed is awaited (logins, and groups as `group:KEY`)."""

    answer: Answer
    change: str | None
    reasons: tuple[str, ...]
    waiting_for: tuple[str, ...] = ()


def ask(tx: Tx, change: str | None, service: str | None, item: str | None) -> Ruling:
    """Whether a change, or a change of a service or item, may be carried out now.

    Where several changes of it are open, the one that is furthest answers. Raises `not_found` for what the actor does not see,
    `invalid_input` if nothing is named.
    """
    if change is not None:
        return _on_change(tx, queries.change(tx, change))
    nodes = frozenset(Node(sort, key) for sort, key in ((Sort.SERVICE, service), (Sort.ITEM, item)) if key is not None)
    if not nodes:
        raise invalid(FieldError("/change", "required", "Name a change, a service or a configuration item."))
    for node in nodes:
        things.thing(tx.session, tx.actor, node)
    rows = tx.session.all(_OPEN[sight(tx.actor)], service=service, item=item, **parameters(tx.actor))
    found = [_on_change(tx, loading.load(tx, row.number, lock=False)) for row in rows]
    if not found:
        frozen = [_frozen(each.freeze) for each in freezes.holding(tx, _now(tx), nodes, "")]
        return Ruling(Answer.REFUSED, None, ("No change of it is open.", *frozen))
    return min(found, key=lambda ruling: list(Answer).index(ruling.answer))


def _on_change(tx: Tx, record: Record) -> Ruling:
    if record.state == UNDER_WAY:
        return _unless_frozen(tx, record, _now(tx), "It is being implemented.")
    if record.category in {Category.RESOLVED, Category.CLOSED}:
        return Ruling(Answer.REFUSED, record.number, (f"It is in the state {record.state}: nothing more is to be done.",))
    if record.state == SCHEDULED:
        return _scheduled(tx, record)
    emergency = record.state == AUTHORISED and rules.type_of(record.values) == "emergency"
    if emergency:
        return _unless_frozen(tx, record, _now(tx), "It is an authorised emergency.")
    return Ruling(
        Answer.WAIT, record.number, (_WAITS.get(record.state, f"It is in the state {record.state}."),), _whom(tx, record)
    )


def _scheduled(tx: Tx, record: Record) -> Ruling:
    window = rules.window_of(record.values)
    if window is None:
        return Ruling(Answer.WAIT, record.number, ("It has no window.",), _whom(tx, record))
    if tx.now < window.start:
        reason = f"Its window begins at {rfc3339(window.start)}."
        return Ruling(Answer.WAIT, record.number, (reason,), ("window",))
    if tx.now >= window.end:
        reason = f"Its window ended at {rfc3339(window.end)}; it must be scheduled again."
        return Ruling(Answer.REFUSED, record.number, (reason,))
    return _unless_frozen(tx, record, Period(tx.now, window.end), "It is scheduled, and this is its window.")


def _unless_frozen(tx: Tx, record: Record, period: Period, why: str) -> Ruling:
    nodes, type_ = rules.nodes_of(record.values), rules.type_of(record.values)
    passed = freezes.overridden(tx, record, period)
    reasons = [_frozen(each.freeze) for each in freezes.holding(tx, period, nodes, type_) if each.freeze.key not in passed]
    groups = rules.outside(rules.windows_for(tx.desk.part(Book).windows, nodes, type_), period)
    missed = [group[0].title for group in groups if not passed.intersection(window.key for window in group)]
    reasons += [f"This is outside the maintenance window “{title}”." for title in missed]
    return Ruling(Answer.REFUSED if reasons else Answer.APPROVED, record.number, tuple(reasons) or (why,))


def _frozen(freeze: Freeze) -> str:
    return f"Frozen from {freeze.period}: {freeze.reason}"


def _whom(tx: Tx, record: Record) -> tuple[str, ...]:
    """Whose deed is awaited: the approvers where it awaits authorisation, else its assignee, its group, its requester."""
    if record.state == AUTHORISATION:
        awaited = tx.desk.recipients[APPROVERS](tx, record)
        if awaited:
            return tuple(awaited)
    assignee, group, requester = (record.values.get(name) for name in ("assignee", "group", "requester"))
    if record.state == DRAFT and isinstance(requester, str):
        return (requester,)
    if isinstance(assignee, str):
        return (assignee,)
    return (f"group:{group}",) if isinstance(group, str) else ()


def _now(tx: Tx) -> Period:
    return Period(tx.now, tx.now + rules.INSTANT)
