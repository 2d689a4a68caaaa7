"""Makes questions of data whose form is right: types and bounds first, then the expressions, which may name all the others."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from itsm.catalog import answers
from itsm.catalog.compiling import TEXT, Compiler
from itsm.catalog.definition import CHOSEN, FIELD_TYPES, NUMBERS, TEXTS, Choice, Lookup, Question, QuestionType, Rule
from itsm.catalog.graph import ordered
from itsm.workflow import expression, source, values
from itsm.workflow.definition import Expression, Field, FieldType, Position
from itsm.workflow.expression import Compiled
from itsm.workflow.reading.compounds import Keyed, typed

Rows = Mapping[str, Mapping[str, str]]


class Questioner:
    """Makes questions, with the tables and sets of questions that they may use."""

    def __init__(self, compiler: Compiler, tables: Mapping[str, Rows], sets: Mapping[str, Keyed[Any]]) -> None:
        self._cel = compiler
        self._tables = tables
        self._sets = sets

    def flat(self, form: Mapping[str, Keyed[Any]]) -> Iterator[tuple[str, Keyed[Any]]]:
        """The questions of a form, with those of the sets that it uses in their place; no name comes twice."""
        seen: dict[str, Position] = {}
        for name, one in form.items():
            for inner, each in self._set(name, one):
                if inner in seen:
                    self._cel.say(
                        "duplicate-item", f"The question “{inner}” is asked twice, also in line {seen[inner].line}.", one.at
                    )
                    continue
                seen[inner] = each.at
                yield inner, each

    def _set(self, name: str, one: Keyed[Any]) -> Iterable[tuple[str, Keyed[Any]]]:
        if "use" not in one.value:
            return [(name, one)]
        used: Expression = one.value["use"]
        found = self._sets.get(used.text)
        if found is None:
            self._cel.say("unknown-set", f"There is no set of questions “{used.text}”.", used.at, self._sets)
            return []
        nested = [each for each in found.value.values() if "use" in each.value]
        for each in nested:
            self._cel.say("misplaced-key", "A set of questions uses no other.", each.value["use"].at)
        return [] if nested else list(found.value.items())

    def bare(self, name: str, one: Keyed[Any]) -> tuple[Question, Mapping[str, Any]] | None:
        """A question as far as it needs no expression: its type, its choices and bounds."""
        data, type_ = one.value, one.value["type"]
        before = len(self._cel.findings)
        narrowed, choices = self._choices(data, type_, one.at)
        low, high = (self._bound(data[end], type_, one.at) for end in ("min", "max"))
        title = data["title"] or name.replace("_", " ").capitalize()
        field = Field(
            name, FIELD_TYPES.get(type_, FieldType.TEXT), one.at, title, choices=tuple(choice.value for choice in choices)
        )
        if len(self._cel.findings) > before:
            return None
        question = Question(name, type_, title, one.at, field, data["help"], choices, narrowed, low, high)
        return replace(question, currency=data["currency"] or question.currency), data

    def _choices(self, data: Mapping[str, Any], type_: QuestionType, at: Position) -> tuple[str | None, tuple[Choice, ...]]:
        told = data["choices"]
        if (told is not None) != (type_ in CHOSEN):
            code, words = ("misplaced-key", "has no choices") if told is not None else ("missing-key", "needs its choices")
            self._cel.say(code, f"A question of the type {type_.value} {words}.", at)
            return None, ()
        if told is None:
            return None, ()
        if "words" in told:
            return None, tuple(Choice(word, title) for word, title in told["words"].items())
        rows = self._table(told["table"])
        if told["narrowed_by"] is not None and told["column"] is None:
            self._cel.say("missing-key", "Say by which column the rows are narrowed.", told["narrowed_by"].at)
        for column in (told["title"] if told["title"] != "title" else None, told["column"]):
            if column is not None and any(column not in row for row in rows.values()):
                self._cel.say("unknown-column", f"Not every row of the table has the column “{column}”.", told["table"].at)
        by = None if told["narrowed_by"] is None else told["narrowed_by"].text
        found = (Choice(key, row.get(told["title"], key), row.get(told["column"] or "")) for key, row in rows.items())
        return by, tuple(found)

    def _table(self, name: Expression) -> Rows:
        if name.text not in self._tables:
            self._cel.say("unknown-table", f"There is no table “{name.text}”.", name.at, self._tables)
        return self._tables.get(name.text, {})

    def _bound(self, node: Any, type_: QuestionType, at: Position) -> int | float | str | None:
        """What `min` or `max` says for a question of this type."""
        if node is None or not isinstance(node, source.Scalar):
            return None
        if type_ in NUMBERS and isinstance(node.core, int | float) and not isinstance(node.core, bool):
            return node.core
        counts = type_ in TEXTS or type_ is QuestionType.MULTI_CHOICE
        if counts and isinstance(node.core, int) and not isinstance(node.core, bool) and node.core >= 0:
            return node.core
        if type_ is QuestionType.DATE and (str(node) == answers.TODAY or _is_date(str(node))):
            return str(node)
        self._cel.say("bad-value", f"“{node}” bounds no question of the type {type_.value}.", node.at)
        return None

    def finished(self, question: Question, data: Mapping[str, Any]) -> Question:
        """The same question with its expressions."""
        if question.narrowed_by is not None and question.narrowed_by not in {each.name for each in self._cel.questions}:
            self._cel.say(
                "unknown-question", f"There is no question “{question.narrowed_by}”.", data["choices"]["narrowed_by"].at
            )
        if data["compute"] is not None and (data["require"] is not None or data["prefill"] is not None):
            self._cel.say("misplaced-key", "What the desk computes is neither required nor prefilled.", question.at)
        matches = self._pattern(question, data["pattern"])
        return replace(
            question,
            pattern=None if data["pattern"] is None else data["pattern"].text,
            matches=matches,
            show=self._cel.condition(data["show"]),
            require=self._cel.condition(data["require"]),
            prefill=self._prefill(question, data["prefill"]),
            compute=self._compute(question, data["compute"]),
            rules=tuple(
                Rule(holds, rule["say"]) for rule in data["valid"] if (holds := self._cel.condition(rule["holds"])) is not None
            ),
        )

    def _pattern(self, question: Question, pattern: Expression | None) -> Compiled | None:
        """The pattern as an expression: RE2 matches in time that grows with the text, whatever the pattern."""
        if pattern is None:
            return None
        if question.type not in TEXTS:
            self._cel.say("misplaced-key", f"A question of the type {question.type.value} has no pattern.", pattern.at)
            return None
        text = f"answers.{question.name}.matches({json.dumps(f'^(?:{pattern.text})$', ensure_ascii=False)})"
        found = expression.compile(Expression(text, pattern.at), self._cel.scope(pattern.at))
        if isinstance(found, Compiled):
            broken = found.value({f"answers.{question.name}": "x"})
            if not isinstance(broken, expression.EvaluationError):
                return found
            self._cel.say("bad-pattern", f"This is no pattern: {broken.text}.", pattern.at)
        else:
            self._cel.say("bad-pattern", f"This is no pattern: {found[0].message}", pattern.at)
        return None

    def _prefill(self, question: Question, node: Any) -> Any:
        if node is None or (isinstance(node, source.Scalar) and node.is_null):
            return None
        if isinstance(node, str) and node.startswith("= "):
            at = node.begins if isinstance(node, source.Scalar) else question.at
            return self._cel.value(Expression(node[2:], replace(at, column=at.column + 2)), _target(question))
        literal = typed(node, question.field.type)
        if question.type is QuestionType.MONEY and isinstance(literal, str):
            literal = {"amount": literal, "currency": question.currency}
        wrong = values.accept(question.field, literal)
        if isinstance(wrong, values.Fault):
            self._cel.say("bad-value", f"“{question.name}” {wrong.must}.", getattr(node, "at", question.at))
        return literal

    def _compute(self, question: Question, told: Any) -> Compiled | Lookup | None:
        if told is None:
            return None
        if isinstance(told, Expression):
            return self._cel.value(told, _target(question))
        rows, column = self._table(told["table"]), told["column"]
        if rows and any(column.text not in row for row in rows.values()):
            self._cel.say("unknown-column", f"Not every row of the table has the column “{column.text}”.", column.at)
        row = self._cel.value(told["row"], TEXT)
        return None if row is None else Lookup(rows, row, column.text)


def in_order(questions: tuple[Question, ...]) -> tuple[str, ...]:
    """The names in an order in which each comes after those it depends on; a circle is told by `check.py`."""
    found, _ = ordered({question.name: dependencies(question) for question in questions})
    return found


def dependencies(question: Question) -> frozenset[str]:
    """The names of the questions on whose answers it depends whether it is asked, and with what value or choices."""
    compiled = [question.show, question.prefill, question.compute]
    parts = [each.row if isinstance(each, Lookup) else each for each in compiled]
    names = {name for each in parts if isinstance(each, Compiled) for name in each.names}
    found = {name.split(".")[1] for name in names if name.startswith("answers.")}
    return frozenset(found | ({question.narrowed_by} if question.narrowed_by else set()))


def _target(question: Question) -> Field:
    """What an expression for this question must yield: for money, the amount."""
    return replace(question.field, type=FieldType.DECIMAL) if question.type is QuestionType.MONEY else question.field


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
