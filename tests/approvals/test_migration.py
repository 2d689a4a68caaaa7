"""What was asked before there were rounds is kept as rounds, open ones and closed ones, and goes back as it came."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from itsm.approvals import reading
from itsm.approvals.models import ApprovalRound
from itsm.platform import migrate
from itsm.platform.database import Database, Prepared
from tests import world

_ROUNDS = Prepared(
    sa.select(ApprovalRound.ticket_id, ApprovalRound.round, ApprovalRound.outcome, ApprovalRound.definition).order_by(
        ApprovalRound.ticket_id, ApprovalRound.round
    )
)
USER = "users (id, login, name, roles, sees_organisation, active, created_at) VALUES ({0}, 'u{0}', 'U', '[]', false, true, 0)"
TICKET = (
    "tickets (id, number, type, workflow_version_id, state, category, title, description, priority_rank, fields,"
    " created_at, updated_at, entered_state_at, work_minutes, event_count, chain, seal)"
    " VALUES ({0}, 'REQ{0}', 'request', 1, 'new', 'open', 'T', '', 9, '{{}}', 0, 0, 0, 0, 1, '', '')"
)
OLD = "approvals (ticket_id, round, approver_id, needed, state, requested_at, decision, decided_at) VALUES"


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_old_questions_become_rounds_and_go_back(kind: str) -> None:
    with world.bare_database(kind) as database:
        migrate.upgrade(database, "0003")
        before = fill(database)
        migrate.upgrade(database)
        with database.session(write=False) as session:
            found = session.all(_ROUNDS)
        assert [(row.ticket_id, row.round, row.outcome) for row in found] == [
            (1, 1, "rejected"),
            (1, 2, "approved"),
            (2, 1, None),
            (3, 1, "withdrawn"),
        ]
        assert {reading.frozen("", row.definition).stages[0].group.quorum.number for row in found} == {1, 2}
        migrate.downgrade(database, "0003")
        assert questions(database) == before


def fill(database: Database) -> list[Any]:
    with database.session() as session:
        session.script("INSERT INTO workflow_versions VALUES (1, 'request', 'd', 'R', '…', 0, 'ada', true)")
        for number in (1, 2, 3):
            session.script(f"INSERT INTO {USER.format(number)}")
            session.script(f"INSERT INTO {TICKET.format(number)}")
        for row in (
            "(1, 1, 1, 1, 'awaiting', 5, 'reject', 6)",
            "(1, 2, 1, 2, 'awaiting', 7, 'approve', 8)",
            "(1, 2, 2, 2, 'awaiting', 7, 'approve', 9)",
            "(1, 2, 3, 2, 'awaiting', 7, 'void', 9)",
            "(2, 1, 1, 1, 'awaiting', 7, NULL, NULL)",
            "(3, 1, 1, 1, 'awaiting', 7, 'void', 9)",
        ):
            session.script(f"INSERT INTO {OLD} {row}")
    return questions(database)


def questions(database: Database) -> list[Any]:
    names = "ticket_id, round, approver_id, needed, state, requested_at, decision, decided_at, comment"
    with database.engine.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(f"SELECT {names} FROM approvals ORDER BY id")]
