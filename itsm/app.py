"""The wiring: the one place that knows every capability. It builds the desk, the web application and the clock, and decides
nothing.

A capability is added by its folder and by its lines here: the effects it carries out, the facts it provides, the events it
answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from itsm.approvals import commands as approvals
from itsm.people import roles
from itsm.people.access import Roles
from itsm.platform import migrate
from itsm.platform.database import Database
from itsm.platform.errors import DeskError, Kind
from itsm.platform.settings import Settings
from itsm.platform.sweeper import Sweeper
from itsm.platform.time import Clock, SystemClock
from itsm.tickets import due, effects, facts
from itsm.tickets.desk import Desk, Processes
from itsm.workflow import calendars
from itsm.workflow.case import Fact
from itsm.workflow.findings import Severity
from itsm.workflow.vocabulary import Vocabulary, load_vocabulary
from itsm.worktime.calendar import Calendar

if TYPE_CHECKING:
    from flask import Flask


@dataclass(frozen=True, slots=True)
class Service:
    """A desk with the sweeper that does its due work."""

    desk: Desk
    sweeper: Sweeper


@dataclass(frozen=True, slots=True)
class Configuration:
    """What `config/` says, read and found sound."""

    vocabulary: Vocabulary
    calendars: Mapping[str, Calendar]
    roles: Roles


def configure(settings: Settings) -> Configuration:
    """Read `config/`. Raises `DeskError` (`bad_configuration`) with every fault at FILE:LINE:COL."""
    vocabulary, told = load_vocabulary(settings.config_dir, settings.workflows_dir)
    hours, more = calendars.load_file(settings.config_dir / "calendars.yaml")
    errors = [finding for finding in (*told, *more) if finding.severity is Severity.ERROR]
    if errors:
        words = "\n".join(f"{error.at}: error {error.code}: {error.message}" for error in errors)
        raise DeskError(Kind.SETUP, "bad_configuration", words)
    return Configuration(vocabulary, hours, roles.load(settings.config_dir / "roles.yaml"))


def build(settings: Settings, clock: Clock | None = None, *, database: Database | None = None) -> Service:
    """A desk as configured. Raises `DeskError` like `configure`."""
    configuration = configure(settings)
    return assemble(settings, configuration, clock or SystemClock(), database or Database(settings.database_url))


def assemble(
    settings: Settings, configuration: Configuration, clock: Clock, database: Database, processes: Processes | None = None
) -> Service:
    """A desk from its parts; `processes` may be shared by desks of one configuration."""
    desk = Desk(
        database=database,
        clock=clock,
        settings=settings,
        roles=configuration.roles,
        vocabulary=configuration.vocabulary,
        calendars=configuration.calendars,
        processes=processes or Processes(configuration.vocabulary),
        facts={
            Fact.TASKS: facts.tasks,
            Fact.LINKS: facts.links,
            Fact.WATCHERS: facts.watchers,
            Fact.APPROVALS: approvals.counts,
            Fact.APPROVERS: approvals.approvers,
        },
        effects={**effects.HANDLERS, approvals.ACTION: approvals.request},
        recipients={"approvers": approvals.awaited},
        subscribers=(approvals.withdraw,),
    )
    sweeper = Sweeper(desk.database, clock, due.handlers(desk))
    desk.run_followup = sweeper.sweep_ticket
    return Service(desk, sweeper)


def create_app(service: Service) -> Flask:
    """The web application over a desk. Raises `DeskError` if the database's schema is not the one this release needs."""
    from itsm.api import create_api
    from itsm.portal import create_portal

    migrate.refuse_unless_current(service.desk.database)
    app = create_api(service.desk)
    create_portal(app, service.desk)
    return app


def main() -> None:
    """The command `itsm`."""
    from itsm import cli

    cli.main(obj=cli.Wiring(build=build, create_app=create_app))
