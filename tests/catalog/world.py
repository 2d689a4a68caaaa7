"""A small catalogue for tests, published on the desk of `tests/service.py`, and short words for what people do with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from itsm.catalog import commands, publishing, reading
from itsm.catalog.definition import Catalog, Item
from itsm.catalog.entitlement import Requester
from itsm.people.access import SYSTEM, Channel
from itsm.tickets.desk import Desk
from itsm.tickets.records import Record
from itsm.workflow.findings import Finding
from tests.service import actor, configuration

NOW: Final = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

SHOP: Final = """\
services:
  workplace: {title: Computer workplace, icon: laptop}
tables:
  laptops:
    light:  {title: "Light, 13 inch", price: "1199.00", kind: office}
    strong: {title: "Strong, 16 inch", price: 2890.5, kind: power}
questions:
  delivery:
    address: {type: long_text, title: Where to, require: true, prefill: "= requester.location"}
synonyms: [[notebook, laptop, portable]]
items:
  laptop:
    title: A laptop
    category: hardware
    service: workplace
    icon: laptop
    keywords: [computer]
    deliver: 3 business days
    calendar: office-hours
    approval: none
    denied_to: {roles: [integration]}
    price: {once: "= answers.price.amount", monthly: 10}
    ticket_title: "= 'Laptop for ' + requester.name"
    group: desktop
    form:
      kind: {type: choice, choices: {office: For the office, power: For heavy work}, require: true, prefill: office}
      model: {type: choice, require: true, choices: {table: laptops, narrowed_by: kind, column: kind}}
      price: {type: money, compute: {table: laptops, row: answers.model, column: price}}
      why: {type: text, max: 100, show: "answers.kind == 'power'", require: "answers.kind == 'power'"}
      discount: {type: integer, min: 0, max: 90, show: "'agent' in requester.roles", prefill: 7}
      until: {type: date, min: today}
      delivery: {use: delivery}
    tasks:
      buy:     {title: "= 'Buy ' + answers.model", group: desktop}
      account: {title: Prepare the account, group: applications}
      install: {title: Install, group: desktop, after: [buy, account]}
      tune:    {title: Tune, group: desktop, after: install, if: "answers.kind == 'power'"}
      hand:    {title: Hand over, group: desktop, after: [install, tune]}
  acme-only:
    title: A thing for Acme
    category: other
    service: workplace
    offered_to: {organisations: [acme]}
    denied_to: {if: "requester.login == 'ra2'"}
  fault:
    title: Report a fault
    category: help
    service: workplace
    makes: incident
    fields: {urgency: "= answers.urgent == true ? 'high' : 'low'"}
    form:
      what: {type: text, require: true}
      urgent: {type: boolean}
"""


def read(text: str) -> Catalog:
    """The catalogue that a text is; there must be nothing against it."""
    catalog, findings = reading.load_text(text, configuration().vocabulary)
    assert not findings, [f"{finding.at}: {finding.message}" for finding in findings]
    return catalog


def findings(text: str) -> list[Finding]:
    """What is said against a text."""
    return reading.load_text(text, configuration().vocabulary)[1]


def codes(text: str) -> list[str]:
    return [finding.code for finding in findings(text)]


def an_item(form: str, **more: str) -> Item:
    """An item whose form is this; `more` are other keys of it, as YAML."""
    keys = "".join(f"    {key}: {value}\n" for key, value in more.items())
    questions = "".join(f"      {line}\n" for line in form.strip().splitlines())
    text = "services: {workplace: {title: Workplace}}\nitems:\n  thing:\n    title: Thing\n    category: things\n"
    return read(f"{text}    service: workplace\n{keys}    form:\n{questions}").items["thing"]


def a_person(login: str = "ra1", *roles: str, **more: Any) -> Requester:
    told: dict[str, Any] = {
        "id": 1,
        "login": login,
        "name": login.upper(),
        "roles": frozenset(roles or {"requester"}),
        **dict.fromkeys(("email", "organisation", "department", "location", "cost_centre", "manager")),
    }
    return Requester(**{**told, **more})


def publish(desk: Desk, text: str = SHOP) -> list[str]:
    """Make a text the desk's catalogue."""
    with desk.transaction(SYSTEM, Channel.COMMAND_LINE) as tx:
        return publishing.publish(tx, read(text))


def order(desk: Desk, login: str, item: str, answers: Mapping[str, object], requested_for: Sequence[str] = ()) -> list[Record]:
    with desk.transaction(actor(desk, login), Channel.API) as tx:
        return commands.submit(tx, item, answers, requested_for)


LAPTOP: Final = {"kind": "office", "model": "light", "address": "Room 3"}
"""Answers that order a laptop."""
