"""Guards and derived values: CEL, typed against one workflow's fields and compiled once.

An expression is compiled twice. The *checking* environment knows every name with its type, so a name that does not exist and
a comparison of a date with a number are found before the file is published; the *running* one takes values as they come.
CEL cannot loop without end, reach Python or have effects; what could still take long (nested loops, regular expressions over
long texts, chains of concatenation) is refused here, so that evaluation stays under 5 ms whatever a ticket holds.

Language: https://github.com/google/cel-spec. Runtime: `cel-expr-python`; no other module but `scope.py` knows it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, Protocol

from cel_expr_python import cel

from itsm.workflow import complaints
from itsm.workflow.definition import Expression, Field, FieldType
from itsm.workflow.findings import Finding, Severity
from itsm.workflow.limits import TEXT_MAX, foreign_results, objections
from itsm.workflow.placement import locate
from itsm.workflow.scope import Scope, Variable
from itsm.workflow.tree import Name, Tree, decode, walk
from itsm.workflow.values import duration_text

_RESULTS: Final[Mapping[FieldType, frozenset[str]]] = {
    FieldType.INTEGER: frozenset({"INT"}),
    FieldType.DECIMAL: frozenset({"DOUBLE", "INT"}),
    FieldType.BOOLEAN: frozenset({"BOOL"}),
    FieldType.DATE: frozenset({"TIMESTAMP"}),
    FieldType.DATETIME: frozenset({"TIMESTAMP"}),
    FieldType.DURATION: frozenset({"DURATION"}),
    FieldType.MULTI_CHOICE: frozenset({"LIST<STRING>", "LIST<DYN>"}),
    FieldType.MONEY: frozenset({"money"}),
}
_TEXT_RESULTS: Final = frozenset({"STRING"})


class Lookup(Protocol):
    """Where values come from, by dotted name; a plain dict will do. Raises `KeyError` for what it does not have."""

    def __getitem__(self, name: str, /) -> object: ...


@dataclass(frozen=True, slots=True)
class EvaluationError:
    """Why an expression has no answer, as the end of a sentence: “ticket.cost is empty”."""

    text: str


@dataclass(frozen=True, slots=True, eq=False)
class Compiled:
    """An expression ready to be asked. `names` are the variables that it needs; `tree` is its form, for static analysis.

    Safe to share among threads: what it keeps are programs, made on first use.
    """

    expression: Expression
    tree: Tree
    names: frozenset[str]
    _scope: Scope
    _plain: tuple[str, ...]
    """Variables whose values the runtime takes as they are; the others are converted first."""
    _converted: tuple[Variable, ...]
    _moments: tuple[str, ...]
    _programs: dict[frozenset[str], cel.Expression] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The expression as written."""
        return self.expression.text

    @property
    def path(self) -> str | None:
        """The variable that the expression is, if it is nothing but one with a value of its own."""
        if isinstance(self.tree, Name) and self.tree.name.count(".") < 2:  # with two dots it is a part of an amount of money
            return self.tree.name
        return None

    def evaluate(self, values: Lookup) -> bool | EvaluationError:
        """Whether the condition holds. An error inside counts neither as true nor as false: it comes back with its reason."""
        try:
            answer = self._run(values).value()
        except _FAILURES as error:
            return self._unanswered(values, str(error))
        if answer is True or answer is False:
            return answer
        return self._unanswered(values, str(answer) if answer is not None else "it is null")

    def value(self, values: Lookup) -> object:
        """What the expression yields, in the engine's own terms (durations as ISO 8601 text), or an `EvaluationError`."""
        try:
            result = self._run(values)
            if result.type() in _NO_ANSWERS:
                return self._unanswered(values, str(result.value()))
            plain = result.plain_value()
        except _FAILURES as error:
            return self._unanswered(values, str(error))
        return duration_text(plain) if isinstance(plain, timedelta) else plain

    def _run(self, values: Lookup) -> cel.Value:
        data = {name: values[name] for name in self._plain}
        for variable in self._converted:
            data[variable.name] = variable.admit(values[variable.name])
        nulls = frozenset(name for name in self._moments if data[name] is None) if self._moments else _NONE
        return (self._programs.get(nulls) or self._program(nulls)).eval(data=data)

    def _program(self, nulls: frozenset[str]) -> cel.Expression:
        program = self._scope.running(nulls).compile(self.expression.text)
        self._programs[nulls] = program
        return program

    def _unanswered(self, values: Lookup, technical: str) -> EvaluationError:
        empty = []
        for name in sorted(self.names):
            try:
                value = values[name]
            except KeyError:
                return EvaluationError(f"{name} is not known here")
            if value is None:
                empty.append(name)
        if empty:
            return EvaluationError(f"{' and '.join(empty)} {'is' if len(empty) == 1 else 'are'} empty")
        return EvaluationError(complaints.at_run_time(technical))


