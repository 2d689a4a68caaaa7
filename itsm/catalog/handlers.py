"""How the catalogue answers what happens to tickets: an order is kept, its tasks begin, one after the other, and end with it.

A plan moves on as the tasks close: each tells its request, in a transaction of the request's own, and whatever has been waited
for begins. A task that is planned counts as an open one, so that no request is fulfilled while work is still to come.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa

from itsm.catalog import bundles, plan, queries, reach, rules, shelf
from itsm.catalog.bundles import Pinned
from itsm.catalog.commands import Placing, as_ticket
from itsm.catalog.definition import Item, Question, Task
from itsm.catalog.entitlement import Requester
from itsm.catalog.making import AUTOMATION
from itsm.catalog.models import CatalogFile, CatalogOrder, CatalogPart, CatalogTask
from itsm.catalog.plan import Planned, Stage
from itsm.catalog.queries import Order
from itsm.catalog.rules import Filled, Reading
from itsm.catalog.standing import add_items, as_plan, planned
from itsm.people.access import Channel
from itsm.platform.database import Prepared
from itsm.platform.schema import table
from itsm.tickets import attachments, facts, opening, records, references
from itsm.tickets.desk import Happened, Tx
from itsm.tickets.opening import NewTicket
from itsm.tickets.records import Record
from itsm.workflow.builtin import LONGEST
from itsm.workflow.builtin_actions import Visibility
from itsm.workflow.case import Effect, Value
from itsm.workflow.definition import Category, FieldType

ACTION = "fulfil_order"

_ORDERS, _TASKS, _FILES, _PARTS = table(CatalogOrder), table(CatalogTask), table(CatalogFile), table(CatalogPart)
_TICKET: sa.BindParameter[Any] = sa.bindparam("ticket")
_KEEP = Prepared(
    sa.insert(_ORDERS).values(
        {
            name: sa.bindparam(name)
            for name in (
                "ticket_id",
                "item",
                "version_id",
                "answers",
                "price",
                "requested_for_id",
                "ordered_by_id",
                "promised_at",
                "ordered_at",
            )
        }
    )
)
_GIVE = Prepared(sa.update(_FILES).where(_FILES.c.id == sa.bindparam("file")).values(ticket_id=_TICKET))
_PLANNED = Prepared(
    sa.insert(_TASKS).values({name: sa.bindparam(name) for name in ("ticket_id", "key", "after", "stage")} | {"task_id": None})
)
_PIN = Prepared(
    sa.insert(_PARTS).values({name: sa.bindparam(name) for name in ("ticket_id", "key", "version_id", "if_refused", "pinned")})
)
_PINNED = Prepared(
    sa.select(CatalogPart.key, CatalogPart.version_id, CatalogPart.pinned).where(CatalogPart.ticket_id == _TICKET)
)
_BEGUN = Prepared(
    sa.update(_TASKS)
    .where(_TASKS.c.ticket_id == sa.bindparam("of"), _TASKS.c.key == sa.bindparam("named"))
    .values(task_id=sa.bindparam("begun"))
)
_DROP = Prepared(
    sa.update(_TASKS)
    .where(_TASKS.c.ticket_id == sa.bindparam("of"), _TASKS.c.stage == Stage.PLANNED.value, _TASKS.c.task_id.is_(None))
    .values(stage=Stage.DROPPED.value)
)
_AT_WORK = frozenset({Category.NEW.value, Category.OPEN.value})
"""Where tasks begin; while a request is on hold, or waits for an approval anew, nothing more is begun."""


_ENDS = frozenset({f"child_{Category.RESOLVED}", f"child_{Category.CLOSED}"})


@dataclass(frozen=True, slots=True)
class _Fresh:
    """An order that was kept in this very transaction: what is known of it need not be read again."""

    ticket_id: int
    order: Order
    variables: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class _Begun:
    """A plan that was begun in the transition at hand, and need not be looked at again after it."""

    ticket_id: int


def answer(tx: Tx, happened: Happened) -> None:
    """What the catalogue does when something happens to a ticket, or near it."""
    record = happened.record
    if happened.what == "created":
        placing = tx.cache.pop(Placing, None)
        if isinstance(placing, Placing):
            keep(tx, record, placing)
    elif not plans(record):
        return
    elif happened.what == "moved":
        _moved(tx, record, happened.source)
    elif happened.what.startswith("child_") and record.category != Category.CLOSED:
        rows = planned(tx, record)
        if record.category in _AT_WORK:
            _go_on(tx, record, as_plan(rows))
        if happened.what in _ENDS:
            reach.item_ended(tx, record, rows, happened.source)


def _moved(tx: Tx, record: Record, source: str | None) -> None:
    """What a request's new state means for its plan: it goes on, waits, or is at an end."""
    before = None if source is None else record.process.workflow.category(source)
    if record.category == Category.CLOSED:
        tx.session.run(_DROP, of=record.id)
        reach.ended(tx, record)
    elif record.category == Category.PENDING and before is Category.OPEN:
        reach.held(tx, record)
    elif record.category in _AT_WORK:
        rows = _carry_on(tx, record)
        if before is Category.PENDING:
            reach.resumed(tx, record, rows)
            reach.follow_above(tx, record)


