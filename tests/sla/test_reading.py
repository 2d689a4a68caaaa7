"""`config/sla.yaml`: what it says, and how it is told where it is wrong."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from textwrap import dedent, indent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itsm.sla.codes import MEANINGS
from itsm.sla.grammar import PointEntry
from itsm.sla.policy import (
    Agreement,
    Condition,
    Happening,
    Hours,
    Kind,
    OnChange,
    Place,
    Policy,
    Return,
    Threshold,
    names_of,
)
from itsm.sla.reading import load_agreement
from itsm.workflow.definition import Position
from itsm.workflow.findings import Finding, Severity
from itsm.workflow.locations import Location
from itsm.worktime.duration import Duration
from tests.docs.pages import page
from tests.sla.check.bench import CALENDARS, WORDS, both, practices
from tests.workflow.check import bench

PLACES = {"lab": Location("lab", "Lab", "Asia/Tokyo", "long-hours"), "yard": Location("yard", "Yard", "UTC")}

WHOLE = """\
- sla: answer
  title: Answered
  kind: ola
  underpins: promise
  when: "ticket.type == 'errand'"
  calendar: {by: service, default: office-hours, zone: {by: requester}}
  start: {on: [created, reopened], when: "ticket.reason == 'vendor'", retroactive: true}
  pause: {while: "ticket.reason == 'user'"}
  stop: {on: agent_replied, when: "ticket.category == 'resolved'"}
  cancel: {when: "ticket.state == 'closed'"}
  reset: {on: reopened}
  on_change: prorate
  per_group: restart
  promise: will answer
  goals:
    - {if: "service.criticality == 'high'", target: 4 hours, calendar: always}
    - {target: 2 business days}
  thresholds:
    - {at: 75%, if: "ticket.reason == null", do: [{notify: {to: assignee, template: reminder}}]}
    - {at: due - 30 minutes, do: [{fire: resume}, {set: {reason: vendor}}]}
    - {at: due + 2 business hours, do: [{fire: {trigger: take, on: parent}}]}
- sla: promise
  stop: {when: "ticket.category == 'closed'"}
  goals: [{target: PT48H}]
