"""What can be done to a ticket: one function, one transaction. Every door calls these, and nothing else changes a ticket."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from itsm.people.access import Permission, require
from itsm.people.reports import require_acting_for
from itsm.platform.database import Prepared
from itsm.platform.errors import DeskError, FieldError, Kind, invalid
from itsm.platform.schema import table
from itsm.tickets import births, cascades, clockwork, guarding, moves, records, references
from itsm.tickets.desk import Happened, Tx
from itsm.tickets.facts import INVERSE_KINDS, TASK, gather
from itsm.tickets.models import Link, Reader, Ticket, Watcher, WorkEntry, WorkflowVersion
from itsm.tickets.records import Neighbour, Record
from itsm.tickets.refusals import as_error
from itsm.tickets.visibility import sees_internal, sight
from itsm.workflow.case import Refusal, Value
from itsm.workflow.definition import FieldType

PUBLIC, INTERNAL = "public", "internal"

_CURRENT = Prepared(
    sa.select(WorkflowVersion.id).where(WorkflowVersion.name == sa.bindparam("name"), WorkflowVersion.is_current)
)
_LINKS, _WATCHERS, _WORK = table(Link), table(Watcher), table(WorkEntry)
_INSERT_LINK = Prepared(
    postgresql.insert(_LINKS)
    .values({name: sa.bindparam(name) for name in ("source_id", "target_id", "kind", "at")})
    .on_conflict_do_nothing(index_elements=["source_id", "target_id", "kind"])  # the same in both databases
    .returning(_LINKS.c.id)
)
_SAME_LINK = Prepared(
    sa.select(Link.id).where(
        Link.source_id == sa.bindparam("source"), Link.target_id == sa.bindparam("target"), Link.kind == sa.bindparam("kind")
    )
)
_DELETE_LINK = Prepared(
    sa.delete(_LINKS)
    .where(_LINKS.c.id == sa.bindparam("link"), _LINKS.c.source_id == sa.bindparam("source"))
    .returning(_LINKS.c.target_id, _LINKS.c.kind)
)
_IS_WATCHER = Prepared(
    sa.select(Watcher.user_id).where(Watcher.ticket_id == sa.bindparam("ticket"), Watcher.user_id == sa.bindparam("user"))
)
_INSERT_WATCHER = Prepared(sa.insert(_WATCHERS).values(ticket_id=sa.bindparam("ticket"), user_id=sa.bindparam("user")))
_DELETE_WATCHER = Prepared(
    sa.delete(_WATCHERS).where(_WATCHERS.c.ticket_id == sa.bindparam("ticket"), _WATCHERS.c.user_id == sa.bindparam("user"))
)
_INSERT_WORK = Prepared(
    sa.insert(_WORK).values({name: sa.bindparam(name) for name in ("ticket_id", "user_id", "minutes", "note", "at")})
)
_INSERT_READER = Prepared(sa.insert(table(Reader)).values(ticket_id=sa.bindparam("ticket_id"), user_id=sa.bindparam("user_id")))
_NUMBER = Prepared(sa.select(Ticket.number).where(Ticket.id == sa.bindparam("id")))


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
    parent = records.load(tx, new.parent, lock=False) if new.parent else None
    record = open_under(tx, new, parent)
    if parent is not None:
        payload = {"event": "child_added", "number": record.number}
        cascades.queue(tx, cascades.NOTE, record, [parent.id], "child_added", payload)
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
    process = records.process_of(tx, version_id)
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
    known = tx.cache.setdefault(_Current, _Current())
    assert isinstance(known, _Current)
    if type_ not in known:
        version = tx.session.first(_CURRENT, name=type_)
        if version is None:
            message = f"There is no workflow “{type_}”."
            raise DeskError(Kind.INVALID, "unknown_type", message, (FieldError("/type", "unknown_type", message),))
        known[type_] = version.id
    return known[type_]


def transition(
    tx: Tx, number: str, trigger: str, fields: Mapping[str, Value], comment: str | None, version: int | None
) -> Record:
    """Fire a trigger on a ticket. `version` is the one the caller has seen; None for callers that hold no copy.

    Raises `DeskError`: `not_found`, `stale`, or what the workflow refuses, every reason at once.
    """
    record = _load_to_change(tx, number, version)
    moves.fire(tx, record, trigger, fields, comment)
    moves.settle(tx, record)
    return record


def edit(tx: Tx, number: str, fields: Mapping[str, Value], version: int | None) -> Record:
    """Change fields, never the state. Raises like `transition`."""
    record = _load_to_change(tx, number, version)
    case = record.case(**gather(tx, record, record.process.needs_edit()))
    verdict = guarding.judge(tx, record, record.process.edit(case, tx.actor.person(), fields, tx.now), fields)
    if isinstance(verdict, Refusal):
        raise as_error(verdict, creating=True)
    if verdict.changes:
        moves.take_changes(tx, record, verdict.changes)
        records.append(tx, record, "edited", {"changes": moves.told(verdict.changes)})
        for subscriber in tx.desk.subscribers:
            subscriber(tx, Happened("edited", record, record.state))
        moves.settle(tx, record)
    return record


def comment(tx: Tx, number: str, body: str, visibility: str) -> tuple[Record, int]:
    """Write on a ticket, for everyone or for staff; the record and the comment's id.

    A public word of the requester, or of staff to him, is something the workflow may react to.
    """
    record = _load_to_contribute(tx, number)
    if visibility == INTERNAL and not sees_internal(tx.actor):
        raise DeskError(Kind.FORBIDDEN, "forbidden", "Internal notes are for staff.")
    comment_id, digest = moves.keep_comment(tx, record, body, visibility)
    payload = {"comment": comment_id, "sha256": digest, "visibility": visibility}
    records.append(tx, record, "commented", payload, internal=visibility == INTERNAL)
    if visibility == PUBLIC:
        by_requester = record.ids["requester"] == tx.actor.id
        record.happenings.append("requester_replied" if by_requester else "agent_replied")
    moves.settle(tx, record)
    return record, comment_id


def link(tx: Tx, number: str, kind: str, other: str) -> tuple[Record, int]:
    """Tie a ticket to another that the actor has a part in as well. A link is kept once, whichever end it was said from.

    Raises `DeskError` (`invalid_input`) for an unknown kind, a ticket that is not there for the actor, itself, or a repetition;
    `read_only` if he may only read one of the two, for a tie is something said about both.
    """
    record = _load_to_contribute(tx, number)
    source, target, kept = _orient(tx, record, kind, other)
    may_contribute(tx, records.load(tx, other, lock=False))
    if _tied(tx, source, target, kept):
        raise _bad_link("/number", "already_linked", "The two are linked so already.")
    link_id = _keep_link(tx, record, kind, target if source == record.id else source, other)
    moves.settle(tx, record)
    return record, link_id


def tie(tx: Tx, record: Record, kind: str, other_id: int, other: str) -> None:
    """Link a record in hand to another ticket, on a workflow's behalf; a tie that is there already stays as it is."""
    if not _tied(tx, *_ends(record.id, kind, other_id)):
        _keep_link(tx, record, kind, other_id, other)


