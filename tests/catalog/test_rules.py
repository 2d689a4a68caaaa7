"""Which questions are asked, who may order, what follows from the answers."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from itsm.catalog import rules, schema
from itsm.catalog.definition import Item
from itsm.catalog.entitlement import entitled
from tests.catalog.world import LAPTOP, NOW, SHOP, a_person, an_item, read

SHOP_ITEMS = read(SHOP).items
LAPTOP_ITEM = SHOP_ITEMS["laptop"]


def faults(item: Item, answers: dict[str, Any], *roles: str) -> dict[str, str]:
    told = rules.fill(item, a_person("ra1", *roles), answers, NOW).errors
    return {error.pointer.removeprefix("/answers/"): error.code for error in told}


def shown(item: Item, answers: dict[str, Any], *roles: str, **more: Any) -> dict[str, Any]:
    asked, _ = rules.offer(item, a_person("ra1", *roles, **more), answers, NOW)
    return {each.question.name: each.value for each in asked}


def test_a_question_is_asked_once_what_it_depends_on_is_answered() -> None:
    assert "why" not in shown(LAPTOP_ITEM, {})
    assert "why" in shown(LAPTOP_ITEM, {"kind": "power"})
    assert faults(LAPTOP_ITEM, {**LAPTOP, "why": "because"}) == {"why": "unknown_answer"}
    assert faults(LAPTOP_ITEM, {**LAPTOP, "kind": "power", "model": "strong"}) == {"why": "required"}


def test_what_somebody_is_never_asked_does_not_exist_for_him() -> None:
    hidden, agent = a_person(), a_person("g1", "agent", "requester")
    assert "discount" not in schema.json_schema(LAPTOP_ITEM, hidden, NOW)["properties"]
    assert "discount" in schema.json_schema(LAPTOP_ITEM, agent, NOW)["properties"]
    assert faults(LAPTOP_ITEM, {**LAPTOP, "discount": 5}) == faults(LAPTOP_ITEM, {**LAPTOP, "discount": "x"})
    absent = rules.fill(LAPTOP_ITEM, hidden, {**LAPTOP, "discounts": 5}, NOW).errors[0]
    there = rules.fill(LAPTOP_ITEM, hidden, {**LAPTOP, "discount": 5}, NOW).errors[0]
    assert (absent.code, absent.message.replace("discounts", "discount")) == (there.code, there.message)
    assert faults(LAPTOP_ITEM, {**LAPTOP, "discount": 5}, "agent") == {}


def test_what_hangs_on_something_never_asked_is_never_asked_either() -> None:
    form = an_item(
        """
secret: {type: choice, choices: [a, b], show: "'agent' in requester.roles", prefill: a}
more: {type: text, show: "answers.secret == 'a'", prefill: canary}
"""
    )
    assert schema.json_schema(form, a_person(), NOW)["properties"] == {}
    assert shown(form, {}) == {}
    assert shown(form, {}, "agent") == {"secret": "a", "more": "canary"}


def test_what_is_proposed_follows_what_is_known() -> None:
    assert shown(LAPTOP_ITEM, {}, location="Berlin")["address"] == "Berlin"
    assert shown(LAPTOP_ITEM, {"address": "Munich"}, location="Berlin")["address"] == "Munich"
    assert shown(LAPTOP_ITEM, {})["address"] is None
    assert faults(LAPTOP_ITEM, {"kind": "office", "model": "light"}) == {"address": "required"}


def test_a_value_comes_from_a_table() -> None:
    filled = rules.fill(LAPTOP_ITEM, a_person(), LAPTOP, NOW)
    assert filled.answers["price"] == {"amount": "1199.00", "currency": "EUR"}
    assert rules.charge(LAPTOP_ITEM, filled.variables) == rules.Charge("EUR", Decimal("1199.00"), Decimal("10.00"))
    assert rules.charge(LAPTOP_ITEM, filled.variables).first_year == Decimal("1319.00")


def test_a_value_is_computed_from_others_in_whatever_order_they_stand() -> None:
    form = an_item(
        """
