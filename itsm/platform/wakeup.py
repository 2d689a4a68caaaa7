"""The alarm that says "look now": APScheduler calls a few jobs at intervals, and that is all it does.

No job store, no job per timer: what is due is in the rows. APScheduler 3 plans by the clock on the wall, and that clock jumps.
Put back by an hour it would not call anything for an hour; put forward by a month it would first count every second of the
month. So the scheduler here waits on the monotonic clock, and plans anew from now whenever a job's next turn is further away
than its interval, in either direction.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, timedelta

from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.schedulers.base import STATE_STOPPED

from itsm.platform.errors import DeskError, Kind
from itsm.platform.time import SystemClock

LONGEST_WAIT_SECONDS = 1.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """Something to be called every so often; never twice at a time, and once for any number of turns missed."""

    name: str
    every: timedelta
    do: Callable[[], object]


class Wakeup:
    """Calls its jobs in threads of its own, from `start` to `stop`."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._scheduler = _SteadyScheduler(timezone=UTC, logger=_quiet_logger())
        for job in jobs:
            self._scheduler.add_job(
                _guarded,
                "interval",
                (job,),
                id=job.name,
                seconds=job.every.total_seconds(),
                next_run_time=SystemClock().now(),
                max_instances=1,
                coalesce=True,
                misfire_grace_time=None,
            )

    def start(self) -> None:
        """Begin, with a first call of each job at once."""
        self._scheduler.start()

    def stop(self) -> None:
        """Wait for the calls under way, and make no more."""
        self._scheduler.shutdown(wait=True)


class _SteadyScheduler(BackgroundScheduler):  # type: ignore[misc]  # apscheduler has no types
    """A scheduler that no jump of the clock puts to sleep. See "Custom schedulers" in APScheduler's guide to extending it."""

    def _main_loop(self) -> None:
        pause = 0.0
        while self.state != STATE_STOPPED:
            self._event.wait(pause)
            self._event.clear()
            self._plan_anew_after_a_jump()
            planned = self._process_jobs()
            pause = LONGEST_WAIT_SECONDS if planned is None else min(planned, LONGEST_WAIT_SECONDS)

    def _plan_anew_after_a_jump(self) -> None:
        now = SystemClock().now()
        for job in self.get_jobs():
            if job.next_run_time and abs(job.next_run_time - now) > job.trigger.interval:
                job.modify(next_run_time=now)


def _guarded(job: Job) -> None:
    """One call; a failure is told and forgotten, for the next turn looks at the same rows."""
    try:
        job.do()
    except DeskError as error:
        if error.kind is not Kind.UNAVAILABLE:
            _log.exception("%s failed", job.name)
            return
        _log.warning("%s: %s", job.name, error.detail)
    except Exception:  # noqa: BLE001  (whatever it was, there is a next turn)
        _log.exception("%s failed", job.name)


def _quiet_logger() -> logging.Logger:
    """APScheduler warns at each turn that a long backlog makes it skip; here that is how it is meant."""
    quiet = _log.getChild("apscheduler")
    quiet.setLevel(logging.ERROR)
    return quiet
