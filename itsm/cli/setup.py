"""Setting up and looking after an installation: `init`, `db`, `doctor`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import click

from itsm.catalog import publishing as catalogue
from itsm.cli import Wiring, print_json
from itsm.cli.starting import load_starting_set
from itsm.people import commands as people
from itsm.people.access import SYSTEM, Channel, Scope
from itsm.people.tokens import TokenKeeper
from itsm.platform import database as databases
from itsm.platform import migrate
from itsm.platform.database import Database, describe
from itsm.platform.errors import DeskError
from itsm.platform.settings import from_environment, make_secret
from itsm.platform.skew import ReferenceClock, refuse_unless_near
from itsm.platform.time import SystemClock
from itsm.sla import commands as promised
from itsm.sla import sources
from itsm.tickets import publishing

FIRST_TOKEN_LIFETIME = timedelta(hours=24)


@click.command()
@click.option("--admin", default="admin", show_default=True, help="Login of the first administrator.")
@click.pass_obj
def init(wiring: Wiring, admin: str) -> None:
    """Make an installation: secret, schema, workflows, groups and services, and a first administrator.

    It may be run again: what is there stays. No password is made; the first run prints a token that is good for a day.
    """
    import os

    make_secret(Path(os.environ.get("ITSM_HOME", "var")).resolve())
    settings = from_environment()
    migrate.upgrade(Database(settings.database_url))
    service = wiring.build(settings)
    desk = service.desk
    token = None
    with desk.transaction(SYSTEM, Channel.COMMAND_LINE) as tx:
        published = publishing.publish_directory(tx, settings.workflows_dir)
        load_starting_set(tx.session, settings.config_dir)
        published += catalogue.publish_directory(tx, settings.config_dir / catalogue.DIRECTORY)
        promises = sources.gather(settings.config_dir, settings.workflows_dir)
        if promised.publish_agreement(tx, promises, "init") is not None:
            published.append("promises")
        if people.nobody_yet(tx.session):
            people.add_user(tx.session, desk.roles, admin, "Administrator", frozenset({"admin"}), tx.now, "init")
            keeper = TokenKeeper(settings.key("tokens"), desk.roles)
            expires = tx.now + FIRST_TOKEN_LIFETIME
            token = keeper.create(tx.session, admin, frozenset(Scope), tx.now, expires, "first token")
    click.echo(f"database   {describe(settings.database_url)}")
    click.echo(f"published  {', '.join(published) or 'nothing new'}")
    if token is not None:
        click.echo(f"token      {token}\n           for {admin}, valid for 24 hours, shown this once")


@click.group()
def db() -> None:
    """The database's schema."""


@db.command()
def upgrade() -> None:
    """Bring the schema to this release."""
    settings = from_environment()
    migrate.upgrade(Database(settings.database_url, statement_timeout=3600))
    click.echo(f"{describe(settings.database_url)} is current")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def doctor(wiring: Wiring, as_json: bool) -> None:
    """Look the installation over: settings, database, schema, workflows, clock, journal. Exit 1 when something is wrong."""
    findings: list[tuple[str, bool, str]] = []

    def look(what: str, question: Callable[[], object], sound: str) -> None:
        try:
            question()
        except DeskError as error:
            findings.append((what, False, error.detail))
        else:
            findings.append((what, True, sound))

    settings = from_environment()
    base = Database(settings.database_url)
    look("schema", lambda: migrate.refuse_unless_current(base), "current")
    look("configuration", lambda: wiring.build(settings, database=base), "sound")
    look("clock", lambda: refuse_unless_near(ReferenceClock(base, SystemClock())), "agrees with the database's")
    if not base.is_postgresql:
        driver = databases.sqlite_driver()
        safe = driver.sqlite_version_info >= databases.WAL_SAFE_SINCE
        mode = "WAL" if safe else "rollback journal, as this release's WAL is not safe"
        findings.append(("sqlite", True, f"{driver.sqlite_version}, {mode}"))
    if as_json:
        print_json([{"what": what, "sound": sound, "says": says} for what, sound, says in findings])
    else:
        for what, sound, says in findings:
            click.echo(f"{'ok   ' if sound else 'WRONG'} {what:14} {says}")
    if not all(sound for _, sound, _ in findings):
        raise SystemExit(1)