def keep(tx: Tx, record: Record, placing: Placing) -> None:
    """Keep what a ticket was ordered with, and say so in its log."""
    version, promise = placing.version, placing.promise
    due = None if promise is None else promise.due
    by, login = placing.ordered_by or (tx.actor.id, tx.actor.login)
    tx.session.run(
        _KEEP,
        ticket_id=record.id,
        item=version.item.key,
        version_id=version.id,
        answers=placing.answers,
        price=placing.price,
        requested_for_id=placing.person.id,
        ordered_by_id=by,
        promised_at=due,
        ordered_at=tx.now,
    )
    order = Order(version, placing.answers, placing.price, placing.person.login, login, tx.now, due, by)
    tx.cache[_Fresh] = _Fresh(record.id, order, placing.filled.variables)
    told: dict[str, Any] = {
        "item": version.item.key,
        "version": version.digest,
        "requested_for": placing.person.login,
        "price": placing.price,
    }
    if placing.recurrence is not None:
        told["recurrence"] = placing.recurrence
    records.append(tx, record, "ordered", {**told, "answers_sha256": placing.digest, "promised_at": due})
    if placing.parts:
        _pin(tx, record, placing.parts)
    for file, kept in placing.files.items():
        attachments.adopt(tx, record, kept, Visibility.PUBLIC)
        tx.session.run(_GIVE, file=file, ticket=record.id)


def begin(tx: Tx, record: Record, _effect: Effect) -> None:
    """The action `fulfil_order`: plan the tasks of the item that the ticket was ordered from, and begin the first.

    A ticket that was not ordered from the catalogue, or whose plan is there already, goes on without.
    """
    fresh = tx.cache.pop(_Fresh, None)
    known = fresh if isinstance(fresh, _Fresh) and fresh.ticket_id == record.id else _known(tx, record)
    if known is None or not known.order.version.item.after or (known is not fresh and planned(tx, record)):
        return
    item, variables = known.order.version.item, known.variables
    stages = {
        task.key: Stage.PLANNED if task.condition is None or task.condition.evaluate(variables) is True else Stage.SKIPPED
        for task in item.tasks.values()
    }
    if item.parts:
        pinned = _pinned(tx, record)
        stages |= {key: Stage.PLANNED if key in pinned else Stage.SKIPPED for key in item.parts}
    tx.session.run_many(
        _PLANNED,
        [
            {"ticket_id": record.id, "key": key, "after": list(after), "stage": stages[key].value}
            for key, after in item.after.items()
        ],
    )
    told = {stage.value: [key for key, each in stages.items() if each is stage] for stage in (Stage.PLANNED, Stage.SKIPPED)}
    records.append(tx, record, "tasks_planned", told, internal=True)
    _go_on(tx, record, [Planned(key, after, stages[key]) for key, after in item.after.items()], known)
    tx.cache[_Begun] = _Begun(record.id)


def tasks(tx: Tx, record: Record) -> dict[str, int]:
    """How many work tasks a ticket has, and items if it is a bundle; what is planned and has not begun counts as open."""
    counts = facts.tasks(tx, record)
    if plans(record) and not record.is_new:
        rows = planned(tx, record)
        add_items(counts, rows)
        waiting = len(plan.waiting(as_plan(rows)))
        counts["open"] += waiting
        counts["total"] += waiting
    return counts


def plans(record: Record) -> bool:
    """Whether the ticket's workflow ever begins a plan; spares those that do not every statement about it."""
    return ACTION in record.process.actions


def _carry_on(tx: Tx, record: Record) -> list[Any]:
    """Look at the plan of a ticket that may go on, unless it was begun this very moment; its rows as they were."""
    if tx.cache.pop(_Begun, None) == _Begun(record.id):
        return []
    rows = planned(tx, record)
    _go_on(tx, record, as_plan(rows))
    return rows


