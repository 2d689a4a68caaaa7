"""How fast `itsm sla preview` holds other promises against the clocks of open tickets.

Some tickets are lived through the engine at random, so that their stories differ; the rest are copies of these at other times.
The copies' kept clocks are moved by as much as their stories, which working time does not do: so the comparison finds almost
every clock elsewhere, which is the dearest thing it can find. `python -m benchmarks.whatif [--tickets N]` runs this alone.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import sys
import time
from datetime import timedelta

import sqlalchemy as sa

from benchmarks.fill import run_scripts
from benchmarks.targets import Target
from itsm.platform.database import Database, Prepared
from itsm.platform.errors import DeskError
from itsm.platform.time import FrozenClock, SystemClock, to_micros
from itsm.sla import preview
from itsm.sla.agreements import Source
from itsm.sla.keeping import Keeper
from itsm.sla.preview import Job
from itsm.tickets.desk import Desk
from itsm.tickets.models import Ticket
from tests import service as people
from tests import world
from tests.tickets.doing import Doing

LIVED = 200
TICKETS = 30_000
CLOCKS_PER_SECOND = 1_000_000 / 60
_SHIFT = 7_919_000_000
"""Microseconds between one copy and the next."""

_TICKET = (
    *("type", "workflow_version_id", "state", "category", "title", "description", "priority", "priority_rank", "fields"),
    *("requester_id", "opened_by_id", "organisation_id", "group_id", "assignee_id", "work_minutes", "event_count", "chain"),
    "seal",
)
_TICKET_TIMES = ("created_at", "updated_at", "entered_state_at", "resolved_at", "closed_at")
_EVENT = ("seq", "kind", "actor", "on_behalf_of", "channel", "internal", "payload", "link")
_CLOCK = ("clock", "part", "cycle", "kind", "status", "excused", "detail")
_CLOCK_TIMES = ("started_at", "due_at", "stopped_at")
_LAST = Prepared(sa.select(sa.func.max(Ticket.id).label("id")))
_FILLED = {"group": "network", "pending_reason": "vendor", "resolution_code": "fixed", "resolution": "So"}


def previewed_per_second(database: Database, tickets: int = TICKETS) -> tuple[float, int]:
    """Clocks compared each second with every calendar changed, and how many there were."""
    clock = FrozenClock(SystemClock().now() - timedelta(days=90))
    desk = people.a_service(database, clock).desk
    _live(desk, clock)
    _multiply(database, tickets)
    source = _with_a_holiday(people.promises())
    agreements = desk.part(Keeper).agreements
    agreement = agreements.read(source)
    with database.session(write=False) as session:
        changed = preview.changed_since(session, agreements, agreement)
    settings = desk.settings
    job = Job(
        url=database.url,
        source=source.text(),
        config=settings.config_dir,
        workflows=settings.workflows_dir,
        changed=changed,
        with_closed=False,
        now=to_micros(clock.now()),
        shown=20,
    )
    begun = time.perf_counter()
    outcome = preview.preview(job, agreement, database)
    elapsed = time.perf_counter() - begun
    return outcome.clocks / elapsed, outcome.clocks


def targets(kind: str, database: Database) -> list[Target]:
    """The figure as a target, printed."""
    rate, clocks = previewed_per_second(database)
    print(f"  what if, {clocks:,} clocks{rate:>29,.0f} clocks/s")
    return [Target(f"{kind}: what if, clocks/s (10⁶ in a minute)", rate, least=CLOCKS_PER_SECOND)]


def _with_a_holiday(source: Source) -> Source:
    hours = source.files["calendars.yaml"].replace("holidays: {country: DE, region: BE}", "holidays: {country: DE, region: BY}")
    assert hours != source.files["calendars.yaml"]
    return Source({**source.files, "calendars.yaml": hours}, source.workflows)


def _live(desk: Desk, clock: FrozenClock) -> None:
    """So many tickets of all practices, to each of which a handful of things happens."""
    chance = random.Random(LIVED)
    for _ in range(LIVED):
        kind = chance.choice(("incident", "incident", "incident", "request", "problem", "change"))
        fields = {"urgency": chance.choice(("critical", "high", "medium", "low"))} if kind == "incident" else {}
        number = Doing(desk, "g1").create(kind, "Something", fields=fields).number
        for _ in range(chance.randint(1, 7)):
            clock.advance(timedelta(minutes=chance.randint(1, 300)))
            person = Doing(desk, chance.choice(("g1", "g1", "l1", "cm1")))
            record = person.read(number)
            asked = record.process.offers(record.case(), people.actor(desk, person.login).person(), clock.now())
            offers = [offer for offer in asked if not offer.blocked and offer.trigger not in ("cancel", "close", "merge")]
            with contextlib.suppress(DeskError):
                offer = chance.choice(offers or asked)
                filled = {each.field: _FILLED[each.field] for each in offer.inputs if each.field in _FILLED}
                person.fire(number, offer.trigger, "Because", None, **filled)


def _multiply(database: Database, tickets: int) -> None:
    with database.session(write=False) as session:
        lived = session.one(_LAST).id
    copies = -(-tickets // lived) - 1
    series = f"generate_series(1, {copies}) AS n"
    if not database.is_postgresql:
        series = f"(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {copies}) SELECT n FROM s) AS s"
    copied = {
        "tickets": (("number", *_TICKET), _TICKET_TIMES),
        "ticket_events": (_EVENT, ("at", "recorded_at")),
        "sla_standings": (("version_id", "state"), ()),
        "sla_clocks": (_CLOCK, _CLOCK_TIMES),
    }
    scripts = []
    for table, (names, times) in copied.items():
        key = "id" if table == "tickets" else "ticket_id"
        values = [f"t.{name}" if name != "number" else "t.number || '-' || n" for name in names]
        values += [f"t.{name} + n * {_SHIFT}" for name in times]
        scripts.append(
            f"INSERT INTO {table} ({', '.join((key, *names, *times))})"
            f" SELECT t.{key} + n * {lived}, {', '.join(values)} FROM {table} t, {series}"
        )
    run_scripts(database, [*scripts, "ANALYZE"])


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m benchmarks.whatif")
    arguments.add_argument("--tickets", type=int, default=TICKETS)
    wanted = arguments.parse_args().tickets
    begun = world.begin_run()
    met = []
    try:
        for kind, bring in {"sqlite": world.sqlite_database(), "postgresql": world.postgresql_database()}.items():
            with bring as database:
                rate, clocks = previewed_per_second(database, wanted)
                print(f"{kind:12} {clocks:,} clocks: {rate:,.0f}/s, 10⁶ in {1e6 / rate:.0f} s")
                met.append(rate >= CLOCKS_PER_SECOND)
    finally:
        if begun:
            world.end_run()
    sys.exit(not all(met))


if __name__ == "__main__":
    main()