_NONE: Final[frozenset[str]] = frozenset()
_NO_ANSWERS: Final = (cel.Type.ERROR, cel.Type.UNKNOWN)
_FAILURES: Final = (RuntimeError, ValueError, TypeError, KeyError, OverflowError)
"""The runtime mostly returns errors as values; text that is no text, and what cannot be converted to its types, it raises."""


def compile(expression: Expression, scope: Scope) -> Compiled | tuple[Finding, ...]:
    """A condition: it must yield true or false. Everything wrong with it is found at once, placed in its YAML."""
    return _compile(expression, scope, frozenset({"BOOL"}), "A condition must be true or false")


def compile_value(expression: Expression, scope: Scope, target: Field | None = None) -> Compiled | tuple[Finding, ...]:
    """A value for the field `target` (None: any value), as derivations and `= …` in actions have it."""
    if target is None:
        return _compile(expression, scope, None, "")
    allowed = _RESULTS.get(target.type, _TEXT_RESULTS) | {"DYN", "NULL"}
    return _compile(expression, scope, allowed, f"The field {target.name} must be given a value of type {target.type}", target)


def _compile(
    expression: Expression, scope: Scope, allowed: frozenset[str] | None, demand: str, target: Field | None = None
) -> Compiled | tuple[Finding, ...]:
    text = expression.text

    def finding(code: str, offset: int, message: str, hint: str | None = None) -> Finding:
        return Finding(code, Severity.ERROR, message, locate(scope.source, expression.at, text, offset), hint)

    if (unfit := _unfit(text)) is not None:
        return (finding(unfit.code, unfit.offset, unfit.message, unfit.hint),)
    try:
        checked = scope.checking.compile(text)
        tree = decode(checked.serialize())
        result = checked.return_type().name()
    except (RuntimeError, ValueError) as error:
        faults = complaints.at_check_time(text, str(error), scope.variables)
        return tuple(finding(each.code, each.offset, each.message, each.hint) for each in faults)
    found = [finding(each.code, each.offset, each.message, each.hint) for each in objections(tree, scope.variables)]
    if target is not None and target.choices and not found:
        found += [finding(each.code, each.offset, each.message, each.hint) for each in foreign_results(tree, target)]
    if allowed is not None and result not in allowed and not found:
        message = f"{demand}, but this is {complaints.type_words(result)}."
        found.append(finding("expression-type", 0, message, complaints.type_hint(result, demand)))
    if found:
        return tuple(found)
    return _compiled(expression, scope, tree)


def _compiled(expression: Expression, scope: Scope, tree: Tree) -> Compiled:
    names = frozenset(node.name for node in walk(tree) if isinstance(node, Name) and node.name in scope.variables)
    inputs = [scope.variables[name] for name in sorted(names)]
    compiled = Compiled(
        expression,
        tree,
        names,
        scope,
        _plain=tuple(variable.name for variable in inputs if variable.is_plain),
        _converted=tuple(variable for variable in inputs if not variable.is_plain),
        _moments=tuple(variable.name for variable in inputs if variable.may_vary),
    )
    compiled._program(_NONE)
    return compiled


def _unfit(text: str) -> complaints.Complaint | None:
    """What keeps a text from being given to the checker at all."""
    if len(text) > TEXT_MAX:
        message = f"An expression may have {TEXT_MAX:,} characters; this has {len(text):,}."
        return complaints.Complaint("expression-too-costly", 0, message)
    if not text.strip():
        return complaints.Complaint("expression-syntax", 0, "The expression is empty.")
    if re.search("[\x00\ud800-\udfff]", text):
        return complaints.Complaint("expression-syntax", 0, "An expression cannot hold NUL characters or unpaired surrogates.")
    return complaints.superfluous(text)
