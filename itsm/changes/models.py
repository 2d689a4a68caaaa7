"""What is kept of changes: the calendar, freezes, overrides, feeds, how changes ended, how risky they were found, meetings."""

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


class ChangeOutcome(Base):
    """How a change ended: a projection of its ticket, for figures and the risk of the next. `model` is its standard model."""

    __tablename__ = "change_outcomes"

    ticket_id: Mapped[int] = mapped_column(sa.ForeignKey("tickets.id"), primary_key=True, autoincrement=False)
    change_type: Mapped[str] = mapped_column(sa.Text)
    model: Mapped[str | None] = mapped_column(sa.Text)
    outcome: Mapped[str] = mapped_column(sa.Text)
    ended_at: Mapped[datetime] = mapped_column(Instant, index=True)
    service_id: Mapped[int | None] = mapped_column(sa.ForeignKey("services.id"), index=True)
    item_id: Mapped[int | None] = mapped_column(sa.ForeignKey("configuration_items.id"))


class ChangeRisk(Base):
    """An assessment of a change's risk: what was answered, what came out, and why. The newest counts; none is rewritten."""

    __tablename__ = "change_risks"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    ticket_id: Mapped[int] = mapped_column(sa.ForeignKey("tickets.id"), index=True)
    level: Mapped[str] = mapped_column(sa.Text)
    score: Mapped[int] = mapped_column()
    answers: Mapped[Any] = mapped_column(Json)
    reasons: Mapped[Any] = mapped_column(Json)
    actor: Mapped[str] = mapped_column(sa.Text)
    at: Mapped[datetime] = mapped_column(Instant)


class ModelApproval(Base):
    """The change authority's word that changes by one version of a standard model need no authorisation each.

    `content` is the version word for word. An approval is revoked, never deleted.
    """

    __tablename__ = "change_model_approvals"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    name: Mapped[str] = mapped_column(sa.Text, index=True)
    version: Mapped[str] = mapped_column(sa.Text)
    content: Mapped[Any] = mapped_column(Json)
    note: Mapped[str] = mapped_column(sa.Text)
    approved_by: Mapped[str] = mapped_column(sa.Text)
    approved_at: Mapped[datetime] = mapped_column(Instant)
    revoked_by: Mapped[str | None] = mapped_column(sa.Text)
    revoked_at: Mapped[datetime | None] = mapped_column(Instant)


class ChangeMeeting(Base):
    """A meeting of the change advisory board. `question` is what its agenda is made from, as JSON.

    `minutes` are what was put down when it was closed, and `digest` their SHA-256: from then on nothing of it changes.
    """

    __tablename__ = "change_meetings"
    __table_args__ = (
        sa.CheckConstraint("starts_at < ends_at", name="period"),
        sa.CheckConstraint("status IN ('planned', 'held', 'cancelled')", name="status"),
        sa.CheckConstraint("(status = 'held') = (minutes IS NOT NULL)", name="minutes"),
        sa.Index("ix_change_meetings_starts_at", "starts_at", "id"),
        sa.Index("ix_change_meetings_status", "status", "starts_at", "id"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    title: Mapped[str] = mapped_column(sa.Text)
    starts_at: Mapped[datetime] = mapped_column(Instant)
    ends_at: Mapped[datetime] = mapped_column(Instant)
    chair_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id"), index=True)
    status: Mapped[str] = mapped_column(sa.Text)
    question: Mapped[Any] = mapped_column(Json, nullable=True)
    called_by: Mapped[str] = mapped_column(sa.Text)
    called_at: Mapped[datetime] = mapped_column(Instant)
    changed_at: Mapped[datetime] = mapped_column(Instant)
    minutes: Mapped[Any] = mapped_column(Json, nullable=True)
    digest: Mapped[str | None] = mapped_column(sa.Text)
    closed_by: Mapped[str | None] = mapped_column(sa.Text)
    closed_at: Mapped[datetime | None] = mapped_column(Instant)


class MeetingSeat(Base):
    """A member of the board in a meeting: a person, or whoever is in a group."""

    __tablename__ = "change_meeting_seats"
    __table_args__ = (
        sa.CheckConstraint("(user_id IS NULL) <> (group_id IS NULL)", name="one"),
        sa.UniqueConstraint("meeting_id", "user_id"),
        sa.UniqueConstraint("meeting_id", "group_id"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    meeting_id: Mapped[int] = mapped_column(sa.ForeignKey("change_meetings.id"))
    user_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"), index=True)
    group_id: Mapped[int | None] = mapped_column(sa.ForeignKey("groups.id"), index=True)


class MeetingPresence(Base):
    """Somebody who took part in a meeting, a member or a guest."""

    __tablename__ = "change_meeting_presences"

    meeting_id: Mapped[int] = mapped_column(sa.ForeignKey("change_meetings.id"), primary_key=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id"), primary_key=True, index=True)


class AgendaItem(Base):
    """A change on the agenda. `position` orders the items; `minutes` is the time it gets.

    `state` is the change's when it was put there; `settled` the one it was found in later, once it awaited no decision.
    """

    __tablename__ = "change_agenda_items"
    __table_args__ = (
        sa.CheckConstraint("minutes > 0", name="minutes"),
        sa.CheckConstraint("outcome IN ('authorised', 'rejected', 'deferred')", name="outcome"),
        sa.UniqueConstraint("meeting_id", "ticket_id"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    meeting_id: Mapped[int] = mapped_column(sa.ForeignKey("change_meetings.id"))
    ticket_id: Mapped[int] = mapped_column(sa.ForeignKey("tickets.id"), index=True)
    position: Mapped[int] = mapped_column()
    minutes: Mapped[int] = mapped_column()
    state: Mapped[str] = mapped_column(sa.Text)
    settled: Mapped[str | None] = mapped_column(sa.Text)
    outcome: Mapped[str | None] = mapped_column(sa.Text)
    words: Mapped[str | None] = mapped_column(sa.Text)
    decided_by: Mapped[str | None] = mapped_column(sa.Text)
    decided_at: Mapped[datetime | None] = mapped_column(Instant)


class BoardVote(Base):
    """A vote on an item, never rewritten: of one person's votes the last counts. `approval_id` is the question of the approval
    engine that it answered too, if there was one.
    """

    __tablename__ = "change_board_votes"
    __table_args__ = (
        sa.CheckConstraint("vote IN ('approve', 'reject', 'abstain')", name="vote"),
        sa.Index("ix_change_board_votes_item_id", "item_id", "id"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    item_id: Mapped[int] = mapped_column(sa.ForeignKey("change_agenda_items.id"))
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id"))
    vote: Mapped[str] = mapped_column(sa.Text)
    comment: Mapped[str | None] = mapped_column(sa.Text)
    at: Mapped[datetime] = mapped_column(Instant)
    approval_id: Mapped[int | None] = mapped_column(BigId)


class MeetingNote(Base):
    """A free note for the minutes, never rewritten; one made after the closing is an addendum."""

    __tablename__ = "change_meeting_notes"
    __table_args__ = (sa.Index("ix_change_meeting_notes_meeting_id", "meeting_id", "id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    meeting_id: Mapped[int] = mapped_column(sa.ForeignKey("change_meetings.id"))
    body: Mapped[str] = mapped_column(sa.Text)
    author: Mapped[str] = mapped_column(sa.Text)
    at: Mapped[datetime] = mapped_column(Instant)
