"""A desk with promises of a test's own, and short words for what its clocks bring about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from itsm.app import Service, assemble
from itsm.people.access import SYSTEM, Channel
from itsm.platform.database import Database, Prepared
from itsm.platform.schema import Json
from itsm.platform.sweeper import Sweeper
from itsm.platform.time import Clock, to_micros
from itsm.platform.work import OutboxMessage, Timer
from itsm.sla import handlers
from itsm.sla.keeping import Keeper
from itsm.sla.models import SlaClock
from itsm.sla.moments import THRESHOLD_REACHED
from itsm.sla.policy import Agreement, Policy
from itsm.sla.replay import Derivation, derive
from itsm.sla.standing import Standing
from itsm.tickets import loading
from itsm.tickets.desk import Desk
from itsm.tickets.models import TicketEvent
from itsm.workflow.definition import Action
from tests.service import configuration, populate, processes, settings
from tests.sla.builders import CALENDARS, HERE, a_goal, a_policy, on

MINUTES = timedelta(minutes=1)
HOURS = timedelta(hours=1)

_EVENTS = Prepared(
    sa.select(
        TicketEvent.ticket_id,
        TicketEvent.kind,
        TicketEvent.at,
        TicketEvent.actor,
        sa.type_coerce(TicketEvent.payload, Json).label("payload"),
    ).order_by(TicketEvent.id)
)
_MESSAGES = Prepared(sa.select(OutboxMessage.key, OutboxMessage.ticket_id, OutboxMessage.payload).order_by(OutboxMessage.id))
_TIMERS = Prepared(
    sa.select(Timer.ticket_id, Timer.name, Timer.cycle, Timer.due_at).where(Timer.kind == "sla").order_by(Timer.due_at)
)
_CLOCKS = Prepared(
    sa.select(
        SlaClock.ticket_id,
        SlaClock.clock,
        SlaClock.cycle,
        SlaClock.status,
        SlaClock.due_at,
        SlaClock.excused,
        SlaClock.detail,
    ).order_by(SlaClock.ticket_id, SlaClock.clock, SlaClock.cycle)
)


def notify(*to: str, template: str = "sla-warning") -> Action:
    return Action("notify", {"to": list(to), "template": template}, HERE)


def put(**values: object) -> Action:
    """The action `set`."""
    return Action("set", {"values": values}, HERE)


def a_promise(target: str = "4 hours", when: Mapping[str, str] | None = None, **thresholds: Any) -> Policy:
    """A promise that runs around the clock until the ticket is resolved, and pauses while it waits.

    `when` has other targets by condition. What `do` a threshold has stands in `thresholds` under its label, `at_75` for 75%.
    """
    labels = {f"{name.removeprefix('at_')}%": deeds for name, deeds in thresholds.items()}
    goals = [a_goal(other, condition) for condition, other in (when or {}).items()]
    policy = a_policy(*goals, target, thresholds=labels, cancel=on(when="ticket.state == 'cancelled'"))
    return replace(
        policy, thresholds=tuple(replace(one, do=tuple(labels[one.label])) for one in policy.thresholds), title="Resolved"
    )


def a_desk(database: Database, clock: Clock, *policies: Policy) -> Service:
    """A desk that keeps these promises."""
    agreement = Agreement({policy.name: policy for policy in policies}, CALENDARS)
    service = assemble(settings(database.url), configuration(), clock, database, processes(), lambda _: agreement)
    populate(service.desk)
    return service


def single(desk: Desk) -> Sweeper:
    """A sweeper that does everything one by one."""
    return Sweeper(desk.database, desk.clock, handlers.handlers(desk, desk.part(Keeper)))


def joint(desk: Desk, batch: int = 50) -> Sweeper:
    """A sweeper that does in batches what may be done so."""
    keeper = desk.part(Keeper)
    kinds = handlers.handlers(desk, keeper), handlers.together(desk, keeper)
    return Sweeper(desk.database, desk.clock, kinds[0], batch=batch, together=kinds[1])


def rows(desk: Desk, statement: Prepared) -> list[Any]:
    with desk.database.session(write=False) as session:
        return session.all(statement)


def events(desk: Desk, *kinds: str) -> list[dict[str, Any]]:
    """The payloads of the events of these kinds, in the order in which they were written."""
    return [row.payload for row in rows(desk, _EVENTS) if row.kind in kinds]


def reached(desk: Desk) -> list[str]:
    """The thresholds that were answered, in their order."""
    return [payload["threshold"] for payload in events(desk, THRESHOLD_REACHED)]


def answers(desk: Desk) -> Counter[tuple[int, str, str, int, str]]:
    """How often each threshold of each cycle of each clock was answered."""
    told = [row for row in rows(desk, _EVENTS) if row.kind == THRESHOLD_REACHED]
    return Counter((e.ticket_id, *(e.payload[name] for name in ("clock", "part", "cycle", "threshold"))) for e in told)


def messages(desk: Desk) -> list[Any]:
    """What was said of clocks: every message with a template of theirs."""
    return [row for row in rows(desk, _MESSAGES) if row.payload.get("template", "").startswith("sla-")]


def armed(desk: Desk) -> list[Any]:
    return rows(desk, _TIMERS)


def clocks(desk: Desk) -> list[Any]:
    return rows(desk, _CLOCKS)


def derived(desk: Desk) -> dict[int, Derivation]:
    """The clocks of every ticket as its events tell them."""
    told: dict[int, list[Any]] = {}
    for row in rows(desk, _EVENTS):
        told.setdefault(row.ticket_id, []).append((to_micros(row.at), row.kind, row.actor, row.payload))
    keeper = desk.part(Keeper)
    with desk.database.session(write=False) as session:
        return {ticket: derive(keeper.agreements.finder(session), story) for ticket, story in told.items()}


def kept(desk: Desk, tickets: Iterable[int]) -> dict[int, Standing]:
    """Where the clocks stand by what is kept."""
    keeper = desk.part(Keeper)
    with desk.transaction(SYSTEM, Channel.TIMER) as tx:
        found = [record for ticket in tickets if (record := loading.load_by_id(tx, ticket)) is not None]
        return {record.id: keeper.standing(tx, record) for record in found}
