"""Delivery of the outbox to receivers, and the calls of webhooks that wait for their answer."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.BigInteger()  # whole microseconds since 1970, UTC
JSON = sa.Text()

DUE = sa.text("delivered_at IS NULL AND parked_at IS NULL AND destination IS NOT NULL")
PARKED = sa.text("parked_at IS NOT NULL")
ADDED = ("destination", "due_at", "claimed_until", "fence", "attempts", "parked_at", "error")


def upgrade() -> None:
    for column in (
        sa.Column("destination", sa.Text, nullable=True),
        sa.Column("due_at", INSTANT, nullable=True),
        sa.Column("claimed_until", INSTANT, nullable=True),
        sa.Column("fence", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("parked_at", INSTANT, nullable=True),
        sa.Column("error", sa.Text, nullable=True),
    ):
        op.add_column("outbox", column)
    op.create_index("ix_outbox_due", "outbox", ["destination", "due_at", "id"], sqlite_where=DUE, postgresql_where=DUE)
    op.create_index("ix_outbox_parked", "outbox", ["id"], sqlite_where=PARKED, postgresql_where=PARKED)
    op.create_table(
        "webhook_calls",
        sa.Column("id", ID, primary_key=True),
        sa.Column("key", sa.Text, nullable=False, unique=True),
        sa.Column("message", sa.Text, nullable=False, unique=True),
        sa.Column("ticket_id", ID, sa.ForeignKey("tickets.id"), nullable=False, index=True),
        sa.Column("endpoint", sa.Text, nullable=False),
        sa.Column("state_at", sa.Text, nullable=False),
        sa.Column("field", sa.Text, nullable=True),
        sa.Column("sent", sa.BigInteger, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("called_at", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT, nullable=True),
        sa.Column("digest", sa.Text, nullable=True),
        sa.Column("answer", JSON, nullable=True),
        sa.CheckConstraint("state IN ('waiting', 'succeeded', 'failed', 'unanswered', 'withdrawn')", name="state"),
        sa.CheckConstraint("(digest IS NULL) = (state NOT IN ('succeeded', 'failed'))", name="digest"),
    )
    op.create_table(
        "webhook_stops",
        sa.Column("endpoint", sa.Text, primary_key=True),
        sa.Column("at", INSTANT, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("webhook_stops")
    op.drop_table("webhook_calls")
    op.drop_index("ix_outbox_parked", table_name="outbox")
    op.drop_index("ix_outbox_due", table_name="outbox")
    for name in ADDED:
        op.drop_column("outbox", name)
