"""What rounds of approval answer: to the desk's questions, to what happens to their tickets, and to the clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from itsm.approvals import commands, rounds, rules, stages
from itsm.approvals.asking import Asked, Directory
from itsm.approvals.course import APPROVE, REJECT, VOID, End, Round
from itsm.approvals.models import Approval, ApprovalRound
from itsm.approvals.policy import Above, Party, Then
from itsm.approvals.reading import frozen
from itsm.people.models import User
from itsm.platform.database import Prepared
from itsm.platform.errors import DeskError, Kind
from itsm.platform.timers import NewTimer, TimerRow
from itsm.tickets import alarms, records
from itsm.tickets.desk import Happened, Tx
from itsm.tickets.models import Ticket
from itsm.tickets.records import Record
from itsm.workflow.case import NOBODY, Deciders
from itsm.workflow.definition import Category

VOIDED: Final = "approval_voided"

_CHANGED: Final = frozenset({"moved", "edited", "acted"})

_GAVE, _VOTER, _SAME = aliased(User), aliased(User), aliased(User)
_VOTER_ROOT = sa.func.coalesce(_VOTER.same_as_id, _VOTER.id)
_APPROVED = (
    sa.select(
        ApprovalRound.policy,
        ApprovalRound.definition,
        User.login.label("approver"),
        _GAVE.login.label("gave"),
        _VOTER.login.label("voter"),
        _SAME.login.label("same"),
    )
    .join_from(
        Approval, ApprovalRound, sa.and_(ApprovalRound.ticket_id == Approval.ticket_id, ApprovalRound.round == Approval.round)
    )
    .join(User, User.id == Approval.approver_id)
    .join(_GAVE, _GAVE.id == sa.func.coalesce(Approval.decided_by_id, Approval.approver_id))
    .join(_VOTER, sa.or_(_VOTER.id == Approval.approver_id, _VOTER.id == Approval.decided_by_id))
    .join(_SAME, sa.or_(_SAME.id == _VOTER_ROOT, _SAME.same_as_id == _VOTER_ROOT))
    .where(
        Approval.decision == APPROVE,
        sa.or_(ApprovalRound.outcome.is_(None), ApprovalRound.outcome == End.APPROVED.value),
    )
    .order_by(Approval.id, _SAME.login)
)


def _line() -> sa.CTE:
    """A ticket's parent and all above it: a task is a part of an item, which may be a part of a bundle in a bundle."""
    line = sa.select(Ticket.id, Ticket.parent_id).where(Ticket.id == sa.bindparam("parent")).cte("line", recursive=True)
    return line.union(sa.select(Ticket.id, Ticket.parent_id).join(line, Ticket.id == line.c.parent_id))


_OWN = sa.bindparam("ticket", type_=sa.BigInteger)
_DECIDERS = Prepared(_APPROVED.where(Approval.ticket_id == _OWN))
_DECIDERS_ABOVE = Prepared(
    _APPROVED.where(Approval.ticket_id.in_(sa.select(_line().c.id).union_all(sa.select(sa.cast(_OWN, sa.BigInteger)))))
)


# What is asked about a ticket


def counts(tx: Tx, record: Record) -> Mapping[str, int]:
    """How the latest round stands, for guards: pending, approved, rejected, total. One that is void counts for nothing."""
    round_ = rounds.latest(tx, record) if _asks(record) else None
    if round_ is None or round_.outcome is End.VOID:
        return {"pending": 0, "approved": 0, "rejected": 0, "total": 0}
    said = [question.decision for question in round_.questions]
    pending, approved, rejected = said.count(None), said.count(APPROVE), said.count(REJECT)
    return {"pending": pending, "approved": approved, "rejected": rejected, "total": pending + approved + rejected}


def approvers(tx: Tx, record: Record) -> frozenset[str]:
    """The logins of those asked in the latest round, unless their question is void."""
    round_ = rounds.latest(tx, record) if _asks(record) else None
    return frozenset(each.approver for each in round_.questions if each.decision != VOID) if round_ else frozenset()


