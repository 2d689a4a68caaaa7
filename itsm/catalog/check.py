"""What is proved of an item before it is published: no circles among questions or tasks, and no question that is never asked.

Whether a condition can hold is tried out over everything its names can be, as long as that is a choice, a truth value or
nothing; of texts, numbers and the requester nothing is guessed, and nothing is said.
"""

from __future__ import annotations

from itertools import product
from math import prod
from typing import Final

from itsm.catalog.definition import Item, Question, QuestionType
from itsm.catalog.graph import ordered
from itsm.catalog.questions import dependencies
from itsm.workflow.case import Value
from itsm.workflow.findings import Finding, Severity

MOST_TRIED: Final = 2_000
"""Combinations of answers that are tried for one condition."""


def check_item(item: Item) -> list[Finding]:
    """Every error of an item that its parts alone do not show."""
    return [*_circles(item), *_never_asked(item)]


def _circles(item: Item) -> list[Finding]:
    found = []
    _, circle = ordered({key: frozenset(after) for key, after in item.after.items()})
    if circle:
        words = "tasks" if item.parts.keys().isdisjoint(circle) else "tasks and items"
        message = f"These {words} wait for each other: {' → '.join(circle)}."
        at = item.parts[circle[0]].at if circle[0] in item.parts else item.tasks[circle[0]].at
        found.append(Finding("task-circle", Severity.ERROR, message, at, "Let one begin without another."))
    _, circle = ordered({question.name: dependencies(question) for question in item.questions})
    if circle:
        message = f"These questions depend on each other: {' → '.join(circle)}."
        found.append(Finding("question-circle", Severity.ERROR, message, item.by_name[circle[0]].at, "Take one of them out."))
    return found


def _never_asked(item: Item) -> list[Finding]:
    """Questions whose `show` holds for no answers, also because those that it looks at are never asked themselves."""
    lost: set[str] = set()
    found = []
    for name in item.order:
        question = item.by_name[name]
        if question.show is None or _can_hold(item, question, lost):
            continue
        lost.add(name)
        message = f"The question “{name}” is never asked: {question.show.text} never holds."
        found.append(Finding("unreachable-question", Severity.ERROR, message, question.show.expression.at))
    return found


def _can_hold(item: Item, question: Question, lost: set[str]) -> bool:
    """Whether the condition holds for some answers; True where that is not decided."""
    assert question.show is not None
    names = sorted(question.show.names)
    domains = [_domain(item, name, lost) for name in names]
    if any(domain is None for domain in domains):
        return True
    tried = [domain for domain in domains if domain is not None]
    if prod(map(len, tried)) > MOST_TRIED:
        return True
    return any(question.show.evaluate(dict(zip(names, values, strict=True))) is True for values in product(*tried))


def _domain(item: Item, name: str, lost: set[str]) -> list[Value] | None:
    """Everything that a name can stand for, or None where there is no end to it."""
    root, _, rest = name.partition(".")
    if root != "answers":
        return None
    asked = item.by_name[rest.split(".")[0]]
    if asked.name in lost:
        return [[]] if asked.type is QuestionType.MULTI_CHOICE else [None]
    if asked.type is QuestionType.CHOICE:
        return [None, *asked.field.choices]
    if asked.type is QuestionType.BOOLEAN:
        return [None, True, False]
    if asked.type is QuestionType.MULTI_CHOICE and len(asked.field.choices) <= 8:
        choices = asked.field.choices
        return [[each for bit, each in enumerate(choices) if number >> bit & 1] for number in range(1 << len(choices))]
    return None