def _go_on(tx: Tx, record: Record, tasks: list[Planned], known: _Fresh | None = None) -> None:
    """Begin every task of a plan whose time has come, and order every item."""
    ready = plan.ready(tasks)
    known = known or (_known(tx, record) if ready else None)
    if known is None:
        return
    item, desk = known.order.version.item, tx.as_system(Channel.REACTION)
    work = [key for key in ready if key in item.tasks]
    groups = [rules.said(item.tasks[key].group, known.variables) for key in work]
    references.read_ahead(tx, [group for group in groups if isinstance(group, str)])
    begun = opening.open_all(desk, [_task(tx, item.tasks[key], known.variables) for key in work], record) if work else []
    if len(work) < len(ready):
        parts = [key for key in ready if key in item.parts]
        begun += _order_items(desk, record, known, parts)
        work += parts
    named = zip(work, begun, strict=True)
    tx.session.run_many(_BEGUN, [{"of": record.id, "named": key, "begun": child.id} for key, child in named])


def _order_items(tx: Tx, record: Record, known: _Fresh, keys: list[str]) -> list[Record]:
    """Order items of a bundle, each as it was pinned, in the name of whoever ordered the bundle and for the same person."""
    order, pinned = known.order, _pinned(tx, record)
    person = queries.person_of_order(tx, order)
    found = []
    for key in keys:
        version, told = shelf.version(tx, pinned[key].version_id, pinned[key].digest), pinned[key]
        filled = Filled(*_read_answers(version.item, told.answers, person, order.ordered_at), ())
        promise = bundles.promise_of_pinned(tx, version.item, told)
        by = (order.ordered_by_id, order.ordered_by)
        part = order.version.item.parts[key]
        placing = Placing(version, filled, person, told.price, {}, promise, told.parts, by, approval=part.approval)
        title = rules.said(part.title, known.variables)
        new = replace(as_ticket(tx, placing), requester=None, opened_by=order.ordered_by_id)  # the requester is the parent's
        tx.cache[Placing] = placing
        found.append(opening.open_under(tx, replace(new, title=str(title)[: LONGEST["title"]]) if title else new, record))
    return found


def _pin(tx: Tx, record: Record, parts: Mapping[str, Pinned]) -> None:
    rows = [
        {"ticket_id": record.id, "key": key, "version_id": part.version_id, "if_refused": part.if_refused}
        | {"pinned": part.written()}
        for key, part in parts.items()
    ]
    tx.session.run_many(_PIN, rows)


def _pinned(tx: Tx, record: Record) -> Mapping[str, Pinned]:
    return {row.key: Pinned.read(row.version_id, row.pinned) for row in tx.session.all(_PINNED, ticket=record.id)}


def _known(tx: Tx, record: Record) -> _Fresh | None:
    """The order of a ticket with its variables; None for one that was not ordered from the catalogue."""
    order = queries.order_of(tx, record)
    return None if order is None else _Fresh(record.id, order, _variables(tx, order))


def _task(tx: Tx, task: Task, variables: Mapping[str, object]) -> NewTicket:
    """A task as a ticket. A group that is gone by now is left out: the task then waits for somebody to assign it."""
    group = rules.said(task.group, variables)
    fields: dict[str, Value] = {name: rules.said(value, variables) for name, value in task.fields.items()}
    if isinstance(group, str) and references.find(tx, FieldType.GROUP, group) is not None:
        fields["group"] = group
    title = str(rules.said(task.title, variables) or task.key)[: LONGEST["title"]]
    description = str(rules.said(task.description, variables) or "")[: LONGEST["description"]]
    values = {name: value for name, value in fields.items() if value is not None}
    return NewTicket(facts.TASK, title, description, values, laid=_automation(task, variables))


def _automation(task: Task, variables: Mapping[str, object]) -> dict[str, Value]:
    """What a task tells of the automation that does it, and for it."""
    if task.webhook is None:
        return {}
    given = {name: rules.said(value, variables) for name, value in task.input.items()}
    return {AUTOMATION: task.webhook, f"{AUTOMATION}_input": orjson.dumps(given, default=str).decode()}


def _variables(tx: Tx, order: Order) -> Mapping[str, object]:
    """The variables of an order's expressions, from the answers as they were kept."""
    person = queries.person_of_order(tx, order)
    return _read_answers(order.version.item, order.answers, person, order.ordered_at)[1]


def _read_answers(
    item: Item, answers: Mapping[str, Any], person: Requester, at: datetime
) -> tuple[Mapping[str, Value], Mapping[str, object]]:
    """Answers as they were kept: their values, and the variables that expressions see."""
    reading = Reading(item, at, person.names(at))
    for question in item.questions:
        reading.put(question, _kept(question, answers.get(question.name)))
    return {name: value for name, value in reading.values.items() if value is not None}, reading.variables


def _kept(question: Question, value: Any) -> Value:
    if question.field.type is FieldType.DATETIME and isinstance(value, str):
        return datetime.fromisoformat(value)
    kept: Value = value
    return kept
