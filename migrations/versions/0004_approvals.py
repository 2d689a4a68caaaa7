"""Rounds of approval with stages and policies, questions that pass from one person to another, delegation, linked accounts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.BigInteger()  # whole microseconds since 1970, UTC
JSON = sa.Text()

OLD = ("id", "ticket_id", "round", "approver_id", "needed", "state", "requested_at", "decision", "decided_at", "comment")
ONE_A_ROUND, ONE_A_STAGE = "uq_approvals_ticket_id_round_approver_id", "uq_approvals_ticket_id_round_stage_approver_id"

KEEP_OLD_ROUNDS = """
INSERT INTO approval_rounds (ticket_id, round, policy, definition, state, stage, material, opened_at, outcome, closed_at)
SELECT ticket_id, round, NULL, '{"stages":[{"of":[],"rule":{"at_least":' || max(needed) || '}}]}', max(state), 0, '{}',
       min(requested_at),
       CASE WHEN sum(CASE WHEN decision IS NULL THEN 1 ELSE 0 END) > 0 THEN NULL
            WHEN sum(CASE WHEN decision = 'approve' THEN 1 ELSE 0 END) >= max(needed) THEN 'approved'
            WHEN sum(CASE WHEN decision = 'reject' THEN 1 ELSE 0 END) > 0 THEN 'rejected'
            ELSE 'withdrawn' END,
       CASE WHEN sum(CASE WHEN decision IS NULL THEN 1 ELSE 0 END) > 0 THEN NULL ELSE max(decided_at) END
