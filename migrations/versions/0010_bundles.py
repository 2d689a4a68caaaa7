"""Bundles and orders that come again: the items of a bundle as they were ordered, recurrences, and their occurrences."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.BigInteger()  # whole microseconds since 1970, UTC
JSON = sa.Text()

KEPT = (
    ("catalog_parts", "ticket_id, key, version_id, if_refused, pinned", ("ticket_id", "key")),
    ("catalog_occurrences", "recurrence_id, due_at, outcome, ticket_id", ("recurrence_id", "due_at")),
)
TABLES = ("catalog_occurrences", "catalog_recurrences", "catalog_parts")


def upgrade() -> None:
    create_parts()
    create_recurrences()
    forbid_rewriting()


def create_parts() -> None:
    op.create_table(
        "catalog_parts",
        sa.Column("ticket_id", ID, sa.ForeignKey("tickets.id"), primary_key=True, autoincrement=False),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("version_id", ID, sa.ForeignKey("catalog_versions.id"), nullable=False, index=True),
        sa.Column("if_refused", sa.Text, nullable=False),
        sa.Column("pinned", JSON, nullable=False),
        sa.CheckConstraint("if_refused IN ('go_on', 'drop_after', 'cancel_all')", name="if_refused"),
    )


def create_recurrences() -> None:
    op.create_table(
        "catalog_recurrences",
        sa.Column("id", ID, primary_key=True),
        sa.Column("item", sa.Text, nullable=False),
        sa.Column("answers", JSON, nullable=False),
        sa.Column("owner_id", ID, sa.ForeignKey("users.id"), nullable=False),
        sa.Column("requested_for_id", ID, sa.ForeignKey("users.id"), nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("starts", sa.Text, nullable=False),
        sa.Column("zone", sa.Text, nullable=False),
        sa.Column("calendar", sa.Text),
        sa.Column("on_closed", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("next_at", INSTANT),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.CheckConstraint("state IN ('active', 'paused', 'suspended', 'ended')", name="state"),
    )
    op.create_index("ix_catalog_recurrences_owner", "catalog_recurrences", ["owner_id", "id"])
    op.create_index("ix_catalog_recurrences_requested_for", "catalog_recurrences", ["requested_for_id", "id"])
    op.create_table(
        "catalog_occurrences",
        sa.Column("recurrence_id", ID, sa.ForeignKey("catalog_recurrences.id"), primary_key=True, autoincrement=False),
        sa.Column("due_at", INSTANT, primary_key=True),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("ticket_id", ID, sa.ForeignKey("tickets.id"), index=True),
        sa.Column("missed", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text),
        sa.CheckConstraint("outcome IN ('ordered', 'refused')", name="outcome"),
    )


def forbid_rewriting() -> None:
    """What was ordered in a bundle, and what a recurrence has done, stays as it was: the database itself sees to that."""
    for table, columns, key in KEPT:
        if op.get_bind().dialect.name == "postgresql":
            op.execute(
                f"CREATE TRIGGER {table}_kept BEFORE UPDATE OF {columns} OR DELETE ON {table} "
                "FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting()"
            )
            continue
        for deed in (f"UPDATE OF {columns}", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{deed.split()[0].lower()} BEFORE {deed} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )
        # REPLACE deletes without asking the trigger on DELETE (sqlite.org/lang_conflict.html)
        same = " AND ".join(f"{name} = NEW.{name}" for name in key)
        op.execute(
            f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} "
            f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {same}) "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        )


def downgrade() -> None:
    for name in TABLES:
        op.drop_table(name)
