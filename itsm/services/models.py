"""What the desk stands behind: services, the configuration items they rest on, and how both hang together.

A relation between items has a kind (`rules.Relation`) and reads from source to target: “erp-app runs on srv-12”. Services
have two relations only, each with a table of its own: the items a service is made of, and the services it depends on.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from itsm.platform.schema import Base, BigId, Instant, Json


class Service(Base):
    """A service that users know by name.

    `group_id` supports it, `owner_id` answers for it; `criticality` is a word of `rules.Criticality`, `calendar` a key of
    `config/calendars.yaml`. `version` grows with each change; `words` is key and name, folded, as searches look through
    them.
    """

    __tablename__ = "services"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    key: Mapped[str] = mapped_column(sa.Text, unique=True)
    name: Mapped[str] = mapped_column(sa.Text)
    group_id: Mapped[int | None] = mapped_column(sa.ForeignKey("groups.id"))
    owner_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"))
    criticality: Mapped[str | None] = mapped_column(sa.Text)
    calendar: Mapped[str | None] = mapped_column(sa.Text)
    version: Mapped[int] = mapped_column(server_default="1")
    words: Mapped[str] = mapped_column(sa.Text, server_default="")


class ConfigurationItem(Base):
    """A configuration item: a laptop, a server, an application.

    `owner_id` uses it or answers for it, `group_id` looks after it; `location` is a key of `config/locations.yaml`.
    """

    __tablename__ = "configuration_items"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    key: Mapped[str] = mapped_column(sa.Text, unique=True)
    name: Mapped[str] = mapped_column(sa.Text)
    kind: Mapped[str] = mapped_column(sa.Text, default="other")
    organisation_id: Mapped[int | None] = mapped_column(sa.ForeignKey("organisations.id"), index=True)
    owner_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"), index=True)
    group_id: Mapped[int | None] = mapped_column(sa.ForeignKey("groups.id"))
    location: Mapped[str | None] = mapped_column(sa.Text)
    criticality: Mapped[str | None] = mapped_column(sa.Text)
    version: Mapped[int] = mapped_column(server_default="1")
    words: Mapped[str] = mapped_column(sa.Text, server_default="")


class ItemRelation(Base):
    """Two configuration items and how the first stands to the second; `kind` is a word of `rules.Relation`."""

    __tablename__ = "item_relations"
    __table_args__ = (sa.CheckConstraint("source_id <> target_id", name="not_itself"),)

    source_id: Mapped[int] = mapped_column(sa.ForeignKey("configuration_items.id"), primary_key=True)
    target_id: Mapped[int] = mapped_column(sa.ForeignKey("configuration_items.id"), primary_key=True, index=True)
    kind: Mapped[str] = mapped_column(sa.Text, primary_key=True)


class ServiceItem(Base):
    """A configuration item that a service is made of."""

    __tablename__ = "service_items"

    service_id: Mapped[int] = mapped_column(sa.ForeignKey("services.id"), primary_key=True)
    item_id: Mapped[int] = mapped_column(sa.ForeignKey("configuration_items.id"), primary_key=True, index=True)


class ServiceDependency(Base):
    """A service, and another that it needs."""

    __tablename__ = "service_dependencies"
    __table_args__ = (sa.CheckConstraint("service_id <> needed_id", name="not_itself"),)

    service_id: Mapped[int] = mapped_column(sa.ForeignKey("services.id"), primary_key=True)
    needed_id: Mapped[int] = mapped_column(sa.ForeignKey("services.id"), primary_key=True, index=True)


class ConfigurationEvent(Base):
    """What was done to services, items and relations: append-only. `subject` is `service:KEY` or `item:KEY`."""

    __tablename__ = "configuration_events"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    at: Mapped[datetime] = mapped_column(Instant)
    actor: Mapped[str] = mapped_column(sa.Text)
    kind: Mapped[str] = mapped_column(sa.Text)
    subject: Mapped[str] = mapped_column(sa.Text, index=True)
    old: Mapped[Any] = mapped_column(Json, nullable=True)
    new: Mapped[Any] = mapped_column(Json, nullable=True)