def awaited(tx: Tx, record: Record) -> list[str]:
    """Whom a message to `approvers` reaches: those who have not answered yet, and those who may answer in their place."""
    round_ = rounds.latest(tx, record) if _asks(record) else None
    if round_ is None:
        return []
    directory = Directory.of(tx, record)
    questions = round_.awaited()
    deputies = {deputy: None for each in questions for deputy in directory.deputies(each.approver_id)}
    others = [found.login for deputy in deputies if (found := directory.by_id(deputy)) is not None and found.decides]
    return sorted({*(each.approver for each in questions), *others})


def deciders(tx: Tx, record: Record) -> Deciders:
    """Who approved the ticket, or one that it is a part of, and what must not be given to whom therefore."""
    parent = record.ids.get("parent")
    if (not _asks(record) and parent is None) or rounds.is_unasked(tx, record.id, parent):
        return NOBODY
    memory = rounds.known(tx).deciders
    asked = None if rounds.is_unasked(tx, record.id) else record.id  # new parts of a ticket have the same
    if (asked, parent) not in memory:
        memory[asked, parent] = _deciders(tx, record, parent)
    return memory[asked, parent]


def _deciders(tx: Tx, record: Record, parent: int | None) -> Deciders:
    logins: set[str] = set()
    barred: dict[str, dict[str, str]] = {}
    found = (
        tx.session.all(_DECIDERS, ticket=record.id)
        if parent is None
        else tx.session.all(_DECIDERS_ABOVE, ticket=record.id, parent=parent)
    )
    for row in found:
        logins |= {row.approver, row.voter}
        policy = frozen(row.policy or "", row.definition)
        for party, name in ((Party.IMPLEMENTER, "assignee"), (Party.REQUESTER, "requester")):
            if policy.separates(party):
                barred.setdefault(name, {}).setdefault(row.same, _why(row))
    return Deciders(frozenset(logins), barred)


def _why(row: Any) -> str:
    what = f"{row.gave} approved it" if row.gave == row.approver else f"{row.gave} approved it for {row.approver}"
    return what if row.same == row.voter else f"{what}, and {row.same} is the same person as {row.voter}"


# What happens to a ticket


def keep_up(tx: Tx, happened: Happened) -> None:
    """What is still open when a ticket leaves the state in which it was asked is asked no longer; what was approved and then
    changed materially is void; and who has become a party to the ticket does not decide on it.
    """
    record = happened.record
    if happened.what == "created":
        keep_apart(tx, record)
    elif happened.what in _CHANGED and _asks(record) and (round_ := rounds.latest(tx, record)) is not None:
        if round_.is_open and record.state != round_.state:
            rounds.end(tx, record, round_, End.WITHDRAWN)
            stages.disarm(tx, record)
        elif round_.outcome in (None, End.APPROVED) and record.category not in (Category.CLOSED, Category.RESOLVED):
            _void_if_changed(tx, record, round_)
        if round_.is_open:
            _look_soon(tx, record, round_)


def keep_apart(tx: Tx, record: Record) -> None:
    """Refuse a new part of a ticket that is handed to whoever approved the whole. Raises `separation_of_duties`."""
    if record.ids.get("parent") is None or record.values.get("assignee") is None:
        return
    login = str(record.values["assignee"])
    why = deciders(tx, record).barred.get("assignee", {}).get(login)
    if why is not None:
        raise DeskError(Kind.FORBIDDEN, "separation_of_duties", f"The task cannot be given to {login}: {why}.")


def _void_if_changed(tx: Tx, record: Record, round_: Round) -> None:
    now = rounds.material_of(record, round_.policy)
    changed = {name: [before, now[name]] for name, before in round_.material.items() if now.get(name) != before}
    if not changed:
        return
    rounds.end(tx, record, round_, End.VOID, round_.ruling)
    stages.disarm(tx, record)
    records.append(tx, record, VOIDED, {"round": round_.round, "changed": changed})
    record.happenings.append(VOIDED)


def _look_soon(tx: Tx, record: Record, round_: Round) -> None:
    """If a party to the ticket is asked about it, let the clock see to it at once."""
    if rounds.known(tx).asked_beside.get(record.id) == rounds.beside(record):
        return
    involved = Directory.of(tx, record).parties(round_.policy)
    if any(question.root in involved for question in round_.awaited()):
        payload = {"round": round_.round, "stage": round_.stage}
        alarms.disarm(tx, record.id, stages.KIND, (stages.LOOK,))
        alarms.arm(tx, [NewTimer(record.id, stages.KIND, stages.LOOK, tx.now, payload)])
        tx.followups.append(record.id)


