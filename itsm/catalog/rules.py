"""What the catalogue decides of a form: which questions are asked, what an answer is worth, what it costs. Pure.

One reading of a form serves every path. `fill` judges what was sent; `offer` says what to show to somebody who has got so far.
Both go through the questions in the order of their dependencies, and an answer to a question that is not asked counts as one to
a question that does not exist: of what is hidden, neither the value nor the name is taken or given away.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from itsm.catalog import answers as types
from itsm.catalog.definition import MONTHS_COUNTED, Choice, Item, Lookup, Question, QuestionType
from itsm.catalog.entitlement import Requester
from itsm.platform.errors import FieldError
from itsm.workflow.case import Value
from itsm.workflow.definition import FieldType
from itsm.workflow.expression import Compiled, EvaluationError
from itsm.workflow.values import Fault, from_expression

_CENT: Final = Decimal("0.01")


@dataclass(slots=True)
class Reading:
    """A form being gone through: what is asked, and every variable as it stands."""

    item: Item
    now: datetime
    variables: dict[str, object]
    shown: dict[str, bool] = field(default_factory=dict)
    values: dict[str, Value] = field(default_factory=dict)

    def put(self, question: Question, value: Value) -> None:
        """Let a question have this value, for all that depend on it."""
        name = f"answers.{question.name}"
        self.values[question.name] = self.variables[name] = value
        if question.field.type is FieldType.MONEY:
            self.variables[f"{name}.amount"] = self.variables[f"{name}.currency"] = value

    def holds(self, condition: Compiled | None) -> bool:
        """Whether a condition is true; what cannot be answered yet is not."""
        return condition is not None and condition.evaluate(self.variables) is True

    def choices(self, question: Question) -> tuple[Choice, ...]:
        """The choices that are left, where an earlier answer narrows them."""
        if question.narrowed_by is None:
            return question.choices
        kin = self.values.get(question.narrowed_by)
        return tuple(choice for choice in question.choices if choice.kin == kin)

    def computed(self, question: Question) -> Value:
        """The value of a computed question; none where it cannot be worked out (yet)."""
        source = question.compute
        if isinstance(source, Lookup):
            row = source.table.get(str(source.row.value(self.variables)), {})
            return self.made(question, _from_cell(question, row.get(source.column)))
        return None if source is None else self.made(question, source.value(self.variables))

    def proposed(self, question: Question) -> Value:
        """What a form proposes for a question that nobody has answered."""
        told = question.prefill
        return self.made(question, told.value(self.variables) if isinstance(told, Compiled) else told)

    def made(self, question: Question, raw: object) -> Value:
        """A value of ours as an answer; none where it is not one."""
        if raw is None or isinstance(raw, EvaluationError):
            return None
        if question.type is QuestionType.MONEY and isinstance(raw, int | float):
            raw = {"amount": str(_cents(raw)), "currency": question.currency}
        if question.type is QuestionType.DATETIME and isinstance(raw, datetime):
            return raw
        found = types.accept(question, from_expression(question.field, raw), self.now)
        if isinstance(found, Fault) or (isinstance(found, str) and not self.fits(question, found)):
            return None
        return found

    def fits(self, question: Question, value: Value) -> bool:
        """Whether a chosen value is among the choices that are left."""
        if question.narrowed_by is None or value is None:
            return True
        left = {choice.value for choice in self.choices(question)}
        return left.issuperset(value if isinstance(value, list) else [str(value)])


@dataclass(frozen=True, slots=True)
class Filled:
    """A form as it was filled: the answers in the order of the form, and every fault of what was sent."""

    answers: Mapping[str, Value]
    variables: Mapping[str, object]
    errors: tuple[FieldError, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as somebody finds it: `value` is his answer so far, or what is proposed or computed."""

    question: Question
    choices: tuple[Choice, ...]
    required: bool
    value: Value


@dataclass(frozen=True, slots=True)
class Charge:
    """What an order costs, once and by the month; None where nothing is charged, or it is not known yet."""

    currency: str
    once: Decimal | None
    monthly: Decimal | None

    @property
    def first_year(self) -> Decimal | None:
        """What is charged within a year: the figure that approvers decide on."""
        if self.once is None and self.monthly is None:
            return None
        return (self.once or Decimal()) + MONTHS_COUNTED * (self.monthly or Decimal())


# Forms


def never_asked(item: Item, person: Requester, now: datetime) -> frozenset[str]:
    """The questions that this person is never asked, whatever he answers: for him they do not exist."""
    names, hidden = person.names(now), set()
    for name in item.order:
        question = item.by_name[name]
        if question.show is None or not question.show.names <= names.keys() or question.show.evaluate(names) is True:
            continue
        hidden.add(name)
        unanswered = {f"answers.{name}", f"answers.{name}.amount", f"answers.{name}.currency"}
        names |= dict.fromkeys(unanswered, None)  # what looks at it alone is never asked either
    return frozenset(hidden)


