"""Services and configuration items from the command line: a whole file in, all of them out."""

from __future__ import annotations

from pathlib import Path

import click

from itsm.cli import Wiring, print_json
from itsm.people.access import SYSTEM, Channel, Permission
from itsm.people.tokens import actor_by_login
from itsm.platform.errors import DeskError, Kind
from itsm.platform.settings import from_environment
from itsm.services import importing, sheet
from itsm.services.commands import Registrar
from itsm.services.importing import Mode, Report
from itsm.tickets.desk import Tx

SHOWN = 20


@click.group()
def services() -> None:
    """Services and configuration items."""


@services.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Tell what would happen; write nothing.")
@click.option(
    "--errors", type=click.Path(path_type=Path), default=None, help="Write the rows that were left out, and why, here."
)
@click.option("--as", "login", required=True, help=f"Login of who imports; needs {Permission.EDIT_SERVICES}.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def import_(wiring: Wiring, file: Path, *, dry_run: bool, errors: Path | None, login: str, as_json: bool) -> None:
    """Add and change services and items by a CSV or JSON FILE. Exit 1 when a row was left out."""
    desk = wiring.build(from_environment()).desk
    mode = Mode.TRY if dry_run else Mode.WRITE
    try:
        stream = file.open("rb")
    except OSError as error:
        raise DeskError(Kind.NOT_FOUND, "no_such_file", f"{file} cannot be opened: {error.strerror}.") from error
    with stream, desk.transaction(SYSTEM, Channel.COMMAND_LINE) as tx:
        tx.actor = actor_by_login(tx.session, login, desk.roles)
        report = importing.carry_out(_registrar(tx), stream, str(file), mode)
    if errors is not None:
        errors.write_text(sheet.errors(report.faults), newline="")
    _tell(report, errors, as_json=as_json)
    if report.faults:
        raise SystemExit(1)


@services.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.pass_obj
def export(wiring: Wiring, file: Path) -> None:
    """Write every service and item, with their relations, to a CSV FILE that `itsm services import` takes again."""
    desk = wiring.build(from_environment()).desk
    with desk.reading(SYSTEM) as tx:
        file.write_text(importing.export(tx.session, tx.actor), newline="")
    click.echo(f"{file} written")


def _registrar(tx: Tx) -> Registrar:
    return Registrar(tx.session, tx.actor, tx.now, tx.desk.locations.keys(), tx.desk.calendars.keys())


def _tell(report: Report, errors: Path | None, *, as_json: bool) -> None:
    counts = {name: getattr(report, name) for name in ("rows", "added", "changed", "unchanged", "related", "refused")}
    if as_json:
        faults = [
            {"row": each.row, "key": each.key, "column": each.column, "code": each.code, "message": each.message}
            for each in report.faults[: importing.MOST_TOLD]
        ]
        print_json({"dry_run": report.mode is Mode.TRY, **counts, "errors": faults})
        return
    for name, count in counts.items():
        click.echo(f"{name:10} {count:,}")
    for each in report.faults[:SHOWN]:
        click.echo(f"row {each.row}: {each.key or '(no key)'}: {each.column or 'row'}: {each.code}: {each.message}", err=True)
    if len(report.faults) > SHOWN:
        told = f"; see {errors}" if errors else "; --errors FILE has them all"
        click.echo(f"and {len(report.faults) - SHOWN:,} more{told}", err=True)
    if report.mode is Mode.TRY:
        click.echo("nothing was written")
