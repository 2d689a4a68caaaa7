"""How the catalogue answers what happens to tickets: an order is kept, its tasks begin, one after the other, and end with it.

A plan moves on as the tasks close: each tells its request, in a transaction of the request's own, and whatever has been waited
for begins. A task that is planned counts as an open one, so that no request is fulfilled while work is still to come.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from itsm.catalog import plan, queries, rules
from itsm.catalog.commands import Placing
from itsm.catalog.definition import Question, Task
from itsm.catalog.models import CatalogFile, CatalogOrder, CatalogTask
from itsm.catalog.plan import Planned, Stage
from itsm.catalog.queries import Order
from itsm.catalog.rules import Reading
from itsm.people.access import Channel
from itsm.platform.database import Prepared
from itsm.platform.schema import table
from itsm.tickets import attachments, commands, facts, records, references
from itsm.tickets.commands import PUBLIC, NewTicket
from itsm.tickets.desk import Happened, Tx
from itsm.tickets.models import Ticket
from itsm.tickets.records import Record
from itsm.workflow.builtin import LONGEST
from itsm.workflow.case import Effect, Value
from itsm.workflow.definition import Category, FieldType

ACTION = "fulfil_order"

_ORDERS, _TASKS, _FILES = table(CatalogOrder), table(CatalogTask), table(CatalogFile)
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
_PLAN = Prepared(
    sa.select(CatalogTask.key, CatalogTask.after, CatalogTask.stage, Ticket.number, Ticket.state, Ticket.category)
    .select_from(CatalogTask)
    .outerjoin(Ticket, Ticket.id == CatalogTask.task_id)
    .where(CatalogTask.ticket_id == _TICKET)
    .order_by(CatalogTask.id)
)
_PLANNED = Prepared(
    sa.insert(_TASKS).values({name: sa.bindparam(name) for name in ("ticket_id", "key", "after", "stage")} | {"task_id": None})
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
    elif happened.what == "moved" and record.category == Category.CLOSED:
        tx.session.run(_DROP, of=record.id)
    elif (happened.what == "moved" or happened.what.startswith("child_")) and record.category in _AT_WORK:
        _carry_on(tx, record)


def keep(tx: Tx, record: Record, placing: Placing) -> None:
    """Keep what a ticket was ordered with, and say so in its log."""
    version, promise = placing.version, queries.promise(tx, placing.version.item)
    due = None if promise is None else promise.due
    tx.session.run(
        _KEEP,
        ticket_id=record.id,
        item=version.item.key,
        version_id=version.id,
        answers=placing.answers,
        price=placing.price,
        requested_for_id=placing.person.id,
        ordered_by_id=tx.actor.id,
        promised_at=due,
        ordered_at=tx.now,
    )
    order = Order(version, placing.answers, placing.price, placing.person.login, tx.actor.login, tx.now, due)
    tx.cache[_Fresh] = _Fresh(record.id, order, placing.filled.variables)
    told = {"item": version.item.key, "version": version.digest, "requested_for": placing.person.login, "price": placing.price}
    records.append(tx, record, "ordered", {**told, "answers_sha256": placing.digest, "promised_at": due})
    for file, kept in placing.files.items():
        attachments.adopt(tx, record, kept, PUBLIC)
        tx.session.run(_GIVE, file=file, ticket=record.id)


def begin(tx: Tx, record: Record, _effect: Effect) -> None:
    """The action `fulfil_order`: plan the tasks of the item that the ticket was ordered from, and begin the first.

    A ticket that was not ordered from the catalogue, or whose plan is there already, goes on without.
    """
    fresh = tx.cache.pop(_Fresh, None)
    known = fresh if isinstance(fresh, _Fresh) and fresh.ticket_id == record.id else _known(tx, record)
    if known is None or not known.order.version.item.tasks or (known is not fresh and planned(tx, record)):
        return
    variables, tasks = known.variables, known.order.version.item.tasks.values()
    stages = {
        task.key: Stage.PLANNED if task.condition is None or task.condition.evaluate(variables) is True else Stage.SKIPPED
        for task in tasks
    }
    tx.session.run_many(
        _PLANNED,
        [
            {"ticket_id": record.id, "key": task.key, "after": list(task.after), "stage": stages[task.key].value}
            for task in tasks
        ],
    )
    told = {stage.value: [key for key, each in stages.items() if each is stage] for stage in (Stage.PLANNED, Stage.SKIPPED)}
    records.append(tx, record, "tasks_planned", told, internal=True)
    tx.cache[_Begun] = _Begun(record.id)
    _go_on(tx, record, [Planned(task.key, task.after, stages[task.key]) for task in tasks], known)


def tasks(tx: Tx, record: Record) -> dict[str, int]:
    """How many work tasks a ticket has; one that is planned and has not begun counts as open."""
    counts = facts.tasks(tx, record)
    if plans(record) and not record.is_new:
        waiting = len(plan.waiting(_plan(tx, record)))
        counts["open"] += waiting
        counts["total"] += waiting
    return counts


def plans(record: Record) -> bool:
    """Whether the ticket's workflow ever begins a plan; spares those that do not every statement about it."""
    return ACTION in record.process.actions


def planned(tx: Tx, record: Record) -> list[Any]:
    """The tasks of a ticket's plan: key, after, stage, and number and state of the ticket of those that have begun."""
    return tx.session.all(_PLAN, ticket=record.id)


def stage_of(row: Any) -> Stage:
    """How far a planned task is, by its row and its ticket's."""
    if row.number is None:
        return Stage(row.stage)
    if row.state == facts.FAILED:
        return Stage.FAILED
    return Stage.OVER if row.category in {Category.RESOLVED, Category.CLOSED} else Stage.OPEN


def _plan(tx: Tx, record: Record) -> list[Planned]:
    return [Planned(row.key, tuple(row.after), stage_of(row)) for row in planned(tx, record)]


def _carry_on(tx: Tx, record: Record) -> None:
    """Look at the plan of a ticket that may go on, unless it was begun this very moment."""
    if tx.cache.pop(_Begun, None) != _Begun(record.id):
        _go_on(tx, record, _plan(tx, record))


def _go_on(tx: Tx, record: Record, tasks: list[Planned], known: _Fresh | None = None) -> None:
    """Begin every task of a plan whose time has come."""
    ready = plan.ready(tasks)
    known = known or (_known(tx, record) if ready else None)
    if known is None:
        return
    for key in ready:
        task = known.order.version.item.tasks[key]
        child = commands.open_under(tx.as_system(Channel.REACTION), _task(tx, task, known.variables), record)
        tx.session.run(_BEGUN, of=record.id, named=key, begun=child.id)


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
    return NewTicket(facts.TASK, title, description, {name: value for name, value in fields.items() if value is not None})


def _variables(tx: Tx, order: Order) -> Mapping[str, object]:
    """The variables of an order's expressions, from the answers as they were kept."""
    person = queries.person_of_order(tx, order)
    reading = Reading(order.version.item, order.ordered_at, person.names(order.ordered_at))
    for question in order.version.item.questions:
        reading.put(question, _kept(question, order.answers.get(question.name)))
    return reading.variables


def _kept(question: Question, value: Any) -> Value:
    if question.field.type is FieldType.DATETIME and isinstance(value, str):
        return datetime.fromisoformat(value)
    kept: Value = value
    return kept
