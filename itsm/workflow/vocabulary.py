"""The names a practice may use beyond its own: roles, templates, calendars, matrices, workflows, actions, events.

They come from `config/` and from the other files of `workflows/`. A definition can only be read against them: that is how a
misspelt role is found while the file is written, and not when a ticket is stuck.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from marshmallow import ValidationError, validates_schema

from itsm.workflow import source
from itsm.workflow.actions import BUILTIN_ACTIONS, ActionSpec, registry
from itsm.workflow.definition import RELATIONS, SYSTEM, Category
from itsm.workflow.findings import Finding
from itsm.workflow.reading.compounds import Keyed, Named, Part, Several
from itsm.workflow.reading.entries import Matching, Name, NewName, Raw, Text
from itsm.workflow.reading.form import Fault, Form, Names, Noun, fault, read, suggestion

AGENT: Final = "agent"

EVENTS: Final = frozenset(
    {
        "created",
        "requester_replied",
        "agent_replied",
        "approved",
        "rejected",
        "approval_voided",
        "too_few_approvers",
        "routed",
        "passed_on",
        "nobody_available",
        "tasks_done",
        "task_failed",
        "order_held",
        "order_resumed",
        "called_off",
        "children_closed",
        "webhook_succeeded",
        "webhook_failed",
        "webhook_unanswered",
    }
)
"""What can happen to any ticket; further events are named after what stands near it, see `event_names`."""

PLACEHOLDERS: Final = frozenset(
    {
        *(f"ticket.{name}" for name in ("number", "title", "type", "state", "priority", "requester", "group", "assignee")),
        *("ticket.pending_reason", "ticket.resolution", "ticket.due", "recipient.name", "actor.name", "comment", "url", "desk"),
    }
)
"""What may stand in braces in a template. A closed set: a template is no program."""


@dataclass(frozen=True, slots=True)
class Matrix:
    """A value looked up by the values of two fields, the `axes`."""

    name: str
    axes: tuple[str, str]
    cells: Mapping[tuple[str, str], str]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What exists around a practice. `groups`, `policies`, `ladders` or `webhooks` of None are kept elsewhere and not checked.

    `includes` has for each role the roles it holds besides itself, directly or through others.
    """

    roles: frozenset[str] = frozenset()
    templates: frozenset[str] = frozenset()
    calendars: frozenset[str] = frozenset()
    matrices: Mapping[str, Matrix] = field(default_factory=dict)
    workflows: frozenset[str] = frozenset()
    groups: frozenset[str] | None = None
    policies: frozenset[str] | None = None
    ladders: frozenset[str] | None = None
    webhooks: frozenset[str] | None = None
    actions: Mapping[str, ActionSpec] = field(default_factory=lambda: BUILTIN_ACTIONS)
    includes: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def actors(self) -> frozenset[str]:
        """The words of `by`, `edit` and `see`: relations, and roles."""
        return RELATIONS | self.roles | {AGENT, SYSTEM}

    def roles_of(self, role: str) -> frozenset[str]:
        """The role and all roles it includes."""
        return frozenset({role}) | self.includes.get(role, frozenset())


def event_names(workflows: Iterable[str]) -> frozenset[str]:
    """The words of `reactions`, where these workflows exist.

    `parent_closed`: the parent came into a state of that category; likewise a child, or a linked ticket of that workflow.
    """
    categories = [category for category in Category if category is not Category.NEW]
    near = ("parent", "child", *(f"linked_{workflow}" for workflow in workflows))
    return EVENTS | {f"{one}_{category}" for one in near for category in categories}


def load_vocabulary(config: Path, workflows: Path) -> tuple[Vocabulary, list[Finding]]:
    """What the files of an installation say. An absent file says nothing; a faulty one is told and says nothing either."""
    findings: list[Finding] = []
    roles = _read(config / "roles.yaml", _ROLES, Noun.ROLE, findings)
    matrices = _read(config / "priority.yaml", _MATRICES, Noun.MATRIX, findings)
    return Vocabulary(
        roles=frozenset(roles),
        templates=frozenset(_read(config / "templates.yaml", _TEMPLATES, Noun.TEMPLATE, findings)),
        calendars=frozenset(_read(config / "calendars.yaml", _CALENDARS, Noun.CALENDAR, findings)),
        matrices=MappingProxyType({name: _matrix(name, one.value) for name, one in matrices.items()}),
        workflows=workflow_names(workflows),
        policies=_policies(config / "approvals.yaml"),
        ladders=_ladders(config / "escalation.yaml"),
        webhooks=_webhooks(config / "webhooks.yaml"),
        actions=registry(),
        includes=MappingProxyType(_closed({name: frozenset(one.value["includes"]) for name, one in roles.items()})),
    ), findings


