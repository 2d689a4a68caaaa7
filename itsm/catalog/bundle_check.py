"""What is proved of bundles before they are published: that each ends, and that its items' forms can be filled from its own.

It is asked of all items of a catalogue at once, for each may contain any other. A published version is not asked again: what it
contains is pinned when it is ordered, and judged then.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from itsm.catalog.compiling import Compiler
from itsm.catalog.definition import CHOSEN, MOST_LEVELS, Item, Part, Question, QuestionType
from itsm.catalog.graph import ordered
from itsm.workflow import values
from itsm.workflow.definition import FieldType, Position
from itsm.workflow.expression import Compiled

_MEANT: Final = re.compile(r"(answers|requester)\.[a-z_]+$")
"""What hardly anybody means as a text."""


def check_bundles(items: Mapping[str, Item], cel: Compiler) -> None:
    """Add every error of the bundles among these items to the compiler's findings."""
    bundles = [item for item in items.values() if item.parts]
    if not bundles or _circle(items, cel):
        return
    for item in bundles:
        for part in item.parts.values():
            inner = items.get(part.item)
            if inner is None:
                cel.say("unknown-item", f"There is no item “{part.item}”.", part.at, items)
            else:
                _check_part(cel, item, part, inner)
        if (levels := _levels(item, items)) > MOST_LEVELS:
            cel.say("bundle-too-deep", f"Here {levels} bundles lie in each other; {MOST_LEVELS} may.", item.at)


def _circle(items: Mapping[str, Item], cel: Compiler) -> bool:
    """Whether a bundle contains itself, which is told where it begins."""
    contains = {key: frozenset(part.item for part in item.parts.values()) for key, item in items.items()}
    _, circle = ordered(contains)
    if circle:
        cel.say("bundle-circle", f"These bundles contain each other: {' → '.join(circle)}.", items[circle[0]].at)
    return bool(circle)


def _levels(item: Item, items: Mapping[str, Item]) -> int:
    inner = (items[part.item] for part in item.parts.values() if part.item in items)
    return 1 + max((_levels(each, items) for each in inner), default=0) if item.parts else 0


def _check_part(cel: Compiler, bundle: Item, part: Part, inner: Item) -> None:
    if inner.makes != "request":
        cel.say("misplaced-key", f"“{part.item}” makes a ticket of {inner.makes}; a bundle consists of requests.", part.at)
    if bundle.sums_up and not inner.sums_up and inner.price.currency != bundle.price.currency and _is_priced(inner):
        message = f"The price of “{part.item}” is in {inner.price.currency}, and the bundle sums up {bundle.price.currency}."
        cel.say("bad-currency", message, part.at)
    asked = inner.by_name
    takes = {name for name, question in asked.items() if not question.is_computed and question.type is not QuestionType.FILE}
    for name, value in part.answers.items():
        if name not in takes:
            message = f"“{part.item}” has no question “{name}” that could be answered here."
            cel.say("unknown-answer", message, _place(value, part), takes)
        else:
            _check_answer(cel, bundle, part, asked[name], value)
    for question in _unanswered(part, inner):
        message = f"“{part.item}” must be told “{question.name}”: it is always required, and nothing is proposed for it."
        cel.say("missing-answer", message, part.at)


def _place(value: object, part: Part) -> Position:
    return value.expression.at if isinstance(value, Compiled) else part.at


def _check_answer(cel: Compiler, bundle: Item, part: Part, question: Question, value: object) -> None:
    """Whether a value, or what an expression yields, can be an answer to the question at all."""
    if isinstance(value, str) and _MEANT.match(value):
        cel.say("bad-value", f"This is the text “{value}”; the answer itself is “= {value}”.", part.at)
        return
    if not isinstance(value, Compiled):
        if isinstance(wrong := values.accept(question.field, value), values.Fault):
            cel.say("bad-value", f"“{question.name}” of “{part.item}” {wrong.must}.", part.at)
        return
    source = _source(bundle, value)
    if source is not None and source.type == question.type and question.type not in CHOSEN:
        return  # the same kind of answer, handed on as it is
    cel.over(bundle.questions)
    money = replace(question.field, type=FieldType.DECIMAL) if question.type is QuestionType.MONEY else question.field
    cel.value(value.expression, money)


def _source(bundle: Item, value: Compiled) -> Question | None:
    """The question whose answer an expression hands on as it is."""
    name = value.text.strip().removeprefix("answers.")
    return bundle.by_name.get(name)


def _unanswered(part: Part, inner: Item) -> Iterator[Question]:
    for question in inner.questions:
        proposed = question.is_computed or question.prefill is not None
        if question.always_required and not proposed and question.name not in part.answers:
            yield question


def _is_priced(item: Item) -> bool:
    return item.price.once is not None or item.price.monthly is not None