FROM approvals GROUP BY ticket_id, round
"""


def upgrade() -> None:
    create_rounds()
    op.execute(KEEP_OLD_ROUNDS)
    widen_questions()
    create_delegations()
    # SQLite takes a reference only as part of the column
    number = ID.compile(op.get_bind().dialect)
    op.execute(f"ALTER TABLE users ADD COLUMN same_as_id {number} CONSTRAINT fk_users_same_as_id_users REFERENCES users (id)")
    op.create_index("ix_users_same_as_id", "users", ["same_as_id"])
    forbid_rewriting()


def create_rounds() -> None:
    op.create_table(
        "approval_rounds",
        sa.Column("id", ID, primary_key=True),
        sa.Column("ticket_id", ID, sa.ForeignKey("tickets.id"), nullable=False),
        sa.Column("round", sa.Integer, nullable=False),
        sa.Column("policy", sa.Text, nullable=True),
        sa.Column("definition", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("stage", sa.Integer, nullable=False),
        sa.Column("material", JSON, nullable=False),
        sa.Column("opened_at", INSTANT, nullable=False),
        sa.Column("ruling", sa.Text, nullable=True),
        sa.Column("outcome", sa.Text, nullable=True),
        sa.Column("closed_at", INSTANT, nullable=True),
        sa.UniqueConstraint("ticket_id", "round"),
        sa.CheckConstraint("outcome IS NULL OR outcome IN ('approved', 'rejected', 'void', 'withdrawn')", name="outcome"),
    )


def create_delegations() -> None:
    op.create_table(
        "approval_delegations",
        sa.Column("id", ID, primary_key=True),
        sa.Column("principal_id", ID, sa.ForeignKey("users.id"), nullable=False, index=True),
        sa.Column("delegate_id", ID, sa.ForeignKey("users.id"), nullable=False, index=True),
        sa.Column("starts_at", INSTANT, nullable=False),
        sa.Column("ends_at", INSTANT, nullable=False, index=True),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("revoked_at", INSTANT, nullable=True),
        sa.CheckConstraint("starts_at < ends_at", name="period"),
        sa.CheckConstraint("principal_id <> delegate_id", name="not_oneself"),
    )


def added() -> list[sa.Column[object]]:
    """The new columns of a question."""
    return [
        sa.Column("stage", sa.Integer, nullable=False, server_default="0"),
        sa.Column("place", sa.Text, nullable=False, server_default=""),
        sa.Column("seat", sa.Integer, nullable=True),
        sa.Column("because", sa.Text, nullable=True),
    ]


def widen_questions() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for column in added():
            op.add_column("approvals", column)
        op.add_column("approvals", sa.Column("decided_by_id", ID, sa.ForeignKey("users.id"), nullable=True))
        op.add_column("approvals", sa.Column("instead_of_id", ID, sa.ForeignKey("users.id"), nullable=True))
        op.drop_constraint(ONE_A_ROUND, "approvals")
        op.create_unique_constraint(ONE_A_STAGE, "approvals", ["ticket_id", "round", "stage", "approver_id"])
        op.create_index("ix_approvals_decided_by_id", "approvals", ["decided_by_id"])
        return
    more = [
        *added(),
        sa.Column("decided_by_id", ID, sa.ForeignKey("users.id", name=op.f("fk_approvals_decided_by_id_users"))),
        sa.Column("instead_of_id", ID, sa.ForeignKey("users.id", name=op.f("fk_approvals_instead_of_id_users"))),
    ]
    unique = sa.UniqueConstraint("ticket_id", "round", "stage", "approver_id", name=op.f(ONE_A_STAGE))
    rebuild_questions([*more, unique])
    op.create_index("ix_approvals_decided_by_id", "approvals", ["decided_by_id"])


def rebuild_questions(more: list[sa.Column[object] | sa.Column[int] | sa.UniqueConstraint]) -> None:
    """SQLite cannot take a constraint from a table; so the table is made anew, with `more` besides what it always had."""
    op.create_table(
        "approvals_anew",
        sa.Column("id", ID, primary_key=True),
        sa.Column("ticket_id", ID, sa.ForeignKey("tickets.id", name=op.f("fk_approvals_ticket_id_tickets")), nullable=False),
        sa.Column("round", sa.Integer, nullable=False),
        sa.Column("approver_id", ID, sa.ForeignKey("users.id", name=op.f("fk_approvals_approver_id_users")), nullable=False),
        sa.Column("needed", sa.Integer, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("requested_at", INSTANT, nullable=False),
        sa.Column("decision", sa.Text, nullable=True),
        sa.Column("decided_at", INSTANT, nullable=True),
        sa.Column("comment", sa.Text, nullable=True),
        sa.CheckConstraint("decision IS NULL OR decision IN ('approve', 'reject', 'void')", name=op.f("ck_approvals_decision")),
        *more,
    )
    listed = ", ".join(OLD)
    op.execute(f"INSERT INTO approvals_anew ({listed}) SELECT {listed} FROM approvals")
    op.drop_table("approvals")
    op.rename_table("approvals_anew", "approvals")
    op.create_index("ix_approvals_mine", "approvals", ["approver_id", "decision"])


def forbid_rewriting() -> None:
    """A question that has been answered stays as it is, and no question is ever taken away."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE TRIGGER approvals_decided BEFORE UPDATE ON approvals FOR EACH ROW "
            "WHEN (OLD.decision IS NOT NULL) EXECUTE FUNCTION refuse_rewriting()"
        )
        op.execute(
            "CREATE TRIGGER approvals_kept BEFORE DELETE OR TRUNCATE ON approvals "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting()"
        )
        return
    refuse = "BEGIN SELECT RAISE(ABORT, 'approvals is append-only'); END"
    op.execute(f"CREATE TRIGGER approvals_decided BEFORE UPDATE ON approvals WHEN OLD.decision IS NOT NULL {refuse}")
    op.execute(f"CREATE TRIGGER approvals_kept BEFORE DELETE ON approvals {refuse}")
    # REPLACE deletes without asking the trigger on DELETE (sqlite.org/lang_conflict.html)
    op.execute(
        "CREATE TRIGGER approvals_no_replace BEFORE INSERT ON approvals "
        "WHEN EXISTS (SELECT 1 FROM approvals WHERE id = NEW.id OR (ticket_id = NEW.ticket_id AND round = NEW.round "
        f"AND stage = NEW.stage AND approver_id = NEW.approver_id)) {refuse}"
    )


def downgrade() -> None:
    names = ("approvals_decided", "approvals_kept")
    if op.get_bind().dialect.name == "postgresql":
        for name in names:
            op.execute(f"DROP TRIGGER {name} ON approvals")
    else:
        for name in (*names, "approvals_no_replace"):
            op.execute(f"DROP TRIGGER {name}")
    op.drop_index("ix_users_same_as_id", "users")
    op.drop_column("users", "same_as_id")
    op.drop_table("approval_delegations")
    op.execute("DELETE FROM approvals WHERE stage > 0")
    op.drop_index("ix_approvals_decided_by_id", "approvals")
    narrow_questions()
    op.drop_table("approval_rounds")


def narrow_questions() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.drop_constraint(ONE_A_STAGE, "approvals")
        for column in ("stage", "place", "seat", "because", "decided_by_id", "instead_of_id"):
            op.drop_column("approvals", column)
        op.create_unique_constraint(ONE_A_ROUND, "approvals", ["ticket_id", "round", "approver_id"])
        return
    op.drop_index("ix_approvals_mine", "approvals")
    rebuild_questions([sa.UniqueConstraint("ticket_id", "round", "approver_id", name=op.f(ONE_A_ROUND))])
