"""Rules of a checker: what each is called, how grave it is, what it means, and the function that finds it.

A rule is a function of what is checked that yields `Fault`s; a rulebook gives it a code and keeps it. Its docstring is its
meaning; docs/findings.md has an example and a mend for each code, and tests hold that none is missing there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from inspect import getdoc
from typing import Generic, TypeAlias, TypeVar

from itsm.workflow.definition import Position
from itsm.workflow.findings import Finding, Severity

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Fault:
    """What a rule has found: where, in one sentence, and a mend where there is one. The rule adds code and severity."""

    at: Position
    message: str
    hint: str | None = None


Search: TypeAlias = Callable[[S], Iterable[Fault]]


@dataclass(frozen=True)
class Rule(Generic[S]):
    """One thing that a checker proves."""

    code: str
    severity: Severity
    meaning: str
    search: Search[S]

    def findings(self, subject: S) -> Iterable[Finding]:
        """What this rule has to say about a subject."""
        return (Finding(self.code, self.severity, fault.message, fault.at, fault.hint) for fault in self.search(subject))


class Rulebook(dict[str, Rule[S]]):
    """The rules of one checker by code, in the order in which they are applied."""

    def rule(self, code: str, severity: Severity) -> Callable[[Search[S]], Search[S]]:
        """Enters a function as a rule. Raises `ValueError` for a code that is taken or a function that says nothing."""

        def enter(search: Search[S]) -> Search[S]:
            meaning = getdoc(search)
            if code in self or not meaning:
                raise ValueError(f"a rule needs a code of its own and a meaning: {code}")
            self[code] = Rule(code, severity, meaning, search)
            return search

        return enter