total: {type: money, compute: "double(answers.count) * answers.each"}
count: {type: integer, require: true}
each: {type: decimal, require: true}
words: {type: text, compute: "string(answers.count) + ' pieces'"}
""",
        price='{once: "= answers.total.amount * 1.19"}',
    )
    filled = rules.fill(form, a_person(), {"count": 3, "each": 0.1}, NOW)
    assert filled.answers["total"] == {"amount": "0.30", "currency": "EUR"}
    assert filled.answers["words"] == "3 pieces"
    assert rules.charge(form, filled.variables).once == Decimal("0.36")
    assert rules.fill(form, a_person(), {}, NOW).answers == {}
    assert rules.is_open(form, rules.charge(form, rules.fill(form, a_person(), {}, NOW).variables))


def test_choices_are_narrowed_by_an_earlier_answer() -> None:
    assert faults(LAPTOP_ITEM, {**LAPTOP, "model": "strong"}) == {"model": "invalid_value"}
    power = {**LAPTOP, "kind": "power", "model": "strong", "why": "CAD"}
    assert faults(LAPTOP_ITEM, power) == {}
    assert faults(LAPTOP_ITEM, {"model": "light"}) == {"kind": "required", "model": "invalid_value", "address": "required"}


def test_answers_may_have_to_agree_with_each_other() -> None:
    form = an_item(
        """
from: {type: date, require: true}
until: {type: date, valid: {holds: answers.until > answers.from, say: The end comes first.}}
"""
    )
    (error,) = rules.fill(form, a_person(), {"from": "2026-04-01", "until": "2026-03-01"}, NOW).errors
    assert (error.pointer, error.code, error.message) == ("/answers/until", "rule_broken", "The end comes first.")
    assert faults(form, {"from": "2026-04-01", "until": "2026-04-02"}) == {}
    assert faults(form, {"from": "2026-04-01"}) == {}
    assert faults(form, {"until": "2026-04-02"}) == {"from": "required"}


ENTITLED = """
services:
  s: {title: S, denied_to: {organisations: [barred]}}
items:
  i:
    title: I
    category: c
    service: s
    offered_to:
      - {organisations: [acme], departments: [sales, support]}
      - {roles: [lead]}
      - {if: "requester.location != null && requester.location.startsWith('b')"}
    denied_to: [{departments: [support], locations: [munich]}, {if: "requester.email.endsWith('@rival.example')"}]
"""


@pytest.mark.parametrize(
    ("may", "who"),
    [
        (False, {}),
        (True, {"organisation": "acme", "department": "sales", "email": "a@acme.example"}),
        (False, {"organisation": "acme", "department": "legal", "email": "a@acme.example"}),
        (False, {"organisation": "beta", "department": "sales", "email": "a@acme.example"}),
        (True, {"location": "berlin", "email": "a@acme.example"}),
        (False, {"location": "munich", "email": "a@acme.example"}),
        (True, {"roles": frozenset({"lead", "agent"}), "email": "a@acme.example"}),
        (False, {"roles": frozenset({"lead"}), "email": "a@rival.example"}),
        (False, {"roles": frozenset({"lead"}), "email": None}),
        (False, {"roles": frozenset({"lead"}), "organisation": "barred", "email": "a@acme.example"}),
        (False, {"organisation": "acme", "department": "support", "location": "munich", "email": "a@acme.example"}),
        (True, {"organisation": "acme", "department": "support", "location": "paris", "email": "a@acme.example"}),
    ],
)
def test_denying_beats_allowing_and_what_cannot_be_told_lets_nobody_in(may: bool, who: dict[str, Any]) -> None:
    item = read(ENTITLED).items["i"]
    assert entitled(item, a_person(**who), NOW) is may


def test_whoever_names_nobody_offers_to_everybody() -> None:
    assert entitled(SHOP_ITEMS["fault"], a_person(), NOW)
    assert entitled(SHOP_ITEMS["acme-only"], a_person(organisation="acme"), NOW)
    assert not entitled(SHOP_ITEMS["acme-only"], a_person("ra2", organisation="acme"), NOW)
