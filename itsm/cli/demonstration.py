"""The demo's world: a company with people, groups, services and three months of tickets, lived through the real commands.

Nothing is written behind the engine's back: a frozen clock is moved from deed to deed, each deed is a command of the person
who does it, and the sweeper does what falls due in between. So the demo's history, timers and audit log are as true as any.
"""

from __future__ import annotations

import heapq
import json
import os
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import click
from rich.progress import Progress

from itsm.cli import Wiring
from itsm.cli.starting import load_starting_set
from itsm.cli.stories import CHANGES, INCIDENTS, PROBLEMS, REQUESTS
from itsm.people import commands as people
from itsm.people.access import SYSTEM, Actor, Channel, Scope
from itsm.people.tokens import TokenKeeper, actor_by_login
from itsm.platform import migrate
from itsm.platform.database import Database
from itsm.platform.errors import DeskError
from itsm.platform.settings import Settings, from_environment, make_secret
from itsm.platform.time import FrozenClock, SystemClock
from itsm.services import commands as services
from itsm.tickets import commands, publishing
from itsm.tickets.commands import NewTicket
from itsm.tickets.desk import Desk, Tx

DAYS = 90
TICKETS = 320
SEED = 20260322

ROLES = {
    "requester": "mara",
    "other_requester": "olaf",
    "agent": "ines",
    "lead": "lena",
    "approver": "paul",
    "change_manager": "chris",
    "process_owner": "petra",
    "admin": "admin",
}
"""Whom to sign in as, by role."""

STAFF: tuple[tuple[str, str, str, str | None, tuple[str, ...]], ...] = (
    ("mara", "Mara Brandt", "requester", "acme", ()),
    ("nils", "Nils Petersen", "requester", "acme", ()),
    ("tom", "Tom Okafor", "requester", "acme", ()),
    ("yuki", "Yuki Tanaka", "requester", "acme", ()),
    ("olaf", "Olaf Lindqvist", "requester", "globex", ()),
    ("rosa", "Rosa Moreno", "requester", "globex", ()),
    ("ines", "Ines Keller", "agent", "internal", ("service-desk", "desktop", "network")),
    ("anna", "Anna Nowak", "agent", "internal", ("service-desk",)),
    ("ben", "Ben Adeyemi", "agent", "internal", ("desktop",)),
    ("noor", "Noor Haddad", "agent", "internal", ("network", "infrastructure")),
    ("ivan", "Ivan Petrov", "agent", "internal", ("applications", "infrastructure")),
    ("sara", "Sara Lund", "agent", "internal", ("security",)),
    ("lena", "Lena Vogt", "lead", "internal", ("service-desk", "desktop")),
    ("paul", "Paul Meyer", "approver", "acme", ()),
    ("pia", "Pia Rossi", "approver", "acme", ()),
    ("chris", "Chris Walker", "change_manager", "internal", ("cab",)),
    ("carla", "Carla Jimenez", "change_manager", "internal", ("cab",)),
    ("petra", "Petra Schulz", "process_owner", "internal", ()),
    ("admin", "Administrator", "admin", "internal", ()),
)

ITEMS = (
    ("lt-0417", "Laptop of Mara Brandt", "laptop"),
    ("prn-3a", "Printer third floor", "printer"),
    ("erp-db", "ERP database", "server"),
)


def prepare(wiring: Wiring, *, fresh: bool) -> Settings:
    """Make or take up the demo's installation; its settings. Writes `demo.json` with a login and a token for each role."""
    home = Path(os.environ.get("ITSM_HOME", "var")).resolve()
    external = "ITSM_DATABASE_URL" in os.environ
    if fresh and not external:
        for name in ("demo.db", "demo.db-wal", "demo.db-shm", "demo.json"):
            (home / name).unlink(missing_ok=True)
        shutil.rmtree(home / "attachments", ignore_errors=True)
    make_secret(home)
    url = os.environ.get("ITSM_DATABASE_URL") or f"sqlite:///{home / 'demo.db'}"
    settings = replace(from_environment({**os.environ, "ITSM_DATABASE_URL": url}), public_pulse=True)
    database = Database(url)
    if fresh and external:
        migrate.downgrade(database, "base")
    migrate.upgrade(database)
    with database.session(write=False) as session:
        empty = people.nobody_yet(session)
    if empty:
        clock = FrozenClock(SystemClock().now() - timedelta(days=DAYS))
        _Simulation(wiring.build(settings, clock, database=database), clock).run()
    desk = wiring.build(settings, database=database).desk
    _write_tokens(desk, home / "demo.json")
    database.dispose()
    return settings


