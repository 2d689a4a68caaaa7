"""The change calendar: scheduled windows, freezes, overrides, feeds; outcomes of changes, and assessments of their risk."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.BigInteger()  # whole microseconds since 1970, UTC
JSON = sa.Text()

TABLES = (
    "change_model_approvals",
    "change_risks",
    "change_outcomes",
    "change_feeds",
    "change_overrides",
    "change_freezes",
    "change_schedule",
)


def upgrade() -> None:
    create_schedule()
    create_freezes()
    create_overrides()
    create_feeds()
    create_outcomes()
    create_risks()
    create_model_approvals()


def create_schedule() -> None:
    op.create_table(
        "change_schedule",
        sa.Column("ticket_id", ID, sa.ForeignKey("tickets.id"), primary_key=True, autoincrement=False),
        sa.Column("start_at", INSTANT, nullable=False),
        sa.Column("end_at", INSTANT, nullable=False),
        sa.Column("standing", sa.Text, nullable=False),
        sa.Column("implementer_id", ID, sa.ForeignKey("users.id"), nullable=True),
        sa.Column("service_id", ID, sa.ForeignKey("services.id"), nullable=True, index=True),
        sa.Column("item_id", ID, sa.ForeignKey("configuration_items.id"), nullable=True, index=True),
        sa.CheckConstraint("start_at < end_at", name="period"),
        sa.CheckConstraint("standing IN ('tentative', 'scheduled', 'under_way', 'done')", name="standing"),
    )
    op.create_index("ix_change_schedule_end_at", "change_schedule", ["end_at", "start_at"])


def create_freezes() -> None:
    op.create_table(
        "change_freezes",
        sa.Column("id", ID, primary_key=True),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("starts_at", INSTANT, nullable=False),
        sa.Column("ends_at", INSTANT, nullable=False, index=True),
        sa.Column("services", JSON, nullable=True),
        sa.Column("spared", JSON, nullable=False),
        sa.Column("declared_by", sa.Text, nullable=False),
        sa.Column("declared_at", INSTANT, nullable=False),
        sa.Column("lifted_by", sa.Text, nullable=True),
        sa.Column("lifted_at", INSTANT, nullable=True),
        sa.CheckConstraint("starts_at < ends_at", name="period"),
    )


def create_overrides() -> None:
    op.create_table(
        "change_overrides",
        sa.Column("id", ID, primary_key=True),
        sa.Column("ticket_id", ID, sa.ForeignKey("tickets.id"), nullable=False, index=True),
        sa.Column("obstacles", JSON, nullable=False),
        sa.Column("start_at", INSTANT, nullable=False),
        sa.Column("end_at", INSTANT, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
    )


def create_feeds() -> None:
    op.create_table(
        "change_feeds",
        sa.Column("id", ID, primary_key=True),
        sa.Column("digest", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("user_id", ID, sa.ForeignKey("users.id"), nullable=False, index=True),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("revoked_at", INSTANT, nullable=True),
    )


def create_outcomes() -> None:
    op.create_table(
        "change_outcomes",
        sa.Column("ticket_id", ID, sa.ForeignKey("tickets.id"), primary_key=True, autoincrement=False),
        sa.Column("change_type", sa.Text, nullable=False),
        sa.Column("model", sa.Text, nullable=True),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("ended_at", INSTANT, nullable=False, index=True),
        sa.Column("service_id", ID, sa.ForeignKey("services.id"), nullable=True, index=True),
        sa.Column("item_id", ID, sa.ForeignKey("configuration_items.id"), nullable=True),
    )


def create_risks() -> None:
    op.create_table(
        "change_risks",
        sa.Column("id", ID, primary_key=True),
        sa.Column("ticket_id", ID, sa.ForeignKey("tickets.id"), nullable=False, index=True),
        sa.Column("level", sa.Text, nullable=False),
        sa.Column("score", sa.Integer, nullable=False),
        sa.Column("answers", JSON, nullable=False),
        sa.Column("reasons", JSON, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
    )


def create_model_approvals() -> None:
    op.create_table(
        "change_model_approvals",
        sa.Column("id", ID, primary_key=True),
        sa.Column("name", sa.Text, nullable=False, index=True),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("content", JSON, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("approved_by", sa.Text, nullable=False),
        sa.Column("approved_at", INSTANT, nullable=False),
        sa.Column("revoked_by", sa.Text, nullable=True),
        sa.Column("revoked_at", INSTANT, nullable=True),
    )


def downgrade() -> None:
    for name in TABLES:
        op.drop_table(name)
