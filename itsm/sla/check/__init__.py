"""What is proved of promises before anyone may publish them.

Form, names and types were checked when the file was read; here it is what a policy means for the tickets of every workflow:
whether each ticket finds its goal, each clock can run and stop, each threshold can do what it is for.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from itsm.sla.check.registry import RULES, Rule
from itsm.sla.check.subject import Subject
from itsm.sla.policy import Agreement
from itsm.workflow.definition import Workflow
from itsm.workflow.findings import Finding
from itsm.workflow.reading.form import in_order
from itsm.workflow.vocabulary import Vocabulary

__all__ = ["RULES", "Rule", "Subject", "check"]

for _family in ("clocks", "goals", "lengths", "answers", "coverage"):
    import_module(f"{__name__}.{_family}")


def check(agreement: Agreement, workflows: Mapping[str, Workflow], vocabulary: Vocabulary) -> list[Finding]:
    """Everything that can be said against an agreement for the tickets of these workflows, in the order of the sources.

    The workflows must be sound as far as their expressions go; of one that is not, nothing is said.
    """
    subject = Subject(agreement, workflows, vocabulary)
    return in_order(finding for rule in RULES.values() for finding in rule.findings(subject))
