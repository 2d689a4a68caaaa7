"""The first tables; history that cannot be rewritten; full-text search that the database keeps by itself."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.BigInteger()  # whole microseconds since 1970, UTC
JSON = sa.Text()

APPEND_ONLY = ("ticket_events", "people_events", "audit_checkpoints")
SEARCHED = (("tickets", "ticket_search", ("title", "description")), ("comments", "comment_search", ("body",)))
SEARCHED_CHARACTERS = 100_000  # a tsvector ends at 1 MiB; longer texts are found by their beginning

TABLES = (
    "idempotency_records",
    "outbox",
    "timers",
    "imported_cases",
    "approvals",
    "work_entries",
    "readers",
    "watchers",
    "links",
    "attachments",
    "comments",
    "audit_checkpoints",
    "ticket_events",
    "tickets",
    "number_counters",
    "workflow_versions",
    "configuration_items",
    "services",
    "people_events",
    "tokens",
    "memberships",
    "groups",
    "users",
    "organisations",
)


def upgrade() -> None:
    create_people()
    create_services()
    create_tickets()
    create_approvals()
    create_imports()
    create_work()
    forbid_rewriting()
    create_search()


def create_people() -> None:
    op.create_table(
        "organisations",
        sa.Column("id", ID, primary_key=True),
        sa.Column("key", sa.Text, nullable=False, unique=True),
        sa.Column("name", sa.Text, nullable=False),
    )
    op.create_table(
        "users",
        sa.Column("id", ID, primary_key=True),
        sa.Column("login", sa.Text, nullable=False, unique=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("email", sa.Text, nullable=True),
        sa.Column("organisation_id", ID, sa.ForeignKey("organisations.id"), nullable=True, index=True),
        sa.Column("manager_id", ID, sa.ForeignKey("users.id"), nullable=True, index=True),
        sa.Column("roles", JSON, nullable=False),
        sa.Column("sees_organisation", sa.Boolean, nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
    )
    op.create_table(
        "groups",
        sa.Column("id", ID, primary_key=True),
        sa.Column("key", sa.Text, nullable=False, unique=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("lead_id", ID, sa.ForeignKey("users.id"), nullable=True),
        sa.Column("restricted", sa.Boolean, nullable=False),
    )
    op.create_table(
        "memberships",
        sa.Column("user_id", ID, sa.ForeignKey("users.id"), primary_key=True),
        sa.Column("group_id", ID, sa.ForeignKey("groups.id"), primary_key=True, index=True),
        sa.Column("access", sa.Text, nullable=False),
        sa.CheckConstraint("access IN ('full', 'read')", name="access"),
    )
    op.create_table(
        "tokens",
        sa.Column("id", ID, primary_key=True),
        sa.Column("digest", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("prefix", sa.Text, nullable=False),
        sa.Column("user_id", ID, sa.ForeignKey("users.id"), nullable=False, index=True),
        sa.Column("scopes", JSON, nullable=False),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=True),
        sa.Column("revoked_at", INSTANT, nullable=True),
    )
    op.create_table(
        "people_events",
        sa.Column("id", ID, primary_key=True),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("payload", JSON, nullable=False),
    )


def create_services() -> None:
    op.create_table(
        "services",
        sa.Column("id", ID, primary_key=True),
        sa.Column("key", sa.Text, nullable=False, unique=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("group_id", ID, sa.ForeignKey("groups.id"), nullable=True),
    )
    op.create_table(
        "configuration_items",
        sa.Column("id", ID, primary_key=True),
        sa.Column("key", sa.Text, nullable=False, unique=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("organisation_id", ID, sa.ForeignKey("organisations.id"), nullable=True),
    )


def create_tickets() -> None:
    op.create_table(
        "workflow_versions",
        sa.Column("id", ID, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("published_at", INSTANT, nullable=False),
        sa.Column("published_by", sa.Text, nullable=False),
        sa.Column("is_current", sa.Boolean, nullable=False),
        sa.UniqueConstraint("name", "digest"),
    )
    op.create_index(
        "uq_workflow_versions_current",
        "workflow_versions",
        ["name"],
        unique=True,
        sqlite_where=sa.text("is_current"),
        postgresql_where=sa.text("is_current"),
    )
    op.create_table(
        "number_counters",
        sa.Column("type", sa.Text, primary_key=True),
        sa.Column("last", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "tickets",
        sa.Column("id", ID, primary_key=True),
        sa.Column("number", sa.Text, nullable=False, unique=True),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("workflow_version_id", ID, sa.ForeignKey("workflow_versions.id"), nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("category", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("priority", sa.Text, nullable=True),
        sa.Column("priority_rank", sa.Integer, nullable=False),
        sa.Column("fields", JSON, nullable=False),
        sa.Column("requester_id", ID, sa.ForeignKey("users.id"), nullable=True),
        sa.Column("opened_by_id", ID, sa.ForeignKey("users.id"), nullable=True),
        sa.Column("organisation_id", ID, sa.ForeignKey("organisations.id"), nullable=True),
        sa.Column("group_id", ID, sa.ForeignKey("groups.id"), nullable=True),
        sa.Column("assignee_id", ID, sa.ForeignKey("users.id"), nullable=True),
        sa.Column("service_id", ID, sa.ForeignKey("services.id"), nullable=True, index=True),
        sa.Column("ci_id", ID, sa.ForeignKey("configuration_items.id"), nullable=True, index=True),
        sa.Column("parent_id", ID, sa.ForeignKey("tickets.id"), nullable=True, index=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.Column("entered_state_at", INSTANT, nullable=False),
        sa.Column("resolved_at", INSTANT, nullable=True),
        sa.Column("closed_at", INSTANT, nullable=True),
        sa.Column("work_minutes", sa.Integer, nullable=False),
        sa.Column("event_count", sa.BigInteger, nullable=False),
        sa.Column("chain", sa.LargeBinary, nullable=False),
        sa.Column("seal", sa.LargeBinary, nullable=False),
    )
    op.create_index("ix_tickets_assignee", "tickets", ["assignee_id", "category", "updated_at", "id"])
    op.create_index("ix_tickets_group_queue", "tickets", ["group_id", "category", "priority_rank", "updated_at", "id"])
    op.create_index("ix_tickets_group_updated", "tickets", ["group_id", "updated_at", "id"])
    op.create_index("ix_tickets_organisation", "tickets", ["organisation_id", "updated_at", "id"])
    op.create_index("ix_tickets_priority", "tickets", ["priority_rank", "updated_at", "id"])
    op.create_index("ix_tickets_pulse", "tickets", ["type", "state", "category"])
    op.create_index("ix_tickets_requester", "tickets", ["requester_id", "updated_at", "id"])
    op.create_index("ix_tickets_type_updated", "tickets", ["type", "updated_at", "id"])
    op.create_index("ix_tickets_updated", "tickets", ["updated_at", "id"])
    op.create_table(
        "ticket_events",
        sa.Column("id", ID, primary_key=True),
        sa.Column("ticket_id", ID, sa.ForeignKey("tickets.id"), nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("recorded_at", INSTANT, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("on_behalf_of", sa.Text, nullable=True),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("internal", sa.Boolean, nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("link", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint("ticket_id", "seq"),
    )
    op.create_table(
        "audit_checkpoints",
        sa.Column("id", ID, primary_key=True),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("last_event_id", sa.BigInteger, nullable=False),
        sa.Column("events", sa.BigInteger, nullable=False),
        sa.Column("mark", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "comments",
        sa.Column("id", ID, primary_key=True),
        sa.Column("ticket_id", ID, sa.ForeignKey("tickets.id"), nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("visibility", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.CheckConstraint("visibility IN ('public', 'internal')", name="visibility"),
    )
    op.create_index("ix_comments_ticket", "comments", ["ticket_id", "id"])
    op.create_table(
        "attachments",
        sa.Column("id", ID, primary_key=True),
        sa.Column("ticket_id", ID, sa.ForeignKey("tickets.id"), nullable=False, index=True),
        sa.Column("digest", sa.Text, nullable=False, index=True),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("media_type", sa.Text, nullable=False),
        sa.Column("filename", sa.Text, nullable=False),
        sa.Column("visibility", sa.Text, nullable=False),
        sa.Column("uploaded_by", sa.Text, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.CheckConstraint("visibility IN ('public', 'internal')", name="visibility"),
    )
    op.create_table(
        "links",
        sa.Column("id", ID, primary_key=True),
        sa.Column("source_id", ID, sa.ForeignKey("tickets.id"), nullable=False),
        sa.Column("target_id", ID, sa.ForeignKey("tickets.id"), nullable=False, index=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.UniqueConstraint("source_id", "target_id", "kind"),
        sa.CheckConstraint("source_id <> target_id", name="not_itself"),
    )
    op.create_table(
        "watchers",
        sa.Column("ticket_id", ID, sa.ForeignKey("tickets.id"), primary_key=True),
        sa.Column("user_id", ID, sa.ForeignKey("users.id"), primary_key=True, index=True),
    )
    op.create_table(
        "readers",
        sa.Column("ticket_id", ID, sa.ForeignKey("tickets.id"), primary_key=True),
        sa.Column("user_id", ID, sa.ForeignKey("users.id"), primary_key=True, index=True),
    )
    op.create_table(
        "work_entries",
        sa.Column("id", ID, primary_key=True),
        sa.Column("ticket_id", ID, sa.ForeignKey("tickets.id"), nullable=False, index=True),
        sa.Column("user_id", ID, sa.ForeignKey("users.id"), nullable=False),
        sa.Column("minutes", sa.Integer, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
    )


def create_approvals() -> None:
    op.create_table(
        "approvals",
        sa.Column("id", ID, primary_key=True),
        sa.Column("ticket_id", ID, sa.ForeignKey("tickets.id"), nullable=False),
        sa.Column("round", sa.Integer, nullable=False),
        sa.Column("approver_id", ID, sa.ForeignKey("users.id"), nullable=False),
        sa.Column("needed", sa.Integer, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("requested_at", INSTANT, nullable=False),
        sa.Column("decision", sa.Text, nullable=True),
        sa.Column("decided_at", INSTANT, nullable=True),
        sa.Column("comment", sa.Text, nullable=True),
        sa.UniqueConstraint("ticket_id", "round", "approver_id"),
        sa.CheckConstraint("decision IS NULL OR decision IN ('approve', 'reject', 'void')", name="decision"),
    )
    op.create_index("ix_approvals_mine", "approvals", ["approver_id", "decision"])


def create_imports() -> None:
    op.create_table(
        "imported_cases",
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("case_id", sa.Text, primary_key=True),
        sa.Column("ticket_id", ID, sa.ForeignKey("tickets.id"), nullable=False, index=True),
    )


def create_work() -> None:
    op.create_table(
        "timers",
        sa.Column("id", ID, primary_key=True),
        sa.Column("ticket_id", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("cycle", sa.BigInteger, nullable=False),
        sa.Column("due_at", INSTANT, nullable=False),
        sa.Column("payload", JSON, nullable=False),
        sa.Column("claimed_until", INSTANT, nullable=True),
        sa.Column("fence", sa.BigInteger, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("parked_at", INSTANT, nullable=True),
        sa.Column("error", sa.Text, nullable=True),
        sa.UniqueConstraint("ticket_id", "kind", "name", "cycle"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_timers_due",
        "timers",
        ["due_at", "id"],
        sqlite_where=sa.text("parked_at IS NULL"),
        postgresql_where=sa.text("parked_at IS NULL"),
    )
    op.create_table(
        "outbox",
        sa.Column("id", ID, primary_key=True),
        sa.Column("key", sa.Text, nullable=False, unique=True),
        sa.Column("topic", sa.Text, nullable=False),
        sa.Column("ticket_id", sa.BigInteger, nullable=True, index=True),
        sa.Column("payload", JSON, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("delivered_at", INSTANT, nullable=True),
    )
    op.create_index(
        "ix_outbox_pending",
        "outbox",
        ["id"],
        sqlite_where=sa.text("delivered_at IS NULL"),
        postgresql_where=sa.text("delivered_at IS NULL"),
    )
    op.create_table(
        "idempotency_records",
        sa.Column("user_id", sa.BigInteger, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("fingerprint", sa.LargeBinary, nullable=False),
        sa.Column("status", sa.Integer, nullable=True),
        sa.Column("headers", JSON, nullable=True),
        sa.Column("body", sa.Text, nullable=True),
        sa.Column("created_at", INSTANT, nullable=False, index=True),
    )


def forbid_rewriting() -> None:
    """Events and checkpoints are written once: the database itself refuses to change or remove them."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION refuse_rewriting() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"
        )
        for table in APPEND_ONLY:
            op.execute(
                f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
                "FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting()"
            )
        return
    for table in APPEND_ONLY:
        for deed in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{deed.lower()} BEFORE {deed} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )
        # REPLACE deletes without asking the trigger on DELETE (sqlite.org/lang_conflict.html)
        op.execute(
            f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} "
            f"WHEN EXISTS (SELECT 1 FROM {table} WHERE id = NEW.id) "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        )