def _tied(tx: Tx, source: int, target: int, kind: str) -> bool:
    """Whether two tickets are linked so already; a tie that reads alike from both ends may have been said from the other."""
    ends = ((source, target), (target, source)) if inverse(kind) == kind else ((source, target),)
    return any(tx.session.first(_SAME_LINK, source=one, target=other, kind=kind) for one, other in ends)


def _ends(one: int, kind: str, other: int) -> tuple[int, int, str]:
    """Source, target and kind of a link as it is kept, from how it reads from one ticket."""
    return (one, other, kind) if kind in INVERSE_KINDS else (other, one, inverse(kind))


def _keep_link(tx: Tx, record: Record, kind: str, other_id: int, other: str) -> int:
    source, target, kept = _ends(record.id, kind, other_id)
    record.neighbours = None
    row = tx.session.first(_INSERT_LINK, source_id=source, target_id=target, kind=kept, at=tx.now)
    if row is None:  # said from the other end at this very moment; who runs again finds it
        raise DeskError(Kind.UNAVAILABLE, "busy", "Another change got in the way; try again.", retry_after=1)
    link_id = int(row.id)
    records.append(tx, record, "linked", {"link": link_id, "kind": kind, "number": other})
    back = {"event": "linked", "link": link_id, "kind": inverse(kind), "number": record.number}
    cascades.queue(tx, cascades.NOTE, record, [other_id], "linked", back)
    return link_id


def unlink(tx: Tx, number: str, link_id: int) -> Record:
    """Take back a link that was said from this ticket. Raises `not_found`."""
    record = _load_to_contribute(tx, number)
    row = tx.session.first(_DELETE_LINK, link=link_id, source=record.id)
    if row is None:
        raise DeskError(Kind.NOT_FOUND, "not_found", f"{number} has no link {link_id} of its own.")
    other = tx.session.one(_NUMBER, id=row.target_id).number
    records.append(tx, record, "unlinked", {"link": link_id, "kind": row.kind, "number": other})
    back = {"event": "unlinked", "link": link_id, "kind": inverse(row.kind), "number": record.number}
    cascades.queue(tx, cascades.NOTE, record, [row.target_id], "unlinked", back)
    moves.settle(tx, record)
    return record


