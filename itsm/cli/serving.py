"""Running the desk: `serve` (web), `clock` (timers), and `demo`, which is both together over a seeded database."""

from __future__ import annotations

import gc
import logging
import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from itsm.cli import Wiring
from itsm.platform.settings import Settings, from_environment

if TYPE_CHECKING:
    from itsm.platform.wakeup import Job, Wakeup

_log = logging.getLogger(__name__)


@click.command()
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64), help="Processes.")
@click.option("--threads", default=8, show_default=True, type=click.IntRange(1, 64), help="Threads in each.")
@click.option("--with-clock", is_flag=True, help="Keep the clock in the first process too, instead of `itsm clock` beside it.")
@click.pass_obj
def serve(wiring: Wiring, workers: int, threads: int, with_clock: bool) -> None:
    """Serve API and portal."""
    run_web(wiring, from_environment(), workers, threads, with_clock=with_clock)


@click.command()
@click.pass_obj
def clock(wiring: Wiring) -> None:
    """Do what is due, each second, until stopped. Several of these at once share the work."""
    service = wiring.build(from_environment())
    from itsm.platform import migrate

    migrate.refuse_unless_current(service.desk.database)
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    wakeup = start_clock(service)
    click.echo("the clock runs")
    stopped.wait()
    service.sweeper.stop()
    wakeup.stop()
    service.relay.stop()


@click.command()
@click.option("--fresh", is_flag=True, envvar="FRESH", help="Throw the demo's database away and start over.")
@click.option("--seed-only", is_flag=True, help="Prepare everything, then stop instead of serving.")
@click.pass_obj
def demo(wiring: Wiring, fresh: bool, seed_only: bool) -> None:
    """A desk to try: an organisation with people, groups, services and a few months of tickets, served on one port."""
    from itsm.cli import demonstration

    settings = demonstration.prepare(wiring, fresh=fresh)
    if not seed_only:
        demonstration.announce(settings)
        run_web(wiring, settings, 1, 8, with_clock=True)


def start_clock(service: Any) -> Wakeup:
    """The wake-up: sweeper and relay look each second, the log gets its checkpoint each minute, old answers go hourly.

    Before the first look the machine's clock is compared with the database's, and what that look needs is read; a database that
    is not there yet is waited for.
    """
    from itsm.platform import idempotency
    from itsm.platform.errors import DeskError
    from itsm.platform.wakeup import Job, Wakeup
    from itsm.tickets import audit

    desk = service.desk

    def checkpoint() -> None:
        made = audit.checkpoint(desk.database, desk.audit_key, desk.clock)
        if made is not None:
            _log.info("the event log up to %s is marked %s", made.last_event_id, made.mark.hex())

    def forget() -> None:
        with desk.database.session() as session:
            idempotency.purge(session, desk.clock.now())

    comparing = comparison(service)
    for prepare in (*(job.do for job in comparing), service.warm_up):
        with suppress(DeskError):
            prepare()
    wakeup = Wakeup(
        [
            *comparing,
            Job("sweep", timedelta(seconds=1), service.sweeper.sweep),
            Job("deliver", timedelta(seconds=1), service.relay.look),
            Job("checkpoint", timedelta(minutes=1), checkpoint),
            Job("forget old answers", timedelta(hours=1), forget),
        ]
    )
    wakeup.start()
    return wakeup


def comparison(service: Any) -> list[Job]:
    """The job that keeps a process at the time of the database's server; none where the machine's own is all there is."""
    from itsm.platform.skew import EVERY, ReferenceClock
    from itsm.platform.wakeup import Job

    clock = service.desk.clock
    if not service.desk.database.is_postgresql or not isinstance(clock, ReferenceClock):
        return []
    return [Job("compare clocks", EVERY, clock.compare)]


def run_web(wiring: Wiring, settings: Settings, workers: int, threads: int, *, with_clock: bool) -> None:
    """Serve with gunicorn until told to stop; requests under way are finished first.

    Everything is built before the processes part, so that a fault of the set-up is told once and memory is shared; no database
    connection crosses the fork.
    """
    from gunicorn.app.base import BaseApplication

    service = wiring.build(settings)
    application = wiring.create_app(service)
    service.warm_up()
    service.desk.database.dispose()
    gc.collect()
    gc.freeze()  # else the first collection in each worker writes to every object, and nothing is shared any more
    clocks: list[Wakeup] = []

    def after_start(worker: Any) -> None:
        if with_clock and worker.age == 1:
            clocks.append(start_clock(service))
        elif comparing := comparison(service):
            from itsm.platform.wakeup import Wakeup

            clocks.append(Wakeup(comparing))
            clocks[-1].start()

    def before_exit(_arbiter: Any, _worker: Any) -> None:
        service.sweeper.stop()
        for each in clocks:
            each.stop()
        service.relay.stop()

    class Server(BaseApplication):  # type: ignore[misc]
        def load_config(self) -> None:
            for name, value in {
                "bind": f"{settings.host}:{settings.port}",
                "workers": workers,
                "threads": threads,
                "worker_class": "gthread",
                "keepalive": 75,
                "graceful_timeout": 30,
                "timeout": 60,
                "post_worker_init": after_start,
                "worker_exit": before_exit,
                "control_socket_disable": True,
                "forwarder_headers": "",  # nothing a client sends may rewrite the path that rules are judged on
                "proc_name": "itsm",
                "loglevel": os.environ.get("ITSM_LOG_LEVEL", "warning"),
            }.items():
                if name in self.cfg.settings:
                    self.cfg.set(name, value)

        def load(self) -> Callable[..., Any]:
            return application  # type: ignore[no-any-return]

    Server().run()
