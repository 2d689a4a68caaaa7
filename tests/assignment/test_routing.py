"""Where tickets go by the table, who gets them, and what is told of it."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

import pytest
import sqlalchemy as sa

from itsm.assignment import commands
from itsm.assignment import people as members
from itsm.assignment.people import Look
from itsm.assignment.planning import Keep
from itsm.people import commands as people
from itsm.people.access import SYSTEM, Channel
from itsm.platform.database import Prepared
from itsm.platform.errors import DeskError
from itsm.platform.work import OutboxMessage
from itsm.services import commands as services
from itsm.tickets import loading, moves, projection
from itsm.workflow.case import Effect
from tests.assignment.conftest import Make
from tests.assignment.desk import TEAM, Assigning, use
from tests.tickets.doing import Doing

_MESSAGES = Prepared(sa.select(OutboxMessage.key))

TURNS = """
groups: {network: {strategy: round_robin}, desktop: {}}
rules: [{name: all, group: network}]
"""
BY_LOAD = """
groups: {network: {strategy: least_loaded, capacity: 2}}
rules: [{name: all, group: network}]
"""
BY_RULE = """
skills: [firewall, linux]
groups: {network: {}, desktop: {}, infrastructure: {}}
people: {n1: {skills: {firewall: 1}}, n2: {skills: {firewall: 3}}, n3: {skills: {linux: 2}}}
rules:
  - {name: tasks, for: task, group: infrastructure}
  - {name: urgent, if: "ticket.urgency == 'high'", group: network, strategy: round_robin,
     needs: [{skill: firewall, level: 2}, {skill: linux, level: 1, if: "ticket.impact == 'minor'"}]}
  - {name: servers, if: "ci.kind == 'server'", group: infrastructure}
  - {name: of the house, if: "requester.login == 'rb1' && organisation.key == 'beta'", group: desktop}
  - {name: rest}