# What the clock brings


def on_timer(tx: Tx, record: Record, row: TimerRow) -> None:
    """A timer of a round has run out; one that was meant for another stage than the present one means nothing."""
    round_ = rounds.latest(tx, record)
    meant = (row.payload.get("round"), row.payload.get("stage"))
    if round_ is not None and round_.is_open and (round_.round, round_.stage) == meant:
        _ON_TIMER[row.name](tx, record, round_, row)


def _remind(tx: Tx, record: Record, round_: Round, row: TimerRow) -> None:
    stages.remind(tx, record, round_)
    stage = round_.policy.stages[round_.stage]
    if stage.remind is not None and stage.remind.every is not None:
        due = stages.instant(tx, stage, stage.remind.every)
        alarms.arm(tx, [NewTimer(record.id, stages.KIND, stages.REMIND, due, row.payload, row.cycle + 1)])


def _escalate(tx: Tx, record: Record, round_: Round, row: TimerRow) -> None:
    """Pass every open question on to the manager of whoever was asked, or to the lead of the ticket's group."""
    stage = round_.policy.stages[round_.stage]
    above = stage.escalate.to if stage.escalate is not None else Above.MANAGER
    directory = Directory.of(tx, record)
    taken = directory.barred(round_.policy) | {question.root for question in round_.of_stage(round_.stage)}
    passed = []
    for question in round_.awaited():
        holder = directory.by_id(question.approver_id)
        assert holder is not None
        higher = directory.by_id(holder.manager_id) if above is Above.MANAGER else directory.lead()
        if higher is None or higher.root in taken or not directory.may_hold(round_.group_of(question), higher):
            continue
        taken |= {higher.root}
        passed.append(question.approver)
        stages.hand_over(tx, record, round_, question, Asked(higher, holder, "escalated"))
    payload = {"round": round_.round, "stage": stage.name, "passed_on": passed}
    records.append(tx, record, "approval_escalated", payload, internal=True)


def _time_out(tx: Tx, record: Record, round_: Round, row: TimerRow) -> None:
    stage = round_.policy.stages[round_.stage]
    assert stage.timeout is not None
    match stage.timeout.then:
        case Then.APPROVE:
            stages.pass_stage(tx, record, round_, "timeout")
        case Then.REJECT:
            stages.close(tx, record, round_, End.REJECTED, "timeout")
        case Then.ESCALATE:
            _escalate(tx, record, round_, row)


def _look(tx: Tx, record: Record, round_: Round, row: TimerRow) -> None:
    """See whether those who are asked can still decide, and whether enough are there by now where there were too few."""
    told = list(row.payload.get("told", ()))
    if not round_.of_stage(round_.stage):
        if _ask_again(tx, record, round_):
            return
    else:
        lost = stages.step_in(tx, record, round_)
        if lost and lost != told and not stages.attainable_without(round_, lost):
            found = [each.approver for each in round_.awaited() if each.approver not in lost]
            stages.too_few(tx, record, round_, found, round_.tree(round_.stage).needed)
        told = lost
    payload = {**row.payload, "told": told}
    due = tx.now + stages.LOOK_EVERY
    alarms.arm(tx, [NewTimer(record.id, stages.KIND, stages.LOOK, due, payload, row.cycle + 1)])


def _ask_again(tx: Tx, record: Record, round_: Round) -> bool:
    """Open a stage for which there were too few, if there are enough by now."""
    directory = Directory.of(tx, record)
    stage = round_.policy.stages[round_.stage]
    wanted, _ = directory.tree(stage.group, directory.barred(round_.policy))
    if not rules.attainable(rules.seated(wanted)):
        return False
    stages.tell(tx, record, stages.open_stage(tx, record, round_))
    return True


_ON_TIMER: Final[Mapping[str, Callable[[Tx, Record, Round, TimerRow], None]]] = {
    stages.REMIND: _remind,
    stages.ESCALATE: _escalate,
    stages.TIMEOUT: _time_out,
    stages.LOOK: _look,
}


def _asks(record: Record) -> bool:
    """Whether the ticket's workflow ever asks for approval; spares those that do not every statement about it."""
    return commands.ACTION in record.process.actions
