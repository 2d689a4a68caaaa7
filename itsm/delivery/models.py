"""What delivery keeps: calls that wait for their answer, and receivers that want no more."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from itsm.platform.schema import Base, BigId, Instant, Json


class WebhookCall(Base):
    """A call of a webhook that is to be answered by a callback. `key` is its webhook-id, and part of the callback's address.

    It is awaited as long as the ticket stands in `state_at`, where it was made. `message` is the key of its outbox row, `sent`
    counts how often that was made due; `digest` tells a repeated answer from another one.
    """

    __tablename__ = "webhook_calls"
    __table_args__ = (
        sa.CheckConstraint("state IN ('waiting', 'succeeded', 'failed', 'unanswered', 'withdrawn')", name="state"),
        sa.CheckConstraint("(digest IS NULL) = (state NOT IN ('succeeded', 'failed'))", name="digest"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    key: Mapped[str] = mapped_column(sa.Text, unique=True)
    message: Mapped[str] = mapped_column(sa.Text, unique=True)
    ticket_id: Mapped[int] = mapped_column(sa.ForeignKey("tickets.id"), index=True)
    endpoint: Mapped[str] = mapped_column(sa.Text)
    state_at: Mapped[str] = mapped_column(sa.Text)
    field: Mapped[str | None] = mapped_column(sa.Text)
    sent: Mapped[int] = mapped_column(sa.BigInteger)
    state: Mapped[str] = mapped_column(sa.Text)
    called_at: Mapped[datetime] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
    digest: Mapped[str | None] = mapped_column(sa.Text)
    answer: Mapped[Any] = mapped_column(Json, nullable=True)


class WebhookStop(Base):
    """A receiver that answered 410 Gone: nothing is sent to it until a person lets something go to it again."""

    __tablename__ = "webhook_stops"

    endpoint: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    at: Mapped[datetime] = mapped_column(Instant)
