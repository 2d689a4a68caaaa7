"""The rules of the checker of promises: what each is called, how grave it is, what it means, and the function that finds it.

A rule is a function of a `Subject` that yields `Fault`s; `@rule` gives it a code and enters it here. Its docstring is its
meaning; docs/findings.md has an example and a mend for each code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from inspect import getdoc
from typing import TYPE_CHECKING

from itsm.workflow.check.registry import Fault
from itsm.workflow.findings import Finding, Severity

if TYPE_CHECKING:
    from itsm.sla.check.subject import Subject

__all__ = ["RULES", "Fault", "Rule", "rule"]

Search = Callable[["Subject"], Iterable[Fault]]


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that is proved of promises."""

    code: str
    severity: Severity
    meaning: str
    search: Search

    def findings(self, subject: Subject) -> Iterable[Finding]:
        """What this rule has to say."""
        return (Finding(self.code, self.severity, fault.message, fault.at, fault.hint) for fault in self.search(subject))


RULES: dict[str, Rule] = {}
"""By code, in the order in which they are applied."""


def rule(code: str, severity: Severity) -> Callable[[Search], Search]:
    """Enters a function into `RULES`. Raises `ValueError` for a code that is taken or a function that says nothing."""

    def enter(search: Search) -> Search:
        meaning = getdoc(search)
        if code in RULES or not meaning:
            raise ValueError(f"a rule needs a code of its own and a meaning: {code}")
        RULES[code] = Rule(code, severity, meaning, search)
        return search

    return enter
