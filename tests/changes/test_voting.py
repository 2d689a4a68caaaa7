"""Votes on the changes of an agenda: whose count, whose are refused, and that a change is moved by its approval alone."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from itsm.changes.board import Result, Tally, Vote
from itsm.people import commands as people
from itsm.people import ties
from itsm.people.access import SYSTEM, Channel
from itsm.platform.errors import DeskError
from itsm.platform.time import FrozenClock
from itsm.tickets import opening
from itsm.tickets.desk import Desk
from itsm.tickets.opening import NewTicket
from itsm.tickets.records import Record
from tests.changes.sitting import Meeting, a_meeting, audited, story, waiting
from tests.service import actor
from tests.tickets.doing import Doing


@pytest.fixture
def meeting(desk: Desk, clock: FrozenClock) -> Meeting:
    return a_meeting(desk, clock, members=("cm2", "l1", "g1"))


@pytest.fixture
def record(desk: Desk, meeting: Meeting) -> Record:
    """A change of g1's that cm1 and cm2 are asked about, either of whom suffices."""
    found = waiting(desk)
    meeting.gathers()
    return found


def refusal(deed: Callable[[], object]) -> DeskError:
    with pytest.raises(DeskError) as refused:
        deed()
    return refused.value


def code(deed: Callable[[], object]) -> str:
    return refusal(deed).code


def state(desk: Desk, record: Record) -> str:
    return Doing(desk, "cm1").read(record).state


def test_a_changed_mind_is_another_vote_and_the_last_counts(meeting: Meeting, record: Record) -> None:
    meeting.votes("l1", record, Vote.APPROVE)
    meeting.votes("l1", record, Vote.REJECT, "I have read the plan.")
    item = meeting.item(record)
    assert [(each.login, each.vote, each.comment) for each in item.ballots] == [
        ("l1", Vote.APPROVE, None),
        ("l1", Vote.REJECT, "I have read the plan."),
    ]
    assert item.tally == Tally(approve=0, reject=1, abstain=0)


def test_two_accounts_of_one_person_have_one_vote(meeting: Meeting, record: Record, desk: Desk) -> None:
    with desk.transaction(SYSTEM, Channel.COMMAND_LINE) as tx:
        ties.link_accounts(tx.session, "g2", "l1", tx.now, "tests")
    meeting.votes("l1", record, Vote.APPROVE)
    meeting.votes("g2", record, Vote.ABSTAIN)
    assert meeting.item(record).tally == Tally(approve=0, reject=0, abstain=1)


@pytest.mark.parametrize("words", [None, "", "  \n"])
def test_a_rejection_needs_words(meeting: Meeting, record: Record, words: str | None) -> None:
    error = refusal(lambda: meeting.votes("l1", record, Vote.REJECT, words))
    assert [(each.pointer, each.code) for each in error.errors] == [("/comment", "comment_required")]
    assert meeting.item(record).ballots == ()


def test_the_vote_of_a_member_who_is_not_asked_moves_nothing(meeting: Meeting, record: Record, desk: Desk) -> None:
    before = story(desk, record)
    meeting.votes("l1", record, Vote.APPROVE)
    meeting.votes("g2", record, Vote.REJECT, "No.")
    assert (state(desk, record), story(desk, record)) == ("authorisation", before)
    assert not any(each.answered for each in meeting.item(record).ballots)


def test_the_vote_of_a_member_who_is_asked_is_his_answer(meeting: Meeting, record: Record, desk: Desk) -> None:
    meeting.votes("cm2", record, Vote.APPROVE, "Well prepared.")
    assert state(desk, record) == "authorised"
    assert [payload["decision"] for kind, payload in story(desk, record) if kind == "approval_decided"] == ["approve"]
    (ballot,) = meeting.item(record).ballots
    assert (ballot.login, ballot.answered) == ("cm2", True)
    assert code(lambda: meeting.votes("cm2", record, Vote.REJECT, "Or not.")) == "already_decided"
    meeting.votes("l1", record, Vote.APPROVE)
    assert meeting.item(record).tally == Tally(approve=2)


def test_who_is_asked_and_abstains_has_not_answered(meeting: Meeting, record: Record, desk: Desk) -> None:
    meeting.votes("cm1", record, Vote.ABSTAIN)
    assert state(desk, record) == "authorisation"
    meeting.votes("cm2", record, Vote.REJECT, "No way back.")
    assert state(desk, record) == "authorisation"
    meeting.votes("cm1", record, Vote.REJECT, "I agree.")
    assert state(desk, record) == "new"


def test_the_quorum_is_that_of_the_approval_not_of_the_board(meeting: Meeting, desk: Desk) -> None:
    risky = waiting(desk, risk="high")
    meeting.gathers()
    for login in ("l1", "g2", "cm1"):
        meeting.votes(login, risky, Vote.APPROVE)
    assert state(desk, risky) == "authorisation"
    meeting.votes("cm2", risky, Vote.APPROVE)
    assert state(desk, risky) == "authorised"


def test_who_is_no_member_does_not_vote_and_the_auditor_is_told(desk: Desk, clock: FrozenClock) -> None:
    meeting = a_meeting(desk, clock, members=("l1",), groups=("network",))
    record = waiting(desk)
    meeting.gathers()
    for login, why in (("cm2", "not_a_member"), ("g3", "not_a_member"), ("ra1", "not_found"), ("ad1", "not_found")):
        assert code(lambda login=login: meeting.votes(login, record, Vote.APPROVE)) == why  # type: ignore[misc]
    deed = {"code": "not_a_member", "deed": "vote", "meeting": meeting.id, "ticket": record.number}
    assert audited(desk, "refused") == [("cm2", deed), ("g3", deed)]
    assert meeting.item(record).ballots == ()


