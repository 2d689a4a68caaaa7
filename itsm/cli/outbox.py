"""Messages that could not be delivered, for the person who has mended what was in their way."""

from __future__ import annotations

import click

from itsm.cli import Wiring, print_json
from itsm.delivery import commands
from itsm.platform import migrate
from itsm.platform import outbox as messages
from itsm.platform.settings import from_environment
from itsm.platform.time import rfc3339


@click.group()
def outbox() -> None:
    """Messages to receivers that were tried too often and wait for a person."""


@outbox.command("list")
@click.option("--json", "as_json", is_flag=True)
@click.pass_obj
def parked(wiring: Wiring, as_json: bool) -> None:
    """List them, with their last error."""
    desk = wiring.build(from_environment()).desk
    migrate.refuse_unless_current(desk.database)
    with desk.database.session(write=False) as session:
        rows = messages.parked(session)
    if as_json:
        print_json(
            [
                {
                    "id": row.id,
                    "key": row.key,
                    "destination": row.destination,
                    "created": rfc3339(row.created_at),
                    "attempts": row.attempts,
                    "parked": rfc3339(row.parked_at),
                    "error": row.error,
                }
                for row in rows
            ]
        )
        return
    for row in rows:
        click.echo(f"{row.id:>8}  {row.key} to {row.destination}, of {rfc3339(row.created_at)}: {row.error}")
    click.echo(f"{len(rows)} parked")


@outbox.command()
@click.argument("message_id", type=int)
@click.pass_obj
def retry(wiring: Wiring, message_id: int) -> None:
    """Let the parked message MESSAGE_ID go out again, and other messages to its receiver, too, if that had answered 410."""
    desk = wiring.build(from_environment()).desk
    migrate.refuse_unless_current(desk.database)
    with desk.database.session() as session:
        commands.retry(session, message_id, desk.clock.now())
    click.echo(f"message {message_id} is sent again")
