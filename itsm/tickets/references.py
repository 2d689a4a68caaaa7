"""From keys to row ids: the users, groups, services, items and tickets that values name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from itsm.people.models import Group, Organisation, User
from itsm.platform.database import Prepared
from itsm.platform.errors import FieldError, invalid
from itsm.platform.lists import PreparedForMany
from itsm.services.models import ConfigurationItem, Service
from itsm.tickets.desk import Tx
from itsm.tickets.models import Ticket
from itsm.tickets.visibility import SIGHTS, parameters, sight, visible_to
from itsm.workflow.case import Change
from itsm.workflow.definition import FieldType


@dataclass(frozen=True, slots=True)
class Requester:
    """What opening a ticket for somebody needs to know of him."""

    id: int
    organisation_id: int | None
    organisation: str | None


_KEY: sa.BindParameter[Any] = sa.bindparam("key")
_BY_KEY: Mapping[FieldType, Prepared] = {
    FieldType.USER: Prepared(sa.select(User.id).where(User.login == _KEY, User.active)),
    FieldType.GROUP: Prepared(sa.select(Group.id).where(Group.key == _KEY)),
    FieldType.SERVICE: Prepared(
        sa.select(Service.id, Group.key.label("group"), Group.id.label("group_id"))
        .outerjoin(Group, Group.id == Service.group_id)
        .where(Service.key == _KEY)
    ),
    FieldType.CI: Prepared(sa.select(ConfigurationItem.id).where(ConfigurationItem.key == _KEY)),
}
_VISIBLE_TICKET = {kind: Prepared(sa.select(Ticket.id).where(Ticket.number == _KEY, visible_to(kind))) for kind in SIGHTS}
_REQUESTER = Prepared(
    sa.select(User.id, User.organisation_id, Organisation.key.label("organisation"))
    .outerjoin(Organisation, Organisation.id == User.organisation_id)
    .where(User.login == _KEY, User.active)
)
_GROUPS = PreparedForMany(lambda many: sa.select(Group.key, Group.id).where(Group.key.in_(sa.select(many.c.value))), sa.Text)
_RESTRICTED = Prepared(sa.select(Group.restricted).where(Group.id == sa.bindparam("id")))


def read_ahead(tx: Tx, groups: Iterable[str]) -> None:
    """Find several groups at once, for those who will ask for them one by one."""
    known = tx.known(_Known).ids
    unknown = sorted({key for key in groups if (FieldType.GROUP, key) not in known})
    if len(unknown) > 1:
        known.update({(FieldType.GROUP, row.key): int(row.id) for row in _GROUPS.all(tx.session, unknown)})


@dataclass(slots=True)
class _Known:
    """The groups, services and items that one transaction has found: once there, they stay. Users may be shut out."""

    ids: dict[tuple[FieldType, str], int] = field(default_factory=dict)
    supporting: dict[str, tuple[str, int] | None] = field(default_factory=dict)


def find(tx: Tx, kind: FieldType, key: str) -> int | None:
    """The row id behind a key, None when there is none; a ticket that the actor may not see is none."""
    if kind is FieldType.USER and key == tx.actor.login:
        return tx.actor.id
    if kind is FieldType.TICKET:
        row = tx.session.first(_VISIBLE_TICKET[sight(tx.actor)], key=key, **parameters(tx.actor))
        return None if row is None else int(row.id)
    if kind is FieldType.USER:
        row = tx.session.first(_BY_KEY[kind], key=key)
        return None if row is None else int(row.id)
    known = tx.known(_Known)
    if (kind, key) not in known.ids:
        row = tx.session.first(_BY_KEY[kind], key=key)
        if row is None:
            return None
        known.ids[kind, key] = int(row.id)
        if kind is FieldType.SERVICE:
            known.supporting[key] = None if row.group is None else (row.group, row.group_id)
    return known.ids[kind, key]


def resolve(tx: Tx, changes: Mapping[str, Change], kinds: Mapping[str, FieldType]) -> dict[str, int | None]:
    """Row ids for every changed field that refers to something, by field.

    Raises `DeskError` (`invalid_input`) naming at once all that do not exist.
    """
    found: dict[str, int | None] = {}
    missing: list[FieldError] = []
    for name, change in changes.items():
        kind = kinds.get(name)
        if kind is None:
            continue
        if not isinstance(change.new, str):
            found[name] = None
            continue
        found[name] = find(tx, kind, change.new)
        if found[name] is None:
            message = f"There is no {_WORDS[kind]} “{change.new}”."
            missing.append(FieldError(f"/fields/{name}", "unknown_reference", message))
    if missing:
        raise invalid(*missing, detail=" ".join(error.message for error in missing))
    return found


_WORDS = {
    FieldType.USER: "active user",
    FieldType.GROUP: "group",
    FieldType.SERVICE: "service",
    FieldType.CI: "configuration item",
    FieldType.TICKET: "ticket",
}


def requester(tx: Tx, login: str) -> Requester:
    """The active user with this login. Raises `DeskError` (`invalid_input`) at `/requester`."""
    if login == tx.actor.login and tx.actor.id is not None:
        return Requester(tx.actor.id, tx.actor.organisation_id, tx.actor.organisation)
    row = tx.session.first(_REQUESTER, key=login)
    if row is None:
        message = f"There is no active user “{login}”."
        raise invalid(FieldError("/requester", "unknown_reference", message), detail=message)
    return Requester(row.id, row.organisation_id, row.organisation)


def supporting_group(tx: Tx, service: str) -> tuple[str, int] | None:
    """The group that supports a service, if one does: its key and row id."""
    return tx.known(_Known).supporting.get(service) if find(tx, FieldType.SERVICE, service) is not None else None


def is_restricted(tx: Tx, group_id: int | None) -> bool:
    """Whether only its members see what lies with this group."""
    return group_id is not None and bool(tx.session.one(_RESTRICTED, id=group_id).restricted)
