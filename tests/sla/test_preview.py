"""What if: what would move is told, nothing is written; what is applied is what was told; results stay as they are."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from itsm.app import Service
from itsm.cli import Wiring
from itsm.cli.sla import sla
from itsm.people.access import SYSTEM, Channel
from itsm.platform.database import Prepared
from itsm.platform.errors import DeskError
from itsm.platform.time import FrozenClock, from_micros, to_micros
from itsm.platform.work import OutboxMessage, Timer
from itsm.sla import applying, commands, preview, proving, shapes
from itsm.sla.agreements import Source
from itsm.sla.differences import Difference, Flip, Outcome, What, changes
from itsm.sla.keeping import KIND, Keeper
from itsm.sla.models import SlaClock, SlaStanding, SlaVersion
from itsm.sla.preview import Job
from itsm.sla.standing import OPEN
from itsm.tickets.models import Ticket, TicketEvent
from tests import service as world
from tests.tickets.doing import Doing, an_incident_in_progress
from tests.tickets.test_projection import live_a_while

RESOLUTION = "incident-resolution"
CALM = """
- sla: incident-resolution
  when: "ticket.type == 'incident'"
  pause: {while: "ticket.category == 'pending'"}
  stop: {when: "ticket.category in ['resolved', 'closed']"}
  calendar: office-hours
  goals: [{target: 8 hours}]
  thresholds: [{at: 75%, do: [{notify: {to: group, template: sla-warning}}]}]
