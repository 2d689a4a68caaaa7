"""Routing a ticket, and passing an assignment on that was turned down or not taken up.

Everything that happened is told by events: `routed` begins an assignment, each `passed_on` is one hop of it. What was tried
already, and how often, is read from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson
import sqlalchemy as sa

from itsm.assignment import handing, people
from itsm.assignment.book import Strategy, Team
from itsm.assignment.handing import Hand
from itsm.assignment.people import Look, Place
from itsm.assignment.planning import Keep, Plan, barred, plan
from itsm.assignment.rules import Candidate, Choice, Terms, choose
from itsm.assignment.table import Table
from itsm.people.access import Permission, require
from itsm.platform.database import Prepared
from itsm.platform.errors import DeskError, Kind
from itsm.platform.words import reasoned
from itsm.tickets import loading, moves, records, references, rights
from itsm.tickets.desk import Tx
from itsm.tickets.models import TicketEvent
from itsm.tickets.records import Record
from itsm.tickets.refusals import as_error
from itsm.workflow.definition import Category

ROUTED: Final = "routed"
PASSED_ON: Final = "passed_on"
NOBODY: Final = "nobody_available"

LONGEST_REASON: Final = 500

_OVER: Final = frozenset({Category.RESOLVED.value, Category.CLOSED.value})
_STORY = Prepared(
    sa.select(TicketEvent.kind, TicketEvent.payload)
    .where(TicketEvent.ticket_id == sa.bindparam("ticket"), sa.or_(TicketEvent.kind == ROUTED, TicketEvent.kind == PASSED_ON))
    .order_by(TicketEvent.seq)
)


# Routing


def route(tx: Tx, number: str, keep: Keep) -> Record:
    """Route a ticket anew, on somebody's word.

    Raises `DeskError`: `not_found`, `forbidden`, `read_only`; `already_over` for a ticket that is resolved or closed;
    `not_routed` where the table has nothing to add; and what the workflow refuses, every reason at once.
    """
    record = loading.load(tx, number)
    require(tx.actor, Permission.WORK)
    rights.may_contribute(tx, record)
    _refuse_if_over(record)
    if not routed(tx, record, keep):
        raise DeskError(Kind.CONFLICT, "not_routed", f"The table leaves {number} where it is.")
    moves.settle(tx, record)
    return record


def explain(tx: Tx, record: Record, keep: Keep) -> Plan:
    """What routing the ticket would do now, and why; nothing is changed."""
    require(tx.actor, Permission.WORK)
    return plan(tx, record, _kept(tx, record, keep), Look.ONLY)


def routed(tx: Tx, record: Record, keep: Keep) -> bool:
    """Route a ticket in hand; whether the table had anything to add. Raises what the workflow refuses."""
    found = plan(tx, record, _kept(tx, record, keep), Look.TO_TAKE)
    if found.missing is not None:
        records.append(tx, record, NOBODY, {"reasons": _told(found)}, internal=True)
        record.happenings.append(NOBODY)
        return True
    if not _adds(record, found):
        return False
    assert found.group is not None
    assert found.group_id is not None
    hand = Hand(found.group, found.group_id, found.chosen or _holder(record, found.group))
    refusal = handing.give(tx, record, hand, ROUTED, _told(found))
    if refusal is not None:
        raise as_error(refusal)
    _follow(tx, record, found.group, found.chosen, found.choice)
    return True


def _holder(record: Record, group: str) -> Candidate | None:
    """Who has the ticket within its group, and keeps it where nobody else is found."""
    login, user = record.values.get("assignee"), record.ids.get("assignee")
    stays = group == record.values.get("group") and isinstance(login, str) and user is not None
    return Candidate(user, login) if stays else None  # type: ignore[arg-type]  # both are there if it stays


def _kept(tx: Tx, record: Record, keep: Keep) -> Keep:
    """What only the members of a group may read does not leave it by itself."""
    return Keep.GROUP if keep is Keep.GROUP or references.is_restricted(tx, record.ids.get("group")) else keep


def _adds(record: Record, found: Plan) -> bool:
    if found.group is None:
        return False
    return found.group != record.values.get("group") or found.choice is not None


def _follow(tx: Tx, record: Record, group: str, to: Candidate | None, choice: Choice | None) -> None:
    """What follows when a ticket has come into a group's hands."""
    team = tx.desk.part(Table).book.team(group)
    if to is None:
        if choice is not None:
            record.happenings.append(NOBODY)
        return
    group_id = record.ids["group"]
    assert group_id is not None
    people.took(tx, group_id, to.id)
    handing.tell(tx, record, team, to)
    handing.watch(tx, record, team, to)


