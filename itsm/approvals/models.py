"""Who was asked to approve what, and what they said."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from itsm.platform.schema import Base, BigId, Instant


class Approval(Base):
    """One person's question within a round of a ticket. `decision` is null until it is answered, and never changes then.

    `round` counts the requests for approval of the ticket; `needed` is how many approvals that round wants; `state` is the
    state of the ticket that the question belongs to: when the ticket leaves it, what is still open is void.
    """

    __tablename__ = "approvals"
    __table_args__ = (
        sa.UniqueConstraint("ticket_id", "round", "approver_id"),
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
