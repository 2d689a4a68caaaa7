"""The rows of rounds of approval: read, asked, answered, ended, in the hands of one command.

The latest is read with its questions in one statement, under the lock of the ticket, and once for as long as the
transaction writes nothing about any. What is said about a round is said in the ticket's log by `stages.py` and `commands.py`;
here are the rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from itsm.approvals.asking import ROOT, Asked
from itsm.approvals.course import VOID, End, Place, Question, Round
from itsm.approvals.models import Approval, ApprovalRound
from itsm.approvals.policy import Policy
from itsm.approvals.reading import frozen
from itsm.approvals.rules import Node
from itsm.people.models import User
from itsm.platform.database import Prepared
from itsm.platform.schema import table
from itsm.tickets.desk import Tx
from itsm.tickets.models import Reader
from itsm.tickets.records import Record
from itsm.tickets.saving import encode
from itsm.workflow.case import Deciders

_ROUNDS, _APPROVALS, _READERS = table(ApprovalRound), table(Approval), table(Reader)
_TICKET: sa.BindParameter[Any] = sa.bindparam("ticket")
_COLUMNS = [getattr(ApprovalRound, column.key) for column in _ROUNDS.columns]
_ALL_ROUNDS = sa.select(*_COLUMNS).where(ApprovalRound.ticket_id == _TICKET).order_by(ApprovalRound.round)
_EVERY = Prepared(_ALL_ROUNDS)

_STANDING_IN, _VOTER = aliased(User), aliased(User)
_ASKED = (
    sa.select(
        Approval.id,
        Approval.round,
        Approval.approver_id,
        User.login.label("approver"),
        ROOT.label("root"),
        Approval.stage,
        Approval.place,
        sa.func.coalesce(Approval.seat, Approval.id).label("seat"),
        Approval.needed,
        Approval.decision,
        Approval.requested_at,
        Approval.decided_at,
        Approval.comment,
        Approval.because,
        _STANDING_IN.login.label("instead_of"),
        _VOTER.login.label("decided_by"),
        sa.func.coalesce(_VOTER.same_as_id, _VOTER.id).label("decided_by_root"),
    )
    .join(User, User.id == Approval.approver_id)
    .outerjoin(_STANDING_IN, _STANDING_IN.id == Approval.instead_of_id)
    .outerjoin(_VOTER, _VOTER.id == Approval.decided_by_id)
    .where(Approval.ticket_id == _TICKET)
    .order_by(Approval.id)
)
_LAST = sa.select(sa.func.max(ApprovalRound.round)).where(ApprovalRound.ticket_id == _TICKET).scalar_subquery()
_ROUND = _ALL_ROUNDS.order_by(None).where(ApprovalRound.round == _LAST).subquery()
_QUESTIONS = _ASKED.order_by(None).where(Approval.round == _LAST).subquery()
_LATEST = Prepared(
    sa.select(*(column.label(f"of_{column.key}") for column in _ROUND.c), *_QUESTIONS.c)
    .select_from(_ROUND.outerjoin(_QUESTIONS, sa.true()))
    .order_by(_QUESTIONS.c.id)
)
_OF_TICKET = Prepared(_ASKED)

_BEGIN = Prepared(
    sa.insert(_ROUNDS)
    .values(
        {
            name: sa.bindparam(name)
            for name in ("ticket_id", "round", "policy", "definition", "state", "stage", "material", "opened_at")
        }
    )
    .returning(_ROUNDS.c.id)
)
_ADVANCE = Prepared(sa.update(_ROUNDS).where(_ROUNDS.c.id == sa.bindparam("this")).values(stage=sa.bindparam("next")))
_END = Prepared(
    sa.update(_ROUNDS)
    .where(_ROUNDS.c.id == sa.bindparam("this"))
    .values(outcome=sa.bindparam("end"), closed_at=sa.bindparam("now"), ruling=sa.bindparam("by_rule"))
)
_ASK = Prepared(
    sa.insert(_APPROVALS).values(
        {
            name: sa.bindparam(name)
            for name in (
                "ticket_id",
                "round",
                "approver_id",
                "needed",
                "state",
                "requested_at",
                "stage",
                "place",
                "seat",
                "because",
                "instead_of_id",
            )
        }
    )
)
_ANSWER = Prepared(
    sa.update(_APPROVALS)
    .where(_APPROVALS.c.id == sa.bindparam("approval"), _APPROVALS.c.decision.is_(None))
    .values(
        decision=sa.bindparam("answer"),
        decided_at=sa.bindparam("now"),
        comment=sa.bindparam("words"),
        decided_by_id=sa.bindparam("voter"),
    )
)
_WITHDRAW = Prepared(
    sa.update(_APPROVALS)
    .where(_APPROVALS.c.ticket_id == _TICKET, _APPROVALS.c.decision.is_(None))
    .values(decision=VOID, decided_at=sa.bindparam("now"))
)
_LET_SEE = Prepared(
    sa.insert(_READERS).from_select(
        ["ticket_id", "user_id"],
        sa.select(sa.cast(_TICKET, sa.BigInteger), sa.cast(sa.bindparam("user"), sa.BigInteger)).where(
            ~sa.exists().where(_READERS.c.ticket_id == _TICKET, _READERS.c.user_id == sa.bindparam("user"))
        ),
    )
)


@dataclass(slots=True)
class Known:
    """What one transaction has read of rounds and not written since, by row id of the ticket; `begun` are those tickets for
    which it has begun one.
    """

    latest: dict[int, Round | None] = field(default_factory=dict)
    deciders: dict[tuple[int | None, int | None], Deciders] = field(default_factory=dict)
    begun: set[int] = field(default_factory=set)
    asked_beside: dict[int, tuple[int | None, ...]] = field(default_factory=dict)
    """Who were the parties to a ticket when its questions were put, for those are not asked."""

    def forget(self) -> None:
        """Something was written: whatever was read may be otherwise."""
        self.latest.clear()
        self.deciders.clear()


def known(tx: Tx) -> Known:
    """What this transaction knows of rounds."""
    return tx.known(Known)


def beside(record: Record) -> tuple[int | None, ...]:
    """The parties to a ticket that its own row names, by row id."""
    return (record.ids.get("requester"), record.opened_by_id, record.ids.get("assignee"))


def is_unasked(tx: Tx, *ticket_ids: int | None) -> bool:
    """Whether these tickets can have had no round yet: this transaction opened them, and has begun none for them."""
    return all(each is None or (each in tx.born and each not in known(tx).begun) for each in ticket_ids)


def latest(tx: Tx, record: Record) -> Round | None:
    """The ticket's latest round with its questions, None if it never had one."""
    if is_unasked(tx, record.id):
        return None
    memory = known(tx).latest
    if record.id not in memory:
        memory[record.id] = _latest(tx, record)
    return memory[record.id]


