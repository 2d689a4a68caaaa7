"""The start page: how the desk is doing, in counts that name nobody, and what its processes look like."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from flask import Blueprint, Response, abort, make_response, render_template

from itsm.people.access import SYSTEM, Channel
from itsm.people.models import Group
from itsm.platform.database import Prepared
from itsm.portal import outlook
from itsm.portal.outlook import Day, Shelf
from itsm.tickets import publishing
from itsm.tickets.desk import Desk, Tx
from itsm.tickets.loading import process_of
from itsm.tickets.models import Ticket
from itsm.workflow.definition import Category
from itsm.workflow.diagram import svg
from itsm.workflow.engine import Process

KEPT_FOR = timedelta(seconds=10)
"""How old the counts may be: they are counted anew at most this often, however many look."""

ACTIVE = (Category.NEW, Category.OPEN, Category.PENDING)

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

_ACTIVE_BY_QUEUE = Prepared(
    sa.select(Group.name, Ticket.category, sa.func.count().label("n"))
    .select_from(Ticket)
    .outerjoin(Group, Group.id == Ticket.group_id)
    .where(Ticket.category.in_([category.value for category in ACTIVE]), Group.restricted.is_not(True))
    .group_by(Group.name, Ticket.category)
)
_STATES = sa.select(Ticket.type, Ticket.state, sa.func.count().label("n")).group_by(Ticket.type, Ticket.state)
_BY_STATE = Prepared(_STATES)
_OF_RESTRICTED_BY_STATE = Prepared(_STATES.where(Ticket.group_id.in_(sa.select(Group.id).where(Group.restricted))))
"""Counted apart and taken off, so that an index still answers the first."""


@dataclass(frozen=True, slots=True)
class Queue:
    """A group's unfinished tickets by category."""

    name: str
    new: int
    open: int
    pending: int

    @property
    def total(self) -> int:
        return self.new + self.open + self.pending


@dataclass(frozen=True, slots=True)
class Practice:
    """A published workflow and how many tickets stand in each of its states."""

    name: str
    title: str
    digest: str
    states: list[tuple[str, str, int]]


@dataclass(frozen=True, slots=True)
class Beat:
    """What was counted, and when."""

    at: datetime
    queues: list[Queue]
    practices: list[Practice]
    days: list[Day]
    shelves: list[Shelf]


class Pulse:
    """The counts, kept for a few seconds."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._lock = threading.Lock()
        self._taken: Beat | None = None

    def take(self) -> Beat:
        """The counts as they are, or were a few seconds ago."""
        with self._lock:
            now = self._desk.clock.now()
            if self._taken is None or not timedelta(0) <= now - self._taken.at < KEPT_FOR:
                with self._desk.reading(SYSTEM, Channel.PORTAL) as tx:
                    self._taken = Beat(now, _queues(tx), _practices(tx), outlook.days(tx), outlook.shelves(tx))
            return self._taken


def pages(desk: Desk) -> Blueprint:
    """The start page, its style and its diagrams."""
    blueprint = Blueprint("portal", __name__, template_folder="templates", static_folder="static", static_url_path="/static")
    pulse = Pulse(desk)

    @blueprint.get("/")
    def start() -> Response:
        page = render_template("start.html", beat=pulse.take(), counts=desk.settings.public_pulse)
        return _secured(make_response(page))

    @blueprint.get("/diagrams/<name>.svg")
    def diagram(name: str) -> Response:
        with desk.reading(SYSTEM, Channel.PORTAL) as tx:
            version = next((version for version in publishing.current(tx) if version.name == name), None)
            if version is None:
                abort(404)
            picture = _drawn(process_of(tx, version.id))
        return _secured(Response(picture, mimetype="image/svg+xml"))

    return blueprint


@lru_cache(maxsize=64)
def _drawn(process: Process) -> str:
    """The picture of a version: strangers may look as often as they like, so it is drawn once."""
    return svg(process.workflow)


def _secured(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    if response.mimetype == "image/svg+xml":  # a drawing styles itself; it may do nothing else
        response.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    response.headers["Cache-Control"] = "no-store"
    return response


def _queues(tx: Tx) -> list[Queue]:
    counts: dict[str, dict[str, int]] = {}
    for row in tx.session.all(_ACTIVE_BY_QUEUE):
        counts.setdefault(row.name or "Not yet assigned", {})[row.category] = row.n
    queues = [Queue(name, by.get("new", 0), by.get("open", 0), by.get("pending", 0)) for name, by in counts.items()]
    return sorted(queues, key=lambda queue: (-queue.total, queue.name))


def _practices(tx: Tx) -> list[Practice]:
    counts: dict[tuple[str, str], int] = {(row.type, row.state): row.n for row in tx.session.all(_BY_STATE)}
    for row in tx.session.all(_OF_RESTRICTED_BY_STATE):
        counts[row.type, row.state] -= row.n
    return [_practice(tx, version, counts) for version in publishing.current(tx)]


def _practice(tx: Tx, version: Any, counts: dict[tuple[str, str], int]) -> Practice:
    workflow = process_of(tx, version.id).workflow
    states = [
        (state.title or name.replace("_", " "), state.category.value, counts.get((version.name, name), 0))
        for name, state in workflow.states.items()
    ]
    return Practice(version.name, version.title, version.digest, states)
