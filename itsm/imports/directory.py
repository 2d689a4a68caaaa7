"""Who and what the keys of stories are on this desk; what is missing is made, in the transaction of the case that needs it.

People who come with a log cannot sign in: their accounts are inactive until an administrator says otherwise. Somebody who has
an account with that login already is taken to be the same person, and stays as he is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa

from itsm.imports.translate import Cast, Character
from itsm.people import arrivals
from itsm.people import commands as people
from itsm.people.access import Actor, Roles
from itsm.people.arrivals import Arrival
from itsm.people.models import Group, Organisation
from itsm.platform.database import Prepared, Session
from itsm.services import commands as services
from itsm.services.models import ConfigurationItem, Service
from itsm.tickets.desk import Tx

BY = "import"
"""Who made an account, in the auditor's log of people."""

ITEM_KIND = "imported"

_KEY: sa.BindParameter[str] = sa.bindparam("key")
_ROWS = {
    "organisation": Prepared(sa.select(Organisation.id).where(Organisation.key == _KEY)),
    "group": Prepared(sa.select(Group.id).where(Group.key == _KEY)),
    "service": Prepared(sa.select(Service.id).where(Service.key == _KEY)),
    "ci": Prepared(sa.select(ConfigurationItem.id).where(ConfigurationItem.key == _KEY)),
}
_PEOPLE = frozenset({"requester", "assignee"})


@dataclass
class Directory:
    """What has been looked up or made so far. After a rollback it must `forget`: what was made is gone."""

    roles: Roles
    made: Counter[str] = field(default_factory=Counter)
    """How many of each kind."""
    _actors: dict[str, Actor] = field(default_factory=dict)
    _ids: dict[tuple[str, str], int] = field(default_factory=dict)

    def forget(self, made: Counter[str]) -> None:
        """Know nothing any more but how many had been `made` before what was rolled back."""
        self.made = made
        self._actors.clear()
        self._ids.clear()

    def admit(self, tx: Tx, casts: Iterable[Cast]) -> None:
        """See to it that everybody and everything of some stories exists."""
        people: dict[str, Character] = {}
        for cast in casts:
            for kind, named in cast.things():
                for key, name in named.items():
                    if (kind, key) not in self._ids:
                        self._ids[kind, key] = self._ensured(tx.session, kind, key, name)
            for login, character in cast.people.items():
                if login not in self._actors:
                    people.setdefault(login, character).roles.update(character.roles)
        if people:
            self._meet(tx, people)

    def actor(self, login: str) -> Actor:
        """The user with this login, active or not. What he may do is not asked of him here, but of the mapping."""
        return self._actors[login]

    def id_of(self, field: str, key: str) -> int:
        """The row id behind the key that a built-in field holds."""
        if field not in _PEOPLE:
            return self._ids[field, key]
        identity = self._actors[key].id
        assert identity is not None
        return identity

    def _ensured(self, session: Session, kind: str, key: str, name: str) -> int:
        row = session.first(_ROWS[kind], key=key)
        if row is not None:
            return int(row.id)
        self.made[kind] += 1
        match kind:
            case "organisation":
                return people.ensure_organisation(session, key, name)
            case "group":
                return people.ensure_group(session, key, name)
            case "service":
                return services.ensure_service(session, key, name, None)
            case _:
                return services.ensure_item(session, key, name, ITEM_KIND)

    def _meet(self, tx: Tx, characters: Mapping[str, Character]) -> None:
        """Know these people, who are added if they are new."""
        logins = list(characters)
        known = arrivals.found(tx.session, logins)
        new = [
            Arrival(
                login,
                character.name,
                frozenset(character.roles & self.roles.permissions.keys()),
                character.organisation,
                None if character.organisation is None else self._ids["organisation", character.organisation],
            )
            for login, character in characters.items()
            if login not in known
        ]
        if new:
            arrivals.admit(tx.session, new, tx.recorded_at, BY)
            self.made["user"] += len(new)
            known = arrivals.found(tx.session, logins)
        for login, row in known.items():
            self._actors[login] = Actor(
                id=row.id,
                login=login,
                name=row.name,
                roles=frozenset(),
                permissions=frozenset(),
                organisation_id=row.organisation_id,
                organisation=row.organisation,
            )
