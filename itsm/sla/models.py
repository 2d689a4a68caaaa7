"""What is kept of clocks: the versions of all promises, and for each ticket the clocks as they stand.

The event log is the truth; `sla_standings` spares a command from reading it all, and `sla_clocks` is the index by which lists
and reports find a clock. Both can be made anew from the log, and `itsm sla verify` compares.
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from itsm.platform.schema import Base, BigId, Instant


class SlaVersion(Base):
    """A published agreement, immutable: the texts of the files it was read from, as JSON by name. One is current."""

    __tablename__ = "sla_versions"
    __table_args__ = (
        sa.Index(
            "uq_sla_versions_current",
            "is_current",
            unique=True,
            sqlite_where=sa.text("is_current"),
            postgresql_where=sa.text("is_current"),
        ),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    digest: Mapped[str] = mapped_column(sa.Text)
    source: Mapped[str] = mapped_column(sa.Text)
    published_at: Mapped[datetime] = mapped_column(Instant)
    published_by: Mapped[str] = mapped_column(sa.Text)
    reason: Mapped[str] = mapped_column(sa.Text, default="")
    is_current: Mapped[bool] = mapped_column()


class SlaStanding(Base):
    """All clocks of one ticket as one text; see `standing.py`."""

    __tablename__ = "sla_standings"

    ticket_id: Mapped[int] = mapped_column(
        sa.ForeignKey("tickets.id", deferrable=True, initially="DEFERRED"), primary_key=True, autoincrement=False
    )
    version_id: Mapped[int | None] = mapped_column(sa.ForeignKey("sla_versions.id"))
    state: Mapped[str] = mapped_column(sa.Text)


class SlaClock(Base):
    """One cycle of one clock of a ticket: the latest of each clock, and all before it. `detail` is the cycle as one text.

    `due_at` is null while the clock is paused with time left.
    """

    __tablename__ = "sla_clocks"
    __table_args__ = (
        sa.CheckConstraint("status IN ('running', 'paused', 'met', 'missed', 'cancelled')", name="status"),
        sa.CheckConstraint("kind IN ('sla', 'ola', 'uc')", name="kind"),
        sa.Index(
            "ix_sla_clocks_at_risk",
            "due_at",
            "ticket_id",
            sqlite_where=sa.text("status = 'running'"),
            postgresql_where=sa.text("status = 'running'"),
        ),
        sa.Index("ix_sla_clocks_results", "clock", "status", "stopped_at"),
    )

    ticket_id: Mapped[int] = mapped_column(
        sa.ForeignKey("tickets.id", deferrable=True, initially="DEFERRED"), primary_key=True, autoincrement=False
    )
    clock: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    part: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    cycle: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(sa.Text)
    status: Mapped[str] = mapped_column(sa.Text)
    started_at: Mapped[datetime] = mapped_column(Instant)
    due_at: Mapped[datetime | None] = mapped_column(Instant)
    stopped_at: Mapped[datetime | None] = mapped_column(Instant)
    excused: Mapped[bool] = mapped_column(default=False)
    detail: Mapped[str] = mapped_column(sa.Text)
