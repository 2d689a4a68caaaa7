"""Many people at once, as they come with an import: looked up and added in one statement for each table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from itsm.people.models import Organisation, PeopleEvent, User
from itsm.platform.database import Prepared, Session
from itsm.platform.schema import table

_USERS, _EVENTS = table(User), table(PeopleEvent)

_FOUND = sa.select(User.id, User.login, User.name, User.organisation_id, Organisation.key.label("organisation")).outerjoin(
    Organisation, Organisation.id == User.organisation_id
)
_ANY_OF: sa.BindParameter[Any] = sa.bindparam("logins", type_=postgresql.ARRAY(sa.Text))
_LISTED: sa.BindParameter[str] = sa.bindparam("logins", type_=sa.Text)
_BY_LOGINS_POSTGRESQL = Prepared(_FOUND.where(User.login == sa.any_(_ANY_OF)))
_BY_LOGINS_SQLITE = Prepared(
    _FOUND.where(User.login.in_(sa.select(sa.column("value")).select_from(sa.func.json_each(_LISTED))))
)
_INSERT = Prepared(
    sa.insert(_USERS).values(
        {name: sa.bindparam(name) for name in ("login", "name", "organisation_id", "roles", "active", "created_at")}
        | {"email": None, "sees_organisation": False}
    )
)
_TELL = Prepared(sa.insert(_EVENTS).values({name: sa.bindparam(name) for name in ("at", "actor", "kind", "payload")}))


@dataclass(frozen=True, slots=True)
class Arrival:
    """Somebody new. `organisation` is a key, `organisation_id` its row id."""

    login: str
    name: str
    roles: frozenset[str]
    organisation: str | None
    organisation_id: int | None


def found(session: Session, logins: Sequence[str]) -> Mapping[str, Any]:
    """The users with these logins, active or not: id, login, name, organisation_id, organisation."""
    if not logins:
        return {}
    if session.is_postgresql:
        rows = session.all(_BY_LOGINS_POSTGRESQL, logins=list(logins))
    else:
        rows = session.all(_BY_LOGINS_SQLITE, logins=orjson.dumps(list(logins)).decode())
    return {row.login: row for row in rows}


def admit(session: Session, arrivals: Iterable[Arrival], now: datetime, actor: str) -> None:
    """Add people who cannot sign in (yet), and tell the auditor so. None of their logins may be taken."""
    arrivals = list(arrivals)
    session.run_many(
        _INSERT,
        [
            {
                "login": one.login,
                "name": one.name,
                "organisation_id": one.organisation_id,
                "roles": sorted(one.roles),
                "active": False,
                "created_at": now,
            }
            for one in arrivals
        ],
    )
    session.run_many(
        _TELL,
        [
            {
                "at": now,
                "actor": actor,
                "kind": "user_added",
                "payload": {"login": one.login, "roles": sorted(one.roles), "organisation": one.organisation, "active": False},
            }
            for one in arrivals
        ],
    )
