"""The commands of `itsm workflow` that need the desk itself: publishing definitions, and explaining a ticket by its own."""

from __future__ import annotations

from pathlib import Path

import click

from itsm.cli import Wiring, print_json
from itsm.cli.definitions import read
from itsm.people.access import SYSTEM, Channel
from itsm.people.tokens import actor_by_login
from itsm.platform import migrate
from itsm.platform.errors import not_found
from itsm.platform.settings import from_environment
from itsm.tickets import facts, loading, publishing
from itsm.tickets.publishing import Unsound
from itsm.workflow import report
from itsm.workflow.findings import Severity


def publish(wiring: Wiring, paths: tuple[Path, ...]) -> None:
    """Make definitions current, all or none; what is unsound is told and changes nothing."""
    definitions = read(paths)
    errors = [finding for finding in definitions.findings if finding.severity is Severity.ERROR]
    desk = wiring.build(from_environment()).desk
    migrate.refuse_unless_current(desk.database)
    try:
        if errors:
            raise Unsound(errors)
        with desk.transaction(SYSTEM, Channel.COMMAND_LINE) as tx:
            published = publishing.publish(tx, definitions.workflows)
    except Unsound as unsound:
        click.echo(report.as_text(unsound.findings, definitions.sources), err=True)
        raise SystemExit(1) from unsound
    click.echo(f"published: {', '.join(published)}" if published else "Nothing is new.")


def explain(wiring: Wiring, ticket: str, trigger: str | None, login: str | None, *, as_json: bool) -> None:
    """Tell what somebody may do with a ticket now, and what is in the way of the rest."""
    desk = wiring.build(from_environment()).desk
    migrate.refuse_unless_current(desk.database)
    with desk.reading(SYSTEM, Channel.COMMAND_LINE) as tx:
        actor = SYSTEM if login is None else actor_by_login(tx.session, login, desk.roles)
        record = loading.load(tx, ticket, lock=False)
        process = record.process
        if trigger is not None and trigger not in process.triggers:
            raise not_found("trigger", trigger)
        case = record.case(**facts.gather(tx, record, process.needs()))
        offers = [offer for offer in process.offers(case, actor.person(), tx.now) if trigger in (None, offer.trigger)]
    if as_json:
        print_json(
            [
                {
                    "trigger": offer.trigger,
                    "possible": not offer.blocked,
                    "to": offer.target,
                    "required": [each.field for each in offer.inputs if each.required],
                    "blocked": [{"code": reason.code.value, "message": reason.message} for reason in offer.blocked],
                }
                for offer in offers
            ]
        )
        return
    click.echo(f"{record.number} is {record.state} ({record.category}), version {record.version}, for {actor.login}:")
    for offer in offers:
        needed = [each.field for each in offer.inputs if each.required]
        told = "; ".join(reason.message for reason in offer.blocked) or (f"needs {', '.join(needed)}" if needed else "")
        click.echo(f"  {'can ' if not offer.blocked else 'not '} {offer.trigger:22} {told}")
