"""What the catalogue keeps: versions of its items, what was ordered by them, forms half filled, plans being fulfilled, and
orders that come again."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from itsm.platform.schema import Base, BigId, Instant, Json


class CatalogVersion(Base):
    """A published item, immutable, named by the digest of its content; at most one per item is current.

    `source` is its canonical text: form, tables and service and all, see `canonical.py`. An item that is no longer offered
    has no current version.
    """

    __tablename__ = "catalog_versions"
    __table_args__ = (
        sa.UniqueConstraint("item", "digest"),
        sa.Index(
            "uq_catalog_versions_current",
            "item",
            unique=True,
            sqlite_where=sa.text("is_current"),
            postgresql_where=sa.text("is_current"),
        ),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    item: Mapped[str] = mapped_column(sa.Text)
    digest: Mapped[str] = mapped_column(sa.Text)
    title: Mapped[str] = mapped_column(sa.Text)
    source: Mapped[str] = mapped_column(sa.Text)
    published_at: Mapped[datetime] = mapped_column(Instant)
    published_by: Mapped[str] = mapped_column(sa.Text)
    is_current: Mapped[bool] = mapped_column()


class CatalogOrder(Base):
    """What a ticket was ordered with: the version of the form, the answers, the price and the promise as they were then."""

    __tablename__ = "catalog_orders"

    ticket_id: Mapped[int] = mapped_column(sa.ForeignKey("tickets.id"), primary_key=True, autoincrement=False)
    item: Mapped[str] = mapped_column(sa.Text, index=True)
    version_id: Mapped[int] = mapped_column(sa.ForeignKey("catalog_versions.id"), index=True)
    answers: Mapped[Any] = mapped_column(Json)
    price: Mapped[Any] = mapped_column(Json)
    requested_for_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id"), index=True)
    ordered_by_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id"))
    promised_at: Mapped[datetime | None] = mapped_column(Instant)
    ordered_at: Mapped[datetime] = mapped_column(Instant)


class CatalogPart(Base):
    """An item of a bundle that was ordered: the version of its form, and its answers and price, as they were then.

    `pinned` has answers and price, and for a bundle within the bundle its own items in the same way. `key` is its name in the
    plan of the bundle, whose `catalog_tasks` tell whether it was ordered already, and by which ticket.
    """

    __tablename__ = "catalog_parts"
    __table_args__ = (sa.CheckConstraint("if_refused IN ('go_on', 'drop_after', 'cancel_all')", name="if_refused"),)

    ticket_id: Mapped[int] = mapped_column(sa.ForeignKey("tickets.id"), primary_key=True, autoincrement=False)
    key: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    version_id: Mapped[int] = mapped_column(sa.ForeignKey("catalog_versions.id"), index=True)
    if_refused: Mapped[str] = mapped_column(sa.Text)
    pinned: Mapped[Any] = mapped_column(Json)


class CatalogDraft(Base):
    """A form that somebody has begun to fill; one for each item. Nobody else ever sees it."""

    __tablename__ = "catalog_drafts"

    user_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id"), primary_key=True)
    item: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    answers: Mapped[Any] = mapped_column(Json)
    updated_at: Mapped[datetime] = mapped_column(Instant)


class CatalogFile(Base):
    """A file that somebody has uploaded for a form. With the order it goes to the ticket, and only once."""

    __tablename__ = "catalog_files"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    owner_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id"), index=True)
    item: Mapped[str] = mapped_column(sa.Text)
    digest: Mapped[str] = mapped_column(sa.Text)
    size: Mapped[int] = mapped_column(sa.BigInteger)
    media_type: Mapped[str] = mapped_column(sa.Text)
    filename: Mapped[str] = mapped_column(sa.Text)
    at: Mapped[datetime] = mapped_column(Instant)
    ticket_id: Mapped[int | None] = mapped_column(sa.ForeignKey("tickets.id"), index=True)


class CatalogTask(Base):
    """A task or item of a request's plan. `stage` is `planned`, `skipped` or `dropped`; of one that has begun its ticket tells.

    `after` names the tasks and items of the same plan that must be over before it begins; `task_id` is the ticket that it
    became, for an item a request of its own.
    """

    __tablename__ = "catalog_tasks"
    __table_args__ = (
        sa.UniqueConstraint("ticket_id", "key"),
        sa.CheckConstraint("stage IN ('planned', 'skipped', 'dropped')", name="stage"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    ticket_id: Mapped[int] = mapped_column(sa.ForeignKey("tickets.id"))
    key: Mapped[str] = mapped_column(sa.Text)
    after: Mapped[list[str]] = mapped_column(Json)
    stage: Mapped[str] = mapped_column(sa.Text)
    task_id: Mapped[int | None] = mapped_column(sa.ForeignKey("tickets.id"), index=True)


class Recurrence(Base):
    """An order that comes again by a rule of the calendar. The row changes; what it did is told by its occurrences.

    `rule` is a RECUR value of RFC 5545 in the wall time of `zone`, counted from `starts`, a local date and time. What
    becomes of occurrences on days that are closed in `calendar`, `on_closed` says. `next_at` is when an active one orders next.
    `reason` tells why it was suspended. `version` grows with every change, by which late timers know that they are.
    """

    __tablename__ = "catalog_recurrences"
    __table_args__ = (
        sa.CheckConstraint("state IN ('active', 'paused', 'suspended', 'ended')", name="state"),
        sa.Index("ix_catalog_recurrences_owner", "owner_id", "id"),
        sa.Index("ix_catalog_recurrences_requested_for", "requested_for_id", "id"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    item: Mapped[str] = mapped_column(sa.Text)
    answers: Mapped[Any] = mapped_column(Json)
    owner_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id"))
    requested_for_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id"))
    rule: Mapped[str] = mapped_column(sa.Text)
    starts: Mapped[str] = mapped_column(sa.Text)
    zone: Mapped[str] = mapped_column(sa.Text)
    calendar: Mapped[str | None] = mapped_column(sa.Text)
    on_closed: Mapped[str] = mapped_column(sa.Text)
    state: Mapped[str] = mapped_column(sa.Text)
    reason: Mapped[str | None] = mapped_column(sa.Text)
    next_at: Mapped[datetime | None] = mapped_column(Instant)
    version: Mapped[int] = mapped_column(sa.BigInteger)
    created_at: Mapped[datetime] = mapped_column(Instant)


class Occurrence(Base):
    """One time at which a recurrence was due, and what came of it; for each instant there is one row, so it orders once.

    `missed` counts the occurrences before it that fell due while nothing ran, and were left out.
    """

    __tablename__ = "catalog_occurrences"
    __table_args__ = (sa.CheckConstraint("outcome IN ('ordered', 'refused')", name="outcome"),)

    recurrence_id: Mapped[int] = mapped_column(sa.ForeignKey("catalog_recurrences.id"), primary_key=True, autoincrement=False)
    due_at: Mapped[datetime] = mapped_column(Instant, primary_key=True)
    at: Mapped[datetime] = mapped_column(Instant)
    outcome: Mapped[str] = mapped_column(sa.Text)
    ticket_id: Mapped[int | None] = mapped_column(sa.ForeignKey("tickets.id"), index=True)
    missed: Mapped[int] = mapped_column(sa.BigInteger)
    reason: Mapped[str | None] = mapped_column(sa.Text)
