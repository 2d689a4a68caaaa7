"""What is proved of policies before any round follows one: that every stage can be decided, and comes to an end by itself.

A round has finitely many stages and each stage one tree. So a round ends if every stage does: its quorum can be reached by the
people it names, and where nobody answers, the clock passes the question on or decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from itsm.approvals.policy import Approver, Book, Group, Policy, Rule, Stage, Then, Verdict, Who
from itsm.workflow import expression
from itsm.workflow.builtin import BUILTIN_FIELDS
from itsm.workflow.definition import Field, FieldType, Position, Workflow
from itsm.workflow.findings import Finding, Severity
from itsm.workflow.scope import Scope
from itsm.workflow.vocabulary import Vocabulary

_ONE_AT_MOST: Final = frozenset(
    {Who.REQUESTER, Who.ASSIGNEE, Who.LEAD, Who.MANAGER, Who.SERVICE_OWNER, Who.COST_CENTRE_OWNER, Who.USER, Who.FIELD}
)


def check(book: Book, workflows: Mapping[str, Workflow], vocabulary: Vocabulary) -> list[Finding]:
    """Everything that can be said against the policies, in the order of the file.

    Conditions and fields are judged by those workflows that are given; others that a policy is for are not.
    """
    found = [finding for policy in book.policies.values() for finding in _of_policy(policy, workflows, vocabulary)]
    return sorted(found, key=lambda finding: (finding.at.line, finding.at.column))


def most(group: Group) -> int | None:
    """How many members a group can have at most, None where nobody can say: a role has as many as it has."""
    counts = [_most_of(approver) for approver in dict.fromkeys(group.people)]
    return None if None in counts else sum(filter(None, counts)) + len(group.groups)


def _most_of(approver: Approver) -> int | None:
    if approver.who is Who.CHAIN:
        return approver.levels
    return 1 if approver.who in _ONE_AT_MOST else None


def _error(code: str, message: str, at: Position, hint: str | None = None) -> Finding:
    return Finding(code, Severity.ERROR, message, at, hint)


def _of_policy(policy: Policy, workflows: Mapping[str, Workflow], vocabulary: Vocabulary) -> Iterator[Finding]:
    if not policy.stages:
        message = f"The policy “{policy.name}” has no stage."
        yield _error("approval-empty-stage", message, policy.at, "Give it one, with somebody to be asked.")
    for stage in policy.stages:
        yield from _of_group(stage.group)
        yield from _of_ending(stage)
    names = [stage.name for stage in policy.stages]
    for number, stage in enumerate(policy.stages):
        if stage.name in names[:number]:
            yield _error("approval-double-stage", f"There is a stage “{stage.name}” already.", stage.at)
    yield from _of_table(policy)
    for name in policy.workflows:
        if (workflow := workflows.get(name)) is not None:
            yield from _of_conditions(policy, workflow, vocabulary)
            yield from _of_fields(policy, workflow)


def _of_group(group: Group) -> Iterator[Finding]:
    limit = most(group)
    if limit == 0:
        yield _error("approval-empty-stage", "Nobody is to be asked here.", group.at, "Name somebody under `of`.")
    elif limit is not None and group.quorum.needed(limit) > limit:
        message = f"{group.quorum.needed(limit)} must approve, and there are {limit} at most."
        yield _error("approval-quorum-impossible", message, group.at, "Ask for fewer, or name more.")
    if group.quorum.rule is Rule.AT_LEAST and group.quorum.number == limit and limit is not None and limit > 1:
        message = f"At least {limit} of {limit} is all of them."
        yield Finding("approval-quorum-all", Severity.WARNING, message, group.at, "Write `rule: all`.")
    for below in group.groups:
        yield from _of_group(below)


def _of_ending(stage: Stage) -> Iterator[Finding]:
    """A stage that waits for people alone may wait for ever."""
    if stage.timeout is None and stage.escalate is None:
        message = f"Nothing happens to the stage “{stage.name}” when nobody answers."
        hint = "Add `timeout: {after: 10 business days, then: reject}` or `escalate`."
        yield Finding("approval-no-timeout-nor-escalation", Severity.WARNING, message, stage.at, hint)
    if stage.escalate and stage.timeout and stage.timeout.then is Then.ESCALATE:
        message = f"The stage “{stage.name}” passes its questions on twice; the second time there is nobody new."
        yield Finding("approval-escalates-twice", Severity.WARNING, message, stage.at, "Let the timeout approve or reject.")


def _of_table(policy: Policy) -> Iterator[Finding]:
    for number, row in enumerate(policy.table):
        if row.condition is None and number < len(policy.table) - 1:
            message = f"“{row.name}” always holds, so no row after it is ever looked at."
            yield _error("approval-rule-shadowed", message, policy.table[number + 1].at, "Put it last.")
            return
        if row.condition is None and row.verdict is not Verdict.ASK and policy.stages:
            message = f"“{row.name}” decides whatever comes, so nobody is ever asked."
            yield Finding("approval-never-asked", Severity.WARNING, message, row.at, "Give it a condition, or drop the stages.")


def _of_conditions(policy: Policy, workflow: Workflow, vocabulary: Vocabulary) -> Iterator[Finding]:
    scope = Scope(Scope.of(workflow, vocabulary).variables)
    for row in policy.table:
        if row.condition is not None:
            compiled = expression.compile(row.condition, scope)
            yield from compiled if isinstance(compiled, tuple) else ()


def _of_fields(policy: Policy, workflow: Workflow) -> Iterator[Finding]:
    fields: Mapping[str, Field] = {**BUILTIN_FIELDS, **workflow.fields}
    for name in policy.material:
        if name not in fields:
            message = f"There is no field “{name}” in {workflow.name}, so its change cannot be material."
            yield _error("unknown-field", message, policy.at)
    for approver in _people(stage.group for stage in policy.stages):
        if approver.who is Who.FIELD and (approver.name not in fields or fields[approver.name].type is not FieldType.USER):
            message = f"There is no field “{approver.name}” in {workflow.name} that names a user."
            yield _error("unknown-field", message, policy.at)


def _people(groups: Iterable[Group]) -> Iterator[Approver]:
    for group in groups:
        yield from group.people
        yield from _people(group.groups)