"""


def load(text: str) -> tuple[Agreement | None, list[Finding]]:
    return load_agreement(dedent(text), "sla.yaml", WORDS, both(), CALENDARS, PLACES)


def policies(text: str) -> dict[str, Policy]:
    agreement, findings = load(text)
    assert findings == []
    assert agreement is not None
    return dict(agreement.policies)


def faults(text: str) -> list[str]:
    """What is wrong, each with its place."""
    agreement, findings = load(text)
    assert (agreement is None) is any(finding.severity is Severity.ERROR for finding in findings)
    return [f"{finding.at} {finding.code}" for finding in findings]


def fault(text: str) -> Finding:
    """The one thing that is wrong."""
    _, (finding,) = load(text)
    return finding


def one(changes: str) -> str:
    """A policy with these keys, from line 4 on."""
    return f"- sla: a\n  stop: {{on: closed}}\n  calendar: office-hours\n{indent(dedent(changes), '  ')}"


# What it says


def test_every_key_of_a_policy_is_taken() -> None:
    policy = policies(WHOLE)["answer"]
    assert (policy.title, policy.kind, policy.underpins, policy.promise) == ("Answered", Kind.OLA, "promise", "will answer")
    assert policy.at == Position("sla.yaml", 1, 3)
    assert policy.start.on == {Happening.CREATED, Happening.REOPENED}
    assert policy.start.when is not None
    assert policy.retroactive
    assert policy.pause is not None
    assert policy.pause.text == "ticket.reason == 'user'"
    assert policy.stop.on == {Happening.AGENT_REPLIED}
    assert policy.reset == Condition(frozenset({Happening.REOPENED}))
    assert (policy.on_change, policy.per_group) == (OnChange.PRORATE, Return.RESTART)
    assert names_of(policy) >= {"ticket.type", "ticket.state", "ticket.category", "ticket.reason", "service.criticality"}


def test_a_goal_has_its_own_hours_or_those_of_the_policy() -> None:
    first, second = policies(WHOLE)["answer"].goals
    assert (first.target, first.hours) == (Duration(exact=timedelta(hours=4)), Hours("always"))
    assert (second.target, second.hours) == (Duration(business_days=2), Hours("office-hours", Place.SERVICE, Place.REQUESTER))


def test_thresholds_have_a_point_deeds_and_perhaps_a_transition_of_the_ticket() -> None:
    share, before, after = policies(WHOLE)["answer"].thresholds
    assert (share.label, share.share, share.fire) == ("75%", Fraction(3, 4), None)
    assert share.condition is not None
    assert [action.name for action in share.do] == ["notify"]
    assert (before.label, before.before) == ("due - 30 minutes", Duration(exact=timedelta(minutes=30)))
    assert (before.fire, [action.name for action in before.do]) == ("resume", ["set"])
    assert (after.label, after.after) == ("due + 2 business hours", Duration(business=timedelta(hours=2)))
    assert (after.fire, [action.name for action in after.do]) == (None, ["fire"])


def test_what_is_not_said_has_a_default() -> None:
    policy = policies(WHOLE)["promise"]
    assert (policy.title, policy.kind, policy.on_change) == ("Promise", Kind.SLA, OnChange.KEEP_ELAPSED)
    assert policy.start == Condition(frozenset({Happening.CREATED}))
    assert (policy.pause, policy.applies, policy.thresholds, policy.promise) == (None, None, (), None)
    assert policy.goals[0].hours == Hours("always")


def test_a_clock_per_group_starts_with_every_group() -> None:
    policy = policies(one("kind: ola\nper_group: accumulate\ngoals: [{target: 1 hour}]\n"))["a"]
    assert policy.start.on == {Happening.CREATED, Happening.GROUP_CHANGED}


def test_a_start_by_a_condition_alone_waits_for_nothing_else() -> None:
    policy = policies(one("start: {when: \"ticket.state == 'open'\"}\ngoals: [{target: 1 hour}]\n"))["a"]
    assert policy.start.on == frozenset()


def test_an_agreement_knows_the_zones_and_hours_of_places() -> None:
    agreement, _ = load(WHOLE)
    assert agreement is not None
    assert dict(agreement.zones) == {"lab": "Asia/Tokyo", "yard": "UTC"}
    assert dict(agreement.openings) == {"lab": "long-hours"}


def test_nothing_promised_is_an_agreement_too() -> None:
    assert policies("[]\n") == {}


def test_fields_of_all_workflows_may_be_named_with_the_choices_of_all() -> None:
    text = "when: \"ticket.weight == 'heavy' || ticket.reason in ['customs', 'user']\"\ngoals: [{target: 1 hour}]\n"
    assert faults(one(text)) == []


# Points


def pointed(text: str) -> str:
    return one(f"goals: [{{target: 1 hour}}]\nthresholds: [{{at: {text}, do: [{{fire: take}}]}}]\n")


def point(text: str) -> Threshold:
    (found,) = policies(pointed(text))["a"].thresholds
    return found


@pytest.mark.parametrize(
    ("written", "label", "share"),
    [
        ("75%", "75%", Fraction(3, 4)),
        ("75.0 %", "75%", Fraction(3, 4)),
        ("66.5%", "66.5%", Fraction(133, 200)),
        ("100%", "100%", Fraction(1)),
        ("due", "due", Fraction(1)),
        ("150%", "150%", Fraction(3, 2)),
        ("1000%", "1000%", Fraction(10)),
    ],
)
def test_a_share_of_the_target(written: str, label: str, share: Fraction) -> None:
    assert (point(written).label, point(written).share) == (label, share)


@pytest.mark.parametrize(
    ("written", "label"),
    [
        ("due-30min", "due - 30 minutes"),
        ("due  -  PT30M", "due - 30 minutes"),
        ("due + 1 business day", "due + 1 business day"),
    ],
)
def test_an_offset_is_named_in_canonical_words(written: str, label: str) -> None:
    assert point(written).label == label


@given(percent=st.decimals(min_value="0.001", max_value=1000, places=3))
def test_a_percentage_is_exact(percent: Decimal) -> None:
    found = PointEntry().take(f"{percent}%")
    assert found.share == Fraction(str(percent)) / 100
    assert Fraction(found.label.removesuffix("%")) / 100 == found.share


@pytest.mark.parametrize(
    "text", ["0%", "-5%", "1000.1%", "2000%", "half", "75", "due * 2", "due - soon", "due - end of business day"]
)
def test_what_is_no_point_is_told(text: str) -> None:
    found = fault(pointed(text))
    assert (found.code, str(found.at)) == ("bad-threshold", "sla.yaml:5:21")
    assert found.hint is not None
    assert "75%" in found.hint


# What is wrong


def goal(target: str) -> str:
    return one(f"goals:\n  - {{target: {target}}}\n")


@pytest.mark.parametrize("target", ["-4 hours", "0 minutes", "0 business days", "732 days", "105 weeks", "4000 days"])
def test_an_absurd_target_is_told_at_its_place_with_a_hint(target: str) -> None:
    found = fault(goal(target))
    assert str(found.at) == "sla.yaml:5:16"
    assert found.code == "absurd-target"
    assert found.hint == "Such as “30 minutes”, “8 business hours” or “end of next business day”."


@pytest.mark.parametrize("target", ["1 minute", "731 days", "500 business days", "end of business day"])
def test_a_target_within_two_years_is_none(target: str) -> None:
    assert faults(goal(target)) == []


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ("goals: [{target: soon}]", "4:20 bad-duration"),
        ("goals: []", "4:10 missing-key"),
        ("goal: [{target: 1 hour}]\ngoals: [{target: 1 hour}]", "4:3 unknown-key"),
        ("goals: [{target: 1 hour, calender: always}]", "4:28 unknown-key"),
        ("goals: [{target: 1 hour, calendar: office}]", "4:38 unknown-calendar"),
        ("goals: [{target: 1 hour}]\nkind: slo", "5:9 unknown-kind"),
        ("goals: [{target: 1 hour}]\nstart: {on: [craeted]}", "5:16 unknown-happening"),
        ("goals: [{target: 1 hour}]\nstart: {retroactive: maybe}", "5:24 wrong-type"),
        ("goals: [{target: 1 hour}]\ncancel: {}", "5:11 missing-key"),
        ('goals: [{target: 1 hour}]\npause: {while: "ticket.reason == null", on: closed}', "5:43 unknown-key"),
        ("goals: [{target: 1 hour}]\non_change: reset", "5:14 unknown-change-rule"),
        ("goals: [{target: 1 hour}]\nper_group: restart", "5:3 misplaced-key"),
        ("goals: [{target: 1 hour}]\nkind: ola\nper_group: sum", "6:14 unknown-return"),
        ("goals: [{target: 1 hour}]\nunderpins: a", "5:3 misplaced-key"),
        ("goals: [{target: 1 hour}]\nkind: uc\nunderpins: b", "6:14 unknown-promise"),
        ("goals: [{target: 1 hour}]\nkind: uc\nunderpins: a", "6:14 bad-underpinning"),
        ("goals: [{target: 1 hour, calendar: {by: desk, default: always}}]", "4:43 unknown-place"),
        ("goals: [{target: 1 hour, calendar: {default: always, zone: {by: group}}}]", "4:67 unknown-place"),
        ("goals: [{target: 1 hour}]\nthresholds: [{at: 75%, do: []}]", "5:30 missing-key"),
        ("goals: [{target: 1 hour}]\nthresholds: [{at: 75%, do: [{fire: escalte}]}]", "5:38 unknown-trigger"),
        ("goals: [{target: 1 hour}]\nthresholds: [{at: 75%, do: [{notfy: {}}]}]", "5:31 unknown-action"),
        ("goals: [{target: 1 hour}]\nthresholds: [{at: 75%, do: [{set: {weight: huge}}]}]", "5:46 bad-value"),
        ("goals: [{target: 1 hour}]\nthresholds: [{at: 75%, do: [{fire: take}, {fire: resume}]}]", "5:30 double-fire"),
        ("goals: [{target: 1 hour}]\nwhen: \"ticket.prority == 'p1'\"", "5:10 expression-unknown-name"),
        ("goals: [{target: 1 hour}]\nwhen: \"ticket.reason == 'usr'\"", "5:27 expression-unknown-value"),
        ('goals: [{target: 1 hour}]\nwhen: "ticket.reason"', "5:10 expression-type"),
        ("goals: [{target: 1 hour}]\nwhen: \"service.criticality == 'severe'\"", "5:33 expression-unknown-value"),
        ("goals: [{target: 1 hour, if: \"requester.location == 'moon'\"}]", "4:55 expression-unknown-value"),
    ],
)
def test_a_fault_is_told_at_its_place(changes: str, found: str) -> None:
    assert faults(one(changes + "\n")) == [f"sla.yaml:{found}"]


@pytest.mark.parametrize(
    "name", ["now > ticket.created_at", "actor.id == 'x'", "tasks.open == 0", "links.fixes == 0", "ticket.updated_at != null"]
)
def test_conditions_see_only_what_the_event_log_says(name: str) -> None:
    assert faults(one(f'goals: [{{target: 1 hour}}]\nwhen: "{name}"\n')) == ["sla.yaml:5:10 expression-unknown-name"]


def test_a_clock_without_an_end_is_told() -> None:
    found = fault("- sla: a\n  goals: [{target: 1 hour}]\n")
    assert (found.code, found.message) == ("missing-key", "Nothing ever stops this clock: it needs `stop`.")


def test_business_time_without_a_calendar_is_told() -> None:
    assert faults("- sla: a\n  stop: {on: closed}\n  goals:\n    - {target: 1 business day}\n") == [
        "sla.yaml:4:7 missing-calendar"
    ]


def test_two_policies_of_one_name_are_told() -> None:
    text = one("goals: [{target: 1 hour}]\n")
    assert faults(text + text) == ["sla.yaml:5:3 duplicate-policy"]


def test_two_thresholds_at_one_point_are_told_however_they_are_spelt() -> None:
    rows = "  - {at: due - 30 min, do: [{fire: take}]}\n  - {at: due - 30 minutes, do: [{fire: take}]}\n"
    assert faults(one(f"goals: [{{target: 1 hour}}]\nthresholds:\n{rows}")) == ["sla.yaml:7:7 duplicate-threshold"]


def test_promises_that_rest_on_each_other_are_told() -> None:
    text = one("kind: ola\nunderpins: b\ngoals: [{target: 1 hour}]\n")
    other = text.replace("sla: a", "sla: b").replace("underpins: b", "underpins: a")
    assert faults(text + other) == ["sla.yaml:5:14 bad-underpinning", "sla.yaml:11:14 bad-underpinning"]


def test_nothing_rests_on_a_supplier_but_what_is_ours() -> None:
    text = one("kind: ola\nunderpins: b\ngoals: [{target: 1 hour}]\n")
    supplier = one("kind: uc\ngoals: [{target: 1 hour}]\n").replace("sla: a", "sla: b")
    assert faults(text + supplier) == ["sla.yaml:5:14 bad-underpinning"]


def test_a_misspelt_name_comes_with_the_one_that_was_meant() -> None:
    hints = {
        "underpins: promis": "Did you mean “promise”?",
        "default: office-hour": "Did you mean “office-hours”?",
        "fire: resum": "Did you mean “resume”?",
        "on_change: prorat": "Did you mean “prorate”?",
    }
    for wrong, hint in hints.items():
        key = wrong.partition(": ")[0]
        text = "\n".join(_respelt(line, key, wrong) for line in WHOLE.splitlines())
        found = fault(text)
        assert found.hint == hint, (wrong, found)


def _respelt(line: str, key: str, wrong: str) -> str:
    before, found, after = line.partition(f"{key}: ")
    if not found or (key == "fire" and after.startswith("{")):
        return line
    rest = after.lstrip("abcdefghijklmnopqrstuvwxyz-_")
    return f"{before}{wrong}{rest}"


def test_all_faults_of_form_are_told_at_once_in_their_order() -> None:
    text = "- sla: A B\n  stop: {}\n  goals: [{target: 0 hours}]\n- sla: b\n  stop: {on: [never]}\n  goals: []\n"
    assert faults(text) == [
        "sla.yaml:1:8 bad-name",
        "sla.yaml:2:9 missing-key",
        "sla.yaml:3:20 absurd-target",
        "sla.yaml:5:15 unknown-happening",
        "sla.yaml:6:10 missing-key",
    ]


def test_a_field_of_two_types_is_a_warning_where_it_is_named() -> None:
    other = "workflow: parcel\nfields: {reason: {type: integer}}\nstates: {posted: {category: new}}\ninitial: posted\n"
    workflows = {**practices(), "parcel": bench.loaded(other, WORDS)}
    text = one("when: \"ticket.reason == 'user'\"\ngoals: [{target: 1 hour}]\n")
    agreement, (finding,) = load_agreement(text, "sla.yaml", WORDS, workflows, CALENDARS, {})
    assert agreement is not None
    assert (finding.code, finding.severity, str(finding.at)) == ("ambiguous-field", Severity.WARNING, "sla.yaml:4:10")
    assert "choice in errand and integer in parcel" in finding.message
    unnamed = one("goals: [{target: 1 hour}]\n")
    assert load_agreement(unnamed, "sla.yaml", WORDS, workflows, CALENDARS, {})[1] == []


def test_every_code_of_the_reader_is_described_with_how_grave_it_is() -> None:
    section = page("sla.md").section("Faults of form") + page("sla.md").section("Escalation")
    for code, (_, severity) in MEANINGS.items():
        assert f"| `{code}` | {severity} |" in section
