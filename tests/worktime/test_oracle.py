"""The fast calendar and the slow one give the same answers, in every zone, where clocks change and where they do not.

`make oracle` asks a million cases; these are some thousands, the same ones in every run.
"""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from .build import seeded
from .comparison import HOUR, NASTY, ZONES, clock_changes, compare
from .oracle import EPOCH, MICROSECOND, Oracle, Plan, a_plan

DAYS = 5


@pytest.mark.parametrize("name", NASTY)
def test_both_agree_on(name: str) -> None:
    zone, day = NASTY[name]
    around = datetime.fromisoformat(day).replace(tzinfo=UTC)
    dice = random.Random(name)
    for _ in range(2):
        assert compare(dice, a_plan(dice, zone, around.date()), around, 25, DAYS)[1] == []


@settings(seeded, max_examples=50)
@given(seed=st.integers(0, 2**32), zone=st.sampled_from(ZONES), hour=st.integers(24, 26 * 8766))
def test_both_agree_in_any_zone_at_any_time(seed: int, zone: str, hour: int) -> None:
    dice, instant = random.Random(seed), datetime(2010, 1, 1, tzinfo=UTC) + timedelta(hours=hour)
    assert compare(dice, a_plan(dice, zone, instant.date()), instant, 25, DAYS)[1] == []


@settings(seeded, max_examples=50)
@given(seed=st.integers(0, 2**32), zone=st.sampled_from(ZONES))
def test_both_agree_where_clocks_change(seed: int, zone: str) -> None:
    dice = random.Random(seed)
    change = dice.choice(clock_changes(zone) or [datetime(2020, 2, 29, tzinfo=UTC)])
    assert compare(dice, a_plan(dice, zone, change.date()), change, 25, DAYS)[1] == []


def test_the_oracle_itself_is_right_where_one_can_count_on_fingers() -> None:
    night = Plan("Europe/Berlin", {5: [("22:00", "06:00")]})  # Saturdays; on the 29th of March clocks go from 02:00 to 03:00
    oracle = Oracle(night, datetime(2026, 3, 27, tzinfo=UTC), 5 * 1440)
    opens, closes = (to_micros_of(2026, 3, day, hour) for day, hour in ((28, 21), (29, 4)))
    assert oracle.elapsed(oracle.first, oracle.last - 1) == 7 * HOUR
    assert oracle.add(oracle.first, 1) == opens + 1
    assert oracle.add(oracle.first, 7 * HOUR) == closes
    assert oracle.add(closes, -7 * HOUR) == opens
    assert oracle.add(oracle.first, 7 * HOUR + 1) is None
    assert oracle.closings == {date(2026, 3, 28): closes}


def to_micros_of(*parts: int) -> int:
    return (datetime(*parts, tzinfo=UTC) - EPOCH) // MICROSECOND  # type: ignore[misc]
