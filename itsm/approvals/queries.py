"""Who is asked to approve what, and how the approvals of a ticket stand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from itsm.approvals import rounds, rules
from itsm.approvals.course import Place, Question, Round
from itsm.approvals.models import Approval, Delegation
from itsm.approvals.policy import Book, Group, Policy
from itsm.people.models import User
from itsm.platform.database import Prepared
from itsm.platform.errors import not_found
from itsm.platform.schema import Instant
from itsm.tickets.desk import Tx
from itsm.tickets.models import Ticket
from itsm.tickets.records import Record
from itsm.tickets.visibility import SIGHTS, parameters, sight, visible_to

MOST: Final = 100

_COLUMNS = (
    Approval.id,
    Approval.round,
    Approval.stage,
    Approval.needed,
    Approval.decision,
    Approval.requested_at,
    Approval.decided_at,
    Approval.comment,
    Ticket.number,
    Ticket.title,
    Ticket.type,
    User.login.label("approver"),
)
_VOTER = aliased(User)
_SELECT = (
    sa.select(*_COLUMNS, _VOTER.login.label("decided_by"))
    .join(Ticket, Ticket.id == Approval.ticket_id)
    .join(User, User.id == Approval.approver_id)
    .outerjoin(_VOTER, _VOTER.id == Approval.decided_by_id)
    .order_by(Approval.id)
)
_ME: sa.BindParameter[Any] = sa.bindparam("me", type_=sa.BigInteger)
_NOW: sa.BindParameter[Any] = sa.bindparam("now", type_=Instant)
_DEPTH: sa.BindParameter[Any] = sa.bindparam("depth", type_=sa.Integer)


def _letting(delegates: sa.ColumnElement[Any] | sa.Select[Any]) -> sa.Select[Any]:
    """Those who let one of these decide in their place now."""
    is_one = Delegation.delegate_id.in_(delegates) if isinstance(delegates, sa.Select) else Delegation.delegate_id == delegates
    return sa.select(Delegation.principal_id).where(
        is_one, Delegation.revoked_at.is_(None), Delegation.starts_at <= _NOW, Delegation.ends_at > _NOW
    )


_FIRST = _letting(_ME)
_SECOND = _letting(_FIRST)
_ASKED_OF_ME = sa.or_(
    Approval.approver_id == _ME,
    sa.and_(_DEPTH >= 1, Approval.approver_id.in_(_FIRST)),
    sa.and_(_DEPTH >= 2, Approval.approver_id.in_(_SECOND)),
    sa.and_(_DEPTH >= 3, Approval.approver_id.in_(_letting(_SECOND))),
)
_OPEN = _SELECT.where(_ASKED_OF_ME, Approval.decision.is_(None)).limit(MOST)
_MINE = {kind: Prepared(_OPEN.where(visible_to(kind))) for kind in SIGHTS}
_OF_TICKET = {kind: Prepared(_SELECT.where(Ticket.number == sa.bindparam("number"), visible_to(kind))) for kind in SIGHTS}
_ONE = {kind: Prepared(_SELECT.where(Approval.id == sa.bindparam("approval"), visible_to(kind))) for kind in SIGHTS}


@dataclass(frozen=True, slots=True)
class Member:
    """A seat of a group: who was asked, and what he said."""

    question: Question


@dataclass(frozen=True, slots=True)
class Branch:
    """A group of a stage: its rule, how many of how many must approve, how it stands, and who is in it."""

    title: str
    rule: str
    needed: int
    size: int
    standing: str
    members: tuple[Member, ...]
    groups: tuple[Branch, ...]


@dataclass(frozen=True, slots=True)
class StageView:
    """A stage of a round; `branch` is None while nobody has been asked, `names` says whom the policy names."""

    name: str
    standing: str
    names: tuple[str, ...]
    branch: Branch | None


@dataclass(frozen=True, slots=True)
class RoundView:
    """A round as somebody sees it who sees its ticket."""

    round: int
    policy: str | None
    title: str
    outcome: str
    ruling: str | None
    opened_at: datetime
    closed_at: datetime | None
    stage: str
    awaited: tuple[str, ...]
    why: str
    material: tuple[str, ...]
    stages: tuple[StageView, ...]


def mine(tx: Tx) -> list[Any]:
    """The open questions put to the actor, or to those in whose place he may decide, oldest first."""
    depth = tx.desk.part(Book).delegating.depth
    return tx.session.all(_MINE[sight(tx.actor)], me=tx.actor.id, now=tx.now, depth=depth, **parameters(tx.actor))


def of_ticket(tx: Tx, number: str) -> list[Any]:
    """Every question ever asked about a ticket that the actor sees, oldest first."""
    return tx.session.all(_OF_TICKET[sight(tx.actor)], number=number, **parameters(tx.actor))


def one(tx: Tx, approval_id: int) -> Any:
    """A question about a ticket that the actor sees. Raises `not_found`."""
    row = tx.session.first(_ONE[sight(tx.actor)], approval=approval_id, **parameters(tx.actor))
    if row is None:
        raise not_found("approval", str(approval_id))
    return row


def course(tx: Tx, record: Record) -> list[RoundView]:
    """Every round of a ticket in hand, the oldest first: its stages, who was asked and said what, what is awaited and why."""
    return [_round(each) for each in rounds.every(tx, record.id)]


def _round(round_: Round) -> RoundView:
    awaited = tuple(question.approver for question in round_.awaited())
    return RoundView(
        round=round_.round,
        policy=round_.policy_name,
        title=round_.policy.title,
        outcome=round_.outcome.value if round_.outcome else rules.Outcome.OPEN.value,
        ruling=round_.ruling,
        opened_at=round_.opened_at,
        closed_at=round_.closed_at,
        stage=round_.policy.stages[round_.stage].name,
        awaited=awaited,
        why=_why(round_, awaited),
        material=tuple(round_.material),
        stages=tuple(_stage(round_, index) for index in range(len(round_.policy.stages))),
    )


def _why(round_: Round, awaited: tuple[str, ...]) -> str:
    """In one sentence, what keeps the round open or what has ended it."""
    stage = round_.policy.stages[round_.stage]
    if round_.outcome is not None:
        by = f" by “{round_.ruling}”" if round_.ruling else ""
        return f"It is {round_.outcome.value}{by}."
    if not awaited:
        return f"“{stage.name}” has too few who could decide; it is looked for them again from time to time."
    tree = round_.tree(round_.stage)
    return f"“{stage.name}” awaits {', '.join(awaited)}: {tree.quorum} of {tree.size}."


def _stage(round_: Round, index: int) -> StageView:
    policy: Policy = round_.policy
    stage = policy.stages[index]
    asked = bool(round_.of_stage(index))
    branch = _branch(round_, stage.group, round_.tree(index), index, ()) if asked else None
    return StageView(stage.name, branch.standing if branch else "waiting", tuple(_names(stage.group)), branch)


def _names(group: Group) -> list[str]:
    return [*map(str, group.people), *(name for below in group.groups for name in _names(below))]


def _branch(round_: Round, group: Group, node: rules.Node[int], stage: int, path: Place) -> Branch:
    below = zip(group.groups, node.groups, strict=True)
    return Branch(
        title=group.title,
        rule=str(node.quorum),
        needed=node.needed,
        size=node.size,
        standing=rules.standing(node, round_.answers(stage)).value,
        members=tuple(Member(question) for question in round_.of_stage(stage) if question.place == path),
        groups=tuple(_branch(round_, one, two, stage, (*path, index)) for index, (one, two) in enumerate(below)),
    )