def _policies(path: Path) -> frozenset[str]:
    """The names of the policies of approval; what is wrong with them is told by who reads them in earnest."""
    tree, _ = source.parse_file(path) if path.exists() else (None, [])
    policies = tree.get("policies") if isinstance(tree, source.Mapping) else None
    return frozenset(policies) if isinstance(policies, source.Mapping) else frozenset()


def _ladders(path: Path) -> frozenset[str]:
    """The names of the escalation ladders; what is wrong with them is told by who reads them in earnest."""
    tree, _ = source.parse_file(path) if path.exists() else (None, [])
    return frozenset(tree) if isinstance(tree, source.Mapping) else frozenset()


def _webhooks(path: Path) -> frozenset[str]:
    """The names of the receivers of webhooks; what is wrong with them is told by who reads them in earnest."""
    tree, _ = source.parse_file(path) if path.exists() else (None, [])
    webhooks = tree.get("webhooks") if isinstance(tree, source.Mapping) else None
    return frozenset(webhooks) if isinstance(webhooks, source.Mapping) else frozenset()


def workflow_names(directory: Path) -> frozenset[str]:
    """The ticket types that the files of a directory declare, by their line `workflow:` and without reading them further."""
    texts = (source.read(path)[0] for path in sorted(directory.glob("*.yaml")))
    return frozenset(declared["name"] for text in texts if text and (declared := _DECLARED.search(text)))


class TemplateText(Text):
    """A text with placeholders in braces."""

    def take(self, value: Any) -> str:
        text = super().take(value)
        if wrong := [name for name in _BRACES.findall(text) if name not in PLACEHOLDERS]:
            hint = suggestion(wrong[0], PLACEHOLDERS)
            raise fault("unknown-placeholder", f"There is no placeholder {{{wrong[0]}}}.", hint)
        return text


class RoleForm(Form):
    """A role: what it holds of other roles, and what it may."""

    title = Text(load_default="")
    description = Text(load_default="")
    includes = Several(Name(Noun.ROLE), load_default=())
    may = Several(Text(), load_default=())


class TemplateForm(Form):
    """A message to people."""

    subject = TemplateText(load_default="")
    body = TemplateText(required=True)


class MatrixForm(Form):
    """A value for each pair of values of two fields."""

    rows = Text(required=True)
    columns = Text(required=True)
    cells = Named(Text(), Named(Text(), Text(), "columns and values"), "rows", required=True)

    @validates_schema
    def without_gaps(self, data: dict[str, Any], **_: object) -> None:
        """Every row has every column: a gap would be a ticket without a priority."""
        columns = {column for row in data["cells"].values() for column in row.value}
        gaps = {name: sorted(columns - row.value.keys()) for name, row in data["cells"].items() if columns - row.value.keys()}
        if gaps:
            told = {name: [Fault("matrix-gap", f"The row “{name}” has no {', '.join(gap)}.")] for name, gap in gaps.items()}
            raise ValidationError({"cells": told})


_KEY: Final = "[a-z][a-z0-9_-]{0,62}"
_BRACES: Final = re.compile(r"\{([^{}]*)\}")
_DECLARED: Final = re.compile(r"^workflow:[ \t]*[\"']?(?P<name>[a-z][a-z0-9_]*)", re.MULTILINE)
_ROLES: Final = Named(NewName("role"), Part(RoleForm()), "roles")
_MATRICES: Final = Named(NewName("matrix"), Part(MatrixForm()), "matrices")
_TEMPLATES: Final = Named(Matching(_KEY, "bad-name", "a name for a template"), Part(TemplateForm()), "templates")
_CALENDARS: Final = Named(Matching(_KEY, "bad-name", "a name for a calendar"), Raw(), "calendars")


def _read(path: Path, entry: Named, noun: Noun, findings: list[Finding]) -> dict[str, Keyed[Any]]:
    """What a file says by name; its faults go to `findings`."""
    tree, faults = source.parse_file(path) if path.exists() else (None, [])
    findings += faults
    if tree is None:
        return {}
    own = frozenset(tree) if isinstance(tree, source.Mapping) else frozenset()
    found, faults = read(entry, tree, Names({noun: own}))
    findings += faults
    return found or {}


def _matrix(name: str, data: Mapping[str, Any]) -> Matrix:
    cells = {(row, column): cell.value for row, columns in data["cells"].items() for column, cell in columns.value.items()}
    return Matrix(name, (data["rows"], data["columns"]), MappingProxyType(cells))


def _closed(direct: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    """For each role all that it includes, however far."""
    return {role: frozenset(_reached(role, direct)) for role in direct}


def _reached(role: str, direct: Mapping[str, frozenset[str]]) -> set[str]:
    found: set[str] = set()
    waiting = [role]
    while waiting:
        new = direct.get(waiting.pop(), frozenset()) - found
        found |= new
        waiting += new
    return found
