"""`itsm sla preview` and `itsm sla apply`: what other promises would change, and making them hold."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import click

from itsm.cli import Wiring, print_json
from itsm.people.access import SYSTEM, Actor, Channel
from itsm.people.tokens import actor_by_login
from itsm.platform import migrate
from itsm.platform.errors import DeskError, Kind
from itsm.platform.settings import from_environment
from itsm.platform.time import from_micros, rfc3339, to_micros
from itsm.sla import applying, commands, sources
from itsm.sla import preview as previewing
from itsm.sla.agreements import Source
from itsm.sla.differences import Changes, Difference, Flip, Outcome, Tally, What, changes
from itsm.sla.keeping import Keeper
from itsm.sla.preview import Job
from itsm.sla.sources import Unsound
from itsm.tickets.desk import Desk
from itsm.worktime.duration import iso

_CONFIG: Final = click.option(
    "--config",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Where the promises, calendars and locations lie; without it, those of the installation.",
)
_JSON: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_OPEN_COUNTS: Final = (
    *("clocks", "earlier", "later", "runs", "pauses", "retargeted", "appears", "disappears", "ends", "overdue", "in_time"),
)
_RESULT_COUNTS: Final = ("results", "would_meet", "would_miss", "no_result", "new_result")
_WORDS: Final = {
    What.MOVES: "due {before} → {after}, {shift}",
    What.RUNS: "would run, due {after}",
    What.PAUSES: "would be paused, was due {before}",
    What.RETARGETED: "paused, with another target",
    What.APPEARS: "a new clock, due {after}",
    What.DISAPPEARS: "no such clock any more, was due {before}",
    What.ENDS: "would have ended already, was due {before}",
    What.WOULD_MEET: "missed, would have been met: due {before} → {after}",
    What.WOULD_MISS: "met, would have been missed: due {before} → {after}",
    What.NO_RESULT: "has a result, would have none",
    What.NEW_RESULT: "has no result, would have one",
}
_FLIPS: Final = {Flip.OVERDUE: "; in time now, then overdue", Flip.IN_TIME: "; overdue now, then in time"}


@click.command()
@_CONFIG
@click.option("--closed", "with_closed", is_flag=True, help="Also tell which results would have been others; they stay.")
@click.option("--limit", type=click.IntRange(0, 10_000), default=20, show_default=True, help="How many are told one by one.")
@_JSON
@click.pass_obj
def preview(wiring: Wiring, config: Path | None, with_closed: bool, limit: int, as_json: bool) -> None:
    """Tell what would change if the promises in the files held for all open tickets: which due times move, and which way.

    Nothing is written.
    """
    desk = _desk(wiring)
    source = _gathered(desk, config)
    keeper = desk.part(Keeper)
    agreement = keeper.agreements.read(source)
    began = perf_counter()
    with desk.database.session(write=False) as session:
        session.take_time()
        current = keeper.agreements.current(session)
        changed = previewing.changed_since(session, keeper.agreements, agreement)
    told = changes(None if current is None else current[0], agreement)
    settings = desk.settings
    job = Job(
        url=settings.database_url,
        source=source.text(),
        config=settings.config_dir,
        workflows=settings.workflows_dir,
        changed=changed,
        with_closed=with_closed,
        now=to_micros(desk.clock.now()),
        shown=limit,
    )
    outcome = previewing.preview(job, agreement, desk.database)
    took = perf_counter() - began
    if as_json:
        print_json(_as_json(told, outcome, took))
    else:
        _tell(told, outcome, took, with_closed=with_closed)


@click.command()
@_CONFIG
@click.option("--reason", required=True, help="Why; it is kept with the version, and in the log of each ticket that is moved.")
@click.option("--open", "open_too", is_flag=True, help="Move open tickets to it as well; else only new ones are born so.")
@click.option("--as", "login", help="Who says so; it takes the permission workflow.publish. Without it, the desk itself.")
@click.pass_obj
def apply(wiring: Wiring, config: Path | None, reason: str, open_too: bool, login: str | None) -> None:
    """Publish the promises in the files, and on request move open tickets to them. What has a result keeps it.

    It may be run again after an interruption: what has been moved is passed over.
    """
    desk = _desk(wiring)
    actor = _actor(desk, login)
    keeper = desk.part(Keeper)
    source = _gathered(desk, config)
    proved_for = commands.prove(desk, source)
    with desk.transaction(actor, Channel.COMMAND_LINE) as tx:
        published = commands.publish_agreement(tx, source, reason, proved_for)
        current = keeper.agreements.current(tx.session)
    assert current is not None
    version = current[0].id
    click.echo(f"version {version} is current" if published is None else f"published version {version}")
    if not open_too:
        return
    done = applying.apply_to_open(desk, actor, version, reason, lambda moved: click.echo(f"  {moved} moved", err=True))
    click.echo(f"{done.moved} open tickets moved to it")
    for ticket_id, why in done.failed.items():
        click.echo(f"ticket {ticket_id} stays where it is: {why}", err=True)
    if done.failed:
        raise SystemExit(1)


def _desk(wiring: Wiring) -> Desk:
    desk: Desk = wiring.build(from_environment()).desk
    migrate.refuse_unless_current(desk.database)
    return desk


def _gathered(desk: Desk, config: Path | None) -> Source:
    """The texts, if they are sound. Raises `DeskError` with every fault at its place."""
    source = sources.gather(config or desk.settings.config_dir, desk.settings.workflows_dir)
    try:
        desk.part(Keeper).agreements.read(source)
    except Unsound as unsound:
        words = "\n".join(f"{each.at}: {each.severity} {each.code}: {each.message}" for each in unsound.findings)
        raise DeskError(Kind.INVALID, "agreement_unsound", words) from unsound
    return source


def _actor(desk: Desk, login: str | None) -> Actor:
    if login is None:
        return SYSTEM
    with desk.database.session(write=False) as session:
        return actor_by_login(session, login, desk.roles)


def _tell(told: Changes, outcome: Outcome, took: float, *, with_closed: bool) -> None:
    for words, names in (("new", told.new), ("gone", told.gone), ("changed", told.changed)):
        if names:
            click.echo(f"{words}: {', '.join(names)}")
    click.echo(f"as they are: {len(told.same)} policies\n")
    for policy, tally in sorted(outcome.tallies.items()):
        click.echo(f"{policy}: {_counted(tally, with_closed=with_closed)}")
    if outcome.shown:
        click.echo("")
    for each in outcome.shown:
        click.echo(f"  {each.ticket} {each.clock}{'/' if each.part else ''}{each.part}: {_in_words(each)}")
    click.echo(f"\n{outcome.clocks} clocks of {outcome.tickets} tickets compared in {took:.1f} s. Nothing was written.")


def _counted(tally: Tally, *, with_closed: bool) -> str:
    names = _OPEN_COUNTS + (_RESULT_COUNTS if with_closed else ())
    told = [f"{getattr(tally, name)} {name.replace('_', ' ')}" for name in names if getattr(tally, name)]
    furthest = [f"at most {_length(shift)}" for shift in (tally.furthest_earlier, tally.furthest_later) if shift]
    return ", ".join([*told, *furthest]) or "nothing"


def _in_words(each: Difference) -> str:
    before, after = (rfc3339(from_micros(at)) if at is not None else "never" for at in (each.before, each.after))
    words = _WORDS[each.what].format(before=before, after=after, shift=_length(each.shift))
    return words + ("" if each.flip is None else _FLIPS[each.flip])


def _length(shift: int) -> str:
    return f"{iso(timedelta(microseconds=abs(shift)))} {'later' if shift > 0 else 'earlier'}"


def _as_json(told: Changes, outcome: Outcome, took: float) -> dict[str, Any]:
    return {
        "policies": asdict(told),
        "tickets": outcome.tickets,
        "clocks": outcome.clocks,
        "seconds": round(took, 3),
        "summary": {policy: asdict(tally) for policy, tally in sorted(outcome.tallies.items())},
        "differences": [_difference(each) for each in outcome.shown],
    }


def _difference(each: Difference) -> dict[str, Any]:
    return {
        "ticket": each.ticket,
        "clock": each.clock,
        "part": each.part,
        "cycle": each.cycle,
        "what": each.what.value,
        "due_before": None if each.before is None else rfc3339(from_micros(each.before)),
        "due_after": None if each.after is None else rfc3339(from_micros(each.after)),
        "shift": None if each.what is not What.MOVES else iso(timedelta(microseconds=each.shift)),
        "flip": None if each.flip is None else each.flip.value,
    }
