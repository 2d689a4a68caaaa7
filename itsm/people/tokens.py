"""Bearer tokens: made once, shown once, kept as a keyed digest (RFC 6750; OWASP ASVS 6.5)."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from itsm.people.access import Actor, Roles, Scope
from itsm.people.models import Group, Membership, Organisation, Token, User
from itsm.platform.database import Prepared, Session
from itsm.platform.errors import DeskError, Kind, not_found
from itsm.platform.schema import table

PREFIX = "itsm_"
_SECRET_BYTES = 24  # 192 bits

_TOKENS = table(Token)

_WHO = (
    User.id,
    User.login,
    User.name,
    User.roles,
    User.active,
    User.sees_organisation,
    User.organisation_id,
    Organisation.key.label("organisation"),
    Group.key.label("group_key"),
    Membership.access,
)


def _with_groups(people: sa.Select[*tuple[Any, ...]]) -> sa.Select[*tuple[Any, ...]]:
    return (
        people.outerjoin(Organisation, Organisation.id == User.organisation_id)
        .outerjoin(Membership, Membership.user_id == User.id)
        .outerjoin(Group, Group.id == Membership.group_id)
    )


_BY_DIGEST = Prepared(
    _with_groups(
        sa.select(Token.scopes, Token.expires_at, Token.revoked_at, *_WHO).join_from(Token, User, User.id == Token.user_id)
    ).where(Token.digest == sa.bindparam("digest"))
)
_BY_LOGIN = Prepared(_with_groups(sa.select(*_WHO).select_from(User)).where(User.login == sa.bindparam("login")))
_USER_ID = Prepared(sa.select(User.id).where(User.login == sa.bindparam("login"), User.active))
_INSERT = Prepared(
    sa.insert(_TOKENS).values(
        {name: sa.bindparam(name) for name in ("digest", "prefix", "user_id", "scopes", "label", "created_at", "expires_at")}
    )
)


@dataclass(frozen=True, slots=True)
class TokenKeeper:
    """Makes tokens and recognises them. `key` is the installation's key for this purpose."""

    key: bytes = field(repr=False)
    roles: Roles

    def create(
        self,
        session: Session,
        login: str,
        scopes: frozenset[Scope],
        now: datetime,
        expires_at: datetime | None,
        label: str = "",
    ) -> str:
        """A new token for a user; the only time its text exists.

        Raises `DeskError` (`not_found`) for an unknown or inactive user.
        """
        user = session.first(_USER_ID, login=login)
        if user is None:
            raise not_found("user", login)
        text = PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
        session.run(
            _INSERT,
            digest=self._digest(text),
            prefix=text[: len(PREFIX) + 4],
            user_id=user.id,
            scopes=sorted(scopes),
            label=label,
            created_at=now,
            expires_at=expires_at,
        )
        return text

    def actor(self, session: Session, text: str, now: datetime) -> Actor:
        """Who holds this token. Raises `DeskError` (`unauthenticated`), in the same words whatever is wrong with it."""
        rows = session.all(_BY_DIGEST, digest=self._digest(text))
        if not rows or not rows[0].active or rows[0].revoked_at is not None:
            raise _refused()
        if rows[0].expires_at is not None and rows[0].expires_at <= now:
            raise _refused()
        return actor_from_rows(rows, self.roles, frozenset(rows[0].scopes))

    def _digest(self, text: str) -> bytes:
        return hmac.digest(self.key, text.encode("utf-8", "surrogatepass"), hashlib.sha256)


def actor_by_login(session: Session, login: str, roles: Roles) -> Actor:
    """The user as an actor with every scope, for doors that have identified him otherwise. Raises `not_found`."""
    rows = session.all(_BY_LOGIN, login=login)
    if not rows or not rows[0].active:
        raise not_found("user", login)
    return actor_from_rows(rows, roles, frozenset(Scope))


def actor_from_rows(rows: list[Any], roles: Roles, scopes: frozenset[str]) -> Actor:
    """One user joined with his memberships, a row for each, as an actor."""
    first = rows[0]
    named = roles.held(frozenset(first.roles))
    return Actor(
        id=first.id,
        login=first.login,
        name=first.name,
        roles=named,
        permissions=roles.expand(named),
        organisation_id=first.organisation_id,
        organisation=first.organisation,
        groups={row.group_key: row.access for row in rows if row.group_key is not None},
        scopes=scopes,
        sees_organisation=first.sees_organisation,
    )


def _refused() -> DeskError:
    return DeskError(Kind.UNAUTHENTICATED, "unauthenticated", "The token is missing, wrong, expired or revoked.")
