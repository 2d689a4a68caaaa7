"""Who may do something to a ticket that he sees: touch it at all, and add to it. What a transition or an edit asks besides, its
workflow says.
"""

from __future__ import annotations

from itsm.people.access import Permission
from itsm.platform.errors import DeskError, Kind
from itsm.tickets import loading
from itsm.tickets.desk import Tx
from itsm.tickets.records import Record


def load_to_contribute(tx: Tx, number: str) -> Record:
    """The ticket of this number, locked, for somebody to add to it. Raises `not_found`, or what `may_contribute` does."""
    record = loading.load(tx, number)
    may_contribute(tx, record)
    return record


def load_to_change(tx: Tx, number: str, version: int | None) -> Record:
    """The ticket of this number, locked, for a transition or an edit by somebody who has seen this `version` of it.

    Raises `not_found`, `stale`, or what `may_touch` does.
    """
    record = loading.load(tx, number)
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
