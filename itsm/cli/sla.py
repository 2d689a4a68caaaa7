"""`itsm sla`: why clocks stand as they do, which fall due next, whether all of it is so, and putting one right."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import click

from itsm.cli import Wiring, print_json
from itsm.cli.sla_account import account
from itsm.people.access import SYSTEM, Channel
from itsm.people.tokens import actor_by_login
from itsm.platform import migrate
from itsm.platform.errors import DeskError
from itsm.platform.settings import from_environment
from itsm.platform.time import rfc3339, to_micros
from itsm.sla import commands, proving, queries, running, showing, telling, wording
from itsm.sla.keeping import Keeper
from itsm.sla.running import AtRisk, Running
from itsm.tickets.desk import Desk, Tx
from itsm.worktime.duration import Duration, iso

_ELSEWHERE: Final[Mapping[str, tuple[str, str]]] = {
    "preview": ("itsm.cli.sla_preview", "preview"),
    "apply": ("itsm.cli.sla_preview", "apply"),
}
"""Commands of other modules, imported when they are asked for."""

_JSON: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_MOST_TOLD: Final = 50


class _WithOthers(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *_there()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _there():
            return super().get_command(ctx, cmd_name)
        module, name = _ELSEWHERE[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), name)
        return command


def _there() -> set[str]:
    here = Path(__file__).parent
    return {name for name, (module, _) in _ELSEWHERE.items() if (here / f"{module.rpartition('.')[2]}.py").exists()}


@click.group(cls=_WithOthers)
def sla() -> None:
    """Promises and their clocks."""


@sla.command()
@click.argument("ticket")
@_JSON
@click.pass_obj
def explain(wiring: Wiring, ticket: str, as_json: bool) -> None:
    """Tell why each clock of TICKET stands as it does: what was promised, why, and every interval that counted or did not."""
    desk = _desk(wiring)
    with desk.reading(SYSTEM, Channel.COMMAND_LINE) as tx:
        sheet = queries.of_ticket(tx, desk.part(Keeper), ticket)
    if as_json:
        print_json(telling.sheet(sheet))
        return
    for line in account(sheet):
        click.echo(line)


@sla.command(name="at-risk")
@click.option("--within", default="PT4H", show_default=True, help="Due within this time from now; what is overdue is told too.")
@click.option("--group", help="Only of tickets that are with this group.")
@click.option("--clock", help="Only of this policy.")
@click.option("--kind", type=click.Choice(["sla", "ola", "uc"]), help="Only of this kind.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@_JSON
@click.pass_obj
def at_risk(
    wiring: Wiring, within: str, group: str | None, clock: str | None, kind: str | None, limit: int, as_json: bool
) -> None:
    """List the clocks that fall due next, and those that are overdue, the earliest first."""
    desk = _desk(wiring)
    with desk.reading(SYSTEM, Channel.COMMAND_LINE) as tx:
        until = tx.now + _elapsed(within)
        page = running.at_risk(tx, desk.part(Keeper), AtRisk(until, group, clock, kind, limit))
        found, zone = [_running(tx, one) for one in page.clocks], queries.home_zone(tx)
    if as_json:
        print_json(found)
        return
    for one, shown in zip(page.clocks, found, strict=True):
        values, left = one.record.values, wording.left(one.due_at - tx.now)
        whose = ", ".join(str(values[name]) for name in ("priority", "group", "assignee") if values.get(name)) or "with nobody"
        due = wording.moment(to_micros(one.due_at), zone)
        click.echo(f"{shown['ticket']}  {shown['policy']}: {left}, due {due} ({whose})")
    click.echo(f"{len(found)}{' or more' if page.next else ''} at risk")


@sla.command()
@_JSON
@click.pass_obj
def verify(wiring: Wiring, as_json: bool) -> None:
    """Derive the clocks of every ticket from its events, and compare them with those that are kept. Exit 1 on a difference."""
    desk = _desk(wiring)
    began = perf_counter()
    proof = proving.verify(desk.database, desk.part(Keeper).agreements)
    took = perf_counter() - began
    if as_json:
        told = {"tickets": proof.tickets, "clocks": proof.clocks, "sound": not proof.differences}
        print_json({**told, "differences": list(proof.differences)})
    else:
        for difference in proof.differences[:_MOST_TOLD]:
            click.echo(difference)
        click.echo(f"{proof.clocks} clocks of {proof.tickets} tickets, {len(proof.differences)} difference(s), {took:.1f} s")
    if proof.differences:
        raise SystemExit(1)


@sla.command()
@click.argument("ticket")
@click.option("--clock", required=True, help="The name of the policy.")
@click.option("--part", default="", help="The group whose clock it is, where each has its own.")
@click.option("--from", "start", required=True, help="From when the time does not count, like 2026-03-02T09:00:00Z.")
@click.option("--to", "end", required=True, help="Until when.")
@click.option("--reason", required=True, help="Why; it shows in reports.")
@click.option("--as", "login", required=True, help="Who says so; it takes the permission sla.correct.")
@click.pass_obj
def correct(wiring: Wiring, ticket: str, clock: str, part: str, start: str, end: str, reason: str, login: str) -> None:
    """Declare that a time does not count for a clock of TICKET that has no result yet."""
    begins, ends = _instant(start, "--from"), _instant(end, "--to")
    desk = _desk(wiring)
    _as(desk, login, lambda tx: commands.take_out(tx, desk.part(Keeper), ticket, clock, part, begins, ends, reason))
    click.echo(f"The clock {clock} of {ticket} goes without that time; see itsm sla explain {ticket}.")


@sla.command()
@click.argument("ticket")
@click.option("--clock", required=True, help="The name of the policy.")
@click.option("--part", default="", help="The group whose clock it is, where each has its own.")
@click.option("--cycle", type=int, default=1, show_default=True, help="Which run of the clock.")
@click.option("--reason", required=True, help="Why; it shows in reports.")
@click.option("--as", "login", required=True, help="Who says so; it takes the permission sla.correct.")
@click.pass_obj
def excuse(wiring: Wiring, ticket: str, clock: str, part: str, cycle: int, reason: str, login: str) -> None:
    """Excuse a miss of TICKET, for reports. The result stays what it is."""
    desk = _desk(wiring)
    _as(desk, login, lambda tx: commands.excuse(tx, desk.part(Keeper), ticket, clock, part, cycle, reason))
    click.echo(f"The miss of {clock} on {ticket} is excused; it stays a miss.")


def _desk(wiring: Wiring) -> Desk:
    desk: Desk = wiring.build(from_environment()).desk
    migrate.refuse_unless_current(desk.database)
    return desk


def _as(desk: Desk, login: str, deed: Callable[[Tx], object]) -> None:
    with desk.database.session(write=False) as session:
        actor = actor_by_login(session, login, desk.roles)
    with desk.transaction(actor, Channel.COMMAND_LINE) as tx:
        deed(tx)


def _instant(said: str, option: str) -> datetime:
    try:
        found = datetime.fromisoformat(said)
    except ValueError as error:
        raise click.BadParameter(f"“{said}” is no instant like 2026-03-02T09:00:00Z", param_hint=option) from error
    if found.tzinfo is None:
        raise click.BadParameter("say the offset too, like 2026-03-02T09:00:00Z or +01:00", param_hint=option)
    return found


def _elapsed(said: str) -> timedelta:
    try:
        length = Duration.parse(said)
    except DeskError as error:
        raise click.BadParameter(error.detail, param_hint="--within") from error
    if length.needs_calendar:
        raise click.BadParameter("say elapsed time, like PT4H or 2 days", param_hint="--within")
    return length.exact


def _running(tx: Tx, one: Running) -> dict[str, Any]:
    return {
        "ticket": one.record.number,
        "group": one.record.values.get("group"),
        "clock": one.cycle.clock,
        "part": one.cycle.part,
        "cycle": one.cycle.number,
        "policy": one.policy.title,
        "kind": one.policy.kind.value,
        "target": one.cycle.target.text,
        "due": rfc3339(one.due_at),
        "left": iso(one.due_at - tx.now),
        "remaining": showing.length(one.remaining),
        "breached": tx.now > one.due_at,
    }
