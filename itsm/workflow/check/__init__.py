"""What is proved of a workflow before anyone may publish it.

Form and names were checked when the file was read; here it is what they mean together: whether every state can be reached and
left, every timer can do what it is for, every invariant holds on every way. `RULES` has each rule with its code and meaning.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Final

from itsm.workflow.check.registry import RULES, Rule
from itsm.workflow.check.size import TOO_COMPLEX
from itsm.workflow.check.subject import Subject
from itsm.workflow.definition import Workflow
from itsm.workflow.findings import Finding
from itsm.workflow.vocabulary import Vocabulary

__all__ = ["RULES", "Rule", "Subject", "check"]

_FAMILIES: Final = (
    "size",
    "reach",
    "branches",
    "conditions",
    "requirements",
    "automatic",
    "livelock",
    "invariants",
    "neighbours",
    "usage",
    "scenarios",
)
for _family in _FAMILIES:
    import_module(f"{__name__}.{_family}")


def check(workflows: Mapping[str, Workflow], vocabulary: Vocabulary, *, only: str | None = None) -> list[Finding]:
    """Everything that can be said against these workflows, each in the order of its source.

    With `only`, the rules are applied to the workflow of that name; the others are the neighbours whose transitions
    it may fire.
    """
    findings: list[Finding] = []
    for name, workflow in workflows.items():
        if only in (None, name):
            subject = Subject(workflow, vocabulary, workflows)
            findings += sorted(_found(subject), key=lambda finding: (finding.at.line, finding.at.column))
    return findings


def _found(subject: Subject) -> list[Finding]:
    found = [*subject.faults, *RULES[TOO_COMPLEX].findings(subject)]
    if any(finding.code == TOO_COMPLEX for finding in found):
        return found
    return [*found, *(finding for rule in RULES.values() if rule.code != TOO_COMPLEX for finding in rule.findings(subject))]
