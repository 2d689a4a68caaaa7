"""Expressions of the catalogue, compiled against the form that they stand in; what is wrong with them is kept as findings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from itsm.catalog.definition import Question
from itsm.catalog.scope import scope_of
from itsm.workflow import expression
from itsm.workflow.definition import Expression, Field, FieldType, Position, Workflow
from itsm.workflow.expression import Compiled
from itsm.workflow.findings import Finding, Severity
from itsm.workflow.reading.form import suggestion
from itsm.workflow.scope import Scope

_NOWHERE: Final = Position("", 1, 1)
TEXT: Final = Field("text", FieldType.TEXT, _NOWHERE)
AMOUNT: Final = Field("amount", FieldType.DECIMAL, _NOWHERE)


@dataclass(frozen=True, slots=True)
class Around:
    """What exists around a catalogue; None where it is not known, and so not asked for."""

    roles: frozenset[str] | None = None
    workflows: Mapping[str, Workflow] | None = None
    policies: frozenset[str] | None = None


class Compiler:
    """Compiles expressions of one form after the other; `over` says which. `findings` grows with what is wrong."""

    def __init__(self, sources: Mapping[str, str], around: Around, findings: list[Finding]) -> None:
        self.sources = sources
        self.around = around
        self.findings = findings
        self.questions: tuple[Question, ...] = ()
        self._scopes: dict[str, Scope] = {}

    def over(self, questions: tuple[Question, ...]) -> None:
        """From now on, expressions may name the answers to these questions."""
        self.questions, self._scopes = questions, {}

    def say(self, code: str, message: str, at: Position, known: Iterable[str] = ()) -> None:
        """Add an error; `known` are the names among which the one in quotes may be meant."""
        hint = suggestion(message.split("“")[1].split("”")[0], list(known))() if known and "“" in message else None
        self.findings.append(Finding(code, Severity.ERROR, message, at, hint))

    def scope(self, at: Position) -> Scope:
        """The names that an expression at this place may use."""
        scope = self._scopes.get(at.file)
        if scope is None:
            scope = self._scopes[at.file] = scope_of(self.questions, self.around.roles, self.sources.get(at.file, ""))
        return scope

    def condition(self, text: Expression | None) -> Compiled | None:
        """The condition, or None if there is none, or something is wrong with it."""
        return None if text is None else self.kept(expression.compile(text, self.scope(text.at)))

    def value(self, text: Expression, target: Field) -> Compiled | None:
        """The expression of a value for this field, or None if something is wrong with it."""
        return self.kept(expression.compile_value(text, self.scope(text.at), target))

    def said(self, said: str | Expression | None) -> str | Compiled | None:
        """A text, or the expression that makes it."""
        return self.value(said, TEXT) if isinstance(said, Expression) else said

    def kept(self, found: Compiled | tuple[Finding, ...]) -> Compiled | None:
        """What was compiled; findings are added, and leave nothing."""
        if isinstance(found, Compiled):
            return found
        self.findings.extend(found)
        return None
