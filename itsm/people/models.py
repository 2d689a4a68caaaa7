"""Who there is: organisations, users, groups with their members, and the tokens users act with."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from itsm.platform.schema import Base, BigId, Instant, Json


class Organisation(Base):
    """A customer or a part of the company; requesters of one never see another's tickets. `plan` is its support plan: gold."""

    __tablename__ = "organisations"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    key: Mapped[str] = mapped_column(sa.Text, unique=True)
    name: Mapped[str] = mapped_column(sa.Text)
    plan: Mapped[str | None] = mapped_column(sa.Text)


class User(Base):
    """A person or an integration. `roles` are names from `config/roles.yaml`, `location` is one of `config/locations.yaml`.

    `same_as_id` is the first account of a person who has several: where two people must decide, they count as one.
    """

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    login: Mapped[str] = mapped_column(sa.Text, unique=True)
    name: Mapped[str] = mapped_column(sa.Text)
    email: Mapped[str | None] = mapped_column(sa.Text)
    organisation_id: Mapped[int | None] = mapped_column(sa.ForeignKey("organisations.id"), index=True)
    manager_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"), index=True)
    roles: Mapped[list[str]] = mapped_column(Json)
    sees_organisation: Mapped[bool] = mapped_column(default=False)
    active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime] = mapped_column(Instant)
    location: Mapped[str | None] = mapped_column(sa.Text)
    department: Mapped[str | None] = mapped_column(sa.Text)
    cost_centre: Mapped[str | None] = mapped_column(sa.Text)
    same_as_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"), index=True)


class Group(Base):
    """A resolver group. Of staff only its members see a restricted group's tickets; see `tickets/visibility.py`.

    `calendar` is a key of `config/calendars.yaml`: when the group works.
    """

    __tablename__ = "groups"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    key: Mapped[str] = mapped_column(sa.Text, unique=True)
    name: Mapped[str] = mapped_column(sa.Text)
    lead_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"))
    restricted: Mapped[bool] = mapped_column(default=False)
    calendar: Mapped[str | None] = mapped_column(sa.Text)


class Membership(Base):
    """A user in a group; `access` is `full`, or `read` for members who may look but not touch."""

    __tablename__ = "memberships"
    __table_args__ = (sa.CheckConstraint("access IN ('full', 'read')", name="access"),)

    user_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id"), primary_key=True)
    group_id: Mapped[int] = mapped_column(sa.ForeignKey("groups.id"), primary_key=True, index=True)
    access: Mapped[str] = mapped_column(sa.Text, default="full")


class Token(Base):
    """A bearer token. Only its keyed digest is kept; `prefix` helps its owner and leak scanners to recognise it."""

    __tablename__ = "tokens"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    digest: Mapped[bytes] = mapped_column(sa.LargeBinary, unique=True)
    prefix: Mapped[str] = mapped_column(sa.Text)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id"), index=True)
    scopes: Mapped[list[str]] = mapped_column(Json)
    label: Mapped[str] = mapped_column(sa.Text, default="")
    created_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime | None] = mapped_column(Instant)
    revoked_at: Mapped[datetime | None] = mapped_column(Instant)


class PeopleEvent(Base):
    """What was done to people and tokens, for the auditor: append-only, like the tickets' events."""

    __tablename__ = "people_events"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    at: Mapped[datetime] = mapped_column(Instant)
    actor: Mapped[str] = mapped_column(sa.Text)
    kind: Mapped[str] = mapped_column(sa.Text)
    payload: Mapped[Any] = mapped_column(Json)
