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
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import click
from rich.progress import Progress

from itsm.catalog import commands as ordering
from itsm.catalog import publishing as catalogue
from itsm.cli import Wiring
from itsm.cli.orders import WISHES
from itsm.cli.starting import load_starting_set
from itsm.cli.stories import (
    ALREADY_LATE,
    CHANGES,
    INCIDENTS,
    JUST_REPORTED,
    NEARLY_LATE,
    PROBLEMS,
    REQUESTS,
    STILL_WAITING,
    Story,
)
from itsm.people import commands as people
from itsm.people import places, ties
from itsm.people.access import SYSTEM, Actor, Channel, Scope
from itsm.people.places import Place
from itsm.people.tokens import TokenKeeper, actor_by_login
from itsm.platform import migrate, timers
from itsm.platform.database import Database
from itsm.platform.errors import DeskError, Kind
from itsm.platform.settings import Settings, from_environment, make_secret
from itsm.platform.time import FrozenClock, SystemClock
from itsm.services import importing
from itsm.services.commands import Registrar
from itsm.sla import commands as promised
from itsm.sla import sources
from itsm.sla.keeping import Keeper
from itsm.tickets import commands, publishing, queries
from itsm.tickets.commands import NewTicket
from itsm.tickets.desk import Desk, Tx
from itsm.workflow.case import Value
from itsm.workflow.definition import Category

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
    ("ivan", "Ivan Petrov", "agent", "internal", ("applications", "infrastructure", "identity")),
    ("sara", "Sara Lund", "agent", "internal", ("security",)),
    ("lena", "Lena Vogt", "lead", "internal", ("service-desk", "desktop")),
    ("paul", "Paul Meyer", "approver", "acme", ()),
    ("pia", "Pia Rossi", "approver", "acme", ()),
    ("chris", "Chris Walker", "change_manager", "internal", ("cab",)),
    ("carla", "Carla Jimenez", "change_manager", "internal", ("cab",)),
    ("petra", "Petra Schulz", "process_owner", "internal", ()),
    ("admin", "Administrator", "admin", "internal", ()),
)

ACME_SALES, ACME_PLANT = ("berlin", "Sales", "acme-sales"), ("munich", "Production", "acme-plant")
GLOBEX, IT = ("new-york", "Trading", "globex"), ("berlin", "IT", "it")
DATA_CENTRE = ("frankfurt", "IT operations", "it-operations")

BELONGS: dict[str, tuple[tuple[str, str, str], str | None]] = {
    "mara": (ACME_SALES, "paul"),
    "nils": (ACME_SALES, "paul"),
    "tom": (ACME_PLANT, "pia"),
    "yuki": (("london", "Sales", "acme-sales"), "paul"),
    "olaf": (GLOBEX, "rosa"),
    "rosa": (GLOBEX, None),
    "paul": (ACME_SALES, "pia"),
    "pia": (ACME_PLANT, None),
    "noor": (DATA_CENTRE, "lena"),
    "ivan": (DATA_CENTRE, "lena"),
    **dict.fromkeys(("ines", "anna", "ben", "sara"), (IT, "lena")),
    **dict.fromkeys(("lena", "chris", "carla", "petra", "admin"), (IT, None)),
}
"""Location, department and cost centre of each, and his manager."""

