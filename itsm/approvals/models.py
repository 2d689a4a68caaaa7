"""Rounds of approval, who was asked in them and what they said, and who decides in whose place."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from itsm.platform.schema import Base, BigId, Instant, Json


class ApprovalRound(Base):
    """One request for approval of a ticket, and the policy that it follows, word for word as it was when it began.

    `state` is the ticket's state that the round belongs to; `stage` counts from 0; `material` has what the ticket said then in
    the fields that may not change; `ruling` is the row of the decision table, or the timeout, that decided it. `outcome` is
    null while it is open; `void` when it no longer counts, `withdrawn` when the ticket left the state.
    """

    __tablename__ = "approval_rounds"
    __table_args__ = (
        sa.UniqueConstraint("ticket_id", "round"),
        sa.CheckConstraint("outcome IS NULL OR outcome IN ('approved', 'rejected', 'void', 'withdrawn')", name="outcome"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    ticket_id: Mapped[int] = mapped_column(sa.ForeignKey("tickets.id"))
    round: Mapped[int] = mapped_column()
    policy: Mapped[str | None] = mapped_column(sa.Text)
    definition: Mapped[str] = mapped_column(sa.Text)
    state: Mapped[str] = mapped_column(sa.Text)
    stage: Mapped[int] = mapped_column()
    material: Mapped[Any] = mapped_column(Json)
    opened_at: Mapped[datetime] = mapped_column(Instant)
    ruling: Mapped[str | None] = mapped_column(sa.Text)
    outcome: Mapped[str | None] = mapped_column(sa.Text)
    closed_at: Mapped[datetime | None] = mapped_column(Instant)


class Approval(Base):
    """One person's question within a round of a ticket. `decision` is null until it is answered, and never changes then.

    `needed` is how many approvals his group wants; `place` is the way to that group in the tree of its `stage` (`0.1`: the
    second group of the first; empty: the stage's own), `seat` his seat there. A seat whose holder cannot decide passes to
    another: a new row with the same seat, `instead_of_id` and the reason in `because`. `decided_by_id` is who gave the answer
    where it was not the approver himself but whom he had let decide.
    """

    __tablename__ = "approvals"
    __table_args__ = (
        sa.UniqueConstraint("ticket_id", "round", "stage", "approver_id"),
        sa.CheckConstraint("decision IS NULL OR decision IN ('approve', 'reject', 'void')", name="decision"),
        sa.Index("ix_approvals_mine", "approver_id", "decision"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    ticket_id: Mapped[int] = mapped_column(sa.ForeignKey("tickets.id"))
    round: Mapped[int] = mapped_column()
    approver_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id"))
    needed: Mapped[int] = mapped_column()
    state: Mapped[str] = mapped_column(sa.Text)
    requested_at: Mapped[datetime] = mapped_column(Instant)
    decision: Mapped[str | None] = mapped_column(sa.Text)
    decided_at: Mapped[datetime | None] = mapped_column(Instant)
    comment: Mapped[str | None] = mapped_column(sa.Text)
    stage: Mapped[int] = mapped_column(server_default="0")
    place: Mapped[str] = mapped_column(sa.Text, server_default="")
    seat: Mapped[int | None] = mapped_column()
    because: Mapped[str | None] = mapped_column(sa.Text)
    decided_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"), index=True)
    instead_of_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"))


class Delegation(Base):
    """For a period, `delegate_id` may decide in the place of `principal_id`; until it is revoked."""

    __tablename__ = "approval_delegations"
    __table_args__ = (
        sa.CheckConstraint("starts_at < ends_at", name="period"),
        sa.CheckConstraint("principal_id <> delegate_id", name="not_oneself"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    principal_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id"), index=True)
    delegate_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id"), index=True)
    starts_at: Mapped[datetime] = mapped_column(Instant)
    ends_at: Mapped[datetime] = mapped_column(Instant, index=True)
    note: Mapped[str] = mapped_column(sa.Text)
    created_at: Mapped[datetime] = mapped_column(Instant)
    revoked_at: Mapped[datetime | None] = mapped_column(Instant)
