"""The wiring: the one place that knows every capability. It builds the desk, the web application and the clock, and decides
nothing.

A capability is added by its folder and by its lines here: the effects it carries out, the facts it provides, the events it
answers.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from itsm.approvals import board as approval_board
from itsm.approvals import check as approval_rules
from itsm.approvals import commands as approvals
from itsm.approvals import departures, stages
from itsm.approvals import handlers as approving
from itsm.approvals import reading as approval_policies
from itsm.approvals.policy import Book
from itsm.approvals.table import Conditions
from itsm.assignment import check as assignment_rules
from itsm.assignment import handing, on_call
from itsm.assignment import handlers as assigning
from itsm.assignment import reading as assignment_book
from itsm.assignment.book import FILE as ASSIGNMENT
from itsm.assignment.book import Book as AssignmentBook
from itsm.assignment.table import Table
from itsm.catalog import handlers as catalog
from itsm.catalog import recurrences
from itsm.changes import handlers as change_calendar
from itsm.changes import projection as change_projection
from itsm.changes import reading as change_calendars
from itsm.changes import standard as standard_changes
from itsm.changes.authority import Authority
from itsm.changes.risk import Guide
from itsm.changes.rules import Book as ChangeCalendar
from itsm.delivery import handlers as delivery
from itsm.delivery import messages
from itsm.delivery import reading as webhooks
from itsm.delivery import relay as relays
from itsm.delivery.endpoints import FILE as WEBHOOKS
from itsm.delivery.endpoints import Endpoint, Endpoints
from itsm.delivery.relay import Relay
from itsm.people import roles
from itsm.people.access import SYSTEM, Channel, Roles
from itsm.platform import migrate
from itsm.platform.database import Database
from itsm.platform.errors import DeskError, Kind
from itsm.platform.settings import Settings
from itsm.platform.skew import ReferenceClock
from itsm.platform.statements import compile_all
from itsm.platform.sweeper import Sweeper
from itsm.platform.time import Clock, SystemClock
from itsm.sla import escalation, escalation_reading, sources
from itsm.sla import handlers as clocks
from itsm.sla.agreements import Agreements, Read
from itsm.sla.escalation import Ladders
from itsm.sla.keeping import Keeper
from itsm.sla.ladders import Ladder
from itsm.tickets import due, effects, facts, loading, nearby, publishing
from itsm.tickets.desk import Desk, Processes
from itsm.workflow import calendars, locations
from itsm.workflow.case import Fact
from itsm.workflow.findings import Severity
from itsm.workflow.locations import Location
from itsm.workflow.vocabulary import Vocabulary, load_vocabulary
from itsm.worktime.calendar import Calendar

if TYPE_CHECKING:
    from flask import Flask


_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Service:
    """A desk with the sweeper that does its due work, and the relay that delivers what it has to say."""

    desk: Desk
    sweeper: Sweeper
    relay: Relay

    def warm_up(self) -> None:
        """Compile the statements and the current workflows, and read the current promises: the first command to need them would
        do so while it holds SQLite's only write. Raises `DeskError` where the database is not to be had.
        """
        compile_all(self.desk.database.dialect)
        with self.desk.reading(SYSTEM) as tx:
            workflows = [loading.process_of(tx, version.id).workflow for version in publishing.current(tx)]
            current = self.desk.part(Keeper).agreements.current(tx.session)
        agreement = None if current is None else current[0]
        for name in escalation.unknown(self.desk.part(Ladders), workflows, agreement):
            _log.warning("published workflows or promises escalate by “%s”, and there is no ladder of this name", name)


@dataclass(frozen=True, slots=True)
class Configuration:
    """What `config/` says, read and found sound."""

    vocabulary: Vocabulary
    calendars: Mapping[str, Calendar]
    locations: Mapping[str, Location]
    roles: Roles
    approvals: Book
    ladders: Mapping[str, Ladder]
    assignment: AssignmentBook
    changes: ChangeCalendar
    risk: Guide
    webhooks: Mapping[str, Endpoint]


def configure(settings: Settings) -> Configuration:
    """Read `config/`. Raises `DeskError` (`bad_configuration`) with every fault at FILE:LINE:COL."""
    vocabulary, told = load_vocabulary(settings.config_dir, settings.workflows_dir)
    hours, more = calendars.load_file(settings.config_dir / "calendars.yaml")
    places, misplaced = locations.load_file(settings.config_dir / "locations.yaml", vocabulary.calendars)
    policies, unsound = approval_policies.load_file(settings.config_dir / "approvals.yaml", vocabulary)
    unsound += approval_rules.check(policies, {}, vocabulary)
    ladders, misled = escalation_reading.load_file(settings.config_dir / escalation_reading.FILE, vocabulary, hours)
    unsound += misled
    assignment, unread = assignment_book.load_file(settings.config_dir / ASSIGNMENT, vocabulary, hours)
    unsound += [*unread, *assignment_rules.examine(assignment)]
    changes, risk, misplanned = change_calendars.load_file(settings.config_dir / change_calendars.FILE, hours)
    unsound += misplanned
    receivers, misnamed = webhooks.load_file(settings.config_dir / WEBHOOKS)
    unsound += misnamed
    errors = [finding for finding in (*told, *more, *misplaced, *unsound) if finding.severity is Severity.ERROR]
    if errors:
        words = "\n".join(f"{error.at}: error {error.code}: {error.message}" for error in errors)
        raise DeskError(Kind.SETUP, "bad_configuration", words)
    held = roles.load(settings.config_dir / "roles.yaml")
    return Configuration(vocabulary, hours, places, held, policies, ladders, assignment, changes, risk, receivers)


def build(settings: Settings, clock: Clock | None = None, *, database: Database | None = None) -> Service:
    """A desk as configured. Raises `DeskError` like `configure`."""
    configuration = configure(settings)
    database = database or Database(settings.database_url)
    return assemble(settings, configuration, clock or ReferenceClock(database, SystemClock()), database)


def assemble(
    settings: Settings,
    configuration: Configuration,
    clock: Clock,
    database: Database,
    processes: Processes | None = None,
    read_agreement: Read | None = None,
) -> Service:
    """A desk from its parts; `processes` and `read_agreement` may be shared by desks of one configuration."""
    endpoints = Endpoints(configuration.webhooks)
    keeper = Keeper(Agreements(read_agreement or sources.reader(configuration.vocabulary)))
    desk = Desk(
        database=database,
        clock=clock,
        settings=settings,
        roles=configuration.roles,
        vocabulary=configuration.vocabulary,
        calendars=configuration.calendars,
        locations=configuration.locations,
        processes=processes or Processes(configuration.vocabulary),
        facts={
            Fact.TASKS: catalog.tasks,
            Fact.LINKS: facts.links,
            Fact.WATCHERS: facts.watchers,
            Fact.APPROVALS: approving.counts,
            Fact.APPROVERS: approving.approvers,
            Fact.DECIDERS: approving.deciders,
        },
        effects={
            **effects.HANDLERS,
            approvals.ACTION: approvals.request,
            catalog.ACTION: catalog.begin,
            escalation.ACTION: escalation.start,
            assigning.ACTION: assigning.route,
            delivery.ACTION: delivery.call,
        },
        recipients={
            "approvers": approving.awaited,
            "service.owner": nearby.service_owner,
            "requester.manager": nearby.manager,
            "on_call": on_call.recipients,
        },
        subscribers=(catalog.answer, approving.keep_up, assigning.answer, change_calendar.tell_override),
        guards=(change_calendar.guard, standard_changes.guard),
        observers=(keeper, change_projection.observe),
        preparers=(keeper.prepare,),
        listeners=(departures.heard,),
        parts={
            Keeper: keeper,
            Book: configuration.approvals,
            Conditions: Conditions(),
            ChangeCalendar: configuration.changes,
            Guide: configuration.risk,
            Authority: Authority(approval_board.question, approvals.decide, approval_board.standing),
            Ladders: Ladders(configuration.ladders),
            Table: Table(configuration.assignment),
            Endpoints: endpoints,
        },
    )
    handlers = {
        **due.handlers(desk),
        **clocks.handlers(desk, keeper),
        stages.KIND: due.singly(desk, Channel.TIMER, approving.on_timer),
        recurrences.KIND: recurrences.handler(desk),
        escalation.KIND: due.singly(desk, Channel.TIMER, escalation.due),
        handing.KIND: due.singly(desk, Channel.TIMER, assigning.due),
        relays.KIND: due.singly(desk, Channel.TIMER, delivery.due),
    }
    sweeper = Sweeper(desk.database, clock, handlers, together=clocks.together(desk, keeper))
    desk.run_followup = sweeper.sweep_ticket
    relay = Relay(desk.database, clock, endpoints, settings.key(messages.PURPOSE), settings.base_url)
    return Service(desk, sweeper, relay)


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
