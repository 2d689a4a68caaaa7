"""The change calendar: what is scheduled, what is frozen, who was let past a rule, and who subscribes to the calendar."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from itsm.platform.schema import Base, BigId, Instant, Json


class ChangeSchedule(Base):
    """The window of a change: a projection of its ticket, which can be made anew at any time.

    `standing` is a word of `rules.Standing`; `end_at` is the first instant after the window.
    """

    __tablename__ = "change_schedule"
    __table_args__ = (
        sa.CheckConstraint("start_at < end_at", name="period"),
        sa.CheckConstraint("standing IN ('tentative', 'scheduled', 'under_way', 'done')", name="standing"),
        sa.Index("ix_change_schedule_end_at", "end_at", "start_at"),
    )

    ticket_id: Mapped[int] = mapped_column(sa.ForeignKey("tickets.id"), primary_key=True, autoincrement=False)
    start_at: Mapped[datetime] = mapped_column(Instant)
    end_at: Mapped[datetime] = mapped_column(Instant)
    standing: Mapped[str] = mapped_column(sa.Text)
    implementer_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"))
    service_id: Mapped[int | None] = mapped_column(sa.ForeignKey("services.id"), index=True)
    item_id: Mapped[int | None] = mapped_column(sa.ForeignKey("configuration_items.id"), index=True)


class ChangeFreeze(Base):
    """A freeze that was declared while the desk ran. `services` are keys, null for all; `spared` are types of change.

    It is lifted, never deleted: the row is the record of who declared it, why, and who ended it.
    """

    __tablename__ = "change_freezes"
    __table_args__ = (sa.CheckConstraint("starts_at < ends_at", name="period"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    reason: Mapped[str] = mapped_column(sa.Text)
    starts_at: Mapped[datetime] = mapped_column(Instant)
    ends_at: Mapped[datetime] = mapped_column(Instant, index=True)
    services: Mapped[Any] = mapped_column(Json, nullable=True)
    spared: Mapped[Any] = mapped_column(Json)
    declared_by: Mapped[str] = mapped_column(sa.Text)
    declared_at: Mapped[datetime] = mapped_column(Instant)
    lifted_by: Mapped[str | None] = mapped_column(sa.Text)
    lifted_at: Mapped[datetime | None] = mapped_column(Instant)


class ScheduleOverride(Base):
    """A change was let past freezes or windows (`obstacles`, by key), for a window and for a reason."""

    __tablename__ = "change_overrides"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    ticket_id: Mapped[int] = mapped_column(sa.ForeignKey("tickets.id"), index=True)
    obstacles: Mapped[Any] = mapped_column(Json)
    start_at: Mapped[datetime] = mapped_column(Instant)
    end_at: Mapped[datetime] = mapped_column(Instant)
    reason: Mapped[str] = mapped_column(sa.Text)
    actor: Mapped[str] = mapped_column(sa.Text)
    at: Mapped[datetime] = mapped_column(Instant)


class CalendarFeed(Base):
    """A subscription to the change calendar by a private address, of which only a keyed digest is kept."""

    __tablename__ = "change_feeds"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    digest: Mapped[bytes] = mapped_column(sa.LargeBinary, unique=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id"), index=True)
    label: Mapped[str] = mapped_column(sa.Text)
    created_at: Mapped[datetime] = mapped_column(Instant)
    revoked_at: Mapped[datetime | None] = mapped_column(Instant)
