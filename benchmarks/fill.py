"""Databases with many tickets: a few lived through the engine, the rest multiplied from them by SQL.

The multiplied rows are like the first in everything that a query looks at (groups, priorities, times, texts, timers); their
hash chains are copies and do not verify, which no figure here depends on.
"""

from __future__ import annotations

from datetime import timedelta

import psycopg

from itsm.people.access import Channel
from itsm.platform.database import Database, sqlite_driver
from itsm.platform.time import FrozenClock, SystemClock
from itsm.tickets import commands, opening
from itsm.tickets.opening import NewTicket
from tests.service import a_service, actor

SEEDS = 100
RARE = "zanzibar"
GROUPS = ("network", "desktop", "service-desk", "infrastructure", "applications")

_TICKET_COLUMNS = (
    *("type", "workflow_version_id", "state", "category", "title", "description", "priority", "priority_rank", "fields"),
    *("requester_id", "opened_by_id", "organisation_id", "group_id", "assignee_id", "created_at", "updated_at"),
    *("entered_state_at", "work_minutes", "event_count", "chain", "seal"),
)
_EVENT_COLUMNS = ("seq", "kind", "at", "recorded_at", "actor", "channel", "internal", "payload", "link")
_SHIFT = "7919000000"  # microseconds between one copy and the next


def fill(database: Database, tickets: int) -> None:
    """Bring an empty, migrated database to this many tickets, each with its events."""
    clock = FrozenClock(SystemClock().now() - timedelta(days=60))
    desk = a_service(database, clock).desk
    requesters, agent = [actor(desk, login) for login in ("ra1", "ra2", "rb1")], actor(desk, "g1")
    for number in range(SEEDS):
        clock.advance(timedelta(minutes=7))
        rare = f" {RARE}" if number == 0 else ""
        with desk.transaction(requesters[number % 3], Channel.API) as tx:
            fields = {"urgency": ("critical", "high", "medium", "low")[number % 4]}
            record = opening.create(
                tx, NewTicket("incident", f"Screen number {number} stays black{rare}", "Since this morning.", fields)
            )
        with desk.transaction(agent, Channel.API) as tx:
            commands.transition(tx, record.number, "assign", {"group": GROUPS[number % 5]}, None, None)
        if number % 2:
            with desk.transaction(agent, Channel.API) as tx:
                commands.transition(tx, record.number, "start", {}, None, None)
    if tickets > SEEDS:
        multiply(database, tickets)


def multiply(database: Database, tickets: int) -> None:
    """Copy the first tickets and their events until there are so many."""
    copies = -(-tickets // SEEDS) - 1
    if database.is_postgresql:
        series = f"generate_series(1, {copies}) AS n"
        padded = f"lpad((t.id + n * {SEEDS})::text, 7, '0')"
    else:
        recursion = f"SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {copies}"
        series = f"(WITH RECURSIVE s(n) AS ({recursion}) SELECT n FROM s) AS s"
        padded = f"substr('0000000' || (t.id + n * {SEEDS}), -7)"
    copied_ticket = ", ".join(_copied(name) for name in _TICKET_COLUMNS)
    copied_event = ", ".join(f"e.{name}" for name in _EVENT_COLUMNS)
    scripts = [
        f"INSERT INTO tickets (id, number, {', '.join(_TICKET_COLUMNS)})"
        f" SELECT t.id + n * {SEEDS}, 'INC' || {padded}, {copied_ticket} FROM tickets t, {series} WHERE t.id <= {SEEDS}",
        f"INSERT INTO ticket_events (ticket_id, {', '.join(_EVENT_COLUMNS)})"
        f" SELECT e.ticket_id + n * {SEEDS}, {copied_event} FROM ticket_events e, {series} WHERE e.ticket_id <= {SEEDS}",
        f"UPDATE number_counters SET last = {tickets} WHERE type = 'incident'",
    ]
    if database.is_postgresql:
        scripts.append(f"SELECT setval(pg_get_serial_sequence('tickets', 'id'), {tickets})")
    run_scripts(database, [*scripts, "ANALYZE"])


def _copied(name: str) -> str:
    if name == "title":
        return f"replace(t.title, '{RARE}', 'harare')"
    return f"t.{name} + n * {_SHIFT}" if name in {"created_at", "updated_at", "entered_state_at"} else f"t.{name}"


def run_scripts(database: Database, scripts: list[str]) -> None:
    """Run SQL straight through the driver, without the product's time-outs."""
    if database.is_postgresql:
        with psycopg.connect(database.url.replace("postgresql+psycopg", "postgresql"), autocommit=True) as connection:
            for script in scripts:
                connection.execute(script)  # type: ignore[call-overload]
        return
    connection = sqlite_driver().connect(database.url.removeprefix("sqlite:///"), isolation_level=None)
    for script in scripts:
        connection.execute(script)
    connection.close()
