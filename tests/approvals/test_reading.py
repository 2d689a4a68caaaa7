"""Policies as they are written: what is understood, and what is wrong with its place and a mend."""

from __future__ import annotations

import re

import pytest

from itsm.approvals import check, codes, grammar, reading
from itsm.approvals.policy import Quorum, Rule, Who
from itsm.platform.settings import PROJECT_ROOT
from itsm.workflow.findings import Finding
from tests.docs.pages import page
from tests.service import configuration, practices


def findings(policy: str) -> list[Finding]:
    """What is wrong with a policy, given as the lines below its name."""
    text = "policies:\n  p:\n" + "".join(f"    {line}\n" for line in policy.strip().splitlines())
    vocabulary = configuration().vocabulary
    book, told = reading.load_policies(text, "a.yaml", vocabulary)
    return told + check.check(book, practices(), vocabulary)


@pytest.mark.parametrize(
    ("policy", "code", "at"),
    [
        ("stages: [{rule: {at_least: 2}, of: [group.lead], escalate: {after: 1 day}}]", "approval-quorum-impossible", "3:14"),
        ("stages: [{of: [], timeout: {after: 1 day, then: reject}}]", "approval-empty-stage", "3:14"),
        ("stages: []", "approval-empty-stage", "2:3"),
        ("stages: [{of: [{role: approver}]}]", "approval-no-timeout-nor-escalation", "3:14"),
        ("stages:\n  - of: [{rule: {percent: 120}, of: [service.owner]}]", "bad-percentage", "4:31"),
        ("stages: [{of: [boss]}]", "unknown-approver", "3:20"),
        ("stages: [{of: [{role: bos}]}]", "unknown-role", "3:27"),
        ("stages: [{of: [{role: approver, of: world}]}]", "unknown-approver", "3:41"),
        ("stages: [{rule: most, of: [service.owner]}]", "unknown-rule", "3:21"),
        ("stages: [{of: [service.owner], timeout: {after: soon, then: reject}}]", "bad-duration", "3:53"),
        ("stages: [{of: [service.owner], timeout: {after: 1 day, then: shrug}}]", "unknown-timeout", "3:66"),
        ("stages: [{of: [service.owner], calendar: never}]", "unknown-calendar", "3:46"),
        ("separate: [requestor]\nstages: [{of: [service.owner]}]", "unknown-party", "3:16"),
        ("for: request\nmaterial: [prize]\nstages: [{of: [service.owner], escalate: {after: 1 day}}]", "unknown-field", "2:3"),
        ("for: request\ndecide: [{if: ticket.prize == 1, then: ask}]\nstages: [{of: [group.lead], escalate: {after: 1 day}}]",
         "expression-unknown-name", "4:19"),
        ("for: reqest\nstages: [{of: [service.owner]}]", "unknown-workflow", "3:10"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_policy_is_told_with_its_place(policy: str, code: str, at: str) -> None:
    (finding,) = findings(policy)
    assert (finding.code, f"{finding.at.line}:{finding.at.column}") == (code, at)


def test_a_row_that_always_holds_hides_those_after_it() -> None:
    told = findings(
        "decide: [{then: ask}, {then: approve}]\nstages: [{of: [service.owner], escalate: {after: 1 day, to: lead}}]"
    )
    assert [finding.code for finding in told] == ["approval-rule-shadowed"]


def test_a_delegation_has_a_depth_that_is_bounded() -> None:
    _, told = reading.load_policies("delegation: {depth: 4}", "a.yaml", configuration().vocabulary)
    assert [(finding.code, str(finding.at)) for finding in told] == [("delegation-too-deep", "a.yaml:1:21")]


@pytest.mark.parametrize(
    ("rule", "quorum"),
    [
        ("any", Quorum(Rule.ANY)),
        ("{percent: 60}", Quorum(Rule.PERCENT, 60)),
        ("everybody_answers", Quorum(Rule.MAJORITY, everybody=True)),
        ("{everybody_answers: {at_least: 2}}", Quorum(Rule.AT_LEAST, 2, everybody=True)),
        ("{everybody_answers: all}", Quorum(Rule.ALL, everybody=True)),
    ],
)
def test_a_rule_is_read_as_it_is_written(rule: str, quorum: Quorum) -> None:
    text = f"policies: {{p: {{stages: [{{rule: {rule}, of: [{{role: approver}}]}}]}}}}"
    book, told = reading.load_policies(text, "a.yaml", configuration().vocabulary)
    assert told == []
    assert book.policies["p"].stages[0].group.quorum == quorum


def test_what_a_round_keeps_of_a_policy_reads_back_as_the_same_policy() -> None:
    for name, policy in configuration().approvals.policies.items():
        kept = reading.frozen(name, policy.source)
        assert [str(stage.group.quorum) for stage in kept.stages] == [str(stage.group.quorum) for stage in policy.stages]
        assert [stage.group.people for stage in kept.stages] == [stage.group.people for stage in policy.stages]
        assert (kept.material, kept.separate, kept.exclude) == (policy.material, policy.separate, policy.exclude)


def test_the_shipped_policies_are_sound() -> None:
    vocabulary = configuration().vocabulary
    book, told = reading.load_file(PROJECT_ROOT / "config" / "approvals.yaml", vocabulary)
    assert told + check.check(book, practices(), vocabulary) == []
    assert set(book.policies) == vocabulary.policies


def test_every_code_has_a_meaning() -> None:
    page = (PROJECT_ROOT / "docs" / "approvals.md").read_text()
    assert all(f"`{code}`" in page for code in codes.MEANINGS)


def test_the_example_of_the_page_is_sound() -> None:
    (example,) = page("approvals.md").blocks("yaml")
    book, told = reading.load_policies(example, "approvals.yaml", configuration().vocabulary)
    assert told + check.check(book, practices(), configuration().vocabulary) == []
    assert set(book.policies) == {"purchase-by-line"}


def test_every_key_and_every_way_to_name_an_approver_is_on_the_page() -> None:
    words = set(re.findall(r"`([^`]+)`", page("approvals.md").prose))
    for form in (grammar.PolicyForm, grammar.StageForm, grammar.DelegatingForm):
        keys = {entry.data_key or name for name, entry in form().load_fields.items()}
        assert keys <= words | {"depth"}, form
    assert {who.value for who in Who} - {"group key", "manager_chain", "user", "role", "field"} <= words
    assert {rule.value for rule in Rule} - {"at_least", "percent"} <= words