PLANS = {"acme": "gold", "globex": "standard", "internal": "standard"}


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
        for before, deed in self._last_hours():
            self._plan(end - before, deed)
        with Progress() as progress:
            task = progress.add_task("Three months at the desk", total=(end - start).total_seconds())
            while self.deeds and self.deeds[0][0] <= end:
                at, _, deed = heapq.heappop(self.deeds)
                self._let_pass(at)
                deed()
                progress.update(task, completed=(at - start).total_seconds())
            self._let_pass(end)
            progress.update(task, completed=(end - start).total_seconds())

    def _let_pass(self, until: datetime) -> None:
        """Move the clock on; what falls due on the way is done when it is due."""
        while (due := self._next_due()) is not None and due <= until:
            self.clock.set(max(due, self.clock.now()))
            if not self.service.sweeper.sweep():
                break
        self.clock.set(max(until, self.clock.now()))

    def _next_due(self) -> datetime | None:
        with self.desk.database.session(write=False) as session:
            return timers.next_due(session)

    def _settle_in(self) -> None:
        desk = self.desk
        with desk.transaction(SYSTEM, Channel.COMMAND_LINE) as tx:
            publishing.publish_directory(tx, desk.settings.workflows_dir)
            load_starting_set(tx.session, desk.settings.config_dir)
            catalogue.publish_directory(tx, desk.settings.config_dir / catalogue.DIRECTORY)
            promises = sources.gather(desk.settings.config_dir, desk.settings.workflows_dir)
            promised.publish_agreement(tx, desk.part(Keeper), promises, "demo")
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
            for login, ((location, department, cost_centre), manager) in BELONGS.items():
                places.place(tx.session, login, Place(location, department), tx.now, "demo")
                ties.set_cost_centre(tx.session, login, cost_centre, tx.now, "demo")
                if manager is not None:
                    ties.set_manager(tx.session, login, manager, tx.now, "demo")
            for organisation, plan in PLANS.items():
                places.set_plan(tx.session, organisation, plan)
        self._install()

    def _install(self) -> None:
        """Bring in who owns the services, and the items they rest on, as an administrator would."""
        desk = self.desk
        file = desk.settings.config_dir / "demo" / "services.csv"
        with desk.transaction(self._actor("admin"), Channel.COMMAND_LINE) as tx, file.open("rb") as stream:
            registrar = Registrar(tx.session, tx.actor, tx.now, desk.locations.keys(), desk.calendars.keys())
            report = importing.carry_out(registrar, stream, str(file), importing.Mode.WRITE)
        if report.faults:
            raise DeskError(Kind.SETUP, "bad_configuration", "; ".join(fault.message for fault in report.faults))

    def _open_something(self) -> None:
        kinds = {self._incident: 62, self._request: 8, self._order: 16, self._problem: 6, self._change: 8}
        self.chance.choices(list(kinds), list(kinds.values()))[0]()

    def _incident(self) -> None:
        story = self.chance.choice(INCIDENTS)
        who = self.chance.choice([login for login, _, role, organisation, _ in STAFF if role == "requester"])
        urgency = self.chance.choice(story.urgencies)
        new = NewTicket("incident", story.title, story.text, {"urgency": urgency}, service=story.service)
        number = self._create(who, new)
        agent, group = self._worker(story.group)
        pace = 8.0 if self.chance.random() < 0.1 else 1.0  # now and then there is too much to do
        pace *= {"critical": 0.1, "high": 0.25, "medium": 1.0, "low": 1.5}[urgency]
        steps: list[Step] = [
            Step(agent, "assign", {"group": group}, wait=(0.1 * pace, 0.6 * pace)),
            Step(agent, "start", wait=(0.1 * pace, 1.2 * pace)),
        ]
        if self.chance.random() < 0.3:
            reason = self.chance.choice(("user", "vendor"))
            steps.append(Step(agent, "hold", {"pending_reason": reason}, wait=(0.3, 2), say=story.question))
            steps.append(Step(who, "", wait=(2, 60), say="Thank you, here is what you asked for."))
            steps.append(Step(agent, "", wait=(0.2, 4 * pace), say="Thank you, we are on it again."))
            if reason == "vendor":
                steps.append(Step(agent, "resume", wait=(0.5, 8)))
        code = self.chance.choices(("fixed", "workaround", "user_error", "not_reproducible"), (70, 15, 10, 5))[0]
        steps.append(
            Step(agent, "resolve", {"resolution_code": code, "resolution": story.solution}, wait=(0.3 * pace, 14 * pace))
        )
        if self.chance.random() < 0.07:
            steps.append(Step(who, "reopen", wait=(2, 40), comment="It is back again."))
            steps.append(Step(agent, "resolve", {"resolution_code": "fixed", "resolution": story.solution}, wait=(1, 12)))
        elif self.chance.random() < 0.35:
            steps.append(Step(who, "close", wait=(1, 30)))
        self._follow(number, steps)

    def _last_hours(self) -> Iterator[tuple[timedelta, Deed]]:
        """What is under way when the curtain rises: promises near their end, broken, and at rest."""

        def urgent(story: Story, agent: str, steps: list[Step]) -> Deed:
            fields: dict[str, Value] = {"urgency": "critical", "impact": "extensive"}
            new = NewTicket("incident", story.title, story.text, fields, service=story.service, requester="nils")

            def deed() -> None:
                number = self._create(agent, new)
                for step in steps:
                    self._take(number, step)

            return deed

        taken = [Step("noor", "assign", {"group": "network"}), Step("noor", "start")]
        waiting = Step("noor", "hold", {"pending_reason": "user"}, say="Which building are you in?")
        yield timedelta(hours=30), urgent(STILL_WAITING, "noor", [*taken, waiting])
        yield timedelta(hours=5), urgent(ALREADY_LATE, "noor", taken)
        yield timedelta(hours=3, minutes=20), urgent(NEARLY_LATE, "noor", taken)
        yield timedelta(minutes=6), urgent(JUST_REPORTED, "noor", [])

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

    def _order(self) -> None:
        """Something of the catalogue; what becomes of it is seen to by its approvers and the groups of its tasks."""
        wish = self.chance.choice(WISHES)
        who = self.chance.choice(wish.by)
        with self.desk.transaction(self._actor(who), Channel.PORTAL) as tx:
            number = ordering.submit(tx, wish.item, wish.answers(tx.now), ())[0].number
        decision = "reject" if self.chance.random() < 0.12 else "approve"
        for wait in ((1, 40), (45, 90)):  # a second stage is asked once the first has agreed
            self._later(wait, lambda: self._decide(number, decision))
        self._later((4, 30), lambda: self._fulfil(number))

    def _fulfil(self, number: str) -> None:
        """One task of an order is done, and after a while the next, until there is none left."""
        with self.desk.reading(SYSTEM) as tx:
            record = queries.ticket(tx, number)
            waiting = [task for task in queries.tasks(tx, record) if task.state == "open"]
        if record.category in (Category.RESOLVED, Category.CLOSED):
            return
        if waiting:
            agent, _ = self._worker(str(waiting[0].values["group"]))
            self._take(waiting[0].number, Step(agent, "complete"))
        self._later((2, 24), lambda: self._fulfil(number))

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
        for wait in ((60, 90), (150, 200)):  # the change authority may have had to be asked once more
            self._later(wait, lambda: self._decide(number, "approve"))
        for wait in ((92, 140), (210, 240)):
            self._later(wait, lambda: self._schedule(number, agent))

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
            try:
                self._take(number, Step(agent, "implement"))
            except DeskError:  # in the freeze, or put off
                return
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
        from itsm.approvals import queries as questions

        words = "Not in this quarter's budget." if decision == "reject" else None
        with self.desk.reading(SYSTEM) as tx:
            open_ = [row for row in questions.of_ticket(tx, number) if row.decision is None]
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
