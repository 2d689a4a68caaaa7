"""The course of a round: a stage is opened, its questions are put, somebody steps in for somebody, it is decided, the next one
follows.

Every step is said in the ticket's log. Where too few are left to ask, the log says so and the workflow hears
`too_few_approvers`; nobody is asked then, and nothing is approved. The clock looks again from time to time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any, Final

from itsm.approvals import rounds, rules
from itsm.approvals.asking import Asked, Candidate, Directory
from itsm.approvals.course import VOID, End, Question, Round
from itsm.approvals.policy import IN_LINE, ONE_PERSON, Stage
from itsm.platform.timers import NewTimer
from itsm.tickets import alarms, clockwork, effects, records
from itsm.tickets.desk import Tx
from itsm.tickets.records import Record
from itsm.worktime.duration import Duration

KIND: Final = "approval"
"""The kind of timer rows that belong to rounds of approval."""

REMIND, ESCALATE, TIMEOUT, LOOK = "remind", "escalate", "timeout", "look"
LOOK_EVERY: Final = timedelta(hours=1)
"""How often it is looked whether those who are asked can still decide."""

TOO_FEW: Final = "too_few_approvers"
REQUESTED_TEMPLATE, REMINDER_TEMPLATE = "approval-requested", "approval-reminder"


def open_stage(tx: Tx, record: Record, round_: Round) -> list[str]:
    """Ask everybody whom the round's stage names; the logins of those who were asked, none where there are too few.

    To tell them is left to the caller: those of the first stage are told by the workflow, in its own words.
    """
    stage = round_.policy.stages[round_.stage]
    _arm(tx, record, round_, stage)
    directory = Directory.of(tx, record)
    wanted, asked = directory.tree(stage.group, directory.barred(round_.policy))
    tree = rules.seated(wanted)
    if not rules.attainable(tree):
        too_few(tx, record, round_, [asked[root].person.login for root in rules.seats_of(tree)], tree.needed)
        return []
    rounds.ask(tx, record, round_, tree, asked)
    people = [asked[root] for root in rules.seats_of(tree)]
    _tell_asked(tx, record, round_, stage, people, tree.needed)
    rounds.let_see(tx, record, [deputy for one in people for deputy in directory.deputies(one.person.id)])
    return [one.person.login for one in people]


def _tell_asked(tx: Tx, record: Record, round_: Round, stage: Stage, people: Iterable[Asked], needed: int) -> None:
    people = list(people)
    payload: dict[str, Any] = {"round": round_.round, "of": [one.person.login for one in people], "needed": needed}
    if round_.policy_name is not None:
        payload |= {"policy": round_.policy_name, "stage": stage.name}
    standing_in = {one.person.login: [one.instead_of.login, one.because] for one in people if one.instead_of is not None}
    if standing_in:
        payload["instead_of"] = standing_in
    records.append(tx, record, "approval_requested", payload)


def too_few(tx: Tx, record: Record, round_: Round, found: list[str], needed: int) -> None:
    """Say that a stage cannot be decided by those who are left."""
    stage = round_.policy.stages[round_.stage]
    payload = {"round": round_.round, "stage": stage.name, "needed": needed, "found": sorted(found)}
    records.append(tx, record, TOO_FEW, payload, internal=True)
    record.happenings.append(TOO_FEW)


def conclude(tx: Tx, record: Record, round_: Round) -> None:
    """Go on if the stage is decided: to the next one, or to the end of the round."""
    outcome = round_.standing(round_.stage)
    if outcome is rules.Outcome.REJECTED:
        close(tx, record, round_, End.REJECTED)
    elif outcome is rules.Outcome.APPROVED:
        pass_stage(tx, record, round_)


def pass_stage(tx: Tx, record: Record, round_: Round, ruling: str | None = None) -> None:
    """The stage has approved: the next is opened, or the round is approved. `ruling` is what decided, where nobody did."""
    if round_.stage + 1 >= len(round_.policy.stages):
        close(tx, record, round_, End.APPROVED, ruling)
        return
    for question in round_.awaited():
        rounds.answer(tx, question.id, VOID, None, None)
    payload: dict[str, Any] = {"round": round_.round, "stage": round_.policy.stages[round_.stage].name}
    records.append(tx, record, "approval_stage_passed", payload | ({"ruling": ruling} if ruling else {}))
    disarm(tx, record)
    rounds.advance(tx, round_)
    tell(tx, record, open_stage(tx, record, round_))


def close(tx: Tx, record: Record, round_: Round, how: End, ruling: str | None = None) -> None:
    """The round is decided; the workflow hears of it."""
    rounds.end(tx, record, round_, how, ruling)
    disarm(tx, record)
    payload: dict[str, Any] = {"round": round_.round, "outcome": how.value}
    if round_.policy_name is not None:
        payload["policy"] = round_.policy_name
    records.append(tx, record, "approval_closed", payload | ({"ruling": ruling} if ruling else {}))
    record.happenings.append(how.value)


# Who steps in


def step_in(tx: Tx, record: Record, round_: Round) -> list[str]:
    """Pass on the questions of those who cannot decide any more; the logins of those for whom nobody steps in."""
    directory = Directory.of(tx, record)
    barred = directory.barred(round_.policy)
    seated = {question.root for question in round_.of_stage(round_.stage)}
    left = []
    for question in round_.awaited():
        holder = directory.by_id(question.approver_id)
        able = holder is not None and directory.may_hold(round_.group_of(question), holder)
        if holder is None or (able and holder.root not in barred):
            continue
        because = "barred" if able else "cannot decide"
        to = _alternate(directory, round_, question, holder, barred | seated, because)
        if to is None:
            left.append(question.approver)
        else:
            seated.add(to.person.root)
            hand_over(tx, record, round_, question, to)
    return sorted(left)


def _alternate(
    directory: Directory, round_: Round, question: Question, holder: Candidate, taken: Collection[int], because: str
) -> Asked | None:
    """Who is asked instead: another whom the policy names for the same group, or who is its manager or owner by now, else
    whoever stands in for the holder.
    """
    group = round_.group_of(question)
    for approver in group.people:
        for one in directory.named(approver, taken) if approver.who not in ONE_PERSON - IN_LINE else ():
            if one.instead_of is None:
                return Asked(one.person, holder, because)
    return directory.stand_in(holder, taken, by_place=any(approver.who in IN_LINE for approver in group.people))


def hand_over(tx: Tx, record: Record, round_: Round, question: Question, to: Asked) -> None:
    """Put a question to somebody else instead of the one who was asked, and tell him."""
    rounds.answer(tx, question.id, VOID, None, None)
    rounds.pass_on(tx, record, round_, question, to)
    rounds.let_see(tx, record, Directory.of(tx, record).deputies(to.person.id))
    payload = {"round": round_.round, "instead_of": question.approver, "asked": to.person.login, "because": to.because}
    records.append(tx, record, "approval_rerouted", payload)
    tell(tx, record, [to.person.login])


def attainable_without(round_: Round, lost: Collection[str]) -> bool:
    """Whether the stage can still be approved if these people never answer."""
    hopes = dict(round_.answers(round_.stage))
    for seat, held in round_.holders(round_.stage).items():
        if held.is_open and held.approver not in lost:
            hopes[seat] = rules.Outcome.APPROVED
    return rules.standing(round_.tree(round_.stage), hopes) is rules.Outcome.APPROVED


# The clock


def _arm(tx: Tx, record: Record, round_: Round, stage: Stage) -> None:
    """Set the timers of a stage; all carry the round and the stage that they are meant for."""
    payload = {"round": round_.round, "stage": round_.stage}
    due = [NewTimer(record.id, KIND, LOOK, tx.now + LOOK_EVERY, payload)]
    for name, what in ((REMIND, stage.remind), (ESCALATE, stage.escalate), (TIMEOUT, stage.timeout)):
        if what is not None:
            due.append(NewTimer(record.id, KIND, name, instant(tx, stage, what.after), payload))
    alarms.arm(tx, due)


def instant(tx: Tx, stage: Stage, after: Duration) -> datetime:
    """The instant that lies so far ahead in the calendar of a stage."""
    return clockwork.calendar(tx, stage.calendar).add_duration(tx.now, after)


def disarm(tx: Tx, record: Record) -> None:
    """Call off what the clock was to do."""
    alarms.disarm(tx, record.id, KIND, (REMIND, ESCALATE, TIMEOUT, LOOK))


def tell(tx: Tx, record: Record, logins: Iterable[str]) -> None:
    """Tell people that their decision is awaited."""
    effects.tell(tx, record, REQUESTED_TEMPLATE, logins)


def remind(tx: Tx, record: Record, round_: Round) -> None:
    """Remind everybody whose answer is awaited, and whoever may give it in his place."""
    directory = Directory.of(tx, record)
    awaited = [question.approver for question in round_.awaited()]
    deputies = {deputy for question in round_.awaited() for deputy in directory.deputies(question.approver_id)}
    others = [found.login for deputy in sorted(deputies) if (found := directory.by_id(deputy)) is not None and found.decides]
    asked = sorted({*awaited, *others})
    payload = {"round": round_.round, "stage": round_.policy.stages[round_.stage].name, "asked": asked}
    records.append(tx, record, "approval_reminded", payload, internal=True)
    effects.tell(tx, record, REMINDER_TEMPLATE, asked)