"""


def test_a_new_ticket_goes_where_the_first_rule_says_that_holds_and_the_log_says_why(make: Make) -> None:
    desk = make(BY_RULE)
    record = desk.opens(fields={"urgency": "high"})
    assert (record.values["group"], record.values["assignee"]) == ("network", "n2")
    (told,) = desk.told(record, "routed")
    assert told["changes"] == {"group": [None, "network"], "assignee": [None, "n2"]}
    assert told["reasons"] == {
        "rule": "urgent",
        "before": ["tasks"],
        "strategy": "round_robin",
        "needs": {"firewall": 2},
        "assignee": "n2",
        "eligible": 1,
        "passed": {"n1": "has level 1 of 2 in firewall", "n3": "has level 0 of 2 in firewall"},
    }


def test_rules_look_at_whom_and_what_a_ticket_names(make: Make) -> None:
    desk = make(BY_RULE)
    with desk.desk.transaction(SYSTEM, Channel.COMMAND_LINE) as tx:
        services.ensure_item(tx.session, "srv-1", "Server", "server")
    assert desk.opens(ci="srv-1").values["group"] == "infrastructure"
    assert desk.opens("rb1").values["group"] == "desktop"
    assert desk.opens("ra1").values["group"] is None


def test_a_skill_is_needed_only_where_its_condition_holds_and_without_anybody_the_group_has_the_ticket(make: Make) -> None:
    desk = make(BY_RULE)
    record = desk.opens("g1", fields={"urgency": "high", "impact": "minor"})
    assert (record.values["group"], record.values["assignee"]) == ("network", None)
    (told,) = desk.told(record, "routed")
    assert told["reasons"]["needs"] == {"firewall": 2, "linux": 1}
    assert told["reasons"]["assignee"] is None


def test_a_ticket_for_which_no_rule_adds_anything_gets_no_event(make: Make) -> None:
    desk = make(BY_RULE)
    assert desk.kinds(desk.opens("ra1")) == ["created", "acted"]


def test_a_group_that_is_there_is_kept_and_somebody_in_it_is_found_by_its_strategy(make: Make) -> None:
    desk = make("groups: {desktop: {strategy: round_robin}, network: {}}\nrules: [{name: all, group: network}]")
    record = desk.opens(service="workplace")
    assert (record.values["group"], record.values["assignee"]) == ("desktop", "g1")
    assert desk.told(record, "routed")[0]["reasons"]["before"] == ["all"]


def test_whoever_is_named_at_the_creation_keeps_the_ticket(make: Make) -> None:
    desk = make(TURNS)
    with desk.desk.transaction(SYSTEM, Channel.COMMAND_LINE) as tx:
        people.join(tx.session, "g1", "desktop", tx.now, "tests")
    task = Doing(desk.desk, "g1").create("task", "Cable", fields={"group": "desktop", "assignee": "g1"})
    assert desk.read(task).values["assignee"] == "g1"
    assert desk.told(task, "routed") == []


def test_turns_go_round_and_each_has_as_many(make: Make) -> None:
    desk = make(TURNS)
    assert [desk.assignee(desk.opens()) for _ in range(7)] == ["n1", "n2", "n3", "n1", "n2", "n3", "n1"]


def test_whoever_has_the_fewest_open_tickets_gets_the_next_until_all_have_enough(make: Make) -> None:
    desk = make(BY_LOAD)
    first = desk.opens()
    assert desk.assignee(first) == "n1"
    Doing(desk.desk, "cm1").fire(first, "cancel", "It was the cable.")
    assert [desk.assignee(desk.opens()) for _ in range(7)] == ["n2", "n3", "n1", "n2", "n3", "n1", None]


def test_routings_at_once_give_each_as_many_as_routings_one_after_the_other(make: Make) -> None:
    desk = make(BY_LOAD.replace("capacity: 2", "capacity: 9"))
    failed: list[BaseException] = []

    def open_some() -> None:
        try:
            for _ in range(3):
                desk.opens()
        except BaseException as error:  # noqa: BLE001 (told below)
            failed.append(error)

    threads = [threading.Thread(target=open_some) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert loads(desk) == dict.fromkeys(TEAM, 4)


def test_different_groups_turns_at_once_from_reroutings_are_fair_too(make: Make) -> None:
    desk = make("groups: {network: {}}\nrules: [{name: all, group: network}]")
    tickets = [desk.opens() for _ in range(12)]
    use(desk.desk, TURNS)
    failed: list[BaseException] = []

    def route(some: list[Any]) -> None:
        try:
            for one in some:
                desk.route(one, by="cm1")
        except BaseException as error:  # noqa: BLE001 (told below)
            failed.append(error)

    threads = [threading.Thread(target=route, args=(tickets[start::4],)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert loads(desk) == dict.fromkeys(TEAM, 4)


def loads(desk: Assigning) -> Counter[str]:
    with desk.desk.reading(SYSTEM) as tx:
        place = members.place(tx, "network", Look.ONLY)
        assert place is not None
        return Counter({one.login: one.load for one in members.members(tx, place.id) if one.load})


def test_a_routing_takes_four_statements_at_most(make: Make) -> None:
    desk = make("rules: [{name: rest}]")
    record = desk.opens()
    use(desk.desk, BY_RULE.replace("{name: rest}", "{name: rest, group: network, strategy: least_loaded}"))
    said: list[str] = []
    desk.desk.database.on_statement = said.append
    with desk.desk.transaction(SYSTEM, Channel.COMMAND_LINE) as tx:
        held = loading.load(tx, record.number)
        said.clear()
        assert commands.routed(tx, held, Keep.NOTHING)
        own = list(said)
        moves.settle(tx, held)
    desk.desk.database.on_statement = None
    assert len(own) == 4, "\n".join(own)
    assert desk.assignee(record) == "n1"


def test_a_table_that_adds_nothing_costs_nothing(make: Make) -> None:
    desk = make("groups: {network: {}}")
    desk.opens()
    without = statements(desk)
    use(desk.desk, "groups: {network: {}}\nrules: [{name: servers, if: \"ci.kind == 'server'\", group: network}]")
    desk.opens()
    assert statements(desk) == without


def statements(desk: Assigning) -> int:
    said: list[str] = []
    desk.desk.database.on_statement = said.append
    Doing(desk.desk, "ra1").create()
    desk.desk.database.on_statement = None
    return len(said)


def test_what_routing_would_do_is_explained_and_nothing_is_changed(make: Make) -> None:
    desk = make(TURNS)
    record = Doing(desk.desk, "g1").create("task", "Cable", fields={"group": "desktop"})
    plan = desk.explain(record)
    assert plan.rule is not None
    assert (plan.rule.name, plan.group, plan.chosen and plan.chosen.login) == ("all", "network", "n1")
    assert desk.explain(record, Keep.GROUP).chosen is None
    assert desk.read(record).values["group"] == "desktop"


def test_a_ticket_can_be_routed_anew_by_whoever_works_on_tickets(make: Make) -> None:
    desk = make(TURNS)
    record = Doing(desk.desk, "cm1").create("task", "Cable", fields={"group": "desktop"})
    assert desk.route(record, by="cm1").values["assignee"] == "n1"
    with pytest.raises(DeskError) as refusal:
        desk.route(record, by="ra1")
    assert refusal.value.code in ("forbidden", "not_found")


def test_what_is_over_is_not_routed(make: Make) -> None:
    desk = make(TURNS)
    record = desk.opens()
    Doing(desk.desk, "ra1").fire(record, "cancel", "It was the cable.")
    with pytest.raises(DeskError) as refusal:
        desk.route(record, by="cm1")
    assert refusal.value.code == "already_over"


def test_a_rule_that_names_a_group_that_is_gone_leaves_the_ticket_and_says_so(make: Make) -> None:
    desk = make("groups: {ghosts: {}}\nrules: [{name: all, group: ghosts}]")
    record = desk.opens()
    assert record.values["group"] is None
    assert desk.told(record, "nobody_available")[0]["reasons"]["unknown_group"] == "ghosts"


def test_what_only_a_group_may_read_stays_with_it(make: Make) -> None:
    desk = make(TURNS)
    record = Doing(desk.desk, "g2").create("task", "Secret", fields={"group": "security"})
    assert desk.explain(record).group == "security"
    with pytest.raises(DeskError) as refusal:
        desk.route(record, by="g2")
    assert refusal.value.code == "not_routed"


def test_whoever_it_is_assigned_to_is_told(make: Make) -> None:
    desk = make(TURNS.replace("round_robin", "round_robin, tell: assigned"))
    record = desk.opens()
    with desk.desk.reading(SYSTEM) as tx:
        keys = [row.key for row in tx.session.all(_MESSAGES)]
    assert any(key.startswith(record.number) and key.endswith("notify:assigned:n1") for key in keys)


def test_the_log_alone_tells_who_has_a_ticket(make: Make) -> None:
    desk = make(TURNS)
    for _ in range(3):
        desk.opens()
    desk.reject(desk.opens(), "n1")
    assert projection.verify(desk.desk.database) == []


def test_the_action_route_sends_a_ticket_where_the_table_says_and_leaves_what_is_over(make: Make) -> None:
    desk = make("rules: [{name: rest}]")
    waiting, over = desk.opens(), desk.opens()
    Doing(desk.desk, "ra1").fire(over, "cancel", "It was the cable.")
    use(desk.desk, TURNS)
    for record in (waiting, over):
        with desk.desk.transaction(SYSTEM, Channel.TIMER) as tx:
            held = loading.load(tx, record.number)
            desk.desk.effects["route"](tx, held, Effect("route", {"keep": "nothing"}))
            moves.settle(tx, held)
    assert desk.assignee(waiting) == "n1"
    assert desk.told(over, "routed") == []
