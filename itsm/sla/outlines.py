"""What promises need to know of a workflow: its fields, states and transitions by name. Kept with each agreement.

A workflow's whole text takes ten times as long to read, and nothing else in it can change what a promise means.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson

from itsm.workflow import source
from itsm.workflow.definition import Category, Field, FieldType, Position, State, Transition, Workflow

_HERE: Final = Position("", 1, 1)


def outline(text: str) -> tuple[str, str] | None:
    """The name and the outline of the workflow in a text; None for a text that is none. Faults are for others to tell."""
    tree, _ = source.parse(text, "")
    if not isinstance(tree, source.Mapping) or not isinstance(tree.get("workflow"), str):
        return None
    fields = {str(name): _field(node) for name, node in _entries(tree, "fields")}
    states = {str(name): str(node["category"]) for name, node in _entries(tree, "states") if "category" in node}
    transitions = tree.get("transitions")
    triggers = list(map(str, transitions)) if isinstance(transitions, source.Mapping) else []
    told = {"fields": fields, "states": states, "transitions": triggers}
    return str(tree["workflow"]), orjson.dumps(told, option=orjson.OPT_SORT_KEYS).decode()


def outlined(outlines: Mapping[str, str]) -> dict[str, Workflow]:
    """Workflows as far as their outlines tell them: without a branch, and good for nothing but reading promises."""
    return {name: _workflow(name, orjson.loads(text)) for name, text in outlines.items()}


def _entries(tree: source.Mapping, key: str) -> Iterable[tuple[str, source.Mapping]]:
    section = tree.get(key)
    if not isinstance(section, source.Mapping):
        return []
    return [(str(name), node) for name, node in section.items() if isinstance(node, source.Mapping)]


def _field(node: source.Mapping) -> dict[str, Any]:
    choices = node.get("choices") or ()
    several = choices if isinstance(choices, list) else (choices,) if choices else ()
    return {"type": str(node.get("type", FieldType.TEXT)), "choices": [str(choice) for choice in several]}


def _workflow(name: str, told: Mapping[str, Any]) -> Workflow:
    fields = {
        field: Field(field, FieldType(one["type"]), _HERE, choices=tuple(one["choices"]))
        for field, one in told["fields"].items()
    }
    states = {state: State(state, Category(category), _HERE) for state, category in told["states"].items()}
    transitions = {trigger: Transition(trigger, (), _HERE) for trigger in told["transitions"]}
    return Workflow(name, name, "", fields, states, next(iter(states), ""), transitions, {}, {}, (), (), "", "", _HERE)
