"""What promises and catalogue look up about people: where they are and in which department; by which plan an organisation is
supported; when a group works.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from itsm.people.commands import tell
from itsm.people.models import Group, Organisation, User
from itsm.platform.database import Prepared, Session
from itsm.platform.errors import not_found
from itsm.platform.schema import table

_USERS, _GROUPS, _ORGANISATIONS = table(User), table(Group), table(Organisation)
_KEY: sa.BindParameter[Any] = sa.bindparam("row_key")

_PLACE = Prepared(
    sa.update(_USERS)
    .where(_USERS.c.login == _KEY)
    .values({name: sa.func.coalesce(sa.bindparam(name, type_=sa.Text), _USERS.c[name]) for name in ("location", "department")})
)
_SET_PLAN = Prepared(sa.update(_ORGANISATIONS).where(_ORGANISATIONS.c.key == _KEY).values(plan=sa.bindparam("plan")))
_SET_CALENDAR = Prepared(sa.update(_GROUPS).where(_GROUPS.c.key == _KEY).values(calendar=sa.bindparam("calendar")))


@dataclass(frozen=True, slots=True)
class Place:
    """Where somebody belongs; None leaves it as it is. `location` is a key of `config/locations.yaml`."""

    location: str | None = None
    department: str | None = None


def place(session: Session, login: str, where: Place, now: datetime, actor: str) -> None:
    """Say where a user belongs. Raises `not_found`."""
    if session.run(_PLACE, row_key=login, **asdict(where)) != 1:
        raise not_found("user", login)
    tell(session, now, actor, "placed", {"login": login, **asdict(where)})


def set_plan(session: Session, organisation: str, plan: str | None) -> None:
    """Give an organisation a support plan. Raises `not_found`."""
    if session.run(_SET_PLAN, row_key=organisation, plan=plan) != 1:
        raise not_found("organisation", organisation)


def set_calendar(session: Session, group: str, calendar: str | None) -> None:
    """Say when a group works: a key of `config/calendars.yaml`. Raises `not_found`."""
    if session.run(_SET_CALENDAR, row_key=group, calendar=calendar) != 1:
        raise not_found("group", group)