def test_nobody_judges_what_he_asked_for_and_the_auditor_is_told(meeting: Meeting, record: Record, desk: Desk) -> None:
    for vote, words in ((Vote.APPROVE, None), (Vote.REJECT, "Mine.")):
        assert code(lambda vote=vote, words=words: meeting.votes("g1", record, vote, words)) == "own_ticket"  # type: ignore[misc]
    assert [(who, deed["code"]) for who, deed in audited(desk, "refused")] == [("g1", "own_ticket")] * 2
    meeting.votes("g1", record, Vote.ABSTAIN)
    assert meeting.item(record).tally == Tally(abstain=1)


def test_nobody_judges_what_he_carries_out_nor_a_part_of_it(meeting: Meeting, desk: Desk) -> None:
    record = waiting(desk, assignee="l1")
    meeting.gathers()
    with desk.transaction(actor(desk, "g1"), Channel.API) as tx:
        opening.create(tx, NewTicket("task", "Pull the cable", laid={"parent": record.number, "assignee": "g2"}))
    for login in ("l1", "g2"):
        assert code(lambda login=login: meeting.votes(login, record, Vote.APPROVE)) == "own_ticket"  # type: ignore[misc]


def test_another_account_of_whoever_asked_for_it_does_not_judge_either(meeting: Meeting, record: Record, desk: Desk) -> None:
    with desk.transaction(SYSTEM, Channel.COMMAND_LINE) as tx:
        ties.link_accounts(tx.session, "l1", "g1", tx.now, "tests")
    assert code(lambda: meeting.votes("l1", record, Vote.APPROVE)) == "own_ticket"


def test_the_chair_does_not_authorise_his_own_change_but_may_defer_it(meeting: Meeting, desk: Desk) -> None:
    own = waiting(desk, by="cm1", title="Mine")
    meeting.gathers()
    for result in (Result.AUTHORISED, Result.REJECTED):
        assert code(lambda result=result: meeting.concludes(own, result)) == "own_ticket"  # type: ignore[misc]
    meeting.concludes(own, Result.DEFERRED)
    meeting.concludes(own, Result.AUTHORISED, by="cm2")
    assert meeting.item(own).decided_by == "cm2"


def test_a_vote_that_the_approval_engine_refuses_is_no_vote(meeting: Meeting, record: Record, desk: Desk) -> None:
    with desk.transaction(SYSTEM, Channel.COMMAND_LINE) as tx:
        people.set_roles(tx.session, desk.roles, "cm2", frozenset({"agent"}), tx.now, "tests")
    assert code(lambda: meeting.votes("cm2", record, Vote.APPROVE)) in {"forbidden", "not_asked"}
    assert (meeting.item(record).ballots, state(desk, record)) == ((), "authorisation")


def test_after_the_outcome_nobody_votes_on_it(meeting: Meeting, record: Record) -> None:
    meeting.concludes(record, Result.DEFERRED)
    assert code(lambda: meeting.votes("l1", record, Vote.APPROVE)) == "item_closed"


@pytest.mark.parametrize(
    ("vote", "wrong", "right"),
    [(Vote.APPROVE, Result.REJECTED, Result.AUTHORISED), (Vote.REJECT, Result.AUTHORISED, Result.REJECTED)],
    ids=["approved", "rejected"],
)
def test_an_outcome_does_not_contradict_the_approval(
    meeting: Meeting, record: Record, vote: Vote, wrong: Result, right: Result
) -> None:
    for login in ("cm1", "cm2"):
        meeting.votes(login, record, vote, "Because.")
    assert code(lambda: meeting.concludes(record, wrong)) == "contradicts_approval"
    meeting.concludes(record, right)
    assert meeting.item(record).result is right


def test_an_outcome_moves_nothing(meeting: Meeting, record: Record, desk: Desk) -> None:
    meeting.concludes(record, Result.AUTHORISED)
    assert state(desk, record) == "authorisation"


@pytest.mark.parametrize("result", [Result.REJECTED, Result.DEFERRED])
def test_what_is_rejected_or_deferred_needs_words(meeting: Meeting, record: Record, result: Result) -> None:
    error = refusal(lambda: meeting.concludes(record, result, " "))
    assert [(each.pointer, each.code) for each in error.errors] == [("/words", "comment_required")]


def test_of_many_votes_at_once_of_one_who_is_asked_one_is_his_answer(meeting: Meeting, record: Record, desk: Desk) -> None:
    def vote(number: int) -> str:
        try:
            chosen = Vote.APPROVE if number % 2 else Vote.REJECT
            desk.database.retrying(lambda: meeting.votes("cm1", record, chosen, "Now."))
        except DeskError as refused:
            return refused.code
        return "voted"

    with ThreadPoolExecutor(6) as pool:
        said = list(pool.map(vote, range(12)))
    assert sorted(said) == ["already_decided"] * 11 + ["voted"]
    assert sum(kind == "approval_decided" for kind, _ in story(desk, record)) == 1
    assert len(meeting.item(record).ballots) == 1


def test_nobody_votes_without_end(meeting: Meeting, record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("itsm.changes.voting.MOST_VOTES", 2)
    for _ in range(2):
        meeting.votes("l1", record, Vote.ABSTAIN)
    assert code(lambda: meeting.votes("l1", record, Vote.APPROVE)) == "too_many_votes"
