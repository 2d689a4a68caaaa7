"""What the desk stands behind: services and the configuration items they run on, as far as tickets point at them."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from itsm.platform.schema import Base, BigId


class Service(Base):
    """A service of the catalogue, with the group that supports it."""

    __tablename__ = "services"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    key: Mapped[str] = mapped_column(sa.Text, unique=True)
    name: Mapped[str] = mapped_column(sa.Text)
    group_id: Mapped[int | None] = mapped_column(sa.ForeignKey("groups.id"))


class ConfigurationItem(Base):
    """A configuration item: a laptop, a server, an application."""

    __tablename__ = "configuration_items"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    key: Mapped[str] = mapped_column(sa.Text, unique=True)
    name: Mapped[str] = mapped_column(sa.Text)
    kind: Mapped[str] = mapped_column(sa.Text, default="other")
    organisation_id: Mapped[int | None] = mapped_column(sa.ForeignKey("organisations.id"))
