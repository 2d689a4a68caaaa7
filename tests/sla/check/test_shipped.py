"""The promises that come with the desk are sound, quickly proved, and what practitioners would agree on."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import cache
from typing import Final

import pytest

from itsm.sla.check import Subject, check
from itsm.sla.check.cases import Case
from itsm.sla.check.subject import TRIALS
from itsm.sla.policy import Agreement, Kind
from itsm.sla.reading import load_agreement
from itsm.workflow import calendars, language, locations
from itsm.workflow.definition import Workflow
from itsm.workflow.findings import Finding, Severity
from itsm.workflow.language import load_directory
from itsm.workflow.vocabulary import Vocabulary, load_vocabulary
from tests.docs.pages import ROOT, page

CONFIG: Final = ROOT / "config"


@cache
def around() -> tuple[Mapping[str, Workflow], Vocabulary]:
    vocabulary, _ = load_vocabulary(CONFIG, ROOT / "workflows")
    workflows, _ = load_directory(ROOT / "workflows", vocabulary)
    return workflows, vocabulary


def load(text: str) -> tuple[Agreement, list[Finding]]:
    workflows, vocabulary = around()
    hours, _ = calendars.load_file(CONFIG / "calendars.yaml")
    places, _ = locations.load_file(CONFIG / "locations.yaml", hours)
    agreement, findings = load_agreement(text, "config/sla.yaml", vocabulary, workflows, hours, places)
    assert agreement is not None, findings
    return agreement, findings


@cache
def shipped() -> Agreement:
    agreement, findings = load((CONFIG / "sla.yaml").read_text())
    assert findings == []
    return agreement


def test_nothing_is_found_in_them() -> None:
    workflows, vocabulary = around()
    assert check(shipped(), workflows, vocabulary) == []


def test_they_are_proved_within_a_second() -> None:
    workflows, vocabulary = around()
    begun = time.process_time()
    check(shipped(), workflows, vocabulary)
    assert time.process_time() - begun < 1


def test_nothing_in_them_is_left_undecided_for_want_of_effort() -> None:
    workflows, vocabulary = around()
    subject = Subject(shipped(), workflows, vocabulary)
    assert all(clock.is_known for clock in subject.clocks.values())
    assert subject.effort.left > TRIALS // 2


def target(policy: str, **fields: str) -> str:
    """The target of a ticket with these fields."""
    workflows, vocabulary = around()
    subject = Subject(shipped(), workflows, vocabulary)
    clock = subject.clocks[policy]
    names = {f"ticket.{name}": value for name, value in fields.items()}
    place = clock.goal(Case("", "", names))
    assert place is not None
    return str(clock.policy.goals[place].target)


@pytest.mark.parametrize(
    ("priority", "resolution"),
    [("p1", "4 hours"), ("p2", "8 business hours"), ("p3", "3 business days"), ("p4", "5 business days")],
)
def test_an_incident_is_resolved_by_its_priority(priority: str, resolution: str) -> None:
    assert target("incident-resolution", priority=priority) == resolution


def test_an_emergency_change_is_not_decided_on_in_days() -> None:
    assert target("approval-answer", type="change", change_type="emergency") == "30 minutes"
    assert target("approval-answer", type="request") == "3 business days"


def test_there_are_promises_of_every_kind_and_for_every_practice() -> None:
    workflows, vocabulary = around()
    assert {policy.kind for policy in shipped().policies.values()} == set(Kind)
    subject = Subject(shipped(), workflows, vocabulary)
    assert {name for clock in subject.clocks.values() for name in clock.workflows} == set(workflows)


def test_whatever_is_promised_to_requesters_says_so_in_words() -> None:
    for policy in shipped().policies.values():
        if policy.promise is not None:
            assert policy.promise.startswith("will ")
            assert not policy.promise.endswith(".")
    assert "incident-resolution" in {policy.name for policy in shipped().policies.values() if policy.promise}


def test_every_breach_of_a_promise_to_users_reaches_somebody() -> None:
    for policy in shipped().policies.values():
        assert policy.thresholds, policy.name
        assert any(threshold.do or threshold.fire for threshold in policy.thresholds)


def test_the_example_of_the_page_is_sound() -> None:
    workflows, vocabulary = around()
    example = page("sla.md").blocks("yaml")[0]
    agreement, findings = load(example)
    assert findings == []
    assert [each for each in check(agreement, workflows, vocabulary) if each.severity is Severity.ERROR] == []


def test_a_hostile_agreement_is_answered_in_time() -> None:
    """Hundreds of goals and thresholds over many fields: what cannot be tried is left undecided."""
    workflows, vocabulary = around()
    fields = ("impact", "urgency", "pending_reason", "resolution_code")
    choices = [(name, choice) for name in fields for choice in workflows["incident"].fields[name].choices]
    goals = "".join(
        f"    - {{if: \"ticket.{name} == '{choice}' && ticket.escalation_level > {level}\", target: 1 hour}}\n"
        for level in range(8)
        for name, choice in choices
    )
    policies = "".join(f"- sla: p{number}\n  stop: {{on: resolved}}\n  goals:\n{goals}" for number in range(2))
    agreement, _ = load(policies)
    begun = time.process_time()
    check(agreement, workflows, vocabulary)
    assert time.process_time() - begun < 2


def test_a_breach_would_be_told_as_lost_if_the_desk_might_not_escalate() -> None:
    workflows, vocabulary = around()
    text = (ROOT / "workflows" / "incident.yaml").read_text()
    by_people = text.replace("by: [agent, system]             # `system`", "by: [agent]             # `system`")
    assert by_people != text
    incident, _ = language.load(by_people, "incident.yaml", vocabulary)
    assert incident is not None
    found = check(shipped(), {**workflows, "incident": incident}, vocabulary)
    assert {finding.code for finding in found} == {"threshold-never-fires"}
    assert "in incident it is for requester and agent, not for the system" in found[0].message
