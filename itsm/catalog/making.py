"""Makes items of data whose form is right: names are looked up, expressions compiled, the parts put together.

Whatever does not fit becomes a finding at its place, and the making goes on, so that all faults are told at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from itsm.catalog.compiling import AMOUNT, TEXT, Around, Compiler
from itsm.catalog.definition import Entitlement, Item, Offer, Part, Price, Question, Service, Task
from itsm.catalog.questions import Questioner, Rows, in_order
from itsm.workflow import expression, values
from itsm.workflow.builtin import BUILTIN_FIELDS
from itsm.workflow.definition import Expression, Field, Position
from itsm.workflow.findings import Finding
from itsm.workflow.reading.compounds import Keyed

_TASK: Final = "task"

AUTOMATION: Final = "automation"
"""The field of work tasks that names their webhook; that of its input has its name and `_input`."""


class Maker:
    """Makes items. Findings are added to the list that it is given."""

    def __init__(
        self,
        services: Mapping[str, Keyed[Any]],
        tables: Mapping[str, Rows],
        sets: Mapping[str, Keyed[Any]],
        sources: Mapping[str, str],
        around: Around,
        findings: list[Finding],
    ) -> None:
        self._services = services
        self._cel = Compiler(sources, around, findings)
        self._questioner = Questioner(self._cel, tables, sets)

    def item(self, key: str, one: Keyed[Any], synonyms: Iterable[Iterable[str]]) -> Item | None:
        """The item, or None if one of its parts is missing altogether."""
        data = one.value
        before = len(self._cel.findings)
        self._cel.over(())
        entitlement, service = self._entitlement(data), self._service(data["service"])
        questions = self._questions(data["form"])
        if len(self._cel.findings) > before or service is None:
            return None
        return Item(
            key=key,
            title=data["title"],
            description=data["description"],
            category=data["category"],
            icon=data["icon"],
            service=service,
            keywords=tuple(data["keywords"]),
            synonyms=tuple(tuple(group) for group in synonyms),
            entitlement=entitlement,
            price=self._price(data["price"]),
            deliver=data["deliver"],
            calendar=data["calendar"],
            makes=data["makes"],
            approval=self._approval(data["approval"]),
            ticket_title=self._cel.said(data["ticket_title"]),
            group=self._cel.said(data["group"]),
            fields=self._fields(data, data["makes"], one.at),
            questions=questions,
            order=in_order(questions),
            tasks=self._tasks(data),
            at=one.at,
            parts=self._parts(data),
            on_hold=data["on_hold"],
            on_cancel=data["on_cancel"],
        )

    def _questions(self, form: Mapping[str, Keyed[Any]]) -> tuple[Question, ...]:
        """The questions of a form; without their expressions while there is something wrong with the questions themselves."""
        before = len(self._cel.findings)
        asked = [one for each in self._questioner.flat(form) if (one := self._questioner.bare(*each)) is not None]
        questions = tuple(question for question, _ in asked)
        if len(self._cel.findings) > before:
            return questions
        self._cel.over(questions)
        return tuple(self._questioner.finished(question, data) for question, data in asked)

    @staticmethod
    def named(item: Item, text: str, digest: str) -> Item:
        """The item with its canonical text."""
        return replace(item, source=text, digest=digest)

    # Who, and what around

    def _service(self, name: Expression) -> Service | None:
        one = self._services.get(name.text)
        if one is None:
            self._cel.say("unknown-service", f"There is no service “{name.text}” in the catalogue.", name.at, self._services)
            return None
        data = one.value
        return Service(name.text, data["title"], data["description"], data["icon"], self._entitlement(data))

    def _entitlement(self, data: Mapping[str, Any]) -> Entitlement:
        return Entitlement(
            tuple(self._offer(each) for each in data["offered_to"]), tuple(self._offer(each) for each in data["denied_to"])
        )

    def _offer(self, data: Mapping[str, Any]) -> Offer:
        named = {name: frozenset(data[name]) for name in ("organisations", "departments", "locations", "roles")}
        return Offer(**named, condition=self._cel.condition(data["condition"]))

    def _approval(self, name: Expression | None) -> str | None:
        if name is None:
            return None
        known = self._cel.around.policies
        if known is not None and name.text not in known | {"none"}:
            self._cel.say("unknown-policy", f"There is no approval policy “{name.text}”.", name.at, known)
        return name.text

    def _price(self, data: Mapping[str, Any] | None) -> Price:
        if data is None:
            return Price()
        parts = {name: self._amount(data[name]) for name in ("once", "monthly")}
        return Price(data["currency"], **parts)

    def _amount(self, value: Any) -> Any:
        return self._cel.value(value, AMOUNT) if isinstance(value, Expression) else value

    def _fields(self, data: Mapping[str, Any], workflow: str, at: Position) -> Mapping[str, object]:
        """Values for a ticket's fields: each must be one that the workflow has, and fit it."""
        known = self._cel.around.workflows
        declared = None if known is None or workflow not in known else {**BUILTIN_FIELDS, **known[workflow].fields}
        found: dict[str, object] = {}
        for name, value in data["fields"].items():
            place = value.at if isinstance(value, Expression) else at
            target = (declared or {}).get(name, TEXT if isinstance(value, Expression) else None)
            if declared is not None and name not in declared:
                self._cel.say("unknown-field", f"The workflow {workflow} has no field “{name}”.", place, declared)
            elif isinstance(value, Expression):
                free = declared is None and isinstance(target, Field)
                found[name] = self._cel.kept(
                    expression.compile_value(value, self._cel.scope(value.at), None if free else target)
                )
            elif target is not None and isinstance(wrong := values.accept(target, value), values.Fault):
                self._cel.say("bad-value", f"“{name}” {wrong.must}.", place)
            else:
                found[name] = value
        return MappingProxyType(found)

    # Tasks

    def _tasks(self, data: Mapping[str, Any]) -> Mapping[str, Task]:
        tasks = data["tasks"]
        if tasks and data["makes"] != "request":
            first = next(iter(tasks.values()))
            self._cel.say("misplaced-key", f"Only a request has tasks; a ticket of {data['makes']} goes its own way.", first.at)
        return MappingProxyType({key: self._task(key, one, {**data["items"], **tasks}) for key, one in tasks.items()})

    def _known(self, after: Iterable[Expression], plan: Mapping[str, Keyed[Any]]) -> tuple[str, ...]:
        """What something comes after: tasks and items of the same plan."""
        names = tuple(after)
        for each in names:
            if each.text not in plan:
                self._cel.say("unknown-task", f"There is no task or item “{each.text}” here.", each.at, plan)
        return tuple(each.text for each in names)

    def _task(self, key: str, one: Keyed[Any], plan: Mapping[str, Keyed[Any]]) -> Task:
        data = one.value
        self._automated(data, one.at)
        return Task(
            key=key,
            at=one.at,
            title=self._cel.said(data["title"]) or key,
            description=self._cel.said(data["description"]) or "",
            group=self._cel.said(data["group"]),
            after=self._known(data["after"], plan),
            condition=self._cel.condition(data["condition"]),
            fields=self._fields(data, _TASK, one.at),
            webhook=data["webhook"],
            input=MappingProxyType({name: self._answer(value) for name, value in data["input"].items()}),
        )

    def _automated(self, data: Mapping[str, Any], at: Position) -> None:
        """A task that an automation does needs a workflow that calls it."""
        known = self._cel.around.workflows
        if data["webhook"] is None:
            if data["input"]:
                self._cel.say("misplaced-key", "A task that people do has no input: they read its description.", at)
        elif known is not None and _TASK in known and AUTOMATION not in known[_TASK].fields:
            self._cel.say("unknown-field", f"The workflow {_TASK} has no field “{AUTOMATION}”: it calls no webhook.", at)

    # Items within it

    def _parts(self, data: Mapping[str, Any]) -> Mapping[str, Part]:
        parts, plan = data["items"], {**data["items"], **data["tasks"]}
        if parts and data["makes"] != "request":
            first = next(iter(parts.values()))
            self._cel.say("misplaced-key", f"Only a request has items; a ticket of {data['makes']} goes its own way.", first.at)
        for key in parts.keys() & data["tasks"].keys():
            self._cel.say("duplicate-item", f"“{key}” is both a task and an item here.", parts[key].at)
        return MappingProxyType({key: self._part(key, one, plan) for key, one in parts.items()})

    def _part(self, key: str, one: Keyed[Any], plan: Mapping[str, Keyed[Any]]) -> Part:
        data = one.value
        return Part(
            key=key,
            at=one.at,
            item=key if data["item"] is None else data["item"].text,
            title=self._cel.said(data["title"]),
            after=self._known(data["after"], plan),
            condition=self._cel.condition(data["condition"]),
            answers=MappingProxyType({name: self._answer(value) for name, value in data["answers"].items()}),
            if_refused=data["if_refused"],
            approval=self._approval(data["approval"]),
        )

    def _answer(self, value: object) -> object:
        """An answer that a bundle gives to one of its items, or a value for an automation; its type is theirs to say."""
        if not isinstance(value, Expression):
            return value
        return self._cel.kept(expression.compile_value(value, self._cel.scope(value.at)))