"""
_CLOCKS = Prepared(sa.select(*proving.KEPT_COLUMNS).order_by(SlaClock.ticket_id, SlaClock.clock, SlaClock.part, SlaClock.cycle))
_TIMERS = Prepared(sa.select(Timer.ticket_id, Timer.name, Timer.due_at).where(Timer.kind == KIND).order_by(Timer.id))
_COUNTS = Prepared(
    sa.select(
        *(
            sa.select(sa.func.count()).select_from(model).scalar_subquery().label(model.__tablename__)
            for model in (TicketEvent, SlaVersion, SlaStanding, SlaClock)
        )
    )
)
_APPLIED = Prepared(
    sa.select(TicketEvent.ticket_id, TicketEvent.actor, TicketEvent.channel, TicketEvent.internal, TicketEvent.payload)
    .where(TicketEvent.kind == "agreement_applied")
    .order_by(TicketEvent.id)
)

_ANSWERED = Prepared(
    sa.select(TicketEvent.payload)
    .where(TicketEvent.kind == "threshold_reached")
    .order_by(TicketEvent.ticket_id, TicketEvent.seq)
)
_MESSAGES = Prepared(sa.select(sa.type_coerce(OutboxMessage.payload, sa.Text).label("payload")).order_by(OutboxMessage.id))


@dataclass
class Trial:
    """A desk whose promises are changed."""

    service: Service

    def source(self, promises: str | None = None, change: Callable[[str], str] = lambda text: text) -> Source:
        """The shipped promises, or others; `change` is laid over the calendars."""
        shipped = world.promises()
        files = {**shipped.files, "calendars.yaml": change(shipped.files["calendars.yaml"])}
        return Source({**files, "sla.yaml": promises} if promises is not None else files, shipped.workflows)

    def publish(self, source: Source) -> int:
        keeper = self.service.desk.part(Keeper)
        with self.service.desk.transaction(SYSTEM, Channel.COMMAND_LINE) as tx:
            commands.publish_agreement(tx, source, "a trial")
            current = keeper.agreements.current(tx.session)
        assert current is not None
        return current[0].id

    def what_if(self, source: Source, *, closed: bool = False, processes: int | None = None) -> Outcome:
        desk = self.service.desk
        agreements = desk.part(Keeper).agreements
        agreement = agreements.read(source)
        with desk.database.session(write=False) as session:
            changed = preview.changed_since(session, agreements, agreement)
        job = Job(
            url=desk.database.url,
            source=source.text(),
            config=desk.settings.config_dir,
            workflows=desk.settings.workflows_dir,
            changed=changed,
            with_closed=closed,
            now=to_micros(desk.clock.now()),
            shown=10_000,
        )
        return preview.preview(job, agreement, desk.database, processes)

    def apply(self, version: int, login: str | None = None) -> applying.Applied:
        who = SYSTEM if login is None else world.actor(self.service.desk, login)
        return applying.apply_to_open(self.service.desk, who, version, "a trial")

    def rows(self, statement: Prepared) -> list[Any]:
        with self.service.desk.database.session(write=False) as session:
            return session.all(statement)

    def due(self) -> dict[tuple[int, str, str], datetime | None]:
        """When each open clock is due."""
        return {(row.ticket_id, row.clock, row.part): row.due_at for row in self.rows(_CLOCKS) if row.status in OPEN}

    def answered(self) -> list[dict[str, Any]]:
        """What the log says of thresholds, ticket by ticket."""
        return [json.loads(row.payload) for row in self.rows(_ANSWERED)]

    def told(self, login: str) -> list[dict[str, Any]]:
        """The messages to somebody."""
        return [message for row in self.rows(_MESSAGES) if (message := json.loads(row.payload)).get("to") == login]

    def proved(self) -> tuple[str, ...]:
        desk = self.service.desk
        return proving.verify(desk.database, desk.part(Keeper).agreements).differences


@pytest.fixture
def trial(service: Service) -> Trial:
    trial = Trial(service)
    trial.publish(trial.source(CALM))
    return trial


def only(outcome: Outcome) -> Difference:
    (found,) = outcome.shown
    return found


def test_the_promises_that_hold_change_nothing(trial: Trial, clock: FrozenClock) -> None:
    an_incident_in_progress(trial.service.desk)
    clock.advance(timedelta(hours=1))
    assert trial.what_if(trial.source(CALM)).shown == []


def test_a_shorter_target_moves_what_runs_and_says_from_when_to_when(trial: Trial, clock: FrozenClock) -> None:
    record = an_incident_in_progress(trial.service.desk)
    clock.advance(timedelta(hours=1))
    outcome = trial.what_if(trial.source(CALM.replace("8 hours", "6 hours")))
    found = only(outcome)
    assert (found.ticket, found.clock, found.what, found.flip) == (record.number, RESOLUTION, What.MOVES, None)
    assert (found.before, found.shift) == (to_micros(record.values["created_at"]) + 8 * 3_600_000_000, -2 * 3_600_000_000)
    assert (outcome.tallies[RESOLUTION].clocks, outcome.tallies[RESOLUTION].earlier) == (1, 1)


def test_what_would_be_overdue_and_what_no_longer_is_told_as_such(trial: Trial, clock: FrozenClock) -> None:
    an_incident_in_progress(trial.service.desk)
    clock.advance(timedelta(hours=5))
    assert only(trial.what_if(trial.source(CALM.replace("8 hours", "4 hours")))).flip is Flip.OVERDUE
    clock.advance(timedelta(hours=5))
    assert only(trial.what_if(trial.source(CALM.replace("8 hours", "20 hours")))).flip is Flip.IN_TIME


def test_a_holiday_moves_business_time_and_leaves_what_runs_around_the_clock(trial: Trial, clock: FrozenClock) -> None:
    business = CALM.replace("8 hours", "8 business hours")
    trial.publish(trial.source(business))
    an_incident_in_progress(trial.service.desk)
    closed = trial.source(business, lambda text: text.replace("{2026-12-24:", "{2026-03-03: [], 2026-12-24:"))
    found = only(trial.what_if(closed))
    assert (found.what, found.shift) == (What.MOVES, 24 * 3_600_000_000)  # the rest of Monday's hours is for Wednesday now
    read = trial.service.desk.part(Keeper).agreements.read
    elapsed = Source({**closed.files, "sla.yaml": CALM}, closed.workflows)
    assert changes(read(trial.source(CALM)), read(elapsed)).same == (RESOLUTION,)


def test_clocks_that_come_and_clocks_that_go_are_told(trial: Trial, clock: FrozenClock) -> None:
    an_incident_in_progress(trial.service.desk)
    other = CALM.replace("incident-resolution", "incident-other")
    found = {each.clock: each for each in trial.what_if(trial.source(other)).shown}
    assert (found[RESOLUTION].what, found["incident-other"].what) == (What.DISAPPEARS, What.APPEARS)


def test_of_a_paused_clock_its_other_target_is_told(trial: Trial, clock: FrozenClock) -> None:
    record = an_incident_in_progress(trial.service.desk)
    Doing(trial.service.desk, "g1").fire(record, "hold", "Which screen?", pending_reason="user")
    assert only(trial.what_if(trial.source(CALM.replace("8 hours", "9 hours")))).what is What.RETARGETED
    running = trial.what_if(trial.source(CALM.replace("  pause: {while: \"ticket.category == 'pending'\"}\n", "")))
    assert only(running).what is What.RUNS


def test_results_that_would_have_been_others_are_told_on_request_and_stay(trial: Trial, clock: FrozenClock) -> None:
    record = an_incident_in_progress(trial.service.desk)
    clock.advance(timedelta(hours=3))
    Doing(trial.service.desk, "g1").fire(record, "resolve", resolution_code="fixed", resolution="So")
    shorter = trial.source(CALM.replace("8 hours", "2 hours"))
    assert trial.what_if(shorter).shown == []
    before = trial.rows(_CLOCKS)
    outcome = trial.what_if(shorter, closed=True)
    assert (only(outcome).what, outcome.tallies[RESOLUTION].would_miss) == (What.WOULD_MISS, 1)
    trial.apply(trial.publish(shorter))
    assert trial.rows(_CLOCKS) == before


def test_nothing_is_written(trial: Trial, clock: FrozenClock) -> None:
    live_a_while(trial.service.desk, clock, 15)
    before = trial.rows(_COUNTS), trial.rows(_CLOCKS), trial.rows(_TIMERS)
    assert trial.what_if(trial.source(CALM.replace("8 hours", "2 hours")), closed=True).shown
    assert (trial.rows(_COUNTS), trial.rows(_CLOCKS), trial.rows(_TIMERS)) == before


def test_what_is_applied_is_what_was_told(trial: Trial, clock: FrozenClock) -> None:
    live_a_while(trial.service.desk, clock, 60)
    trial.service.sweeper.sweep()
    then = trial.source()  # the shipped promises, another world
    told = {(each.ticket, each.clock, each.part): each for each in trial.what_if(then).shown}
    before, results = trial.due(), [row for row in trial.rows(_CLOCKS) if row.status not in OPEN]
    trial.apply(trial.publish(then))
    after = trial.due()
    numbers = _numbers(trial)
    seen = {}
    for key in before.keys() | after.keys():
        if key not in before or key not in after or before[key] != after[key]:
            seen[numbers[key[0]], *key[1:]] = (_micros(before.get(key)), _micros(after.get(key)))
    assert seen
    assert seen == {key: (each.before, each.after) for key, each in told.items() if each.what is not What.RETARGETED}
    assert set(results) <= set(trial.rows(_CLOCKS))
    assert trial.proved() == ()


@pytest.mark.parametrize("closed", [False, True], ids=["open", "closed as well"])
def test_told_by_shapes_in_short_and_in_full_it_is_the_same(
    trial: Trial, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch, closed: bool
) -> None:
    live_a_while(trial.service.desk, clock, 60)
    sources = (trial.source(), trial.source(CALM.replace("8 hours", "2 business days")))
    quick = [trial.what_if(source, closed=closed) for source in sources]
    assert all(outcome.shown for outcome in quick)
    monkeypatch.setattr(shapes, "_is_portable", lambda policy: False)
    assert [trial.what_if(source, closed=closed) for source in sources] == quick


def test_a_breach_that_is_not_answered_yet_is_answered_before_its_ticket_is_moved(trial: Trial, clock: FrozenClock) -> None:
    live_a_while(trial.service.desk, clock, 30)
    clock.advance(timedelta(days=3))  # the clock process stands still
    version = trial.publish(trial.source(CALM.replace("8 hours", "30 hours")))
    owed = trial.apply(version).failed
    assert owed
    assert all("not answered yet" in why for why in owed.values())
    trial.service.sweeper.sweep()
    assert trial.apply(version).failed == {}
    assert trial.proved() == ()


def _micros(due: datetime | None) -> int | None:
    return None if due is None else to_micros(due)


def _numbers(trial: Trial) -> dict[int, str]:
    return {row.id: row.number for row in trial.rows(Prepared(sa.select(Ticket.id, Ticket.number)))}


def test_several_processes_find_what_one_finds(trial: Trial, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preview, "IDS_AT_A_TIME", 2)
    for _ in range(7):
        an_incident_in_progress(trial.service.desk)
        clock.advance(timedelta(hours=3))
    source = trial.source(CALM.replace("8 hours", "2 business days"))
    one, two = (trial.what_if(source, closed=True, processes=count) for count in (1, 2))
    assert (one.tickets, one.tallies, one.shown) == (two.tickets, two.tallies, two.shown)
    assert one.clocks == 7


def test_applying_is_told_in_the_log_of_each_open_ticket_and_of_no_other(trial: Trial, clock: FrozenClock) -> None:
    desk = trial.service.desk
    opened, closed = an_incident_in_progress(desk), an_incident_in_progress(desk)
    Doing(desk, "g1").fire(closed, "cancel", "A mistake.")
    was = trial.publish(trial.source(CALM))
    version = trial.publish(trial.source(CALM.replace("8 hours", "6 hours")))
    assert trial.apply(version, "po1").moved == 1
    (event,) = trial.rows(_APPLIED)
    assert (event.ticket_id, event.actor, event.channel, bool(event.internal)) == (opened.id, "po1", "cli", True)
    assert json.loads(event.payload) == {"version": version, "from": was, "reason": "a trial", "late": True}
    assert [row.due_at for row in trial.rows(_TIMERS)] == [opened.values["created_at"] + timedelta(hours=4.5)]
    assert trial.proved() == ()


def test_what_has_passed_by_the_new_agreement_is_answered_once_and_everybody_hears_of_it_once(
    trial: Trial, clock: FrozenClock
) -> None:
    numbers = [an_incident_in_progress(trial.service.desk).number for _ in range(3)]
    clock.advance(timedelta(hours=5))
    trial.service.sweeper.sweep()
    due = "{at: due, do: [{notify: {to: group, template: sla-breached}}]}"
    shorter = CALM.replace("8 hours", "4 hours").replace("thresholds: [", f"thresholds: [{due}, ")
    assert trial.apply(trial.publish(trial.source(shorter))).failed == {}
    assert trial.service.sweeper.sweep() == 3
    clock.advance(timedelta(hours=1))
    assert trial.service.sweeper.sweep() == 0
    answered = [(event["threshold"], event["due"]) for event in trial.answered()]
    assert answered == [("75%", "2026-03-02T12:00:00Z"), ("due", "2026-03-02T13:00:00Z")] * len(numbers)
    told = [(message["template"], message["reached_in_the_hour_of"]) for message in trial.told("g1")]
    assert sorted(told) == [("sla-breached", "2026-03-02T13:00:00Z"), ("sla-warning", "2026-03-02T12:00:00Z")]
    assert trial.proved() == ()


def test_whoever_is_interrupted_runs_it_again(trial: Trial, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(4):
        an_incident_in_progress(trial.service.desk)
    version = trial.publish(trial.source(CALM.replace("8 hours", "6 hours")))
    sane, calls = applying.move, iter(range(10))

    def killed(*arguments: Any) -> bool:
        if next(calls) == 2:
            raise KeyboardInterrupt
        return sane(*arguments)

    monkeypatch.setattr(applying, "move", killed)
    with pytest.raises(KeyboardInterrupt):
        trial.apply(version)
    monkeypatch.setattr(applying, "move", sane)
    assert trial.apply(version).moved == 2
    assert trial.apply(version).moved == 0
    assert len(trial.rows(_APPLIED)) == 4
    assert trial.proved() == ()


def test_nobody_moves_tickets_without_the_right_to_publish(trial: Trial) -> None:
    an_incident_in_progress(trial.service.desk)
    version = trial.publish(trial.source(CALM.replace("8 hours", "6 hours")))
    with pytest.raises(DeskError) as refused:
        trial.apply(version, "l1")
    assert refused.value.code == "forbidden"
    assert trial.rows(_APPLIED) == []


def test_a_clock_that_the_new_promises_do_not_have_is_called_off(trial: Trial, clock: FrozenClock) -> None:
    record = an_incident_in_progress(trial.service.desk)
    trial.apply(trial.publish(trial.source(CALM.replace("incident-resolution", "incident-other"))))
    assert {(row.clock, row.status) for row in trial.rows(_CLOCKS)} == {
        (RESOLUTION, "cancelled"),
        ("incident-other", "running"),
    }
    assert [(row.ticket_id, row.name) for row in trial.rows(_TIMERS)] == [(record.id, "incident-other")]
    assert trial.proved() == ()


class Command:
    """`itsm sla` over a desk, with promises in a folder of its own."""

    def __init__(self, trial: Trial, folder: Path) -> None:
        settings = replace(trial.service.desk.settings, database_url=trial.service.desk.database.url)
        trial.service.desk.settings = settings
        self._wiring = Wiring(build=lambda settings: trial.service, create_app=lambda service: None)
        self._environment = {"ITSM_HOME": str(folder), "ITSM_SECRET": "0123456789abcdef" * 4}
        self.config = folder / "config"
        self.config.mkdir()
        for name, text in world.promises().files.items():
            (self.config / name).write_text(text)

    def write(self, promises: str) -> None:
        (self.config / "sla.yaml").write_text(promises)

    def __call__(self, *arguments: str) -> Result:
        full = [*arguments, "--config", str(self.config)]
        return CliRunner().invoke(sla, full, obj=self._wiring, env=self._environment)


def test_at_the_command_line_one_looks_first_and_applies_then(trial: Trial, clock: FrozenClock, tmp_path: Path) -> None:
    command = Command(trial, tmp_path)
    record = an_incident_in_progress(trial.service.desk)
    command.write(CALM.replace("8 hours", "6 hours"))
    told = command("preview")
    assert told.exit_code == 0, told.output
    assert "changed: incident-resolution" in told.output
    assert f"{record.number} incident-resolution: due 2026-03-02T17:00:00" in told.output
    assert "PT2H earlier" in told.output
    as_json = json.loads(command("preview", "--json", "--closed").output)
    assert (as_json["policies"]["changed"], as_json["differences"][0]["shift"]) == ([RESOLUTION], "-PT2H")
    applied = command("apply", "--reason", "A better promise.", "--open")
    assert applied.exit_code == 0, applied.output
    assert "1 open tickets moved" in applied.output
    assert trial.due()[record.id, RESOLUTION, ""] == from_micros(to_micros(record.values["created_at"]) + 6 * 3_600_000_000)
    again = command("apply", "--reason", "A better promise.", "--open")
    assert "is current" in again.output
    assert "0 open tickets moved" in again.output


def test_unsound_promises_are_neither_previewed_nor_applied(trial: Trial, tmp_path: Path) -> None:
    command = Command(trial, tmp_path)
    command.write(CALM.replace("office-hours", "ofice-hours"))
    for arguments in (("preview",), ("apply", "--reason", "A slip.")):
        error = command(*arguments).exception
        assert isinstance(error, DeskError)
        assert "sla.yaml:6:13: error unknown-calendar" in error.detail
    assert len({row.sla_versions for row in trial.rows(_COUNTS)}) == 1
