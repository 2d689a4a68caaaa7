"""`itsm catalog`: making the catalogue of `config/catalog/` the one that is offered."""

from __future__ import annotations

from pathlib import Path

import click

from itsm.catalog import publishing
from itsm.cli import Wiring
from itsm.people.access import SYSTEM, Channel
from itsm.platform import migrate
from itsm.platform.settings import from_environment
from itsm.workflow import report


@click.group()
def catalog() -> None:
    """The service catalogue."""


@catalog.command()
@click.argument("directory", required=False, type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.pass_obj
def publish(wiring: Wiring, directory: Path | None) -> None:
    """Offer what lies in DIRECTORY, the installation's config/catalog without one: new orders are filled by it.

    Requests that were filled before keep their form. What is unsound is told as `itsm workflow check` tells it, and what was
    offered stays so.
    """
    settings = from_environment()
    desk = wiring.build(settings).desk
    migrate.refuse_unless_current(desk.database)
    try:
        with desk.transaction(SYSTEM, Channel.COMMAND_LINE) as tx:
            changed = publishing.publish_directory(tx, directory or settings.config_dir / publishing.DIRECTORY)
    except publishing.Unsound as unsound:
        click.echo(report.as_text(unsound.findings, {}), err=True)
        raise SystemExit(1) from unsound
    click.echo(f"published: {', '.join(changed)}" if changed else "Nothing is new.")
