"""Doing once what a client asks for twice, by the client's own `Idempotency-Key`.

The record of a key is written in the transaction of the command itself: there is an answer to give again if and only if the
command took place. Whoever comes with the same key meanwhile waits for that transaction — PostgreSQL makes the insert wait,
SQLite lets one write at a time — and is then given its answer. A command that was refused leaves no record: it may be sent
again as it is, and may succeed then. See draft-ietf-httpapi-idempotency-key-header, section 2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from itsm.platform.database import Prepared, Session
from itsm.platform.errors import DeskError, Kind
from itsm.platform.schema import Instant, Json, table
from itsm.platform.work import IdempotencyRecord

KEEP = timedelta(hours=48)
"""How long an answer is kept; clients may count on 24 hours."""

_LOCK_NOT_AVAILABLE = "55P03"
_RETRY_AFTER_SECONDS = 2

_RECORDS = table(IdempotencyRecord)
_C = _RECORDS.c
_OWN = sa.and_(_C.user_id == sa.bindparam("user"), _C.key == sa.bindparam("own_key"))

# ON CONFLICT is the same in both databases; SQLite compiles PostgreSQL's construct.
_BEGIN = Prepared(
    postgresql.insert(_RECORDS)
    .values(
        user_id=sa.bindparam("user"),
        key=sa.bindparam("own_key"),
        fingerprint=sa.bindparam("fingerprint"),
        created_at=sa.bindparam("now", type_=Instant),
    )
    .on_conflict_do_nothing(index_elements=["user_id", "key"])
)
_FIND = Prepared(sa.select(_C.fingerprint, _C.status, _C.headers, _C.body).where(_OWN))
_FINISH = Prepared(
    sa.update(_RECORDS)
    .where(_OWN)
    .values(status=sa.bindparam("said"), headers=sa.bindparam("with_headers", type_=Json), body=sa.bindparam("text"))
)
_PURGE = Prepared(sa.delete(_RECORDS).where(_C.created_at < sa.bindparam("before", type_=Instant)))


@dataclass(frozen=True, slots=True)
class Replay:
    """The first answer, to be given again."""

    status: int
    headers: Mapping[str, str]
    body: str


def begin(session: Session, user_id: int, key: str, fingerprint: bytes, now: datetime) -> Replay | None:
    """Claim a key of a user's for this transaction: None if it is the first with it, else the answer of the one that was.

    `fingerprint` is a digest of the whole request. Raises `DeskError` `idempotency_key_reused` (INVALID) for a key that came
    with another request before, and `in_progress` (CONFLICT) when the first is still being carried out and does not end.
    """
    try:
        first = session.run(_BEGIN, user=user_id, own_key=key, fingerprint=fingerprint, now=now) == 1
    except Exception as error:
        if getattr(error, "sqlstate", None) == _LOCK_NOT_AVAILABLE:
            raise _in_progress() from error
        raise
    if first:
        return None
    kept = session.one(_FIND, user=user_id, own_key=key)
    if bytes(kept.fingerprint) != fingerprint:
        raise DeskError(Kind.INVALID, "idempotency_key_reused", "This Idempotency-Key was sent with another request before.")
    if kept.status is None:
        raise _in_progress()
    return Replay(kept.status, kept.headers, kept.body)


def finish(session: Session, user_id: int, key: str, status: int, headers: Mapping[str, str], body: str) -> None:
    """Keep the answer under the key, in the transaction that began it."""
    session.run(_FINISH, user=user_id, own_key=key, said=status, with_headers=dict(headers), text=body)


def purge(session: Session, now: datetime, keep: timedelta = KEEP) -> int:
    """Forget the answers that are older than `keep`; how many."""
    return session.run(_PURGE, before=now - keep)


def _in_progress() -> DeskError:
    return DeskError(
        Kind.CONFLICT,
        "in_progress",
        "The first request with this Idempotency-Key is still being carried out.",
        retry_after=_RETRY_AFTER_SECONDS,
    )
