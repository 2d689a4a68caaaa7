"""A desk for tests: the shipped configuration and practices over a real database, and a small world of people.

Organisations `acme` (requesters ra1, ra2; manager ma who sees the organisation) and `beta` (rb1). Staff: agent g1 of the group
network, g2 of the restricted group security, g3 who may only read in network, lead l1 of network; approver ap1, change managers
cm1 and cm2, process owner po1, auditor au1, admin ad1, integration int1.
"""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

import sqlalchemy as sa

from itsm.app import Configuration, Service, assemble, configure
from itsm.people import commands as people
from itsm.people.access import SYSTEM, Actor, Channel
from itsm.people.tokens import actor_by_login
from itsm.platform.database import Database, Prepared
from itsm.platform.schema import table
from itsm.platform.settings import PROJECT_ROOT, Settings
from itsm.platform.time import Clock
from itsm.services import commands as services
from itsm.sla import sources
from itsm.sla.agreements import Read, Source
from itsm.sla.agreements import publish as publish_agreement
from itsm.tickets.desk import Desk, Processes
from itsm.tickets.models import NumberCounter, WorkflowVersion
from itsm.workflow import language
from itsm.workflow.definition import Workflow
from itsm.workflow.engine import Process

SECRET = b"0123456789abcdef0123456789abcdef-for-tests"

PEOPLE: dict[str, tuple[str, str | None, dict[str, str]]] = {
    "ra1": ("requester", "acme", {}),
    "ra2": ("requester", "acme", {}),
    "ma": ("requester", "acme", {}),
    "rb1": ("requester", "beta", {}),
    "g1": ("agent", None, {"network": "full", "desktop": "full"}),
    "g2": ("agent", None, {"security": "full"}),
    "g3": ("agent", None, {"network": "read"}),
    "l1": ("lead", None, {"network": "full"}),
    "ap1": ("approver", "acme", {}),
    "cm1": ("change_manager", None, {}),
    "cm2": ("change_manager", None, {}),
    "po1": ("process_owner", None, {}),
    "au1": ("auditor", None, {}),
    "ad1": ("admin", None, {}),
    "int1": ("integration", None, {}),
}

_VERSIONS, _COUNTERS = table(WorkflowVersion), table(NumberCounter)
_PUBLISH = Prepared(
    sa.insert(_VERSIONS).values(
        {name: sa.bindparam(name) for name in ("name", "digest", "title", "source", "published_at", "published_by")}
        | {"is_current": True}
    )
)
_COUNT = Prepared(sa.insert(_COUNTERS).values(type=sa.bindparam("type"), last=0))


def settings(database_url: str = "sqlite://", home: Path | None = None) -> Settings:
    """Settings over the shipped configuration; `home` is a fresh temporary folder unless given."""
    return Settings(
        home=home or Path(tempfile.mkdtemp(prefix="itsm-home-")),
        database_url=database_url,
        secret=SECRET,
        config_dir=PROJECT_ROOT / "config",
        workflows_dir=PROJECT_ROOT / "workflows",
    )


@cache
def configuration() -> Configuration:
    """The shipped configuration, read once per run."""
    return configure(settings())


@cache
def practices() -> dict[str, Workflow]:
    """The shipped workflows, read once per run."""
    workflows, findings = language.load_directory(PROJECT_ROOT / "workflows", configuration().vocabulary)
    assert not [finding for finding in findings if finding.severity == "error"], findings
    return workflows


def processes() -> Processes:
    """What a desk begins with: the practices, compiled once per run. What a test publishes itself is its own desk's alone."""
    found = Processes(configuration().vocabulary)
    for version, process in compiled().items():
        found._compiled[version] = process
    return found


@cache
def compiled() -> dict[int, Process]:
    """The practices by the row ids that they have in every test's database, where they are published first."""
    vocabulary = configuration().vocabulary
    return {row: Process(each, vocabulary) for row, (_, each) in enumerate(sorted(practices().items()), 1)}


@cache
def read_agreement() -> Read:
    """Reads each text once per run."""
    return sources.reader(configuration().vocabulary)


@cache
def promises() -> Source:
    """The shipped promises."""
    return sources.gather(PROJECT_ROOT / "config", PROJECT_ROOT / "workflows")


def a_service(database: Database, clock: Clock, home: Path | None = None) -> Service:
    """A desk with the shipped practices published and the world's people in it."""
    service = assemble(settings(database.url, home), configuration(), clock, database, processes(), read_agreement())
    populate(service.desk)
    return service


def populate(desk: Desk) -> None:
    """Publish the practices (proved elsewhere) and add the people of the world."""
    with desk.transaction(SYSTEM, Channel.COMMAND_LINE) as tx:
        for name, workflow in sorted(practices().items()):
            tx.session.run(
                _PUBLISH,
                name=name,
                digest=workflow.digest,
                title=workflow.title,
                source=workflow.source,
                published_at=tx.now,
                published_by="tests",
            )
            tx.session.run(_COUNT, type=name)
        publish_agreement(tx.session, promises(), "tests", "", tx.now)
        for key in ("acme", "beta"):
            people.ensure_organisation(tx.session, key, key.title())
        for key in ("service-desk", "desktop", "network", "infrastructure", "applications"):
            people.ensure_group(tx.session, key, key.title())
        people.ensure_group(tx.session, "security", "Security", restricted=True)
        for login, (role, organisation, groups) in PEOPLE.items():
            people.add_user(
                tx.session,
                desk.roles,
                login,
                login.upper(),
                frozenset({role}),
                tx.now,
                "tests",
                organisation=organisation,
                sees_organisation=login == "ma",
            )
            for group, access in groups.items():
                people.join(tx.session, login, group, tx.now, "tests", access)
        people.set_lead(tx.session, "network", "l1")
        services.ensure_service(tx.session, "workplace", "Workplace", "desktop")
        services.ensure_item(tx.session, "laptop-17", "Laptop 17", "laptop")


def actor(desk: Desk, login: str) -> Actor:
    """A person of the world, ready to act."""
    with desk.database.session(write=False) as session:
        return actor_by_login(session, login, desk.roles)