def create_search() -> None:
    """The index over what people write follows every write, without a statement of the application."""
    for table, index, columns in SEARCHED:
        if op.get_bind().dialect.name == "postgresql":
            create_search_column(table, columns)
        else:
            create_search_table(table, index, columns)


def create_search_column(table: str, columns: tuple[str, ...]) -> None:
    text = " || ' ' || ".join(columns)
    op.execute(
        f"ALTER TABLE {table} ADD COLUMN search tsvector "
        f"GENERATED ALWAYS AS (to_tsvector('simple', left({text}, {SEARCHED_CHARACTERS}))) STORED"
    )
    op.execute(f"CREATE INDEX ix_{table}_search ON {table} USING gin (search)")


def create_search_table(table: str, index: str, columns: tuple[str, ...]) -> None:
    """An FTS5 table without content of its own; see "External Content Tables" in SQLite's FTS5 manual."""
    listed = ", ".join(columns)
    old, new = (", ".join(f"{row}.{column}" for column in columns) for row in ("old", "new"))
    changed = " OR ".join(f"old.{column} IS NOT new.{column}" for column in columns)
    remove = f"INSERT INTO {index} ({index}, rowid, {listed}) VALUES ('delete', old.id, {old});"
    add = f"INSERT INTO {index} (rowid, {listed}) VALUES (new.id, {new});"
    op.execute(
        f"CREATE VIRTUAL TABLE {index} USING fts5({listed}, content='{table}', content_rowid='id', "
        "tokenize='unicode61 remove_diacritics 2', prefix='2 3')"
    )
    op.execute(f"CREATE TRIGGER {index}_insert AFTER INSERT ON {table} BEGIN {add} END")
    op.execute(f"CREATE TRIGGER {index}_delete AFTER DELETE ON {table} BEGIN {remove} END")
    op.execute(f"CREATE TRIGGER {index}_update AFTER UPDATE OF {listed} ON {table} WHEN {changed} BEGIN {remove} {add} END")


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for _, index, _ in SEARCHED:
            op.drop_table(index)
    for table in TABLES:
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION refuse_rewriting()")
