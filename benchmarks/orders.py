"""`python -m benchmarks.orders`: what it costs to order from the catalogue, and to look at it.

Orders are placed over HTTP: one that asks two people for their approval, with five tasks to follow it, and one whose five tasks
begin at once, which is what the approval of the other sets off. Beside them, their very statements by the driver alone. The
page is that of a catalogue with 500 items, each of which is offered by rules of its own.
"""

from __future__ import annotations

import argparse
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa

from benchmarks import load
from benchmarks.client import Client
from benchmarks.deeds import CLIENTS
from benchmarks.installing import WORKERS, installation
from benchmarks.raw import Ask, raw_rate
from benchmarks.site import Site, processor_seconds, stop
from benchmarks.targets import Target
from itsm.catalog import publishing
from itsm.catalog.definition import Catalog, Item
from itsm.people import ties
from itsm.people.access import SYSTEM, Channel
from itsm.people.models import User
from itsm.platform.database import Database, Prepared
from itsm.platform.schema import table
from itsm.platform.time import SystemClock
from itsm.services.models import Service
from tests import service as people
from tests import world
from tests.api.world import Api
from tests.catalog.world import publish, read

ITEMS = 500
MOST_STATEMENTS = 5
LEAST_ORDERS = 40.0
_REPLAYED = 100

_TASKS = """
      machine: {title: "= 'Prepare the machine for ' + answers.who", group: desktop}
      account: {title: Account and groups, group: applications}
      mail: {title: Mailbox, group: applications}
      phone: {title: Telephone, group: network}
      badge: {title: Badge, group: service-desk}
"""
_ITEM = """
  {key}:
    title: Workplace of a new colleague
    category: people
    service: workplace
    approval: {approval}
    form:
      who: {{type: text, title: Who comes?, require: true, max: 100}}
      first_day: {{type: date, title: From when on?}}
    tasks:{tasks}"""
_CATALOGUE = "services: {workplace: {title: Workplace}}\nitems:"
ORDERS = {"two approvals asked, 5 tasks to follow": ("asked", "access"), "5 tasks begun": ("begun", "none")}
"""What is ordered: the item, and the policy that approves it. By `access` manager and owner are asked side by side."""

_SET_OWNER = Prepared(
    sa.update(table(Service)).values(owner_id=sa.select(User.id).where(User.login == sa.bindparam("login")).scalar_subquery())
)


def orders_targets(kind: str, database: Database, home: Path, seconds: float) -> list[Target]:
    """Orders each second, printed beside those of the driver alone."""
    desk = people.a_service(database, SystemClock()).desk
    publish(desk, _CATALOGUE + "".join(_ITEM.format(key=key, approval=how, tasks=_TASKS) for key, how in ORDERS.values()))
    with database.session() as session:
        ties.set_manager(session, "g1", "ap1", SystemClock().now(), "benchmarks")
        session.run(_SET_OWNER, login="cm1")
    site = Site(database.url, home)
    token = site.token("g1")
    raw = {name: raw_rate(database, home, token, _replayed(item)) for name, (item, _) in ORDERS.items()}
    web, clock = site.serve(WORKERS[kind]), site.clock()
    found = []
    try:
        site.wait(web)
        print(f"  {'an order: ':48}{'clients':>8}{'/s':>9}{'p50 ms':>9}{'p95':>9}{'p99':>9}{'CPU ms':>9}")
        for name, (item, _) in ORDERS.items():
            for clients in (1, CLIENTS):
                figures = load.run(
                    site.port, token, clients, seconds, [_ordering(item)], lambda: processor_seconds(web.pid, clock.pid)
                )
                print(f"  {name:48}{clients:>8}{figures}")
            found.append(Target(f"{kind}: orders/s, {name}", figures.rate, least=LEAST_ORDERS))
            found.append(Target(f"{kind}: failed orders, {name}", figures.failed, most=0))
            print(f"  {'the SQL of it, driver':48}{1:>8}{raw[name].rate:>9.0f}   ({raw[name].statements:.1f} statements)")
    finally:
        stop(web, clock)
    return found


def _body(item: str) -> tuple[str, dict[str, object]]:
    return f"/api/v1/catalog/{item}/requests", {"answers": {"who": f"Ann {uuid.uuid4()}", "first_day": "2030-01-02"}}


def _ordering(item: str) -> load.Request:
    def order(client: Client, _number: int) -> int:
        path, body = _body(item)
        return client.call("POST", path, body, Idempotency_Key=str(uuid.uuid4())).status

    return order


def _replayed(item: str) -> Callable[[Ask], None]:
    def orders(ask: Ask) -> None:
        for _ in range(_REPLAYED):
            path, body = _body(item)
            ask("POST", path, body, {"Idempotency-Key": str(uuid.uuid4())})

    return orders


def page_targets(kind: str, database: Database) -> list[Target]:
    """How many statements the page of a large catalogue takes, and how long, printed."""
    desk = people.a_service(database, SystemClock()).desk
    items: dict[str, Item] = {}
    for first in range(0, ITEMS, 100):  # a file has 10,000 values at most
        items |= read(_CATALOGUE + "".join(_offered(number) for number in range(first, first + 100))).items
    with desk.transaction(SYSTEM, Channel.COMMAND_LINE) as tx:
        publishing.publish(tx, Catalog(items))
    caller = Api(desk)("ra1")
    said: list[str] = []
    slowest, shown = 0.0, 0
    for _ in range(5):
        said.clear()
        database.on_statement = said.append
        begun = time.perf_counter()
        reply = caller.get("/catalog?limit=500")
        elapsed = time.perf_counter() - begun
        database.on_statement = None
        assert reply.status == 200, reply.text
        shown, slowest = len(reply.items), elapsed
    assert 0 < shown < ITEMS  # some are not for him
    print(f"  the catalogue of {ITEMS} items, {shown} offered{slowest * 1000:>17.0f} ms   ({len(said)} statements)")
    return [Target(f"{kind}: catalogue page of {ITEMS} items, statements", len(said), most=MOST_STATEMENTS)]


def _offered(number: int) -> str:
    rules = (
        "offered_to: [{organisations: [acme]}]",
        "offered_to: [{if: \"requester.login.startsWith('ra')\"}]",
        "denied_to: [{roles: [requester]}]",
        "offered_to: [{roles: [agent]}, {organisations: [acme, beta]}]",
        "denied_to: [{if: \"requester.department == 'Temporary'\"}]",
    )
    return f"""
  thing-{number}:
    title: Thing {number}
    category: things-{number % 12}
    service: workplace
    deliver: 3 business days
    calendar: office-hours
    price: {{once: {number}, monthly: 1}}
    {rules[number % len(rules)]}
    form:
      why: {{type: text, require: true}}"""


def targets(kind: str, seconds: float) -> list[Target]:
    """Both, each in an installation of its own."""
    with installation(kind) as (database, home):
        found = orders_targets(kind, database, home, seconds)
    with installation(kind) as (database, _):
        return found + page_targets(kind, database)


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m benchmarks.orders")
    arguments.add_argument("--only", choices=["sqlite", "postgresql"])
    arguments.add_argument("--seconds", type=float, default=2.0, help="for each measurement over HTTP")
    told = arguments.parse_args()
    begun = world.begin_run()
    found: list[Target] = []
    try:
        for kind in [told.only] if told.only else ["sqlite", "postgresql"]:
            print(kind)
            found += targets(kind, told.seconds)
    finally:
        if begun:
            world.end_run()
    for target in found:
        print(f"  {target}")
    sys.exit(not all(target.met for target in found))


if __name__ == "__main__":
    main()
