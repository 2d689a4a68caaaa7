"""How tickets are opened: by people, by other tickets, and as parts of them. The rows are written by `births.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa

from itsm.people.access import Permission, require
from itsm.people.reports import require_acting_for
from itsm.platform.database import Prepared
from itsm.platform.errors import DeskError, FieldError, Kind
from itsm.platform.schema import table
from itsm.tickets import births, cascades, clockwork, guarding, loading, moves, records, references, rights
from itsm.tickets.desk import Happened, Tx
from itsm.tickets.facts import TASK
from itsm.tickets.models import Reader, WorkflowVersion
from itsm.tickets.records import Neighbour, Record
from itsm.tickets.refusals import as_error
from itsm.tickets.visibility import sight
from itsm.workflow.case import Refusal, Value

_CURRENT = Prepared(
    sa.select(WorkflowVersion.id).where(WorkflowVersion.name == sa.bindparam("name"), WorkflowVersion.is_current)
)
_INSERT_READER = Prepared(sa.insert(table(Reader)).values(ticket_id=sa.bindparam("ticket_id"), user_id=sa.bindparam("user_id")))


@dataclass(frozen=True, slots=True)
class NewTicket:
    """What is asked for. `fields` holds declared fields and, besides, those built-in ones a workflow lets one set.

    `laid` are values that a definition gives, such as a catalogue's: typed, but written by no person's right. `opened_by` is
    the row id of whoever asked for what the desk opens by itself: he counts as its opener, and so never decides on it.
    """

    type: str
    title: str
    description: str = ""
    fields: Mapping[str, Value] = field(default_factory=dict)
    service: str | None = None
    ci: str | None = None
    requester: str | None = None
    parent: str | None = None
    laid: Mapping[str, Value] = field(default_factory=dict)
    opened_by: int | None = None


def create(tx: Tx, new: NewTicket) -> Record:
    """Open a ticket.

    Raises `DeskError`: `unknown_type` for a type that has no published workflow, `forbidden` for a requester the actor may not
    act for, and whatever the workflow refuses, every reason at once.
    """
    require(tx.actor, Permission.CREATE)
    if new.parent is not None:
        return _open_part(tx, new, loading.load(tx, new.parent, lock=False))
    return open_under(tx, new, None)


def _open_part(tx: Tx, new: NewTicket, parent: Record) -> Record:
    record = open_under(tx, new, parent)
    cascades.queue(tx, cascades.NOTE, record, [parent.id], "child_added", {"event": "child_added", "number": record.number})
    return record


def open_under(tx: Tx, new: NewTicket, parent: Record | None) -> Record:
    """Open a ticket under a parent that the transaction holds already. Raises like `create`."""
    (record,) = open_all(tx, [new], parent)
    return record


def open_all(tx: Tx, wanted: Sequence[NewTicket], parent: Record | None) -> list[Record]:
    """Open tickets under a parent that the transaction holds already: all of them are written before any of them reacts.

    It costs a statement for each table, however many they are. Raises like `create`, and then opens none.
    """
    opened = [_conceive(tx, new, parent) for new in wanted]
    births.number(tx, opened)
    for record in opened:
        records.append(tx, record, "created", births.told(tx, record))
    births.save(tx, opened)
    _let_openers_see(tx, opened)
    _make_neighbours(parent, opened)
    for record in opened:
        clockwork.rearm(tx, record, None)
        for subscriber in tx.desk.subscribers:
            subscriber(tx, Happened("created", record))
        record.happenings.append("created")
        moves.settle(tx, record)
    return opened


def _make_neighbours(parent: Record | None, opened: Sequence[Record]) -> None:
    """Who is near a ticket that has just been opened is known without asking, and so is who is near its parent from now on."""
    for record in opened:
        record.neighbours = [] if parent is None else [Neighbour(parent.id, "parent", None)]
    if parent is not None and parent.neighbours is not None:
        parent.neighbours += [Neighbour(record.id, "child", record.workflow_version_id) for record in opened]


def _let_openers_see(tx: Tx, opened: Sequence[Record]) -> None:
    """Let a manager see what he has opened for one of his people: no role of his would show it to him."""
    if sight(tx.actor) in ("own", "organisation"):
        others = [record.id for record in opened if record.ids["requester"] != tx.actor.id]
        tx.session.run_many(_INSERT_READER, [{"ticket_id": ticket, "user_id": tx.actor.id} for ticket in others])


def _conceive(tx: Tx, new: NewTicket, parent: Record | None) -> Record:
    """A ticket as its workflow takes it, still without a number and not written."""
    version_id = _current_version(tx, new.type)
    process = loading.process_of(tx, version_id)
    inputs = _creation_inputs(tx, new)
    record = births.newborn(tx, new.type, version_id, process)
    record.opened_by_id = new.opened_by or record.opened_by_id
    verdict = guarding.judge(tx, record, process.create(tx.actor.person(), inputs, tx.now, new.laid), inputs)
    if isinstance(verdict, Refusal):
        raise as_error(verdict, creating=True)
    moves.take_changes(tx, record, verdict.changes)
    _place(tx, record, new, parent)
    records.enter(record, verdict.target, verdict.category, tx.now)
    return record


class _Current(dict[str, int]):
    """The current versions of workflows, as one transaction has found them."""


def _current_version(tx: Tx, type_: str) -> int:
    known = tx.known(_Current)
    if type_ not in known:
        version = tx.session.first(_CURRENT, name=type_)
        if version is None:
            message = f"There is no workflow “{type_}”."
            raise DeskError(Kind.INVALID, "unknown_type", message, (FieldError("/type", "unknown_type", message),))
        known[type_] = version.id
    return known[type_]


def add_task(tx: Tx, number: str, title: str, description: str, fields: Mapping[str, Value]) -> Record:
    """Open a work task under a ticket, whose organisation it keeps: it is a part of what was promised there."""
    require(tx.actor, Permission.WORK)
    require(tx.actor, Permission.CREATE)
    return _open_part(tx, NewTicket(TASK, title, description, fields), rights.load_to_contribute(tx, number))


def _creation_inputs(tx: Tx, new: NewTicket) -> dict[str, Value]:
    if new.requester is not None:
        require_acting_for(tx.session, tx.actor, new.requester)
    inputs: dict[str, Value] = {**new.fields, "title": new.title, "description": new.description}
    inputs.update({name: value for name, value in (("service", new.service), ("ci", new.ci)) if value is not None})
    return inputs


def _place(tx: Tx, record: Record, new: NewTicket, parent: Record | None) -> None:
    """Give a newborn its requester, organisation, parent and, where its service names one, its group."""
    login = new.requester or (None if tx.actor.is_system else tx.actor.login)
    if parent is not None:
        record.values["parent"], record.ids["parent"] = parent.number, parent.id
    if login is None:
        _inherit(record, parent, "requester")
        record.left = parent.left if parent else frozenset()
    else:
        asked = references.requester(tx, login)
        record.values["requester"], record.ids["requester"] = login, asked.id
        record.values["organisation"], record.ids["organisation"] = asked.organisation, asked.organisation_id
    if login is None or parent is not None:
        _inherit(record, parent, "organisation")
    service = record.values.get("service")
    if record.values.get("group") is None and isinstance(service, str):
        group = references.supporting_group(tx, service)
        if group is not None:
            record.values["group"], record.ids["group"] = group
    if parent is not None and record.values.get("group") is None and references.is_restricted(tx, parent.ids.get("group")):
        # What nobody else may read is not told by a part of it that lies with nobody.
        _inherit(record, parent, "group")


def _inherit(record: Record, parent: Record | None, name: str) -> None:
    """Let a newborn have of a reference what its parent has, or nothing."""
    record.values[name] = parent.values.get(name) if parent else None
    record.ids[name] = parent.ids.get(name) if parent else None
