"""What is proved of a workflow before anyone may publish it.

Form and names were checked when the file was read; here it is what they mean together: whether every state can be reached and
left, every timer can do what it is for, every invariant holds on every way. `RULES` has each rule with its code and meaning.
"""

from __future__ import annotations

from collections.abc import Mapping

from itsm.workflow.check import automatic, branches, conditions, invariants, livelock, reach, requirements, usage
from itsm.workflow.check.registry import RULES, Rule
from itsm.workflow.check.subject import Subject
from itsm.workflow.definition import Workflow
from itsm.workflow.findings import Finding
from itsm.workflow.vocabulary import Vocabulary

__all__ = ["RULES", "Rule", "check"]


def check(workflows: Mapping[str, Workflow], vocabulary: Vocabulary) -> list[Finding]:
    """Everything that can be said against these workflows, in the order of their sources. They may fire each other's transitions."""
    findings: list[Finding] = []
    for workflow in workflows.values():
        subject = Subject(workflow, vocabulary, workflows)
        found = list(subject.faults)
        for rule in RULES.values():
            found += rule.findings(subject)
        findings += sorted(found, key=lambda finding: (finding.at.line, finding.at.column))
    return findings
