"""`make crash`: the desk under load, killed without warning, on both databases; nothing is lost, done twice, or left undone.

`ARGS="--kills 200"` asks for more kills of each database, `--only sqlite` for one of them, `--seed N` for other dice. With n
kills and no violation the chance of one in a kill is below 3/n (95 %).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.crash.rig import READY_SECONDS, Outcome, Rig
from itsm.platform import migrate
from itsm.platform.database import Database
from tests import world

MOST_TOLD = 30


def main() -> None:
    arguments = argparse.ArgumentParser(prog="make crash")
    arguments.add_argument("--kills", type=int, default=50, help="of each database")
    arguments.add_argument("--only", choices=["sqlite", "postgresql"])
    arguments.add_argument("--clients", type=int, default=4)
    arguments.add_argument("--seed", type=int, default=1)
    told = arguments.parse_args()
    started_here = world.begin_run()
    sound = True
    try:
        for kind in [told.only] if told.only else ["sqlite", "postgresql"]:
            with installation(kind) as (database, home):
                begun = time.perf_counter()
                rig = Rig(database, home, told.clients, told.seed)
                outcome = rig.campaign(rig.draw(told.kills))
                print(f"{kind}, {told.kills} kills in {time.perf_counter() - begun:.0f} s (seed {told.seed})")
                sound &= show(outcome)
    finally:
        if started_here:
            world.end_run()
    sys.exit(not sound)


@contextmanager
def installation(kind: str) -> Iterator[tuple[Database, Path]]:
    """An empty database on the disk that commits in earnest, and a home beside it."""
    with tempfile.TemporaryDirectory(prefix="itsm-crash-") as folder:
        home = Path(folder)
        if kind == "sqlite":
            database = Database(f"sqlite:///{home / 'crash.db'}")
        else:
            database = Database(world.create_database("crash"))
            world.commit_in_earnest()
        migrate.upgrade(database)
        try:
            yield database, home
        finally:
            database.dispose()


def show(outcome: Outcome) -> bool:
    """Print what a campaign came to; whether all was well."""
    print("  " + ", ".join(f"{what} killed {count} times" for what, count in sorted(outcome.kills.items())))
    for what, value in outcome.facts.items():
        print(f"  {what:28}{value:>10}")
    ready = sorted(outcome.recoveries)
    if ready:
        median, most = ready[len(ready) // 2], ready[-1]
        print(
            f"  ready again after {median:.1f} s (median), {most:.1f} s at most (on an idle machine {READY_SECONDS:g} wanted)"
        )
    for violation in outcome.violations[:MOST_TOLD]:
        print(f"  VIOLATED {violation}")
    print(f"  {len(outcome.violations)} violations")
    return not outcome.violations


if __name__ == "__main__":
    main()
