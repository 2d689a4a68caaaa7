"""The change calendar from the command line."""

from __future__ import annotations

import click

from itsm.changes import projection
from itsm.cli import Wiring
from itsm.people.access import SYSTEM, Channel
from itsm.platform.settings import from_environment


@click.group()
def changes() -> None:
    """The change calendar."""


@changes.command()
@click.pass_obj
def rebuild(wiring: Wiring) -> None:
    """Make the calendar anew from the tickets; nothing else is touched."""
    desk = wiring.build(from_environment()).desk
    with desk.transaction(SYSTEM, Channel.COMMAND_LINE) as tx:
        count = projection.rebuild(tx)
    click.echo(f"{count} changes looked at.")