def fill(item: Item, person: Requester, raw: Mapping[str, object], now: datetime) -> Filled:
    """Judge the answers that were sent: every fault at once, by JSON pointer."""
    reading = Reading(item, now, person.names(now))
    faults: dict[str, FieldError] = {}
    for name in item.order:
        question = item.by_name[name]
        value, wrong = _answer(reading, question, raw)
        reading.put(question, value)
        if wrong is not None:
            faults[name] = wrong
    unknown = [name for name in raw if not reading.shown.get(name)]
    faults |= {name: fault(name, "unknown_answer", f"There is no question “{name}” here.") for name in unknown}
    for question in item.questions:
        if question.name not in faults and reading.shown[question.name]:
            faults |= _required_or_wrong(reading, question)
    told = {question.name: reading.values[question.name] for question in item.questions}
    answers = {name: value for name, value in told.items() if value is not None}
    return Filled(answers, reading.variables, tuple(faults.values()))


def _answer(reading: Reading, question: Question, raw: Mapping[str, object]) -> tuple[Value, FieldError | None]:
    """What a question is answered with, and what is wrong with it."""
    shown = reading.shown[question.name] = question.show is None or reading.holds(question.show)
    if not shown:
        return None, None
    if question.is_computed:
        sent = question.name in raw
        wrong = fault(question.name, "computed", "The desk works this out; leave it out.") if sent else None
        return reading.computed(question), wrong
    if question.name not in raw:
        return None, None
    found = types.accept(question, raw[question.name], reading.now)
    if isinstance(found, Fault):
        return None, fault(question.name, "invalid_value", f"“{question.title}” {found.must}.")
    if not reading.fits(question, found):
        left = ", ".join(choice.value for choice in reading.choices(question)[:10]) or "nothing"
        return None, fault(question.name, "invalid_value", f"“{question.title}” can be {left} with the other answers.")
    return found, None


def _required_or_wrong(reading: Reading, question: Question) -> Mapping[str, FieldError]:
    name, value = question.name, reading.values[question.name]
    if value is None:
        missing = not question.is_computed and reading.holds(question.require)
        return {name: fault(name, "required", f"“{question.title}” must be answered.")} if missing else {}
    for rule in question.rules:
        if rule.holds.evaluate(reading.variables) is False:
            return {name: fault(name, "rule_broken", rule.say)}
    return {}


def offer(item: Item, person: Requester, given: Mapping[str, object], now: datetime) -> tuple[list[Asked], Reading]:
    """The questions that are asked, given what has been answered so far; proposals stand where there is no answer.

    Answers that cannot be are passed over here; `fill` tells of them.
    """
    reading = Reading(item, now, person.names(now))
    for name in item.order:
        question = item.by_name[name]
        value, _ = _answer(reading, question, given)
        if value is None and reading.shown[name] and not question.is_computed and name not in given:
            value = reading.proposed(question)
        reading.put(question, value)
    asked = [
        Asked(
            question,
            reading.choices(question),
            not question.is_computed and reading.holds(question.require),
            reading.values[question.name],
        )
        for question in item.questions
        if reading.shown[question.name]
    ]
    return asked, reading


# What follows from the answers


def charge(item: Item, variables: Mapping[str, object]) -> Charge:
    """What it costs, as far as that can be said."""
    price = item.price
    return Charge(price.currency, _amount(price.once, variables), _amount(price.monthly, variables))


def first_year(price: Mapping[str, Any]) -> Decimal | None:
    """What is charged within a year for an order whose price is written down like this."""
    amounts = (None if price[name] is None else Decimal(price[name]) for name in ("once", "monthly"))
    return Charge(price["currency"], *amounts).first_year


def is_open(item: Item, charged: Charge) -> bool:
    """Whether a price that there is to be could not be worked out."""
    return any(
        wanted is not None and found is None
        for wanted, found in ((item.price.once, charged.once), (item.price.monthly, charged.monthly))
    )


def _amount(source: Decimal | Compiled | None, variables: Mapping[str, object]) -> Decimal | None:
    if not isinstance(source, Compiled):
        return source
    if any(name not in variables for name in source.names):
        return None
    found = source.value(variables)
    return _cents(found) if isinstance(found, int | float) and not isinstance(found, bool) and found >= 0 else None


def said(source: object, variables: Mapping[str, object]) -> Any:
    """A text or value of a definition, worked out where it is an expression; None where that has no answer."""
    if not isinstance(source, Compiled):
        return source
    found = source.value(variables)
    return None if isinstance(found, EvaluationError) else found


def _cents(number: float) -> Decimal:
    return Decimal(str(number)).quantize(_CENT, ROUND_HALF_UP)


def fault(name: str, code: str, message: str) -> FieldError:
    """A fault of the answer to a question."""
    return FieldError("/answers/" + name.replace("~", "~0").replace("/", "~1"), code, message)


def _from_cell(question: Question, cell: object) -> object:
    """What a cell of a table says for a question of this type: tables hold text."""
    if not isinstance(cell, str):
        return cell
    try:
        match question.field.type:
            case FieldType.INTEGER:
                return int(cell)
            case FieldType.DECIMAL | FieldType.MONEY:
                return float(cell)
            case FieldType.BOOLEAN:
                return {"true": True, "false": False}.get(cell.lower())
            case FieldType.MULTI_CHOICE:
                return [cell]
            case _:
                return cell
    except ValueError:
        return None
