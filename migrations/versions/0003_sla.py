"""The clocks of promises, and the versions of their rules."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.BigInteger()  # whole microseconds since 1970, UTC
RUNNING = sa.text("status = 'running'")


def upgrade() -> None:
    op.create_table(
        "sla_versions",
        sa.Column("id", ID, primary_key=True),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("published_at", INSTANT, nullable=False),
        sa.Column("published_by", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("is_current", sa.Boolean, nullable=False),
    )
    current = sa.text("is_current")
    op.create_index(
        "uq_sla_versions_current", "sla_versions", ["is_current"], unique=True, sqlite_where=current, postgresql_where=current
    )
    op.create_table(
        "sla_standings",
        of_ticket(),
        sa.Column("version_id", ID, sa.ForeignKey("sla_versions.id"), nullable=True),
        sa.Column("state", sa.Text, nullable=False),
    )
    op.create_table(
        "sla_clocks",
        of_ticket(),
        sa.Column("clock", sa.Text, primary_key=True),
        sa.Column("part", sa.Text, primary_key=True),
        sa.Column("cycle", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("due_at", INSTANT, nullable=True),
        sa.Column("stopped_at", INSTANT, nullable=True),
        sa.Column("excused", sa.Boolean, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.CheckConstraint("status IN ('running', 'paused', 'met', 'missed', 'cancelled')", name="status"),
        sa.CheckConstraint("kind IN ('sla', 'ola', 'uc')", name="kind"),
    )
    op.create_index(
        "ix_sla_clocks_at_risk", "sla_clocks", ["due_at", "ticket_id"], sqlite_where=RUNNING, postgresql_where=RUNNING
    )
    op.create_index("ix_sla_clocks_results", "sla_clocks", ["clock", "status", "stopped_at"])


def of_ticket() -> sa.Column[int]:
    """The ticket, whose row may be written after this one in the same transaction."""
    ticket = sa.ForeignKey("tickets.id", deferrable=True, initially="DEFERRED")
    return sa.Column("ticket_id", ID, ticket, primary_key=True, autoincrement=False)


def downgrade() -> None:
    op.drop_table("sla_clocks")
    op.drop_table("sla_standings")
    op.drop_table("sla_versions")
