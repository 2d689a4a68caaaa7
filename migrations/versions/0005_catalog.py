"""The service catalogue: versions of items, drafts, orders, files, and the tasks that fulfil them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.BigInteger()  # whole microseconds since 1970, UTC
JSON = sa.Text()

KEPT = (
    ("catalog_versions", "item, digest, source", "id"),
    ("catalog_orders", "ticket_id, item, version_id, answers, price, requested_for_id, ordered_by_id", "ticket_id"),
)
TABLES = ("catalog_tasks", "catalog_files", "catalog_drafts", "catalog_orders", "catalog_versions")


def upgrade() -> None:
    create_versions()
    create_orders()
    create_drafts()
    create_tasks()
    forbid_rewriting()


def create_versions() -> None:
    op.create_table(
        "catalog_versions",
        sa.Column("id", ID, primary_key=True),
        sa.Column("item", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("published_at", INSTANT, nullable=False),
        sa.Column("published_by", sa.Text, nullable=False),
        sa.Column("is_current", sa.Boolean(), nullable=False),
        sa.UniqueConstraint("item", "digest"),
    )
    op.create_index(
        "uq_catalog_versions_current",
        "catalog_versions",
        ["item"],
        unique=True,
        sqlite_where=sa.text("is_current"),
        postgresql_where=sa.text("is_current"),
    )


def create_orders() -> None:
    op.create_table(
        "catalog_orders",
        sa.Column("ticket_id", ID, sa.ForeignKey("tickets.id"), primary_key=True, autoincrement=False),
        sa.Column("item", sa.Text, nullable=False, index=True),
        sa.Column("version_id", ID, sa.ForeignKey("catalog_versions.id"), nullable=False, index=True),
        sa.Column("answers", JSON, nullable=False),
        sa.Column("price", JSON, nullable=False),
        sa.Column("requested_for_id", ID, sa.ForeignKey("users.id"), nullable=False, index=True),
        sa.Column("ordered_by_id", ID, sa.ForeignKey("users.id"), nullable=False),
        sa.Column("promised_at", INSTANT),
        sa.Column("ordered_at", INSTANT, nullable=False),
    )


def create_drafts() -> None:
    op.create_table(
        "catalog_drafts",
        sa.Column("user_id", ID, sa.ForeignKey("users.id"), primary_key=True),
        sa.Column("item", sa.Text, primary_key=True),
        sa.Column("answers", JSON, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
    )
    op.create_table(
        "catalog_files",
        sa.Column("id", ID, primary_key=True),
        sa.Column("owner_id", ID, sa.ForeignKey("users.id"), nullable=False, index=True),
        sa.Column("item", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("media_type", sa.Text, nullable=False),
        sa.Column("filename", sa.Text, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("ticket_id", ID, sa.ForeignKey("tickets.id"), index=True),
    )


def create_tasks() -> None:
    op.create_table(
        "catalog_tasks",
        sa.Column("id", ID, primary_key=True),
        sa.Column("ticket_id", ID, sa.ForeignKey("tickets.id"), nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("after", JSON, nullable=False),
        sa.Column("stage", sa.Text, nullable=False),
        sa.Column("task_id", ID, sa.ForeignKey("tickets.id"), index=True),
        sa.UniqueConstraint("ticket_id", "key"),
        sa.CheckConstraint("stage IN ('planned', 'skipped', 'dropped')", name="stage"),
    )


def forbid_rewriting() -> None:
    """What was ordered, and the form it was filled under, stay as they were: the database itself refuses to change them."""
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
        op.execute(
            f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} "
            f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {key} = NEW.{key}) "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        )


def downgrade() -> None:
    for name in TABLES:
        op.drop_table(name)
