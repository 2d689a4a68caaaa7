"""The demo: a company with people, groups, services and three months of tickets, lived through the real commands.

`company.py` says who is who, `lives.py` what happens by chance, `scenes.py` what is under way at the end, and `simulation.py`
how time passes.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
import sqlalchemy as sa

from itsm.catalog import publishing as catalogue
from itsm.changes import standard
from itsm.cli import Wiring
from itsm.cli.company import BELONGS, LEADS, ORGANISATIONS, PLANS, ROLES, STAFF
from itsm.cli.lives import Lives
from itsm.cli.scenes import Scenes
from itsm.cli.simulation import Simulation
from itsm.cli.starting import load_starting_set
from itsm.people import commands as people
from itsm.people import places, ties
from itsm.people.access import SYSTEM, Channel, Scope
from itsm.people.places import Place
from itsm.people.tokens import TokenKeeper
from itsm.platform import migrate
from itsm.platform.database import Database
from itsm.platform.errors import DeskError, Kind
from itsm.platform.settings import Settings, from_environment, make_secret
from itsm.platform.time import FrozenClock, SystemClock
from itsm.services import importing
from itsm.services.commands import Registrar
from itsm.sla import commands as promised
from itsm.sla import sources
from itsm.tickets import publishing
from itsm.tickets.desk import Desk, Tx

DAYS = 90


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
        hasty = _hasty(url)
        simulate(Simulation(wiring.build(settings, clock, database=hasty), clock))
        hasty.dispose()
    desk = wiring.build(settings, database=database).desk
    _write_tokens(desk, home / "demo.json")
    database.dispose()
    return settings


def _hasty(url: str) -> Database:
    """A database that does not wait for the disk: if the power fails meanwhile, the demo is simply made anew."""
    database = Database(url)
    if not database.is_postgresql:

        @sa.event.listens_for(database.engine, "connect")
        def hurry(connection: Any, _record: object) -> None:
            connection.execute("PRAGMA synchronous=OFF")

    return database


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


def simulate(play: Simulation) -> None:
    """Let ninety days go by, up to two minutes ago."""
    end = SystemClock().now() - timedelta(minutes=2)
    settle_in(play)
    Lives(play).plan(play.now, end)
    Scenes(play, end).plan()
    play.play(end)


def settle_in(play: Simulation) -> None:
    """Publish processes and promises, and let everybody in."""
    desk = play.desk
    with desk.transaction(SYSTEM, Channel.COMMAND_LINE) as tx:
        publishing.publish_directory(tx, desk.settings.workflows_dir)
        promises = sources.gather(desk.settings.config_dir, desk.settings.workflows_dir)
        promised.publish_agreement(tx, promises, "demo")
    let_in(play)


def let_in(play: Simulation) -> None:
    """Let the people in, with their catalogue, services and devices; standard changes are approved."""
    desk = play.desk
    with desk.transaction(SYSTEM, Channel.COMMAND_LINE) as tx:
        load_starting_set(tx.session, desk.settings.config_dir)
        catalogue.publish_directory(tx, desk.settings.config_dir / catalogue.DIRECTORY)
        _add_people(tx)
    _install(play)
    play.do("chris", _approve_models)


def _add_people(tx: Tx) -> None:
    for key, name in ORGANISATIONS.items():
        people.ensure_organisation(tx.session, key, name)
        places.set_plan(tx.session, key, PLANS[key])
    for login, name, role, organisation, groups in STAFF:
        people.add_user(
            tx.session,
            tx.desk.roles,
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
    for group, login in LEADS.items():
        people.set_lead(tx.session, group, login)
    for login, ((location, department, cost_centre), manager) in BELONGS.items():
        places.place(tx.session, login, Place(location, department), tx.now, "demo")
        ties.set_cost_centre(tx.session, login, cost_centre, tx.now, "demo")
        if manager is not None:
            ties.set_manager(tx.session, login, manager, tx.now, "demo")


def _install(play: Simulation) -> None:
    """Bring in who owns the services, and the items they rest on, as an administrator would."""
    desk = play.desk
    file = desk.settings.config_dir / "demo" / "services.csv"
    with desk.transaction(play.actor("admin"), Channel.COMMAND_LINE) as tx, file.open("rb") as stream:
        registrar = Registrar(tx.session, tx.actor, tx.now, desk.locations.keys(), desk.calendars.keys())
        report = importing.carry_out(registrar, stream, str(file), importing.Mode.WRITE)
    if report.faults:
        raise DeskError(Kind.SETUP, "bad_configuration", "; ".join(fault.message for fault in report.faults))


def _approve_models(tx: Tx) -> None:
    """Approve every model of standard changes as it reads now."""
    for each in standard.offered(tx):
        standard.approve(tx, each.model.name, each.model.version, "Done a dozen times without trouble.")
