"""Meetings of the change advisory board: who belongs to one, its agenda, votes, notes, and the minutes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.BigInteger()  # whole microseconds since 1970, UTC
JSON = sa.Text()

APPEND_ONLY = ("change_board_votes", "change_meeting_notes")
TABLES = (*APPEND_ONLY, "change_agenda_items", "change_meeting_presences", "change_meeting_seats", "change_meetings")


def upgrade() -> None:
    create_meetings()
    create_people()
    create_items()
    create_votes()
    create_notes()
    for table in APPEND_ONLY:
        refuse_rewriting(table)


def create_meetings() -> None:
    op.create_table(
        "change_meetings",
        sa.Column("id", ID, primary_key=True),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("starts_at", INSTANT, nullable=False),
        sa.Column("ends_at", INSTANT, nullable=False),
        sa.Column("chair_id", ID, sa.ForeignKey("users.id"), nullable=False, index=True),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("question", JSON, nullable=True),
        sa.Column("called_by", sa.Text, nullable=False),
        sa.Column("called_at", INSTANT, nullable=False),
        sa.Column("changed_at", INSTANT, nullable=False),
        sa.Column("minutes", JSON, nullable=True),
        sa.Column("digest", sa.Text, nullable=True),
        sa.Column("closed_by", sa.Text, nullable=True),
        sa.Column("closed_at", INSTANT, nullable=True),
        sa.CheckConstraint("starts_at < ends_at", name="period"),
        sa.CheckConstraint("status IN ('planned', 'held', 'cancelled')", name="status"),
        sa.CheckConstraint("(status = 'held') = (minutes IS NOT NULL)", name="minutes"),
    )
    op.create_index("ix_change_meetings_starts_at", "change_meetings", ["starts_at", "id"])
    op.create_index("ix_change_meetings_status", "change_meetings", ["status", "starts_at", "id"])


def create_people() -> None:
    op.create_table(
        "change_meeting_seats",
        sa.Column("id", ID, primary_key=True),
        sa.Column("meeting_id", ID, sa.ForeignKey("change_meetings.id"), nullable=False),
        sa.Column("user_id", ID, sa.ForeignKey("users.id"), nullable=True, index=True),
        sa.Column("group_id", ID, sa.ForeignKey("groups.id"), nullable=True, index=True),
        sa.CheckConstraint("(user_id IS NULL) <> (group_id IS NULL)", name="one"),
        sa.UniqueConstraint("meeting_id", "user_id"),
        sa.UniqueConstraint("meeting_id", "group_id"),
    )
    op.create_table(
        "change_meeting_presences",
        sa.Column("meeting_id", ID, sa.ForeignKey("change_meetings.id"), primary_key=True),
        sa.Column("user_id", ID, sa.ForeignKey("users.id"), primary_key=True, index=True),
    )


def create_items() -> None:
    op.create_table(
        "change_agenda_items",
        sa.Column("id", ID, primary_key=True),
        sa.Column("meeting_id", ID, sa.ForeignKey("change_meetings.id"), nullable=False),
        sa.Column("ticket_id", ID, sa.ForeignKey("tickets.id"), nullable=False, index=True),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("minutes", sa.Integer, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("settled", sa.Text, nullable=True),
        sa.Column("outcome", sa.Text, nullable=True),
        sa.Column("words", sa.Text, nullable=True),
        sa.Column("decided_by", sa.Text, nullable=True),
        sa.Column("decided_at", INSTANT, nullable=True),
        sa.CheckConstraint("minutes > 0", name="minutes"),
        sa.CheckConstraint("outcome IN ('authorised', 'rejected', 'deferred')", name="outcome"),
        sa.UniqueConstraint("meeting_id", "ticket_id"),
    )


def create_votes() -> None:
    op.create_table(
        "change_board_votes",
        sa.Column("id", ID, primary_key=True),
        sa.Column("item_id", ID, sa.ForeignKey("change_agenda_items.id"), nullable=False),
        sa.Column("user_id", ID, sa.ForeignKey("users.id"), nullable=False),
        sa.Column("vote", sa.Text, nullable=False),
        sa.Column("comment", sa.Text, nullable=True),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("approval_id", ID, nullable=True),
        sa.CheckConstraint("vote IN ('approve', 'reject', 'abstain')", name="vote"),
    )
    op.create_index("ix_change_board_votes_item_id", "change_board_votes", ["item_id", "id"])


def create_notes() -> None:
    op.create_table(
        "change_meeting_notes",
        sa.Column("id", ID, primary_key=True),
        sa.Column("meeting_id", ID, sa.ForeignKey("change_meetings.id"), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
    )
    op.create_index("ix_change_meeting_notes_meeting_id", "change_meeting_notes", ["meeting_id", "id"])


def refuse_rewriting(table: str) -> None:
    """Let both databases refuse to change or delete a row."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting()"
        )
        return
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


def downgrade() -> None:
    for name in TABLES:
        op.drop_table(name)