def announce(settings: Settings) -> None:
    """Say where the desk is and whom to sign in as."""
    told = json.loads((settings.home / "demo.json").read_text())
    click.echo(f"\nThe desk is open at {told['base_url']}  (Ctrl-C closes it)\n")
    for role, who in told["users"].items():
        click.echo(f"  {role:16} {who['login']:8} {who['token']}")
    click.echo(f"\nThe same as JSON: {settings.home / 'demo.json'}\n", nl=True)


def _write_tokens(desk: Desk, file: Path) -> None:
    """Keep the tokens of an earlier run while they are good; make new ones otherwise."""
    base_url = f"http://{desk.settings.host}:{desk.settings.port}"
    users: dict[str, dict[str, str]] = {}
    keeper = TokenKeeper(desk.settings.key("tokens"), desk.roles)
    kept = json.loads(file.read_text())["users"] if file.exists() else {}
    with desk.transaction(SYSTEM, Channel.COMMAND_LINE) as tx:
        for role, login in ROLES.items():
            text = kept.get(role, {}).get("token", "")
            if not _good(keeper, tx, text):
                text = keeper.create(tx.session, login, frozenset(Scope), tx.now, tx.now + timedelta(days=365), "demo")
            users[role] = {"login": login, "token": text}
    temporary = file.with_suffix(".tmp")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        json.dump({"base_url": base_url, "users": users}, out, indent=2)
    temporary.replace(file)


def _good(keeper: TokenKeeper, tx: Tx, text: str) -> bool:
    try:
        keeper.actor(tx.session, text, tx.now)
    except DeskError:
        return False
    return True


Deed = Callable[[], None]


