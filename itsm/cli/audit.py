"""Proving the event log from the command line."""

from __future__ import annotations

import click

from itsm.cli import Wiring, print_json
from itsm.platform import migrate
from itsm.platform.settings import from_environment
from itsm.tickets import audit as log
from itsm.tickets import projection


@click.group()
def audit() -> None:
    """The event log."""


@audit.command()
@click.option("--projection", "with_projection", is_flag=True, help="Also rebuild every ticket row from its events.")
@click.option("--noted", multiple=True, help="A mark that was noted elsewhere (`itsm audit mark`); may be repeated.")
@click.option("--json", "as_json", is_flag=True)
@click.pass_obj
def verify(wiring: Wiring, with_projection: bool, noted: tuple[str, ...], as_json: bool) -> None:
    """Check every link, seal and checkpoint of the log. Exit 1 when anything was flipped, deleted, inserted or cut off."""
    desk = wiring.build(from_environment()).desk
    migrate.refuse_unless_current(desk.database)
    report = log.verify(desk.database, desk.audit_key, noted=[_read(mark) for mark in noted])
    faults = [str(fault) for fault in report.findings]
    if with_projection:
        faults += projection.verify(desk.database)
    if as_json:
        print_json({"rows": report.rows, "sound": not faults, "faults": faults})
    else:
        for fault in faults[:50]:
            click.echo(fault)
        click.echo(f"{report.rows} events, {len(faults)} fault(s)")
    if faults:
        raise SystemExit(1)


@audit.command()
@click.pass_obj
def mark(wiring: Wiring) -> None:
    """Make a checkpoint over all that was written, and print its mark, to be noted where the database's keeper cannot reach."""
    desk = wiring.build(from_environment()).desk
    migrate.refuse_unless_current(desk.database)
    made = log.checkpoint(desk.database, desk.audit_key, desk.clock)
    with desk.database.session(write=False) as session:
        last = made or log.latest(session)
    click.echo(last.mark.hex() if last else "There is nothing to mark yet.")


def _read(noted: str) -> bytes:
    try:
        return bytes.fromhex(noted)
    except ValueError as error:
        raise click.BadParameter(f"“{noted}” is no mark as `itsm audit mark` prints them", param_hint="--noted") from error
