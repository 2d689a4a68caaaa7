"""Managers and owners decide what is put to them as such: by their place, without a role that lets them decide more."""

from __future__ import annotations

from pathlib import Path

import pytest

from itsm.people import commands as people
from itsm.people import ties
from itsm.platform.database import Database
from itsm.platform.errors import DeskError
from itsm.platform.time import FrozenClock
from tests.approvals.desk import Approving, approving, book

POLICIES = """
policies:
  line:  {for: request, stages: [{of: [requester.manager]}]}
  chain: {for: request, stages: [{rule: all, of: [{manager_chain: 2}]}]}
  role:  {for: request, stages: [{of: [{role: approver}]}]}
  user:  {for: request, stages: [{of: [{user: ma}]}]}
  high:  {for: request, stages: [{of: [requester.manager], escalate: {after: 1 hour, to: manager}}]}
"""


@pytest.fixture
def desk(database: Database, clock: FrozenClock, tmp_path: Path) -> Approving:
    """ma, who is a mere requester, manages ra1; ra2 manages ma."""
    desk = approving(database, clock, tmp_path, book(POLICIES))
    desk.people(ties.set_manager, "ra1", "ma")
    desk.people(ties.set_manager, "ma", "ra2")
    return desk


def roles(desk: Approving, login: str, *granted: str) -> None:
    desk.people(lambda session, *rest: people.set_roles(session, desk.desk.roles, login, frozenset(granted), *rest))


def test_a_manager_needs_no_role_to_decide_what_he_is_asked_as_manager(desk: Approving) -> None:
    record = desk.request("line")
    assert desk.awaited(record) == ["ma"]
    assert desk.approve(record, "ma").state == "approved"


def test_the_line_is_asked_as_far_up_as_the_policy_says(desk: Approving) -> None:
    record = desk.request("chain")
    assert desk.awaited(record) == ["ma", "ra2"]
    desk.approve(record, "ra2")
    assert desk.approve(record, "ma").state == "approved"


def test_by_name_or_role_only_those_are_asked_whose_roles_let_them_decide(desk: Approving) -> None:
    assert "ma" not in desk.awaited(desk.request("role"))
    assert desk.awaited(desk.request("user")) != ["ma"]


def test_a_manager_is_bound_by_the_separation_of_duties_like_anybody(desk: Approving) -> None:
    record = desk.request("line")
    desk.people(ties.link_accounts, "ma", "ra1")
    with pytest.raises(DeskError) as refusal:
        desk.approve(record, "ma")
    assert refusal.value.code == "own_ticket"


def test_who_is_his_manager_no_longer_decides_no_longer_and_the_new_one_is_asked(desk: Approving) -> None:
    record = desk.request("line")
    desk.people(ties.set_manager, "ra1", "boss")
    with pytest.raises(DeskError) as refusal:
        desk.approve(record, "ma")
    assert refusal.value.code == "forbidden"
    desk.pass_time(hours=1)
    assert desk.awaited(record) == ["boss"]


def test_who_grants_roles_decides_nothing_by_his_place(desk: Approving) -> None:
    roles(desk, "ma", "admin")
    assert desk.awaited(desk.request("line")) == ["ra2"]


def test_a_question_passes_up_the_line_to_managers_without_a_role(desk: Approving) -> None:
    record = desk.request("high")
    desk.pass_time(hours=1)
    assert desk.awaited(record) == ["ra2"]
    assert desk.approve(record, "ra2").state == "approved"


def test_the_manager_of_a_manager_who_is_shut_out_stands_in_for_him(desk: Approving) -> None:
    record = desk.request("line")
    desk.people(people.deactivate, "ma")
    desk.pass_time(seconds=0)
    assert desk.awaited(record) == ["ra2"]
    assert desk.approve(record, "ra2").state == "approved"
