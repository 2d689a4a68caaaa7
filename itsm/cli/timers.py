"""Timers that were given up, for the person who has mended what was in their way."""

from __future__ import annotations

import click

from itsm.cli import Wiring, print_json
from itsm.platform import migrate, timers
from itsm.platform.errors import not_found
from itsm.platform.settings import from_environment
from itsm.platform.time import rfc3339


@click.group()
def timer() -> None:
    """Timers that failed too often and wait for a person."""


@timer.command()
@click.option("--json", "as_json", is_flag=True)
@click.pass_obj
def parked(wiring: Wiring, as_json: bool) -> None:
    """List them, with their last error."""
    desk = wiring.build(from_environment()).desk
    migrate.refuse_unless_current(desk.database)
    with desk.database.session(write=False) as session:
        rows = timers.parked(session)
    if as_json:
        told = [
            {"id": row.id, "kind": row.kind, "name": row.name, "due": rfc3339(row.due_at), "error": row.error} for row in rows
        ]
        print_json(told)
        return
    for row in rows:
        click.echo(f"{row.id:>8}  {row.kind} {row.name}, due {rfc3339(row.due_at)}: {row.error}")
    click.echo(f"{len(rows)} parked")


@timer.command()
@click.argument("timer_id", type=int)
@click.pass_obj
def retry(wiring: Wiring, timer_id: int) -> None:
    """Let the parked timer TIMER_ID be tried again."""
    desk = wiring.build(from_environment()).desk
    migrate.refuse_unless_current(desk.database)
    with desk.database.session() as session:
        if not timers.unpark(session, timer_id):
            raise not_found("parked timer", str(timer_id))
    click.echo(f"timer {timer_id} is tried again")
