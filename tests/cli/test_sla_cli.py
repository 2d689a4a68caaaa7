"""`itsm sla`: an account that can be read aloud, a list of what falls due, a proof that all of it is so."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from itsm.app import Service
from itsm.cli import Wiring
from itsm.cli.sla import sla
from itsm.platform.database import Prepared
from itsm.platform.errors import DeskError
from itsm.platform.schema import table
from itsm.platform.time import FrozenClock
from itsm.sla import proving
from itsm.sla.keeping import Keeper
from itsm.sla.models import SlaClock, SlaStanding
from tests.tickets.doing import Doing, an_incident_in_progress
from tests.tickets.test_projection import live_a_while

RESOLUTION = "incident-resolution"
_CLOCKS, _STANDINGS = table(SlaClock), table(SlaStanding)
_LATER = Prepared(_CLOCKS.update().where(_CLOCKS.c.clock == RESOLUTION).values(excused=True))
_FORGET = Prepared(_STANDINGS.delete())


class Command:
    """The commands over a desk."""

    def __init__(self, service: Service, folder: Path) -> None:
        self._wiring = Wiring(build=lambda settings: service, create_app=lambda service: None)
        self._environment = {"ITSM_HOME": str(folder), "ITSM_SECRET": "0123456789abcdef" * 4}

    def __call__(self, *arguments: str) -> Result:
        return CliRunner().invoke(sla, arguments, obj=self._wiring, env=self._environment)

    def refused(self, *arguments: str) -> DeskError:
        error = self(*arguments).exception
        assert isinstance(error, DeskError), error
        return error


@pytest.fixture
def command(service: Service, tmp_path: Path) -> Command:
    return Command(service, tmp_path)


def test_a_clock_is_explained_in_words_from_the_promise_to_every_interval(
    command: Command, service: Service, clock: FrozenClock
) -> None:
    number = an_incident_in_progress(service.desk).number
    clock.advance(timedelta(hours=1))
    Doing(service.desk, "g1").fire(number, "hold", "Which screen?", pending_reason="user")
    clock.advance(timedelta(minutes=5))
    result = command("explain", number)
    assert result.exit_code == 0, result.output
    for line in (
        f"{number}: 3 clock(s), times in Berlin time.",
        "Incident resolved, run 1 (service level agreement): paused",
        "  We will have this working again within 41 hours 30 minutes of working time, counted from when this goes on. At the "
        "moment it waits, and the time does not count.",
        "  Promised: 5 business days, for whatever no row before it fits (row 4; ticket.type is incident).",
        "  Spent: 1 hour; left: 41 hours 30 minutes.",
        "    2026-03-02 10:00:00 to 2026-03-02 11:00:00: counts 1 hour, working time (in_progress, network, g1)",
        "    by state: in_progress 1 hour",
    ):
        assert line in result.output.splitlines()
    assert "does not count, paused: ticket.category == 'pending' && ticket.pending_reason == 'user'" in result.output
    assert "By g1 (ticket.category == 'pending' && ticket.pending_reason == 'user')." in result.output


def test_the_same_is_there_for_programs(command: Command, service: Service) -> None:
    number = an_incident_in_progress(service.desk).number
    told = json.loads(command("explain", number, "--json").output)
    assert (told["number"], told["consistent"]) == (number, True)
    assert {one["clock"] for one in told["clocks"]} == {"incident-response", RESOLUTION, "incident-group"}


def test_a_ticket_that_does_not_exist_is_refused(command: Command) -> None:
    assert command.refused("explain", "INC9999999").code == "not_found"


def test_what_falls_due_is_listed(command: Command, service: Service, clock: FrozenClock) -> None:
    number = an_incident_in_progress(service.desk).number
    clock.advance(timedelta(days=7, hours=2))
    told = json.loads(command("at-risk", "--within", "2 hours", "--kind", "sla", "--json").output)
    assert [(one["ticket"], one["clock"], one["left"]) for one in told] == [(number, RESOLUTION, "PT1H")]
    words = "1 hour left, due Monday 9 March 2026, 13:00 (Berlin time) (p4, network, g1)"
    assert f"{number}  Incident resolved: {words}\n" in command("at-risk").output
    clock.advance(timedelta(days=82, hours=8, seconds=7))
    assert f"{number}  Incident resolved: 82 days 7 hours over, due Monday 9 March" in command("at-risk").output
    assert command("at-risk", "--within", "soon").exit_code == 2


def test_clocks_are_put_right_by_those_who_may_with_a_reason(command: Command, service: Service, clock: FrozenClock) -> None:
    number = an_incident_in_progress(service.desk).number
    clock.advance(timedelta(hours=1))
    told = ["correct", number, "--clock", RESOLUTION, "--from", "2026-03-02T09:00Z", "--to", "2026-03-02T09:30Z"]
    assert command(*told, "--reason", "Drill.").exit_code == 2  # nobody said so
    assert command.refused(*told, "--reason", "Drill.", "--as", "g1").code == "forbidden"
    assert command(*told, "--reason", "Drill.", "--as", "l1").exit_code == 0
    assert "taken out by l1: Drill." in command("explain", number).output
    clock.advance(timedelta(days=30))
    Doing(service.desk, "g1").fire(number, "resolve", None, None, resolution_code="fixed", resolution="Cable.")
    assert command("excuse", number, "--clock", RESOLUTION, "--reason", "Storm.", "--as", "l1").exit_code == 0
    assert command("verify").exit_code == 0


def test_a_time_without_an_offset_is_refused(command: Command) -> None:
    told = ["correct", "INC1", "--clock", "x", "--reason", "y", "--as", "l1"]
    for instant in ("2026-03-02T09:00", "soon"):
        assert command(*told, "--from", instant, "--to", "2026-03-02T09:30Z").exit_code == 2


def test_the_clocks_of_a_lively_desk_are_what_its_events_say_to_the_microsecond(
    command: Command, service: Service, clock: FrozenClock
) -> None:
    for seed in (7, 11):
        live_a_while(service.desk, clock, 60, seed)
        clock.advance(timedelta(microseconds=123_457))
    service.sweeper.sweep()
    proof = proving.verify(service.desk.database, service.desk.part(Keeper).agreements)
    assert proof.differences == ()
    assert proof.tickets >= 10
    assert proof.clocks > 20
    result = command("verify", "--json")
    assert (result.exit_code, json.loads(result.output)["sound"]) == (0, True)


def test_every_difference_is_told_and_none_is_mended(
    command: Command, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proving, "TICKETS_AT_A_TIME", 2)
    numbers = [an_incident_in_progress(service.desk).number for _ in range(3)]
    with service.desk.database.session() as session:
        session.run(_LATER)
    expected = [f"{number}: clock {RESOLUTION}, cycle 1: excused is True, its events say False" for number in numbers]
    for _ in range(2):
        result = command("verify")
        assert result.exit_code == 1
        assert result.output.splitlines()[:3] == expected
    with service.desk.database.session() as session:
        session.run(_FORGET)
    told = json.loads(command("verify", "--json").output)
    assert f"{numbers[0]}: its standing is not kept" in told["differences"]
