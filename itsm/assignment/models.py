"""Whose turn it was in each group, who is away when, and who stands in on call."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from itsm.platform.schema import Base, BigId, Instant


class Turn(Base):
    """A group's turns: how many were given, and who had the last. Its row lock puts routings of a group in order."""

    __tablename__ = "assignment_turns"

    group_id: Mapped[int] = mapped_column(sa.ForeignKey("groups.id"), primary_key=True)
    given: Mapped[int] = mapped_column(sa.BigInteger)
    last_user_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"))


class Absence(Base):
    """A time in which somebody takes on no work; until it is called off."""

    __tablename__ = "absences"
    __table_args__ = (
        sa.CheckConstraint("starts_at < ends_at", name="period"),
        sa.Index("ix_absences_user", "user_id", "ends_at"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id"))
    starts_at: Mapped[datetime] = mapped_column(Instant)
    ends_at: Mapped[datetime] = mapped_column(Instant)
    note: Mapped[str] = mapped_column(sa.Text)
    entered_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"))
    entered_at: Mapped[datetime] = mapped_column(Instant)
    cancelled_at: Mapped[datetime | None] = mapped_column(Instant)


class OnCallOverride(Base):
    """Somebody who is on call in a layer of a group's rota for a period, whoever's turn it is; until it is called off."""

    __tablename__ = "on_call_overrides"
    __table_args__ = (
        sa.CheckConstraint("starts_at < ends_at", name="period"),
        sa.Index("ix_on_call_overrides_group", "group_id", "ends_at"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    group_id: Mapped[int] = mapped_column(sa.ForeignKey("groups.id"))
    layer: Mapped[str] = mapped_column(sa.Text)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id"))
    starts_at: Mapped[datetime] = mapped_column(Instant)
    ends_at: Mapped[datetime] = mapped_column(Instant)
    note: Mapped[str] = mapped_column(sa.Text)
    entered_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"))
    entered_at: Mapped[datetime] = mapped_column(Instant)
    cancelled_at: Mapped[datetime | None] = mapped_column(Instant)
