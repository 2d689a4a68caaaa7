"""Where people and things are; what services and configuration items there are, and how they hang together."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.BigInteger()  # whole microseconds since 1970, UTC
JSON = sa.Text()

TEXTS = (
    ("organisations", "plan"),
    ("users", "location"),
    ("users", "department"),
    ("users", "cost_centre"),
    ("groups", "calendar"),
    ("services", "criticality"),
    ("services", "calendar"),
    ("configuration_items", "location"),
    ("configuration_items", "criticality"),
)
REFERENCES = (
    ("services", "owner_id", "users"),
    ("configuration_items", "owner_id", "users"),
    ("configuration_items", "group_id", "groups"),
)
VERSIONED = ("services", "configuration_items")
HISTORY = "configuration_events"


def upgrade() -> None:
    for table, column in TEXTS:
        op.add_column(table, sa.Column(column, sa.Text, nullable=True))
    number = ID.compile(op.get_bind().dialect)
    for table, column, other in REFERENCES:
        # SQLite takes a reference only as part of the column
        name = f"fk_{table}_{column}_{other}"
        op.execute(f"ALTER TABLE {table} ADD COLUMN {column} {number} CONSTRAINT {name} REFERENCES {other} (id)")
    for table in VERSIONED:
        op.add_column(table, sa.Column("version", sa.Integer, nullable=False, server_default="1"))
        op.add_column(table, sa.Column("words", sa.Text, nullable=False, server_default=""))
        fold_words(table)
    op.create_index("ix_configuration_items_owner_id", "configuration_items", ["owner_id"])
    op.create_index("ix_configuration_items_organisation_id", "configuration_items", ["organisation_id"])
    create_relations()
    create_history()


def fold_words(table: str) -> None:
    """What searches look through, for the rows that are there: neither database folds case beyond ASCII alike."""
    bind = op.get_bind()
    rows = bind.execute(sa.text(f"SELECT id, key, name FROM {table}")).all()
    if rows:
        values = [{"id": row.id, "words": f"{row.key} {row.name}".casefold()} for row in rows]
        bind.execute(sa.text(f"UPDATE {table} SET words = :words WHERE id = :id"), values)


def create_relations() -> None:
    op.create_table(
        "item_relations",
        sa.Column("source_id", ID, sa.ForeignKey("configuration_items.id"), primary_key=True),
        sa.Column("target_id", ID, sa.ForeignKey("configuration_items.id"), primary_key=True, index=True),
        sa.Column("kind", sa.Text, primary_key=True),
        sa.CheckConstraint("source_id <> target_id", name="not_itself"),
    )
    op.create_table(
        "service_items",
        sa.Column("service_id", ID, sa.ForeignKey("services.id"), primary_key=True),
        sa.Column("item_id", ID, sa.ForeignKey("configuration_items.id"), primary_key=True, index=True),
    )
    op.create_table(
        "service_dependencies",
        sa.Column("service_id", ID, sa.ForeignKey("services.id"), primary_key=True),
        sa.Column("needed_id", ID, sa.ForeignKey("services.id"), primary_key=True, index=True),
        sa.CheckConstraint("service_id <> needed_id", name="not_itself"),
    )


def create_history() -> None:
    op.create_table(
        HISTORY,
        sa.Column("id", ID, primary_key=True),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False, index=True),
        sa.Column("old", JSON, nullable=True),
        sa.Column("new", JSON, nullable=True),
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            f"CREATE TRIGGER {HISTORY}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {HISTORY} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting()"
        )
        return
    for deed in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER {HISTORY}_no_{deed.lower()} BEFORE {deed} ON {HISTORY} "
            f"BEGIN SELECT RAISE(ABORT, '{HISTORY} is append-only'); END"
        )
    # REPLACE deletes without asking the trigger on DELETE (sqlite.org/lang_conflict.html)
    op.execute(
        f"CREATE TRIGGER {HISTORY}_no_replace BEFORE INSERT ON {HISTORY} "
        f"WHEN EXISTS (SELECT 1 FROM {HISTORY} WHERE id = NEW.id) "
        f"BEGIN SELECT RAISE(ABORT, '{HISTORY} is append-only'); END"
    )


def downgrade() -> None:
    for table in (HISTORY, "service_dependencies", "service_items", "item_relations"):
        op.drop_table(table)
    op.drop_index("ix_configuration_items_organisation_id", "configuration_items")
    op.drop_index("ix_configuration_items_owner_id", "configuration_items")
    for table in VERSIONED:
        op.drop_column(table, "words")
        op.drop_column(table, "version")
    for table, column, _ in reversed(REFERENCES):
        op.drop_column(table, column)
    for table, column in reversed(TEXTS):
        op.drop_column(table, column)