def _latest(tx: Tx, record: Record) -> Round | None:
    rows = tx.session.all(_LATEST, ticket=record.id)
    if not rows:
        return None
    found = _round(SimpleNamespace(**{column.key: getattr(rows[0], f"of_{column.key}") for column in _ROUNDS.columns}))
    found.questions = [_question(row) for row in rows if row.id is not None]
    return found


def every(tx: Tx, ticket_id: int) -> list[Round]:
    """Every round of a ticket with its questions, the oldest first; two statements."""
    found = {row.round: _round(row) for row in tx.session.all(_EVERY, ticket=ticket_id)}
    for row in tx.session.all(_OF_TICKET, ticket=ticket_id):
        if row.round in found:
            found[row.round].questions.append(_question(row))
    return list(found.values())


def begin(tx: Tx, record: Record, policy: Policy, number: int) -> Round:
    """A new round, open at its first stage, with what the ticket says now in its material fields."""
    material = material_of(record, policy)
    known(tx).begun.add(record.id)
    known(tx).forget()
    row = tx.session.one(
        _BEGIN,
        ticket_id=record.id,
        round=number,
        policy=policy.name or None,
        definition=policy.source,
        state=record.state,
        stage=0,
        material=material,
        opened_at=tx.now,
    )
    return Round(row.id, number, policy.name or None, policy, record.state, 0, material, tx.now, None, None, None)