def watch(tx: Tx, number: str, login: str) -> Record:
    """Add a watcher. Only staff add others; watching gives nobody a right to see the ticket."""
    return _change_watcher(tx, number, login, adding=True)


def unwatch(tx: Tx, number: str, login: str) -> Record:
    """Take a watcher away; oneself, or by staff."""
    return _change_watcher(tx, number, login, adding=False)


def log_work(tx: Tx, number: str, minutes: int, note: str) -> Record:
    """Book time spent on a ticket, in minutes."""
    require(tx.actor, Permission.WORK)
    record = _load_to_contribute(tx, number)
    tx.session.run(_INSERT_WORK, ticket_id=record.id, user_id=tx.actor.id, minutes=minutes, note=note, at=tx.now)
    record.work_minutes += minutes
    records.append(tx, record, "work_logged", {"minutes": minutes, "note": note}, internal=True)
    moves.settle(tx, record)
    return record


def add_task(tx: Tx, number: str, title: str, description: str, fields: Mapping[str, Value]) -> Record:
    """Open a work task under a ticket, whose organisation it keeps: it is a part of what was promised there."""
    require(tx.actor, Permission.WORK)
    parent = _load_to_contribute(tx, number)
    return create(tx, NewTicket(TASK, title, description, fields, parent=parent.number))


def inverse(kind: str) -> str:
    """How a kind of link reads from the other end."""
    backwards = {there: here for here, there in INVERSE_KINDS.items()}
    return INVERSE_KINDS.get(kind) or backwards[kind]


def _load_to_contribute(tx: Tx, number: str) -> Record:
    record = records.load(tx, number)
    may_contribute(tx, record)
    return record


def _load_to_change(tx: Tx, number: str, version: int | None) -> Record:
    record = records.load(tx, number)
    if version is not None and version != record.event_count:
        raise DeskError(Kind.STALE, "stale", f"{number} has changed since you read it; read it again.")
    may_touch(tx, record)
    return record


def may_contribute(tx: Tx, record: Record) -> None:
    """Raise `forbidden` unless the actor has a part in the ticket: staff, its requester, its assignee.

    Transitions and edits do not ask this: there the workflow says who may.
    """
    may_touch(tx, record)
    actor = tx.actor
    if not (actor.is_system or actor.may(Permission.WORK) or actor.id in (record.ids["requester"], record.ids["assignee"])):
        raise DeskError(Kind.FORBIDDEN, "read_only", "You may read this ticket, but you have no part in it.")


def may_touch(tx: Tx, record: Record) -> None:
    """Raise `forbidden` for those who may look but not act: auditors, and members of its group with access to read only."""
    if tx.actor.is_system or record.ids["requester"] == tx.actor.id:
        return
    group = record.values["group"]
    if isinstance(group, str) and tx.actor.groups.get(group) == "read":
        raise DeskError(Kind.FORBIDDEN, "read_only", f"Your access to the group {group} is read-only.")
    if not tx.actor.may(Permission.CREATE):
        raise DeskError(Kind.FORBIDDEN, "read_only", "Your roles let you look, not act.")


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


def _orient(tx: Tx, record: Record, kind: str, other: str) -> tuple[int, int, str]:
    """Source, target and kind as the link is kept."""
    if kind not in INVERSE_KINDS and kind not in INVERSE_KINDS.values():
        known = ", ".join(sorted({*INVERSE_KINDS, *INVERSE_KINDS.values()}))
        raise _bad_link("/kind", "unknown_kind", f"There is no kind of link “{kind}”; there are {known}.")
    far = references.find(tx, FieldType.TICKET, other)
    if far is None:
        raise _bad_link("/number", "unknown_reference", f"There is no ticket “{other}”.")
    if far == record.id:
        raise _bad_link("/number", "itself", "A ticket cannot be linked to itself.")
    return _ends(record.id, kind, far)


def _bad_link(pointer: str, code: str, message: str) -> DeskError:
    return invalid(FieldError(pointer, code, message), detail=message)


def _change_watcher(tx: Tx, number: str, login: str, *, adding: bool) -> Record:
    record = _load_to_contribute(tx, number)
    if login != tx.actor.login:
        require(tx.actor, Permission.WORK)
    user = references.find(tx, FieldType.USER, login)
    if user is None:
        message = f"There is no active user “{login}”."
        raise invalid(FieldError("/login", "unknown_reference", message), detail=message)
    watches = tx.session.first(_IS_WATCHER, ticket=record.id, user=user) is not None
    if watches == adding:
        return record
    tx.session.run(_INSERT_WATCHER if adding else _DELETE_WATCHER, ticket=record.id, user=user)
    payload: dict[str, Any] = {"login": login}
    records.append(tx, record, "watched" if adding else "unwatched", payload)
    moves.settle(tx, record)
    return record
