"""What was imported from where, so that importing it again adds nothing."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from itsm.platform.schema import Base


class ImportedCase(Base):
    """A case of another system's log, by its source and its id there."""

    __tablename__ = "imported_cases"

    source: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    case_id: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    ticket_id: Mapped[int] = mapped_column(sa.ForeignKey("tickets.id"), index=True)