def material_of(record: Record, policy: Policy) -> dict[str, Any]:
    """What the ticket says now in the fields that are material to a policy, as JSON keeps it."""
    return {name: encode(record.values.get(name)) for name in policy.material}


def ask(tx: Tx, record: Record, round_: Round, tree: Node[int], asked: Mapping[int, Asked]) -> None:
    """Put the questions of the round's stage to those who sit in its tree, and let them see the ticket."""
    rows = []
    for seat, (place, node, root) in enumerate(_seats(tree, ())):
        rows.append(_row(tx, record, round_, seat, place, node.needed, asked[root]))
    known(tx).forget()
    known(tx).asked_beside[record.id] = beside(record)
    tx.session.run_many(_ASK, rows)
    let_see(tx, record, [row["approver_id"] for row in rows])


def pass_on(tx: Tx, record: Record, round_: Round, question: Question, to: Asked) -> None:
    """Put the question of a seat to somebody else."""
    row = _row(tx, record, round_, question.seat, question.place, question.needed, to)
    known(tx).forget()
    tx.session.run_many(_ASK, [row])
    let_see(tx, record, [to.person.id])


def let_see(tx: Tx, record: Record, users: Iterable[int]) -> None:
    """Let these people see the ticket, for they are to judge it."""
    tx.session.run_many(_LET_SEE, [{"ticket": record.id, "user": user} for user in dict.fromkeys(users)])


def answer(tx: Tx, question_id: int, said: str, words: str | None, voter: int | None) -> bool:
    """Keep an answer; False if there is one already. `voter` is who gave it, where it is not the one who was asked."""
    known(tx).forget()
    return tx.session.run(_ANSWER, approval=question_id, answer=said, now=tx.now, words=words, voter=voter) == 1


def advance(tx: Tx, round_: Round) -> None:
    """Go on to the next stage."""
    known(tx).forget()
    round_.stage += 1
    tx.session.run(_ADVANCE, this=round_.id, next=round_.stage)


def end(tx: Tx, record: Record, round_: Round, how: End, ruling: str | None = None) -> None:
    """End a round; what is open of it is asked no longer."""
    known(tx).forget()
    tx.session.run(_WITHDRAW, ticket=record.id, now=tx.now)
    round_.outcome, round_.closed_at, round_.ruling = how, tx.now, ruling
    tx.session.run(_END, this=round_.id, end=how.value, now=tx.now, by_rule=ruling)


def _row(tx: Tx, record: Record, round_: Round, seat: int, place: Place, needed: int, asked: Asked) -> dict[str, Any]:
    return {
        "ticket_id": record.id,
        "round": round_.round,
        "approver_id": asked.person.id,
        "needed": needed,
        "state": record.state,
        "requested_at": tx.now,
        "stage": round_.stage,
        "place": ".".join(map(str, place)),
        "seat": seat,
        "because": asked.because,
        "instead_of_id": asked.instead_of.id if asked.instead_of else None,
    }


def _seats(node: Node[int], path: Place) -> Iterable[tuple[Place, Node[int], int]]:
    for root in node.seats:
        yield path, node, root
    for index, group in enumerate(node.groups):
        yield from _seats(group, (*path, index))


def _round(row: Any) -> Round:
    return Round(
        id=row.id,
        round=row.round,
        policy_name=row.policy,
        policy=frozen(row.policy or "", row.definition),
        state=row.state,
        stage=row.stage,
        material=row.material,
        opened_at=row.opened_at,
        ruling=row.ruling,
        outcome=None if row.outcome is None else End(row.outcome),
        closed_at=row.closed_at,
    )


def _question(row: Any) -> Question:
    place = tuple(int(step) for step in row.place.split(".")) if row.place else ()
    return Question(
        id=row.id,
        approver_id=row.approver_id,
        approver=row.approver,
        root=row.root,
        stage=row.stage,
        place=place,
        seat=row.seat,
        needed=row.needed,
        decision=row.decision,
        requested_at=row.requested_at,
        decided_at=row.decided_at,
        comment=row.comment,
        because=row.because,
        instead_of=row.instead_of,
        decided_by=row.decided_by,
        decided_by_root=row.decided_by_root,
    )
