"""Who is on call when: the laws of rotas, and what the clocks' changes do to them."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from itsm.assignment import rota
from itsm.assignment.book import Layer
from itsm.assignment.rota import Away, Roster, StandIn
from itsm.workflow.definition import Position
from itsm.worktime.calendar import Calendar
from tests.service import configuration

HERE = Position("rota.yaml", 1, 1)
BERLIN = Layer("primary", ("a", "b", "c"), date(2026, 3, 2), 7, time(9), "Europe/Berlin", HERE)
ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


moments = st.timedeltas(timedelta(), timedelta(days=365)).map(lambda since: datetime(2026, 1, 1, tzinfo=UTC) + since)
people = st.sampled_from(["a", "b", "c", "d"])
spans = st.tuples(moments, st.timedeltas(timedelta(minutes=1), timedelta(days=40)))
layers = st.builds(
    Layer,
    name=st.just("primary"),
    people=st.lists(people, min_size=1, max_size=4, unique=True).map(tuple),
    start=st.dates(date(2026, 1, 1), date(2026, 12, 1)),
    days=st.integers(1, 30),
    handover=st.times().map(lambda one: one.replace(second=0, microsecond=0)),
    zone=st.sampled_from(ZONES),
    at=st.just(HERE),
    calendar=st.sampled_from([None, "office-hours"]),
)
absences = st.lists(st.builds(lambda who, span: Away(who, span[0], span[0] + span[1]), people, spans), max_size=4)
stand_ins = st.lists(
    st.builds(lambda who, span: StandIn(0, "primary", who, span[0], span[0] + span[1]), people, spans), max_size=4
).map(lambda several: [StandIn(number, *(one.layer, one.login, one.start, one.end)) for number, one in enumerate(several)])
calendars: dict[str, Calendar] = dict(configuration().calendars)


@given(layers, absences, stand_ins, spans, st.floats(0, 0.999))
def test_every_instant_has_exactly_one_on_call_unless_a_gap_is_told(
    layer: Layer,
    away: list[Away],
    standing: list[StandIn],
    span: tuple[datetime, timedelta],
    share: float,
) -> None:
    start, end = span[0], span[0] + span[1]
    roster = Roster(standing, away, calendars)
    duties = rota.duties(layer, roster, start, end)
    assert (duties[0].start, duties[-1].end) == (start, end)
    assert all(one.end == other.start and one != other for one, other in pairwise(duties))
    assert all((duty.login is None) == (duty.gap is not None) for duty in duties)
    instant = start + span[1] * share
    (there,) = [duty for duty in duties if duty.start <= instant < duty.end]
    alone = rota.now(layer, roster, instant)
    assert (alone.login, alone.gap, alone.stand_in) == (there.login, there.gap, there.stand_in)


@given(layers, absences, stand_ins, moments)
def test_whoever_is_away_is_never_on_call(layer: Layer, away: list[Away], standing: list[StandIn], instant: datetime) -> None:
    login = rota.now(layer, Roster(standing, away, calendars), instant).login
    assert not any(one.login == login and one.start <= instant < one.end for one in away)


@given(layers, moments)
def test_a_turn_is_the_one_between_its_handovers(layer: Layer, instant: datetime) -> None:
    turn = rota.turn_at(layer, instant)
    assert rota.handover(layer, turn) <= instant < rota.handover(layer, turn + 1)


def test_a_handover_stays_at_nine_when_clocks_change() -> None:
    duties = rota.duties(BERLIN, Roster(), at("2026-03-23T08:00"), at("2026-04-06T07:00"))
    assert [(duty.login, duty.start.isoformat()[:16]) for duty in duties] == [
        ("a", "2026-03-23T08:00"),
        ("b", "2026-03-30T07:00"),
    ]
    assert duties[0].end - duties[0].start == timedelta(days=7, hours=-1)


def test_before_the_rota_begins_there_is_a_gap_that_says_so() -> None:
    before, first = rota.duties(BERLIN, Roster(), at("2026-03-01T00:00"), at("2026-03-03T00:00"))
    assert (before.login, before.gap, before.end) == (None, "the rota has not begun", at("2026-03-02T08:00"))
    assert first.login == "a"


def test_an_absence_leaves_a_gap_and_a_stand_in_closes_it() -> None:
    away = [Away("a", at("2026-03-04T00:00"), at("2026-03-06T00:00"))]
    week = (at("2026-03-02T08:00"), at("2026-03-09T08:00"))
    assert [duty.gap for duty in rota.duties(BERLIN, Roster(away=away), *week)] == [None, "a is absent", None]
    stand_in = StandIn(7, "primary", "c", at("2026-03-04T00:00"), at("2026-03-06T00:00"))
    covered = rota.duties(BERLIN, Roster([stand_in], away), *week)
    assert [(duty.login, duty.stand_in) for duty in covered] == [("a", None), ("c", 7), ("a", None)]


def test_outside_the_hours_of_a_layer_nobody_is_on_call() -> None:
    layer = Layer("day", ("a",), date(2026, 3, 2), 7, time(0), "Europe/Berlin", HERE, "office-hours")
    duties = rota.duties(layer, Roster(calendars=calendars), at("2026-03-02T06:00"), at("2026-03-02T12:00"))
    assert [duty.gap for duty in duties] == ["outside office-hours", None, "outside office-hours", None]
