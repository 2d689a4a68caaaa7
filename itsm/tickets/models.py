"""The ticket and what hangs on it. Tables only: how a ticket behaves is written in its workflow."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from itsm.platform.schema import Base, BigId, Instant, Json


class WorkflowVersion(Base):
    """A published definition, immutable, named by the digest of its content; one per name is current."""

    __tablename__ = "workflow_versions"
    __table_args__ = (
        sa.UniqueConstraint("name", "digest"),
        sa.Index(
            "uq_workflow_versions_current",
            "name",
            unique=True,
            sqlite_where=sa.text("is_current"),
            postgresql_where=sa.text("is_current"),
        ),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    name: Mapped[str] = mapped_column(sa.Text)
    digest: Mapped[str] = mapped_column(sa.Text)
    title: Mapped[str] = mapped_column(sa.Text)
    source: Mapped[str] = mapped_column(sa.Text)
    published_at: Mapped[datetime] = mapped_column(Instant)
    published_by: Mapped[str] = mapped_column(sa.Text)
    is_current: Mapped[bool] = mapped_column()


class NumberCounter(Base):
    """The last number given out per type of ticket; its row lock puts creations in order."""

    __tablename__ = "number_counters"

    type: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    last: Mapped[int] = mapped_column(sa.BigInteger)


class Ticket(Base):
    """A ticket of any type: the projection of its events.

    `fields` holds what its workflow declares. `priority_rank` orders by urgency (1 is the most urgent). `event_count` and
    `chain` are the length and the last link of its hash chain, `seal` a keyed mark over both (see `audit.py`). As every change
    is an event, `event_count` is also the ticket's version: what ETags carry.
    """

    __tablename__ = "tickets"
    __table_args__ = (
        sa.Index("ix_tickets_group_queue", "group_id", "category", "priority_rank", "updated_at", "id"),
        sa.Index("ix_tickets_group_updated", "group_id", "updated_at", "id"),
        sa.Index("ix_tickets_assignee", "assignee_id", "category", "updated_at", "id"),
        sa.Index("ix_tickets_requester", "requester_id", "updated_at", "id"),
        sa.Index("ix_tickets_organisation", "organisation_id", "updated_at", "id"),
        sa.Index("ix_tickets_type_updated", "type", "updated_at", "id"),
        sa.Index("ix_tickets_updated", "updated_at", "id"),
        sa.Index("ix_tickets_priority", "priority_rank", "updated_at", "id"),
        sa.Index("ix_tickets_pulse", "type", "state", "category"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    number: Mapped[str] = mapped_column(sa.Text, unique=True)
    type: Mapped[str] = mapped_column(sa.Text)
    workflow_version_id: Mapped[int] = mapped_column(sa.ForeignKey("workflow_versions.id"))
    state: Mapped[str] = mapped_column(sa.Text)
    category: Mapped[str] = mapped_column(sa.Text)
    title: Mapped[str] = mapped_column(sa.Text)
    description: Mapped[str] = mapped_column(sa.Text)
    priority: Mapped[str | None] = mapped_column(sa.Text)
    priority_rank: Mapped[int] = mapped_column(default=99)
    fields: Mapped[Any] = mapped_column(Json)
    requester_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"))
    opened_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"))
    organisation_id: Mapped[int | None] = mapped_column(sa.ForeignKey("organisations.id"))
    group_id: Mapped[int | None] = mapped_column(sa.ForeignKey("groups.id"))
    assignee_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"))
    service_id: Mapped[int | None] = mapped_column(sa.ForeignKey("services.id"), index=True)
    ci_id: Mapped[int | None] = mapped_column(sa.ForeignKey("configuration_items.id"), index=True)
    parent_id: Mapped[int | None] = mapped_column(sa.ForeignKey("tickets.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(Instant)
    updated_at: Mapped[datetime] = mapped_column(Instant)
    entered_state_at: Mapped[datetime] = mapped_column(Instant)
    resolved_at: Mapped[datetime | None] = mapped_column(Instant)
    closed_at: Mapped[datetime | None] = mapped_column(Instant)
    work_minutes: Mapped[int] = mapped_column(default=0)
    event_count: Mapped[int] = mapped_column(sa.BigInteger)
    chain: Mapped[bytes] = mapped_column(sa.LargeBinary)
    seal: Mapped[bytes] = mapped_column(sa.LargeBinary)


class TicketEvent(Base):
    """One thing that happened to a ticket: who, on whose behalf, when, through which channel, old, new, why. Append-only.

    `at` is when it happened, `recorded_at` when it was written down (they differ for imported history). `payload` is the exact
    text that the chain's `link` covers.
    """

    __tablename__ = "ticket_events"
    __table_args__ = (sa.UniqueConstraint("ticket_id", "seq"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    ticket_id: Mapped[int] = mapped_column(sa.ForeignKey("tickets.id"))
    seq: Mapped[int] = mapped_column(sa.BigInteger)
    kind: Mapped[str] = mapped_column(sa.Text)
    at: Mapped[datetime] = mapped_column(Instant)
    recorded_at: Mapped[datetime] = mapped_column(Instant)
    actor: Mapped[str] = mapped_column(sa.Text)
    on_behalf_of: Mapped[str | None] = mapped_column(sa.Text)
    channel: Mapped[str] = mapped_column(sa.Text)
    internal: Mapped[bool] = mapped_column(default=False)
    payload: Mapped[str] = mapped_column(sa.Text)
    link: Mapped[bytes] = mapped_column(sa.LargeBinary)


class AuditCheckpoint(Base):
    """A keyed digest over all events up to `last_event_id`, chained to the checkpoint before it."""

    __tablename__ = "audit_checkpoints"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    at: Mapped[datetime] = mapped_column(Instant)
    last_event_id: Mapped[int] = mapped_column(sa.BigInteger)
    events: Mapped[int] = mapped_column(sa.BigInteger)
    mark: Mapped[bytes] = mapped_column(sa.LargeBinary)


class Comment(Base):
    """What somebody wrote on a ticket. Its event holds the digest of the body."""

    __tablename__ = "comments"
    __table_args__ = (
        sa.CheckConstraint("visibility IN ('public', 'internal')", name="visibility"),
        sa.Index("ix_comments_ticket", "ticket_id", "id"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    ticket_id: Mapped[int] = mapped_column(sa.ForeignKey("tickets.id"))
    seq: Mapped[int] = mapped_column(sa.BigInteger)
    author: Mapped[str] = mapped_column(sa.Text)
    visibility: Mapped[str] = mapped_column(sa.Text)
    body: Mapped[str] = mapped_column(sa.Text)
    at: Mapped[datetime] = mapped_column(Instant)


class Attachment(Base):
    """A file on a ticket; the bytes lie in the store under their SHA-256."""

    __tablename__ = "attachments"
    __table_args__ = (sa.CheckConstraint("visibility IN ('public', 'internal')", name="visibility"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    ticket_id: Mapped[int] = mapped_column(sa.ForeignKey("tickets.id"), index=True)
    digest: Mapped[str] = mapped_column(sa.Text, index=True)
    size: Mapped[int] = mapped_column(sa.BigInteger)
    media_type: Mapped[str] = mapped_column(sa.Text)
    filename: Mapped[str] = mapped_column(sa.Text)
    visibility: Mapped[str] = mapped_column(sa.Text)
    uploaded_by: Mapped[str] = mapped_column(sa.Text)
    at: Mapped[datetime] = mapped_column(Instant)


class Link(Base):
    """A directed tie between two tickets, kept once; `kind` is read from source to target."""

    __tablename__ = "links"
    __table_args__ = (
        sa.UniqueConstraint("source_id", "target_id", "kind"),
        sa.CheckConstraint("source_id <> target_id", name="not_itself"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    source_id: Mapped[int] = mapped_column(sa.ForeignKey("tickets.id"))
    target_id: Mapped[int] = mapped_column(sa.ForeignKey("tickets.id"), index=True)
    kind: Mapped[str] = mapped_column(sa.Text)
    at: Mapped[datetime] = mapped_column(Instant)


class Watcher(Base):
    """Somebody who is told what happens to a ticket. Watching gives no right to see it."""

    __tablename__ = "watchers"

    ticket_id: Mapped[int] = mapped_column(sa.ForeignKey("tickets.id"), primary_key=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id"), primary_key=True, index=True)


class Reader(Base):
    """Somebody who may see a ticket that his role alone would not show him: an approver who was asked."""

    __tablename__ = "readers"

    ticket_id: Mapped[int] = mapped_column(sa.ForeignKey("tickets.id"), primary_key=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id"), primary_key=True, index=True)


class WorkEntry(Base):
    """Time spent on a ticket."""

    __tablename__ = "work_entries"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    ticket_id: Mapped[int] = mapped_column(sa.ForeignKey("tickets.id"), index=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id"))
    minutes: Mapped[int] = mapped_column()
    note: Mapped[str] = mapped_column(sa.Text, default="")
    at: Mapped[datetime] = mapped_column(Instant)
