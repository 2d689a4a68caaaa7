"""What the catalogue keeps: versions of its items, what was ordered by them, forms half filled, plans being fulfilled."""

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
    """A task of a request's plan. `stage` is `planned`, `skipped` or `dropped`; of a task that has begun its ticket tells.

    `after` names the tasks of the same plan that must be over before it begins.
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