def _told(found: Plan) -> dict[str, Any]:
    """A plan as the log tells it to staff."""
    told: dict[str, Any] = {
        "rule": None if found.rule is None else found.rule.name,
        "before": list(found.before),
        "strategy": found.strategy.value,
        "needs": dict(found.needs),
    }
    if found.missing is not None:
        told["unknown_group"] = found.missing
    return told | _chosen(found.choice)


def _chosen(choice: Choice | None) -> dict[str, Any]:
    if choice is None:
        return {}
    assignee = None if choice.chosen is None else choice.chosen.login
    return {"assignee": assignee, "eligible": choice.eligible, "passed": dict(choice.passed)}


# Passing on


@dataclass(frozen=True, slots=True)
class Course:
    """An assignment so far: how somebody is found for it, who had it, and how often it was passed on."""

    strategy: Strategy | None
    needs: Mapping[str, int]
    had: frozenset[str]
    hops: int


def reject(tx: Tx, number: str, reason: str) -> Record:
    """Turn an assignment of one's own down; the ticket passes to the next, or in the end to the lead.

    Raises `DeskError`: `not_found`, `not_assigned` for anybody but the assignee, `already_over`, `invalid_input` without a
    reason, and what the workflow refuses.
    """
    record = loading.load(tx, number)
    rights.may_touch(tx, record)
    if record.values.get("assignee") != tx.actor.login:
        raise DeskError(Kind.FORBIDDEN, "not_assigned", f"{number} is not assigned to you.")
    _refuse_if_over(record)
    pass_on(tx, record, {"because": "rejected", "reason": reasoned(reason, LONGEST_REASON)})
    moves.settle(tx, record)
    return record


def _refuse_if_over(record: Record) -> None:
    if record.category in _OVER:
        raise DeskError(Kind.CONFLICT, "already_over", f"{record.number} is {record.category}; nobody is needed for it.")


def pass_on(tx: Tx, record: Record, because: Mapping[str, Any]) -> None:
    """Give the ticket to the next who can take it and has not had it; after as many hops as its group allows, to the lead.

    Where there is nobody left, it is the group's again. Raises what the workflow refuses.
    """
    group, assignee = record.values.get("group"), record.values.get("assignee")
    course = _course(tx, record, str(assignee))
    if not isinstance(group, str) or (place := people.place(tx, group, Look.TO_TAKE)) is None:
        raise DeskError(Kind.CONFLICT, "no_group", f"{record.number} is with no group that somebody else could be found in.")
    team = tx.desk.part(Table).book.team(group)
    hop = course.hops + 1
    choice = _next(tx, record, team, place, course) if hop <= team.hops else None
    to = None if choice is None else choice.chosen
    lead = people.lead(tx, place.id) if to is None else None
    if lead is not None and lead.login not in course.had:
        to = lead
    why = {**because, "hop": hop, "most": team.hops, "from": assignee, "to": None if to is None else to.login}
    why |= {"lead": to is not None and to is lead, **_chosen(choice)}
    refusal = handing.give(tx, record, Hand(group, place.id, to), PASSED_ON, why)
    if refusal is not None:
        raise as_error(refusal)
    _after_hop(tx, record, team, to, choice)


def _after_hop(tx: Tx, record: Record, team: Team, to: Candidate | None, choice: Choice | None) -> None:
    """The next has his turn; the lead has no turn, and nobody after him, so nobody waits for him."""
    if to is None or choice is None or choice.chosen is None:
        handing.stop_watching(tx, record)
        if to is None:
            record.happenings.append(NOBODY)
        else:
            handing.tell(tx, record, team, to)
        return
    _follow(tx, record, team.key, to, choice)


def _next(tx: Tx, record: Record, team: Team, place: Place, course: Course) -> Choice:
    speaks = {**barred(tx, record), **dict.fromkeys(course.had, "has had it already")}
    terms = Terms(tx.desk.part(Table).book, team, tx.now, tx.desk.calendars, course.needs, speaks)
    return choose(people.members(tx, place.id), course.strategy or team.strategy, place.last, terms)


def _course(tx: Tx, record: Record, assignee: str) -> Course:
    """The assignment under way, as the events since the last routing tell it."""
    course = Course(None, {}, frozenset({assignee}), 0)
    told = [(row.kind, orjson.loads(row.payload)) for row in tx.session.all(_STORY, ticket=record.id)]
    told += [(event.kind, event.payload) for event in record.pending if event.kind in (ROUTED, PASSED_ON)]
    for kind, payload in told:
        reasons = payload["reasons"]
        if kind == ROUTED:
            course = Course(Strategy(reasons["strategy"]), reasons["needs"], frozenset({assignee}), 0)
            had = {reasons.get("assignee")}
        else:
            course = replace(course, hops=course.hops + 1)
            had = {reasons["from"], reasons["to"]}
        course = replace(course, had=course.had | {login for login in had if login is not None})
    return course
