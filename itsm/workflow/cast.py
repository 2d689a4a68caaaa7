"""The people of a scenario: whoever its words name, made up on the spot."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from itsm.workflow.case import SYSTEM_PERSON, Person, Value
from itsm.workflow.definition import Field, FieldType, Scenario, Workflow

_DEFAULT_GROUP = "group-1"


@dataclass(frozen=True, slots=True)
class Cast:
    """Persons by the words that scenarios use for them.

    `requester` is requester-1, with the role of that name; a role is someone who bears it and whatever it includes, and who is
    a member of every group that the scenario or the workflow names (agent-1 for `agent`). `group` is a member of the ticket's
    group, and `assignee` is whoever is assigned, both agents; `approver` and `watcher` are end users who are just that.
    """

    groups: frozenset[str]
    roles_of: Callable[[str], frozenset[str]]

    @classmethod
    def of(
        cls, workflow: Workflow, fields: Mapping[str, Field], scenario: Scenario, roles_of: Callable[[str], frozenset[str]]
    ) -> Cast:
        """The cast of a scenario."""
        steps = [values for step in scenario.steps for values in (step.inputs, step.edit or {})]
        given: list[Mapping[str, object]] = [scenario.fields, *steps, *_written(workflow)]
        kinds = {name for name, field in fields.items() if field.type is FieldType.GROUP}
        named = {value for values in given for name, value in values.items() if name in kinds and isinstance(value, str)}
        return cls(frozenset(named or {_DEFAULT_GROUP}), roles_of)

    def person(self, word: str, values: Mapping[str, Value]) -> Person:
        """Who a word means on a ticket with these values."""
        match word:
            case "system":
                return SYSTEM_PERSON
            case "requester":
                return Person(str(values.get("requester") or "requester-1"), self.roles_of("requester"))
            case "approver" | "watcher":
                return Person(f"{word}-1", self.roles_of("requester"))
            case "assignee":
                return Person(str(values.get("assignee") or "assignee-1"), self.roles_of("agent"), self.groups)
            case "group":
                return Person("member-1", self.roles_of("agent"), frozenset({str(values.get("group") or self.group)}))
            case role:
                return Person(f"{role}-1", self.roles_of(role), self.groups)

    @property
    def group(self) -> str:
        """The group that a ticket belongs to where a scenario only says that it has one."""
        return min(self.groups)

    def premises(self, word: str) -> dict[str, object]:
        """What must be true of the ticket for a word to mean anybody."""
        match word:
            case "assignee":
                return {"assignee": "assignee-1"}
            case "group":
                return {"group": self.group}
            case _:
                return {}


def _written(workflow: Workflow) -> Iterable[Mapping[str, object]]:
    """What the workflow's own actions set."""
    lists = [branch.do for transition in workflow.transitions.values() for branch in transition.branches]
    lists += [rule.do for reaction in workflow.reactions.values() for rule in reaction.rules]
    lists += [timer.do for timer in workflow.timers.values()]
    for action in (action for do in lists for action in do):
        values = action.arguments.get("values") if action.name == "set" else action.arguments
        if action.name in ("set", "assign") and isinstance(values, Mapping):
            yield values
