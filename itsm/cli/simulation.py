"""How the demo's time passes: deeds in a heap by instant, and a frozen clock that is moved from one to the next.

Nothing is written behind the engine's back: each deed is a command of the person who does it, and the sweeper does what falls
due in between. So the demo's history, timers and audit log are as true as any.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from typing import Any, Final

import sqlalchemy as sa
from rich.progress import Progress
from sqlalchemy.orm import aliased

from itsm.approvals import commands as approvals
from itsm.approvals import queries as questions
from itsm.catalog import commands as ordering
from itsm.cli.company import STAFF
from itsm.people.access import SYSTEM, Actor, Channel
from itsm.people.models import Group
from itsm.people.tokens import actor_by_login
from itsm.platform import timers
from itsm.platform.database import Prepared
from itsm.platform.errors import DeskError
from itsm.platform.time import FrozenClock
from itsm.tickets import commands, opening
from itsm.tickets.desk import Desk, Tx
from itsm.tickets.models import Ticket
from itsm.tickets.opening import NewTicket
from itsm.workflow.builtin_actions import Visibility

SEED: Final = 20260322

_WHOLE = aliased(Ticket)
_CHILDREN = Prepared(
    sa.select(Ticket.number, Ticket.type, Ticket.state, Group.key.label("group"))
    .join(_WHOLE, _WHOLE.id == Ticket.parent_id)
    .outerjoin(Group, Group.id == Ticket.group_id)
    .where(_WHOLE.number == sa.bindparam("number"))
    .order_by(Ticket.id)
)

Deed = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Step:
    """What somebody does to a ticket, so many hours after what came before."""

    who: str
    trigger: str
    fields: dict[str, Any] = field(default_factory=dict)
    wait: tuple[float, float] = (1, 8)
    comment: str | None = None
    say: str | None = None


@dataclass
class Simulation:
    """A desk whose clock stands still between two deeds."""

    service: Any
    clock: FrozenClock
    chance: random.Random = field(default_factory=lambda: random.Random(SEED))  # noqa: S311  # a story, not a secret
    _deeds: list[tuple[datetime, int, Deed]] = field(default_factory=list)
    _order: count[int] = field(default_factory=count)
    _actors: dict[str, Actor] = field(default_factory=dict)

    @property
    def desk(self) -> Desk:
        desk: Desk = self.service.desk
        return desk

    @property
    def now(self) -> datetime:
        return self.clock.now()

    # Time

    def play(self, end: datetime) -> None:
        """Let all happen that is planned up to an instant, and what falls due in between. What comes after is forgotten."""
        start = self.now
        with Progress() as progress:
            task = progress.add_task("Three months at the desk", total=(end - start).total_seconds())
            while self._deeds and self._deeds[0][0] <= end:
                at, _, deed = heapq.heappop(self._deeds)
                self._let_pass(at)
                deed()
                progress.update(task, completed=(at - start).total_seconds())
            self._let_pass(end)
            progress.update(task, completed=(end - start).total_seconds())

    def plan(self, at: datetime, deed: Deed) -> None:
        """Plan a deed for an instant."""
        heapq.heappush(self._deeds, (at, next(self._order), deed))

    def later(self, hours: tuple[float, float], deed: Deed) -> None:
        """Plan a deed for some working hour that lies so many hours ahead. What the desk refuses then is left, as in life."""

        def try_it() -> None:
            with suppress(DeskError):
                deed()

        self.plan(office_hour(self.now + timedelta(hours=self.chance.uniform(*hours))), try_it)

    def _let_pass(self, until: datetime) -> None:
        while (due := self._next_due()) is not None and due <= until:
            self.clock.set(max(due, self.now))
            if not self.service.sweeper.sweep():
                break
        self.clock.set(max(until, self.now))

    def _next_due(self) -> datetime | None:
        with self.desk.database.session(write=False) as session:
            return timers.next_due(session)

    # Deeds

    def actor(self, login: str) -> Actor:
        """Somebody who acts."""
        if login not in self._actors:
            with self.desk.database.session(write=False) as session:
                self._actors[login] = actor_by_login(session, login, self.desk.roles)
        return self._actors[login]

    def do(self, login: str, deed: Callable[[Tx], Any], channel: Channel = Channel.PORTAL) -> Any:
        """One command of somebody, in a transaction of its own; what comes of it."""
        with self.desk.transaction(self.actor(login), channel) as tx:
            return deed(tx)

    def create(self, login: str, new: NewTicket) -> str:
        """Somebody opens a ticket; its number."""
        number: str = self.do(login, lambda tx: opening.create(tx, new).number)
        return number

    def order(self, login: str, item: str, answers: Mapping[str, Any], *requested_for: str) -> str:
        """Somebody orders an item of the catalogue; the request's number."""
        number: str = self.do(login, lambda tx: ordering.submit(tx, item, answers, requested_for)[0].number)
        return number

    def take(self, number: str, step: Step) -> None:
        """Somebody says and does something to a ticket, at once."""
        if step.say:
            self.do(step.who, lambda tx: commands.comment(tx, number, step.say or "", Visibility.PUBLIC))
        if step.trigger:
            self.do(
                step.who,
                lambda tx: commands.transition(tx, number, step.trigger, step.fields, step.comment, None),
                Channel.API,
            )

    def follow(self, number: str, steps: list[Step], then: Deed | None = None) -> None:
        """Plan the steps one after the other, and `then` something else.

        A step that the workflow refuses ends the story there, as it would in life.
        """
        if not steps:
            if then is not None:
                then()
            return
        step, rest = steps[0], steps[1:]

        def take() -> None:
            try:
                self.take(number, step)
            except DeskError:
                return
            self.follow(number, rest, then)

        self.later(step.wait, take)

    def decide(self, number: str, decision: str, words: str | None = None) -> None:
        """Whoever is asked about a ticket answers, one after the other, until it is decided."""
        with self.desk.reading(SYSTEM) as tx:
            open_ = [row for row in questions.of_ticket(tx, number) if row.decision is None]
        for row in open_:
            try:
                self.do(row.approver, partial(approvals.decide, approval_id=row.id, decision=decision, comment=words))
            except DeskError:  # one answer was enough
                return

    def fulfil(self, number: str, most: int = 100) -> None:
        """The next tasks of an order are done, `most` of them one after the other, as far as they have begun."""
        for _ in range(most):
            task = self._next_task(number)
            if task is None or not self._complete(task.number, task.group):
                return

    def _complete(self, task: str, group: str) -> bool:
        """Somebody of a group does a task; not whoever approved what it is for."""
        workers = _workers(group)
        for login in self.chance.sample(workers, len(workers)):
            try:
                self.take(task, Step(login, "complete"))
            except DeskError:
                continue
            return True
        return False

    def parts(self, number: str) -> list[str]:
        """The requests that a bundle consists of, as far as they have begun."""
        return [row.number for row in self._children(number) if row.type == "request"]

    def _next_task(self, number: str) -> Any:
        """The first task of an order, or of an item of a bundle, that waits for somebody; None if there is none."""
        waiting = [row for row in self._children(number) if row.type == "task" and row.state == "open"]
        if waiting:
            return waiting[0]
        return next((task for part in self.parts(number) if (task := self._next_task(part))), None)

    def _children(self, number: str) -> Sequence[Any]:
        with self.desk.reading(SYSTEM) as tx:
            return tx.session.all(_CHILDREN, number=number)

    def worker(self, group: str) -> str:
        """Somebody who works in a group."""
        return self.chance.choice(_workers(group))


def _workers(group: str) -> list[str]:
    return [login for login, _, role, _, groups in STAFF if group in groups and role in ("agent", "lead")]


def office_hour(at: datetime) -> datetime:
    """The instant, moved on to working hours where it lies outside them: people sleep."""
    while at.weekday() >= 5 or not 7 <= at.hour < 16:
        at += timedelta(hours=1)
    return at


def utc(at: datetime) -> str:
    """An instant to the second, as fields of tickets are written."""
    return at.replace(microsecond=0).isoformat()
