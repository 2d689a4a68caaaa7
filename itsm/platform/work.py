"""Durable work as rows: timers and queued commands, the outbox, idempotency records.

Rows are written in the transaction of the command that asks for them. `sweeper.py` claims what is due.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from itsm.platform.schema import Base, BigId, Instant, Json


class Timer(Base):
    """Something to be done at an instant, once. The row is deleted by the very transaction that did it.

    `kind` names the handler; (`ticket_id`, `kind`, `name`, `cycle`) makes each due thing unique. `claimed_until` and `fence`
    are the lease: work done under an older fence finds no row to delete, and rolls back. `attempts` counts before execution;
    a row that failed too often is parked (`parked_at`) with its last error.
    """

    __tablename__ = "timers"
    __table_args__ = (
        sa.UniqueConstraint("ticket_id", "kind", "name", "cycle"),
        sa.Index(
            "ix_timers_due",
            "due_at",
            "id",
            sqlite_where=sa.text("parked_at IS NULL"),
            postgresql_where=sa.text("parked_at IS NULL"),
        ),
        {"sqlite_autoincrement": True},  # ids are never used again: an old claim must not match a newer row
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    ticket_id: Mapped[int] = mapped_column(sa.BigInteger)
    kind: Mapped[str] = mapped_column(sa.Text)
    name: Mapped[str] = mapped_column(sa.Text)
    cycle: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    due_at: Mapped[datetime] = mapped_column(Instant)
    payload: Mapped[Any] = mapped_column(Json)
    claimed_until: Mapped[datetime | None] = mapped_column(Instant)
    fence: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    attempts: Mapped[int] = mapped_column(default=0)
    parked_at: Mapped[datetime | None] = mapped_column(Instant)
    error: Mapped[str | None] = mapped_column(sa.Text)


class OutboxMessage(Base):
    """Something that must leave the system. `key` is the stable id that receivers deduplicate by.

    `destination` names the channel's receiver, where a relay of ours delivers it; such a row is claimed, tried again and parked
    like a timer, from `due_at` on. What has no destination waits for whoever fetches it.
    """

    __tablename__ = "outbox"
    __table_args__ = (
        sa.Index(
            "ix_outbox_due",
            "destination",
            "due_at",
            "id",
            sqlite_where=sa.text("delivered_at IS NULL AND parked_at IS NULL AND destination IS NOT NULL"),
            postgresql_where=sa.text("delivered_at IS NULL AND parked_at IS NULL AND destination IS NOT NULL"),
        ),
        sa.Index(
            "ix_outbox_parked",
            "id",
            sqlite_where=sa.text("parked_at IS NOT NULL"),
            postgresql_where=sa.text("parked_at IS NOT NULL"),
        ),
        sa.Index(
            "ix_outbox_pending",
            "id",
            sqlite_where=sa.text("delivered_at IS NULL"),
            postgresql_where=sa.text("delivered_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    key: Mapped[str] = mapped_column(sa.Text, unique=True)
    topic: Mapped[str] = mapped_column(sa.Text)
    ticket_id: Mapped[int | None] = mapped_column(sa.BigInteger, index=True)
    payload: Mapped[Any] = mapped_column(Json)
    created_at: Mapped[datetime] = mapped_column(Instant)
    delivered_at: Mapped[datetime | None] = mapped_column(Instant)
    destination: Mapped[str | None] = mapped_column(sa.Text)
    due_at: Mapped[datetime | None] = mapped_column(Instant)
    claimed_until: Mapped[datetime | None] = mapped_column(Instant)
    fence: Mapped[int] = mapped_column(sa.BigInteger, default=0, server_default="0")
    attempts: Mapped[int] = mapped_column(default=0, server_default="0")
    parked_at: Mapped[datetime | None] = mapped_column(Instant)
    error: Mapped[str | None] = mapped_column(sa.Text)


class IdempotencyRecord(Base):
    """The first answer to a POST, kept under the caller's own key."""

    __tablename__ = "idempotency_records"

    user_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True)
    key: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    fingerprint: Mapped[bytes] = mapped_column(sa.LargeBinary)
    status: Mapped[int | None] = mapped_column()
    headers: Mapped[Any] = mapped_column(Json, nullable=True)
    body: Mapped[str | None] = mapped_column(sa.Text)
    created_at: Mapped[datetime] = mapped_column(Instant, index=True)
