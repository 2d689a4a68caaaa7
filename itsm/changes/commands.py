"""What is done to the change calendar: freezes declared and lifted, feeds given and taken back, the schedule made anew."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from itsm.changes import handlers, queries
from itsm.changes.models import CalendarFeed, ChangeFreeze, ChangeOutcome, ChangeSchedule
from itsm.changes.queries import Declared
from itsm.changes.rules import CHANGE, Freeze, Period
from itsm.people.access import Permission, require
from itsm.people.models import User
from itsm.platform.database import Prepared
from itsm.platform.errors import DeskError, FieldError, Kind, invalid, not_found
from itsm.platform.lists import PreparedForMany
from itsm.platform.schema import table
from itsm.services import queries as things
from itsm.services.rules import Node, Sort
from itsm.tickets import records
from itsm.tickets.desk import Tx
from itsm.tickets.models import Ticket

MOST_FEEDS: Final = 20
"""How many subscriptions one person may have at a time."""

_SECRET_BYTES: Final = 24  # 192 bits
_BATCH: Final = 500

_FREEZES, _FEEDS, _SCHEDULE = table(ChangeFreeze), table(CalendarFeed), table(ChangeSchedule)
_DECLARE = Prepared(
    sa.insert(_FREEZES)
    .values(
        {
            name: sa.bindparam(name)
            for name in ("reason", "starts_at", "ends_at", "services", "spared", "declared_by", "declared_at")
        }
    )
    .returning(_FREEZES.c.id)
)
_LIFT = Prepared(
    sa.update(_FREEZES)
    .where(_FREEZES.c.id == sa.bindparam("freeze"), _FREEZES.c.lifted_at.is_(None))
    .values(lifted_by=sa.bindparam("actor"), lifted_at=sa.bindparam("now"))
)
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
_EMPTY = Prepared(sa.delete(_SCHEDULE))
_FORGET_OUTCOMES = Prepared(sa.delete(table(ChangeOutcome)))
_CHANGES = Prepared(sa.select(Ticket.id).where(Ticket.type == CHANGE).order_by(Ticket.id))
_OF_IDS = PreparedForMany(
    lambda many: records.record_select().where(Ticket.id.in_(sa.select(many.c.value))).order_by(Ticket.id)
)


@dataclass(frozen=True, slots=True)
class NewFreeze:
    """A freeze to be declared. Without `services` it is for all."""

    reason: str
    starts_at: datetime
    ends_at: datetime
    services: tuple[str, ...] = ()
    spares: tuple[str, ...] = ()


def declare(tx: Tx, new: NewFreeze) -> Declared:
    """Declare a freeze. Raises `forbidden`; `invalid_input` for one that ends before it begins or names unknown services."""
    require(tx.actor, Permission.FREEZE)
    faults = list(_faults(tx, new))
    if faults:
        raise invalid(*faults, detail=" ".join(fault.message for fault in faults))
    services = sorted(set(new.services)) or None
    row = tx.session.one(
        _DECLARE,
        reason=new.reason,
        starts_at=new.starts_at,
        ends_at=new.ends_at,
        services=services,
        spared=sorted(set(new.spares)),
        declared_by=tx.actor.login,
        declared_at=tx.now,
    )
    of = None if services is None else frozenset(services)
    freeze = Freeze(str(row.id), new.reason, Period(new.starts_at, new.ends_at), of, frozenset(new.spares))
    return Declared(freeze, tx.actor.login, tx.now)


def _faults(tx: Tx, new: NewFreeze) -> Iterable[FieldError]:
    if new.ends_at <= new.starts_at:
        yield FieldError("/ends_at", "reversed_period", "This freeze ends before it begins.")
    nodes = {key: Node(Sort.SERVICE, key) for key in new.services}
    known = things.things(tx.session, tx.actor, nodes.values())
    for place, key in enumerate(new.services):
        if nodes[key] not in known:
            yield FieldError(f"/services/{place}", "unknown_reference", f"There is no service “{key}”.")


def lift(tx: Tx, freeze_id: int) -> None:
    """End a freeze that was declared while the desk ran. Raises `forbidden` and `not_found`."""
    require(tx.actor, Permission.FREEZE)
    if tx.session.run(_LIFT, freeze=freeze_id, actor=tx.actor.login, now=tx.now) != 1:
        raise not_found("freeze", str(freeze_id))


# Feeds


@dataclass(frozen=True, slots=True)
class NewFeed:
    """A subscription as it is given out; `key` is told this once."""

    id: int
    key: str
    label: str


def subscribe(tx: Tx, label: str) -> NewFeed:
    """Give the actor a key to the calendar as he sees it. Raises `too_many_feeds`."""
    if len(queries.feeds(tx)) >= MOST_FEEDS:
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


# The projection


def rebuild(tx: Tx) -> int:
    """Make the schedule anew from the tickets; how many changes were looked at."""
    tx.session.run(_EMPTY)
    tx.session.run(_FORGET_OUTCOMES)
    ids: list[Any] = [row.id for row in tx.session.all(_CHANGES)]
    for first in range(0, len(ids), _BATCH):
        rows = _OF_IDS.all(tx.session, ids[first : first + _BATCH])
        handlers.enter(tx, [records.from_row(tx, row) for row in rows])
    return len(ids)