@dataclass
class _Simulation:
    """Ninety days of a desk: a heap of deeds by instant, and a clock that is moved from one to the next."""

    service: Any
    clock: FrozenClock
    chance: random.Random = field(default_factory=lambda: random.Random(SEED))  # noqa: S311  # a story, not a secret
    deeds: list[tuple[datetime, int, Deed]] = field(default_factory=list)
    order: count[int] = field(default_factory=count)
    actors: dict[str, Actor] = field(default_factory=dict)

    @property
    def desk(self) -> Desk:
        desk: Desk = self.service.desk
        return desk

    def run(self) -> None:
        end = SystemClock().now() - timedelta(minutes=2)
        self._settle_in()
        start = self.clock.now()
        for at in sorted(start + (end - start) * self.chance.random() for _ in range(TICKETS)):
            self._plan(self._office_hour(at), self._open_something)
        with Progress() as progress:
            task = progress.add_task("Three months at the desk", total=(end - start).total_seconds())
            swept = start
            while self.deeds and self.deeds[0][0] <= end:
                at, _, deed = heapq.heappop(self.deeds)
                while swept + timedelta(hours=6) < at:
                    swept += timedelta(hours=6)
                    self.clock.set(swept)
                    self.service.sweeper.sweep()
                self.clock.set(max(at, self.clock.now()))
                deed()
                progress.update(task, completed=(at - start).total_seconds())
            self.clock.set(end)
            self.service.sweeper.sweep()
            progress.update(task, completed=(end - start).total_seconds())

    def _settle_in(self) -> None:
        desk = self.desk
        with desk.transaction(SYSTEM, Channel.COMMAND_LINE) as tx:
            publishing.publish_directory(tx, desk.settings.workflows_dir)
            load_starting_set(tx.session, desk.settings.config_dir)
            for key, name in (("acme", "Acme Manufacturing"), ("globex", "Globex Trading"), ("internal", "IT")):
                people.ensure_organisation(tx.session, key, name)
            for login, name, role, organisation, groups in STAFF:
                people.add_user(
                    tx.session,
                    desk.roles,
                    login,
                    name,
                    frozenset({role}),
                    tx.now,
                    "demo",
                    email=f"{login}@{organisation}.example",
                    organisation=organisation,
                )
                for group in groups:
                    people.join(tx.session, login, group, tx.now, "demo")
            for group in ("service-desk", "desktop"):
                people.set_lead(tx.session, group, "lena")
            for key, name, kind in ITEMS:
                services.ensure_item(tx.session, key, name, kind)

    def _open_something(self) -> None:
        kind = self.chance.choices(("incident", "request", "problem", "change"), (62, 24, 6, 8))[0]
        {"incident": self._incident, "request": self._request, "problem": self._problem, "change": self._change}[kind]()

    def _incident(self) -> None:
        story = self.chance.choice(INCIDENTS)
        who = self.chance.choice([login for login, _, role, organisation, _ in STAFF if role == "requester"])
        new = NewTicket(
            "incident", story.title, story.text, {"urgency": self.chance.choice(story.urgencies)}, service=story.service
        )
        number = self._create(who, new)
        agent, group = self._worker(story.group)
        steps: list[Step] = [
            Step(agent, "assign", {"group": group}, wait=(0.1, 3)),
            Step(agent, "start", wait=(0.2, 10)),
        ]
        if self.chance.random() < 0.3:
            steps.append(
                Step(
                    agent, "hold", {"pending_reason": self.chance.choice(("user", "vendor"))}, wait=(0.3, 4), say=story.question
                )
            )
            steps.append(Step(who, "", wait=(2, 70), say="Thank you, here is what you asked for."))
            steps.append(Step(agent, "resume", wait=(0.5, 8)))
        code = self.chance.choices(("fixed", "workaround", "user_error", "not_reproducible"), (70, 15, 10, 5))[0]
        steps.append(Step(agent, "resolve", {"resolution_code": code, "resolution": story.solution}, wait=(0.3, 30)))
        if self.chance.random() < 0.07:
            steps.append(Step(who, "reopen", wait=(2, 40), comment="It is back again."))
            steps.append(Step(agent, "resolve", {"resolution_code": "fixed", "resolution": story.solution}, wait=(1, 12)))
        elif self.chance.random() < 0.35:
            steps.append(Step(who, "close", wait=(1, 30)))
        self._follow(number, steps)

    def _request(self) -> None:
        story = self.chance.choice(REQUESTS)
        who = self.chance.choice(("mara", "nils", "tom", "yuki", "olaf", "rosa"))
        number = self._create(who, NewTicket("request", story.title, story.text, service=story.service))
        agent, group = self._worker(story.group)
        decision = "reject" if self.chance.random() < 0.12 else "approve"
        self._later((1, 40), lambda: self._decide(number, decision))
        steps = [
            Step(agent, "assign", {"group": group}, wait=(30, 60)),
            Step(agent, "start", wait=(1, 20)),
            Step(agent, "fulfil", {"outcome": "fulfilled", "fulfilment_note": story.solution}, wait=(4, 60)),
        ]
        if decision == "approve":
            self._follow(number, steps)

    def _problem(self) -> None:
        story = self.chance.choice(PROBLEMS)
        agent, group = self._worker(story.group)
        number = self._create(agent, NewTicket("problem", story.title, story.text))
        self._follow(
            number,
            [
                Step(agent, "assign", {"group": group}, wait=(1, 20)),
                Step(agent, "investigate", wait=(2, 30)),
                Step(
                    agent,
                    "record_known_error",
                    {"root_cause": story.question, "workaround": "Restart the service."},
                    wait=(24, 200),
                ),
                Step(agent, "resolve", {"resolution_code": "fix_applied", "resolution": story.solution}, wait=(100, 600)),
            ],
        )

    def _change(self) -> None:
        story = self.chance.choice(CHANGES)
        agent, group = self._worker(story.group)
        plans = {
            "justification": story.text,
            "implementation_plan": story.solution,
            "backout_plan": "Restore the snapshot.",
            "test_plan": "Smoke test by the service desk.",
            "risk": self.chance.choice(("low", "moderate")),
        }
        number = self._create(agent, NewTicket("change", story.title, story.text, {"change_type": "normal"}))
        self._follow(
            number,
            [
                Step(agent, "assign", {"group": group}, wait=(0.5, 4)),
                Step(agent, "submit", plans, wait=(1, 20)),
                Step("chris", "request_authorisation", wait=(2, 30)),
            ],
        )
        self._later((60, 90), lambda: self._decide(number, "approve"))
        self._later((92, 140), lambda: self._schedule(number, agent))

    def _schedule(self, number: str, agent: str) -> None:
        start = self.clock.now() + timedelta(hours=self.chance.uniform(20, 200))
        window = {"planned_start": _utc(start), "planned_end": _utc(start + timedelta(hours=3))}
        outcome = "successful" if self.chance.random() < 0.85 else "with_issues"
        try:
            self._take(number, Step(agent, "schedule", window))
        except DeskError:  # not authorised in time
            return
        steps = [
            Step(agent, "complete", {"outcome": outcome}, wait=(0.5, 2)),
            Step("carla", "close", {"review_notes": "As planned; the lessons are noted."}, wait=(24, 90)),
        ]

        def implement() -> None:
            self._take(number, Step(agent, "implement"))
            self._follow(number, steps)

        self._plan(start + timedelta(minutes=10), implement)

    def _create(self, login: str, new: NewTicket) -> str:
        with self.desk.transaction(self._actor(login), Channel.PORTAL) as tx:
            return commands.create(tx, new).number

    def _follow(self, number: str, steps: list[Step]) -> None:
        """Plan the steps one after the other; a step that the workflow refuses ends the story there, as it would in life."""
        if not steps:
            return
        step, rest = steps[0], steps[1:]

        def take() -> None:
            try:
                self._take(number, step)
            except DeskError:
                return
            self._follow(number, rest)

        self._later(step.wait, take)

    def _take(self, number: str, step: Step) -> None:
        actor = self._actor(step.who)
        if step.say:
            with self.desk.transaction(actor, Channel.PORTAL) as tx:
                commands.comment(tx, number, step.say, commands.PUBLIC)
        if step.trigger:
            with self.desk.transaction(actor, Channel.API) as tx:
                commands.transition(tx, number, step.trigger, step.fields, step.comment, None)

    def _decide(self, number: str, decision: str) -> None:
        from itsm.approvals import commands as approvals
        from itsm.approvals import queries

        words = "Not in this quarter's budget." if decision == "reject" else None
        with self.desk.reading(SYSTEM) as tx:
            open_ = [row for row in queries.of_ticket(tx, number) if row.decision is None]
        for row in open_:
            try:
                with self.desk.transaction(self._actor(row.approver), Channel.PORTAL) as tx:
                    approvals.decide(tx, row.id, decision, words)
            except DeskError:
                return

    def _worker(self, group: str) -> tuple[str, str]:
        members = [login for login, _, role, _, groups in STAFF if group in groups and role in ("agent", "lead")]
        return self.chance.choice(members), group

    def _actor(self, login: str) -> Actor:
        if login not in self.actors:
            with self.desk.database.session(write=False) as session:
                self.actors[login] = actor_by_login(session, login, self.desk.roles)
        return self.actors[login]

    def _later(self, hours: tuple[float, float], deed: Deed) -> None:
        self._plan(self._office_hour(self.clock.now() + timedelta(hours=self.chance.uniform(*hours))), deed)

    def _plan(self, at: datetime, deed: Deed) -> None:
        heapq.heappush(self.deeds, (at, next(self.order), deed))

    def _office_hour(self, at: datetime) -> datetime:
        """The instant, moved on to working hours where it lies outside them: people sleep."""
        while at.weekday() >= 5 or not 7 <= at.hour < 16:
            at += timedelta(hours=1)
        return at


@dataclass(frozen=True, slots=True)
class Step:
    """What somebody does to a ticket, so many hours after what came before."""

    who: str
    trigger: str
    fields: dict[str, Any] = field(default_factory=dict)
    wait: tuple[float, float] = (1, 8)
    comment: str | None = None
    say: str | None = None


def _utc(at: datetime) -> str:
    return at.replace(microsecond=0).isoformat()
