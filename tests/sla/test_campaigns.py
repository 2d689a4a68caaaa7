"""R-10, R-11, R-12 and R-14 in short: real clock processes that die, sleep, come late and have their clocks put.

`make clocks` runs the campaigns, `benchmarks/clocks` is their rig. Leases are shorter here, so that sleepers oversleep soon.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from benchmarks.clocks import downtime, jumps, storm, takeover
from benchmarks.clocks.rig import SHORT
from itsm.platform.database import Database

LEASE = timedelta(seconds=1)

pytestmark = pytest.mark.timeout(300)


def test_what_a_killed_or_sleeping_clock_held_is_done_by_another_and_once(database: Database, tmp_path: Path) -> None:
    outcome = takeover.campaign(database, tmp_path, size=2, kills=1, stops=1, lease=LEASE)
    assert outcome.violations == []
    assert sum(outcome.points.values()) == 2
    assert outcome.woke == outcome.woke_to_nothing == 1, "the sleeper found its claim lost"
    assert 0 < max(outcome.takeovers) <= takeover.TAKEOVER_SECONDS


def test_what_fell_due_while_no_clock_ran_is_answered_once_and_in_order(database: Database, tmp_path: Path) -> None:
    outcome = downtime.campaign(database, tmp_path, timers=300, with_web=False)
    assert outcome.violations == []
    assert len(outcome.verdict.answers) == 300
    assert outcome.out_of_order == 0
    assert 1 <= outcome.verdict.standstill <= 2, "one message for each hour, not one for each ticket"


def test_a_clock_that_is_put_answers_nothing_twice_and_leaves_nothing_out(database: Database, tmp_path: Path) -> None:
    outcome = jumps.campaign(database, tmp_path, tickets=4, lease=LEASE, only=["+1 h"], watched=1)
    assert outcome.violations == []
    assert [str(figure) for figure in outcome.figures if not figure.met] == []
    assert len(outcome.verdict.answers) >= 16


def test_in_a_storm_every_threshold_of_the_log_is_answered_once(database: Database, tmp_path: Path) -> None:
    outcome = storm.campaign(
        database,
        tmp_path,
        tickets=24,
        pace=12,
        kills=0,
        stops=0,
        downs=1,
        jumps=1,
        lease=LEASE,
        urgency=SHORT,
        sweepers=2,
    )
    assert outcome.violations == []
    assert len(outcome.verdict.answers) == outcome.verdict.expected.total() >= 4 * 24
    assert outcome.done["paused or resumed"] > 0
