"""What the directory says of those near a ticket, as far as a promise may rest on it: noted into the ticket's own events.

The directory changes; the log does not. So what a clock was set by can be told years later.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from itsm.people.models import Group, Organisation, User
from itsm.platform.database import Prepared
from itsm.platform.lists import PreparedForMany
from itsm.services.models import ConfigurationItem, Service
from itsm.tickets.desk import Tx
from itsm.tickets.records import Record

CONCERNED: Final = frozenset({"requester", "organisation", "service", "group", "ci"})
"""The fields on whose change the directory is asked anew."""

_OWNER = aliased(User)
_COLUMNS: Final = {
    "requester.login": User.login,
    "requester.location": User.location,
    "requester.department": User.department,
    "requester.roles": User.roles,
    "organisation.key": Organisation.key,
    "organisation.plan": Organisation.plan,
    "service.key": Service.key,
    "service.criticality": Service.criticality,
    "service.calendar": Service.calendar,
    "service.owner": _OWNER.login,
    "group.key": Group.key,
    "group.calendar": Group.calendar,
    "ci.key": ConfigurationItem.key,
    "ci.kind": ConfigurationItem.kind,
    "ci.location": ConfigurationItem.location,
    "ci.criticality": ConfigurationItem.criticality,
}
NAMES: Final = frozenset(_COLUMNS)
"""What expressions of a policy may ask about others than the ticket."""

_ONE = sa.select(sa.literal_column("1").label("one")).subquery()
_LOOK_UP = Prepared(
    sa.select(*(column.label(name.replace(".", "_")) for name, column in _COLUMNS.items()))
    .select_from(_ONE)
    .outerjoin(User, User.id == sa.bindparam("requester", type_=sa.BigInteger))
    .outerjoin(Organisation, Organisation.id == sa.bindparam("organisation", type_=sa.BigInteger))
    .outerjoin(Service, Service.id == sa.bindparam("service", type_=sa.BigInteger))
    .outerjoin(_OWNER, _OWNER.id == Service.owner_id)
    .outerjoin(Group, Group.id == sa.bindparam("group", type_=sa.BigInteger))
    .outerjoin(ConfigurationItem, ConfigurationItem.id == sa.bindparam("ci", type_=sa.BigInteger))
)


_GROUPS = PreparedForMany(
    lambda many: sa.select(Group.id, Group.key, Group.calendar).where(Group.id.in_(sa.select(many.c.value)))
)
_OF_GROUP: Final = ("group.key", "group.calendar")
_BESIDE: Final = tuple(sorted(CONCERNED - {"group"}))


@dataclass(slots=True)
class _Known:
    """What one transaction has read: of groups by row id, of all others by theirs. Siblings differ in little but the group."""

    groups: dict[int | None, dict[str, Any]] = field(default_factory=lambda: {None: dict.fromkeys(_OF_GROUP)})
    beside: dict[tuple[int | None, ...], dict[str, Any]] = field(default_factory=dict)


def look_up(tx: Tx, record: Record) -> dict[str, Any]:
    """Every name of `NAMES` with what the directory has for this ticket now; None where it has nothing."""
    known, group, beside = tx.known(_Known), record.ids.get("group"), tuple(record.ids.get(name) for name in _BESIDE)
    if group not in known.groups or beside not in known.beside:
        row = tx.session.one(_LOOK_UP, **{name: record.ids.get(name) for name in CONCERNED})
        found = dict(zip(_COLUMNS, row, strict=True))
        known.groups[group] = {name: found.pop(name) for name in _OF_GROUP}
        known.beside[beside] = found
    return {name: {**known.beside[beside], **known.groups[group]}[name] for name in _COLUMNS}


def read_ahead(tx: Tx, records: Iterable[Record]) -> None:
    """Read what the directory has for the groups of several tickets."""
    known = tx.known(_Known)
    unknown = {group for record in records if (group := record.ids.get("group")) not in known.groups and group is not None}
    if len(unknown) > 1:
        rows = _GROUPS.all(tx.session, sorted(unknown))
        known.groups.update({row.id: dict(zip(_OF_GROUP, (row.key, row.calendar), strict=True)) for row in rows})
