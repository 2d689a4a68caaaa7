"""A form for programs and for people: the JSON Schema of its answers (draft 2020-12), and a description of what is asked.

Both leave out the questions that a person is never asked. What an answer may bring up stands in the schema without a value of
ours; whether it is asked, and what is proposed, is told once it is.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from itsm.catalog import answers as types
from itsm.catalog.definition import Item, QuestionType
from itsm.catalog.entitlement import Requester
from itsm.catalog.rules import Asked, never_asked
from itsm.platform.time import rfc3339
from itsm.workflow.case import Value

DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"


def json_schema(item: Item, person: Requester, now: datetime) -> dict[str, Any]:
    """What `answers` may be for this person. Conditions cannot be said in it; `x-itsm-conditional` marks what has one."""
    hidden = never_asked(item, person, now)
    questions = [each for each in item.questions if each.name not in hidden and not each.is_computed]
    properties = {}
    for question in questions:
        told = types.json_schema(question)
        conditional = question.show is not None or (question.require is not None and not question.always_required)
        properties[question.name] = told | ({"x-itsm-conditional": True} if conditional else {})
    return {
        "$schema": DRAFT,
        "type": "object",
        "properties": properties,
        "required": [question.name for question in questions if question.always_required],
        "additionalProperties": False,
    }


def form(asked: list[Asked]) -> list[dict[str, Any]]:
    """The questions in their order, as a page would show them."""
    return [_question(each) for each in asked]


def _question(asked: Asked) -> dict[str, Any]:
    question = asked.question
    told: dict[str, Any] = {
        "name": question.name,
        "type": question.type.value,
        "title": question.title,
        "help": question.help,
        "required": asked.required,
        "computed": question.is_computed,
        "value": shown(asked.value),
    }
    if question.choices:
        told["choices"] = [{"value": choice.value, "title": choice.title} for choice in asked.choices]
    bounds = {"min": question.low, "max": question.high, "pattern": question.pattern}
    told |= {name: bound for name, bound in bounds.items() if bound is not None}
    return told | ({"currency": question.currency} if question.type is QuestionType.MONEY else {})


def shown(value: Value) -> Any:
    """An answer as JSON."""
    return rfc3339(value) if isinstance(value, datetime) else value
