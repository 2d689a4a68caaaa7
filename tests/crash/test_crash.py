"""R-01 and R-10 in short: real processes, real load, SIGKILL. `make crash` is the campaign, `benchmarks/crash` the rig."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.crash.rig import Rig
from itsm.platform.database import Database

KILLS = ("clock", "web worker", "everything")


@pytest.mark.timeout(300)
def test_whatever_is_killed_nothing_is_lost_done_twice_or_left_undone(database: Database, tmp_path: Path) -> None:
    outcome = Rig(database, tmp_path, clients=3, seed=7).campaign(KILLS)
    assert outcome.violations == []
    assert sum(outcome.kills.values()) == len(KILLS)
    assert int(str(outcome.facts["acknowledged"])) > 0
    assert int(str(outcome.facts["timers fired"])) > 0
