"""Who is there to be assigned: turns, absences, and who stands in on call."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.BigInteger()  # whole microseconds since 1970, UTC


def upgrade() -> None:
    op.create_table(
        "assignment_turns",
        sa.Column("group_id", ID, sa.ForeignKey("groups.id"), primary_key=True),
        sa.Column("given", sa.BigInteger, nullable=False),
        sa.Column("last_user_id", ID, sa.ForeignKey("users.id"), nullable=True),
    )
    op.create_table(
        "absences",
        sa.Column("id", ID, primary_key=True),
        sa.Column("user_id", ID, sa.ForeignKey("users.id"), nullable=False),
        *period(),
    )
    op.create_index("ix_absences_user", "absences", ["user_id", "ends_at"])
    op.create_table(
        "on_call_overrides",
        sa.Column("id", ID, primary_key=True),
        sa.Column("group_id", ID, sa.ForeignKey("groups.id"), nullable=False),
        sa.Column("layer", sa.Text, nullable=False),
        sa.Column("user_id", ID, sa.ForeignKey("users.id"), nullable=False),
        *period(),
    )
    op.create_index("ix_on_call_overrides_group", "on_call_overrides", ["group_id", "ends_at"])


def period() -> list[sa.Column[object] | sa.CheckConstraint]:
    """What says from when to when, who said so, and whether it was called off."""
    return [
        sa.Column("starts_at", INSTANT, nullable=False),
        sa.Column("ends_at", INSTANT, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("entered_by_id", ID, sa.ForeignKey("users.id"), nullable=True),
        sa.Column("entered_at", INSTANT, nullable=False),
        sa.Column("cancelled_at", INSTANT, nullable=True),
        sa.CheckConstraint("starts_at < ends_at", name="period"),
    ]


def downgrade() -> None:
    for name in ("on_call_overrides", "absences", "assignment_turns"):
        op.drop_table(name)
