"""Who sits on the board in a meeting and who took part: logins and group keys become rows, all faults told at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import sqlalchemy as sa

from itsm.changes.models import MeetingPresence, MeetingSeat
from itsm.people.models import Group, User
from itsm.platform.database import Prepared
from itsm.platform.errors import FieldError
from itsm.platform.schema import table
from itsm.services.queries import among, texts
from itsm.tickets.desk import Tx

MOST: Final = 100
"""How many people, and how many groups, a board may have; and how many may take part."""

_SEATS, _PRESENCES = table(MeetingSeat), table(MeetingPresence)
_MEETING: sa.BindParameter[Any] = sa.bindparam("meeting", type_=sa.BigInteger)
_PEOPLE = {
    pg: Prepared(sa.select(User.id, User.login.label("key")).where(User.active, among(User.login, "keys", on_postgresql=pg)))
    for pg in (True, False)
}
_GROUPS = {
    pg: Prepared(sa.select(Group.id, Group.key).where(among(Group.key, "keys", on_postgresql=pg))) for pg in (True, False)
}
_SEAT = Prepared(
    sa.insert(_SEATS).values(
        meeting_id=_MEETING,
        user_id=sa.bindparam("user", type_=sa.BigInteger),
        group_id=sa.bindparam("group", type_=sa.BigInteger),
    )
)
_CLEAR = {
    "user": Prepared(sa.delete(_SEATS).where(_SEATS.c.meeting_id == _MEETING, _SEATS.c.user_id.is_not(None))),
    "group": Prepared(sa.delete(_SEATS).where(_SEATS.c.meeting_id == _MEETING, _SEATS.c.group_id.is_not(None))),
}
_NOBODY = Prepared(sa.delete(_PRESENCES).where(_PRESENCES.c.meeting_id == _MEETING))
_PRESENT = Prepared(sa.insert(_PRESENCES).values(meeting_id=_MEETING, user_id=sa.bindparam("user", type_=sa.BigInteger)))


@dataclass
class Invited:
    """The people and groups that somebody names; `errors` are those that there are not, by pointer."""

    tx: Tx
    errors: list[FieldError] = field(default_factory=list)

    def people(self, logins: Iterable[str], name: str) -> list[int]:
        """The row ids of active users, each once, from the list called `name`."""
        return self._ids(_PEOPLE, "active user", {f"/{name}/{place}": login for place, login in enumerate(logins)})

    def groups(self, keys: Iterable[str], name: str) -> list[int]:
        """The row ids of groups, each once."""
        return self._ids(_GROUPS, "group", {f"/{name}/{place}": key for place, key in enumerate(keys)})

    def person(self, login: str, name: str) -> int | None:
        """The row id of one active user; None if there is no such."""
        return next(iter(self._ids(_PEOPLE, "active user", {f"/{name}": login})), None)

    def _ids(self, statements: Mapping[bool, Prepared], what: str, named: Mapping[str, str]) -> list[int]:
        if not named:
            return []
        session, keys = self.tx.session, sorted(set(named.values()))
        found = {row.key: row.id for row in session.all(statements[session.is_postgresql], keys=texts(session, keys))}
        for pointer, key in named.items():
            if key not in found:
                self.errors.append(FieldError(pointer, "unknown_reference", f"There is no {what} “{key}”."))
        return list(found.values())


def take(tx: Tx, meeting_id: int, *, people: Iterable[int] | None, groups: Iterable[int] | None) -> None:
    """Let these people and groups be the members of a meeting in place of those who were; None leaves them as they are."""
    for kind, ids in (("user", people), ("group", groups)):
        if ids is not None:
            tx.session.run(_CLEAR[kind], meeting=meeting_id)
            tx.session.run_many(_SEAT, [{"meeting": meeting_id, "user": None, "group": None, kind: each} for each in ids])


def be_present(tx: Tx, meeting_id: int, people: Iterable[int]) -> None:
    """Let these people be those who took part."""
    tx.session.run(_NOBODY, meeting=meeting_id)
    tx.session.run_many(_PRESENT, [{"meeting": meeting_id, "user": user} for user in people])
