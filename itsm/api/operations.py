"""For those who run the desk: is it alive, is it ready, how does it do.

The first two answer strangers, and tell them nothing else. Figures are for staff: behind a proxy every caller comes from this
very machine, so where he comes from proves nothing.
"""

from __future__ import annotations

import re
import time
from typing import Final

import sqlalchemy as sa
from flask import Flask, Response, g, request
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily

from itsm.api.auth import PUBLIC, may
from itsm.api.routing import Answer, Media, Resource
from itsm.api.shapes import Shape, text
from itsm.people.access import Permission
from itsm.platform import migrate
from itsm.platform.database import Prepared
from itsm.platform.errors import DeskError, Kind
from itsm.platform.migrate import Revision
from itsm.platform.schema import Instant
from itsm.platform.skew import ReferenceClock
from itsm.platform.work import OutboxMessage, Timer
from itsm.tickets.desk import Desk, Tx

operations = Resource("Operations", "For those who run the desk.")

FIGURES: Final = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS: Final = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
_READY_FOR_SECONDS: Final = 1.0

_PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")

_COUNT = sa.func.count()
_DUE = sa.select(_COUNT).where(Timer.parked_at.is_(None), Timer.due_at <= sa.bindparam("now", type_=Instant))
_PARKED = sa.select(_COUNT).where(Timer.parked_at.is_not(None))
# What has no destination is fetched, not delivered: nobody says of it that it has left.
_PENDING = sa.select(_COUNT).where(
    OutboxMessage.delivered_at.is_(None), OutboxMessage.parked_at.is_(None), OutboxMessage.destination.is_not(None)
)
_UNDELIVERABLE = sa.select(_COUNT).where(OutboxMessage.parked_at.is_not(None))
_WAITING = Prepared(
    sa.select(
        _DUE.scalar_subquery().label("due"),
        _PARKED.scalar_subquery().label("parked"),
        _PENDING.scalar_subquery().label("pending"),
        _UNDELIVERABLE.scalar_subquery().label("undeliverable"),
    )
)


class AliveShape(Shape):
    """That it is."""

    status = text("`ok`.", example="ok")


@operations.get("/healthz", policy=PUBLIC, answers={200: AliveShape()}, in_prefix=False)
def alive(_desk: Desk) -> Answer:
    """Is the process alive?"""
    return Answer({"status": "ok"})


@operations.get("/readyz", policy=PUBLIC, answers={200: AliveShape()}, in_prefix=False)
def ready(desk: Desk) -> Answer:
    """Can it work: is the database there, and its schema this release's?"""
    seen = g.measures.ready_at
    if seen is None or time.monotonic() - seen > _READY_FOR_SECONDS:
        if migrate.revision_state(desk.database) is not Revision.CURRENT:
            raise DeskError(Kind.UNAVAILABLE, "not_ready", "The desk is not ready.", retry_after=5)
        g.measures.ready_at = time.monotonic()
    return Answer({"status": "ok"})


@operations.get("/metrics", policy=may(Permission.READ_ALL), answers={200: Media(FIGURES)}, in_prefix=False)
def figures(tx: Tx) -> Answer:
    """How does it do: requests, their durations, what is due and waits, for Prometheus."""
    return Answer(g.measures.text(tx), media_type=FIGURES)


class Measures:
    """What is counted of one application."""

    def __init__(self) -> None:
        self.ready_at: float | None = None
        self._registry = CollectorRegistry()
        here = self._registry
        self._requests = Counter("itsm_requests", "Requests answered.", ["method", "route", "status"], registry=here)
        self._seconds = Histogram("itsm_request_seconds", "How long they took.", ["route"], buckets=BUCKETS, registry=here)

    def install(self, app: Flask) -> None:
        """Count every request of an application."""
        app.before_request(self._begin)
        app.after_request(self._count)

    def text(self, tx: Tx) -> bytes:
        """Everything, as Prometheus reads it."""
        waiting = tx.session.one(_WAITING, now=tx.now)
        gauges = {
            "itsm_timers_due": ("Timers whose instant has come.", waiting.due),
            "itsm_timers_parked": ("Timers that failed too often, and wait for a person.", waiting.parked),
            "itsm_outbox_pending": ("Messages that are still to be delivered to a receiver.", waiting.pending),
            "itsm_outbox_parked": ("Messages that were given up, and wait for a person.", waiting.undeliverable),
            "itsm_clock_offset_seconds": ("How far the database's clock is ahead of this machine's.", _offset(tx.desk)),
        }
        registry = CollectorRegistry()
        registry.register(_Now([GaugeMetricFamily(name, about, value=value) for name, (about, value) in gauges.items()]))
        return generate_latest(self._registry) + generate_latest(registry)

    def _begin(self) -> None:
        g.measures, g.began = self, time.perf_counter()

    def _count(self, response: Response) -> Response:
        rule = request.url_rule
        route = "none" if rule is None else _PARAMETER.sub(r"{\1}", rule.rule)
        self._requests.labels("none" if rule is None else request.method, route, str(response.status_code)).inc()
        self._seconds.labels(route).observe(time.perf_counter() - g.began)
        return response


def _offset(desk: Desk) -> float:
    clock = desk.clock
    return clock.offset.total_seconds() if isinstance(clock, ReferenceClock) else 0.0


class _Now:
    """Figures that were just read."""

    def __init__(self, families: list[GaugeMetricFamily]) -> None:
        self._families = families

    def collect(self) -> list[GaugeMetricFamily]:
        return self._families
