"""Feeds: subscriptions to the change calendar, given out with a key that opens nothing else, and taken back."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from itsm.changes.models import CalendarFeed
from itsm.people.models import User
from itsm.platform.database import Prepared
from itsm.platform.errors import DeskError, Kind, not_found
from itsm.platform.schema import table
from itsm.tickets.desk import Tx

MOST_FEEDS: Final = 20
"""How many subscriptions one person may have at a time."""

_SECRET_BYTES: Final = 24  # 192 bits
_FEEDS = table(CalendarFeed)
_GIVE = Prepared(
    sa.insert(_FEEDS)
    .values({name: sa.bindparam(name) for name in ("digest", "user_id", "label", "created_at")})
    .returning(_FEEDS.c.id)
)
_REVOKE = Prepared(
    sa.update(_FEEDS)
    .where(_FEEDS.c.id == sa.bindparam("feed"), _FEEDS.c.user_id == sa.bindparam("user"), _FEEDS.c.revoked_at.is_(None))
    .values(revoked_at=sa.bindparam("now"))
)
_SUBSCRIBER = Prepared(
    sa.select(User.login)
    .join(CalendarFeed, CalendarFeed.user_id == User.id)
    .where(CalendarFeed.digest == sa.bindparam("digest"), CalendarFeed.revoked_at.is_(None), User.active)
)
_MINE = Prepared(
    sa.select(CalendarFeed.id, CalendarFeed.label, CalendarFeed.created_at)
    .where(CalendarFeed.user_id == sa.bindparam("user"), CalendarFeed.revoked_at.is_(None))
    .order_by(CalendarFeed.id)
)


@dataclass(frozen=True, slots=True)
class NewFeed:
    """A subscription as it is given out; `key` is told this once."""

    id: int
    key: str
    label: str


def mine(tx: Tx) -> list[Any]:
    """The actor's subscriptions that are not revoked."""
    return tx.session.all(_MINE, user=tx.actor.id)


def subscribe(tx: Tx, label: str) -> NewFeed:
    """Give the actor a key to the calendar as he sees it. Raises `too_many_feeds`."""
    if len(mine(tx)) >= MOST_FEEDS:
        raise DeskError(Kind.CONFLICT, "too_many_feeds", f"You have {MOST_FEEDS} feeds already; revoke one.")
    key = secrets.token_urlsafe(_SECRET_BYTES)
    row = tx.session.one(_GIVE, digest=_digest(tx, key), user_id=tx.actor.id, label=label, created_at=tx.now)
    return NewFeed(row.id, key, label)


def unsubscribe(tx: Tx, feed_id: int) -> None:
    """Take back a feed of the actor's; its address leads nowhere from now on. Raises `not_found`."""
    if tx.session.run(_REVOKE, feed=feed_id, user=tx.actor.id, now=tx.now) != 1:
        raise not_found("feed", str(feed_id))


def subscriber(tx: Tx, key: str) -> str:
    """The login of whoever holds a feed's key. Raises `unauthenticated`, in the same words whatever is wrong with it."""
    row = tx.session.first(_SUBSCRIBER, digest=_digest(tx, key))
    if row is None:
        raise DeskError(Kind.UNAUTHENTICATED, "unauthenticated", "This feed does not exist, or has been revoked.")
    return str(row.login)


def _digest(tx: Tx, key: str) -> bytes:
    return hmac.digest(tx.desk.settings.key("change-feeds"), key.encode("utf-8", "surrogatepass"), hashlib.sha256)
