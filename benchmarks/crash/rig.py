"""The rig: real processes under load, killed one after the other without warning, and started again as a supervisor would."""

from __future__ import annotations

import random
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa

from benchmarks.client import Client
from benchmarks.crash import checks
from benchmarks.crash.clients import Worker, creation
from benchmarks.site import Site, children, stop
from itsm.people.access import SYSTEM, Channel
from itsm.platform.database import Database, Prepared
from itsm.platform.time import SystemClock
from itsm.platform.work import Timer
from itsm.tickets import publishing
from itsm.workflow import language
from tests import service as people

DRILL = Path(__file__).with_name("drill.yaml")
HOT_TICKETS = 12
TARGETS = {"web worker": 5, "web": 2, "clock": 5, "everything": 1}
"""What is killed, and how often in relation to the others."""
READY_SECONDS = 5.0
REST_SECONDS = 60.0
_LEFT = Prepared(sa.select(sa.func.count().label("n")).select_from(Timer))


@dataclass
class Outcome:
    """What a campaign came to."""

    kills: Counter[str] = field(default_factory=Counter)
    recoveries: list[float] = field(default_factory=list)
    facts: dict[str, object] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)


class Rig:
    """The processes of one installation: a web server with two workers, two clocks, and the clients."""

    def __init__(self, database: Database, home: Path, clients: int, seed: int) -> None:
        self.database = database
        self.site = Site(database.url, home)
        self.journals = home / "journals"
        self.journals.mkdir()
        self.chance = random.Random(seed)
        self.seed = seed
        self.clients = clients
        self.outcome = Outcome()

    def draw(self, kills: int) -> list[str]:
        """What to kill, by the dice."""
        return self.chance.choices(list(TARGETS), list(TARGETS.values()), k=kills)

    def campaign(self, kills: Sequence[str]) -> Outcome:
        """Kill one after the other; check after each what was acknowledged so far, and everything in the end."""
        _populate(self.database, self.site.home)
        self.token = self.site.token("g1")
        self.web, self.clocks = self.site.serve(workers=2), [self.site.clock(), self.site.clock()]
        try:
            self.site.wait(self.web)
            with self._load(self._hot_tickets()):
                for what in kills:
                    time.sleep(self.chance.uniform(0.2, 1.2))
                    self._kill(what)
                    self.outcome.violations += checks.acknowledged(self.database, self.journals)
                time.sleep(1)
            self._come_to_rest()
        finally:
            stop(self.web, *self.clocks)
        if self.web.returncode != 0:
            self.outcome.violations.append(f"the web server ended with {self.web.returncode} when it was asked to end")
        facts, violations = checks.everything(self.database, people.settings("").key("audit"), self.journals)
        self.outcome.facts = facts
        self.outcome.violations += violations
        return self.outcome

    @contextmanager
    def _load(self, tickets: list[str]) -> Iterator[None]:
        workers = [
            Worker(number, self.site.port, self.token, tickets, self.journals, self.seed) for number in range(self.clients)
        ]
        for worker in workers:
            worker.start()
        try:
            yield
        finally:
            for worker in workers:
                worker.stop()
            for worker in workers:
                worker.join()

    def _hot_tickets(self) -> list[str]:
        """Tickets in a circle, each tied to the next."""
        client = Client(self.site.port, self.token)
        made = []
        for number in range(HOT_TICKETS):
            deed = creation(f"hot-{number}")
            answer = client.call("POST", deed.path, deed.body, Idempotency_Key=deed.key)
            assert answer.status == 201, answer.body
            made.append(str(answer.json()["number"]))
        for here, there in zip(made, [*made[1:], made[0]], strict=True):
            tie = {"kind": "related_to", "number": there}
            assert client.call("POST", f"/api/v1/tickets/{here}/links", tie).status == 201
        client.close()
        return made

    def _kill(self, what: str) -> None:
        """Kill, start again what a supervisor would start again, and note how long the service was away."""
        self.outcome.kills[what] += 1
        web, clocks = what in {"web", "everything"}, []
        if what == "web worker":
            _end(self.chance.choice(children(self.web.pid) or [self.web.pid]))
        elif what == "clock":
            clocks = [self.chance.randrange(2)]
        elif what == "everything":
            clocks = [0, 1]
        for index in clocks:
            self.clocks[index].kill()
        if web:
            workers = children(self.web.pid)
            self.web.kill()
            for worker in workers:
                _end(worker)
        for index in clocks:
            self.clocks[index].wait()
            self.clocks[index] = self.site.clock()
        begun = time.perf_counter()
        if web or self.web.poll() is not None:
            self.web.wait()
            self.web = self.site.serve(workers=2)
        self.site.wait(self.web)
        self.outcome.recoveries.append(time.perf_counter() - begun)

    def _come_to_rest(self) -> None:
        """Every timer of a drill ends in one; when all are done, none is left."""
        begun = time.monotonic()
        while time.monotonic() - begun < REST_SECONDS:
            with self.database.session(write=False) as session:
                if session.one(_LEFT).n == 0:
                    return
            time.sleep(0.1)
        self.outcome.violations.append(f"{REST_SECONDS:.0f} s after the last kill there are still timers that nobody works off")


def _end(pid: int) -> None:
    subprocess.run(["kill", "-KILL", str(pid)], check=False, capture_output=True)


def _populate(database: Database, home: Path) -> None:
    """The people of `tests/service.py`, and the workflow of the campaign."""
    desk = people.a_service(database, SystemClock(), home).desk
    drill, findings = language.load(DRILL.read_text(), str(DRILL), desk.vocabulary)
    assert drill is not None, findings
    with desk.transaction(SYSTEM, Channel.COMMAND_LINE) as tx:
        publishing.publish(tx, {drill.name: drill})
