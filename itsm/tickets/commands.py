"""What can be done to a ticket that is there: one function, one transaction. Tickets are opened by `opening.py`, tied by
`links.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from itsm.people.access import Permission, require
from itsm.platform.database import Prepared
from itsm.platform.errors import DeskError, FieldError, Kind, invalid
from itsm.platform.schema import table
from itsm.platform.words import says_something
from itsm.tickets import guarding, moves, records, references, rights
from itsm.tickets.desk import Happened, Tx
from itsm.tickets.facts import gather
from itsm.tickets.models import Watcher, WorkEntry
from itsm.tickets.records import Record
from itsm.tickets.refusals import as_error
from itsm.tickets.visibility import sees_internal
from itsm.workflow.builtin_actions import Visibility
from itsm.workflow.case import Refusal, Value
from itsm.workflow.definition import FieldType

_WATCHERS, _WORK = table(Watcher), table(WorkEntry)
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


def transition(
    tx: Tx, number: str, trigger: str, fields: Mapping[str, Value], comment: str | None, version: int | None
) -> Record:
    """Fire a trigger on a ticket. `version` is the one the caller has seen; None for callers that hold no copy.

    Raises `DeskError`: `not_found`, `stale`, or what the workflow refuses, every reason at once.
    """
    record = rights.load_to_change(tx, number, version)
    moves.fire(tx, record, trigger, fields, comment)
    moves.settle(tx, record)
    return record


def edit(tx: Tx, number: str, fields: Mapping[str, Value], version: int | None) -> Record:
    """Change fields, never the state. Raises like `transition`."""
    record = rights.load_to_change(tx, number, version)
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

    A public word of the requester, or of staff to him, is something the workflow may react to. Raises `DeskError`
    (`invalid_input`) for words that nobody can read.
    """
    if not says_something(body):
        raise invalid(FieldError("/body", "invalid_value", "A comment must say something."))
    record = rights.load_to_contribute(tx, number)
    if visibility == Visibility.INTERNAL and not sees_internal(tx.actor):
        raise DeskError(Kind.FORBIDDEN, "forbidden", "Internal notes are for staff.")
    comment_id, digest = moves.keep_comment(tx, record, body, visibility)
    payload = {"comment": comment_id, "sha256": digest, "visibility": visibility}
    records.append(tx, record, "commented", payload, internal=visibility == Visibility.INTERNAL)
    if visibility == Visibility.PUBLIC:
        by_requester = record.ids["requester"] == tx.actor.id
        record.happenings.append("requester_replied" if by_requester else "agent_replied")
    moves.settle(tx, record)
    return record, comment_id


def watch(tx: Tx, number: str, login: str) -> Record:
    """Add a watcher. Only staff add others; watching gives nobody a right to see the ticket."""
    return _change_watcher(tx, number, login, adding=True)


def unwatch(tx: Tx, number: str, login: str) -> Record:
    """Take a watcher away; oneself, or by staff."""
    return _change_watcher(tx, number, login, adding=False)


def log_work(tx: Tx, number: str, minutes: int, note: str) -> Record:
    """Book time spent on a ticket, in minutes."""
    require(tx.actor, Permission.WORK)
    record = rights.load_to_contribute(tx, number)
    tx.session.run(_INSERT_WORK, ticket_id=record.id, user_id=tx.actor.id, minutes=minutes, note=note, at=tx.now)
    record.work_minutes += minutes
    records.append(tx, record, "work_logged", {"minutes": minutes, "note": note}, internal=True)
    moves.settle(tx, record)
    return record


def _change_watcher(tx: Tx, number: str, login: str, *, adding: bool) -> Record:
    record = rights.load_to_contribute(tx, number)
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
