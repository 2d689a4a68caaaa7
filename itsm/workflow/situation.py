"""The moment in which a rule is asked: a ticket, a person, a comment and an instant, under the names that expressions use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from itsm.workflow.case import Case, Person, Value
from itsm.workflow.definition import RELATIONS, Workflow


def standing(person: Person, case: Case) -> frozenset[str]:
    """Every word of `by`, `edit` and `see` that is true of a person here: relations to the ticket, and roles.

    A relation is never had by bearing a role of the same name: the role `requester` does not make anyone *the* requester.
    """
    values = case.values
    words = set(person.roles - RELATIONS)
    if values.get("requester") == person.login:
        words.add("requester")
    if values.get("assignee") == person.login:
        words.add("assignee")
    if values.get("group") in person.groups:
        words.add("group")
    if person.login in case.approvers:
        words.add("approver")
    if person.login in case.watchers:
        words.add("watcher")
    return frozenset(words)


class Situation:
    """What expressions see. `values` and `state` may run ahead of `case` while a decision is being made."""

    __slots__ = ("case", "comment", "now", "person", "state", "values", "workflow")

    def __init__(
        self,
        workflow: Workflow,
        case: Case,
        person: Person,
        values: Mapping[str, Value],
        now: datetime,
        comment: str | None = None,
    ) -> None:
        self.workflow = workflow
        self.case = case
        self.person = person
        self.values = values
        self.now = now
        self.comment = comment
        self.state = case.state

    def __getitem__(self, name: str) -> object:
        """The value behind a dotted name; a money field's parts yield the whole amount. Raises `KeyError`."""
        read = _READERS.get(name)
        if read is None:
            read = _READERS[name] = _reader(name)
        return read(self)


def _reader(name: str) -> Callable[[Situation], object]:
    root, _, rest = name.partition(".")
    match root, rest:
        case "ticket", "type":
            return lambda here: here.workflow.name
        case "ticket", "state":
            return lambda here: here.state
        case "ticket", "category":
            return lambda here: here.workflow.states[here.state].category.value
        case "ticket", _:
            field = rest.partition(".")[0]
            return lambda here: here.values.get(field)
        case "tasks", _:
            return lambda here: here.case.tasks.get(rest, 0)
        case "approvals", "deciders":
            return lambda here: sorted(here.case.deciders.logins)
        case "approvals", _:
            return lambda here: here.case.approvals.get(rest, 0)
        case "links", _:
            return lambda here: here.case.links.get(rest, 0)
        case _:
            return _PERSONAL[name]


_PERSONAL: Final[Mapping[str, Callable[[Situation], object]]] = {
    "actor.id": lambda here: here.person.login,
    "actor.roles": lambda here: here.person.roles,
    "actor.groups": lambda here: here.person.groups,
    "actor.organisation": lambda here: here.person.organisation,
    "now": lambda here: here.now,
    "comment": lambda here: here.comment,
}

_READERS: Final[dict[str, Callable[[Situation], object]]] = {}
"""How each name is read, made on first use. Only names of compiled expressions come here, so it stays small."""
