"""A meeting of the change advisory board: who is in it, what is on its agenda, and what is put down when it is closed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa

from itsm.changes import agenda, meeting_queries, meetings, minutes
from itsm.changes.agenda import Question
from itsm.changes.board import Result, Status, Vote
from itsm.people.access import SYSTEM, Channel
from itsm.platform import migrate
from itsm.platform.errors import DeskError
from itsm.platform.time import FrozenClock
from itsm.services import commands as services
from itsm.tickets.desk import Desk
from tests.changes.desk import at
from tests.changes.sitting import NINE, Meeting, a_meeting, audited, story, waiting
from tests.service import actor
from tests.tickets.doing import Doing


@pytest.fixture
def meeting(desk: Desk, clock: FrozenClock) -> Meeting:
    return a_meeting(desk, clock)


def code(deed: Callable[[], object]) -> str:
    with pytest.raises(DeskError) as refused:
        deed()
    return refused.value.code


# Calling one


def test_a_meeting_has_a_chair_members_and_groups(meeting: Meeting) -> None:
    found = meeting.read()
    assert (found.head.title, found.head.status, found.head.chair.key) == ("Board", Status.PLANNED, "cm1")
    assert [each.key for each in found.members] == ["cm2", "l1"]
    assert [each.key for each in found.groups] == ["security"]


def test_members_and_those_who_call_meetings_see_one_and_nobody_else_does(meeting: Meeting, desk: Desk) -> None:
    for login in ("cm1", "cm2", "l1", "g2"):
        assert meeting.read(login).head.id == meeting.id
        with desk.reading(actor(desk, login)) as tx:
            assert [each.id for each in meeting_queries.find(tx, None, 10, None)[0]] == [meeting.id]
    for login in ("g1", "ad1", "au1", "ra1", "ap1"):
        assert code(lambda login=login: meeting.read(login)) == "not_found"  # type: ignore[misc]
        with desk.reading(actor(desk, login)) as tx:
            assert meeting_queries.find(tx, None, 10, None) == ([], None)


def test_what_is_wrong_with_a_meeting_is_told_at_once(desk: Desk, clock: FrozenClock) -> None:
    with pytest.raises(DeskError) as refused:
        a_meeting(desk, clock, ends_at=NINE, chair="nobody", members=("l1", "none"), groups=("nowhere",))
    assert {each.pointer: each.code for each in refused.value.errors} == {
        "/ends_at": "reversed_period",
        "/chair": "unknown_reference",
        "/members/1": "unknown_reference",
        "/groups/0": "unknown_reference",
    }
    assert code(lambda: a_meeting(desk, clock, ends_at=NINE + timedelta(days=8))) == "invalid_input"


def test_its_chair_revises_it_and_what_is_not_named_stays(meeting: Meeting) -> None:
    meeting.does("cm2", meetings.revise, {"chair": "l1", "members": ["g1"], "ends_at": at(3, 12)})
    meeting.does("l1", meetings.revise, {"title": "Small board"})
    found = meeting.read()
    assert (found.head.title, found.head.chair.key, found.head.period.end) == ("Small board", "l1", at(3, 12))
    assert ([each.key for each in found.members], [each.key for each in found.groups]) == (["g1"], ["security"])
    assert code(lambda: meeting.does("g1", meetings.revise, {"title": "Mine"})) == "forbidden"
    assert code(lambda: meeting.does("cm1", meetings.revise, {"starts_at": at(3, 13)})) == "invalid_input"


def test_a_meeting_that_is_called_off_is_not_changed_any_more(meeting: Meeting, desk: Desk) -> None:
    record = waiting(desk)
    meeting.does("cm1", meetings.cancel)
    deeds: list[Callable[[], object]] = [
        lambda: meeting.does("cm1", meetings.cancel),
        lambda: meeting.adds(record),
        lambda: meeting.does("cm1", meetings.revise, {"title": "X"}),
        lambda: meeting.closes(),
    ]
    assert [code(deed) for deed in deeds] == ["meeting_closed"] * 4
    assert meeting.read().head.status is Status.CANCELLED


# The agenda


def test_the_agenda_has_what_waits_for_authorisation_in_the_order_of_its_windows(meeting: Meeting, desk: Desk) -> None:
    unplanned, later, sooner = waiting(desk), waiting(desk, start=at(9)), waiting(desk, start=at(5))
    waiting(desk, start=NINE + agenda.AHEAD)
    waiting(desk, start=at(2, 12))
    Doing(desk, "g1").create("change", "A draft")
    assert meeting.gathers() == [sooner.number, later.number, unplanned.number]
    starts = [each.starts_at for each in meeting.read().items]
    assert starts == [NINE, NINE + timedelta(minutes=10), NINE + timedelta(minutes=20)]
    assert meeting.read().through_at == NINE + timedelta(minutes=30)


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        (Question(risks=("low",), unplanned=False), {"crm"}),
        (Question(services=("crm",)), {"crm"}),
        (Question(types=("emergency",)), set()),
        (Question(types=("normal",)), {"crm", "risky"}),
        (Question(planned_from=at(8), unplanned=False), {"risky"}),
        (Question(planned_to=at(8)), {"crm"}),
    ],
    ids=["by risk", "by service", "by another type", "by type", "from a moment", "to a moment"],
)
def test_a_question_narrows_the_agenda(meeting: Meeting, desk: Desk, question: Question, expected: set[str]) -> None:
    with desk.transaction(SYSTEM, Channel.COMMAND_LINE) as tx:
        services.ensure_service(tx.session, "crm", "CRM", None)
    known = {
        waiting(desk, start=at(5), service="crm").number: "crm",
        waiting(desk, start=at(9), risk="high").number: "risky",
    }
    assert {known[number] for number in meeting.gathers(question) if number} == expected


def test_asking_again_adds_what_is_new_and_marks_what_was_decided_meanwhile(meeting: Meeting, desk: Desk) -> None:
    first, second = waiting(desk, start=at(4)), waiting(desk, start=at(5))
    meeting.gathers(Question(risks=("low",), minutes=20))
    Doing(desk, "g1").fire(first, "cancel", "Not needed.")
    third, _ = waiting(desk, start=at(4, 1)), waiting(desk, start=at(6), risk="high")
    assert meeting.gathers() == [first.number, second.number, third.number]
    assert meeting.item(first).settled == "cancelled"
    assert [each.starts_at.minute for each in meeting.read().items] == [0, 0, 20]
    assert [each.minutes for each in meeting.read().items] == [20, 20, 20]
    assert meeting.gathers() == meeting.numbers()


def test_what_waits_again_is_marked_no_longer(meeting: Meeting, desk: Desk) -> None:
    record = waiting(desk)
    meeting.gathers()
    Doing(desk, "g1").fire(record, "revise", "Another plan.")
    meeting.gathers()
    assert meeting.item(record).settled == "new"
    Doing(desk, "g1").fire(record, "submit")
    Doing(desk, "g1").fire(record, "request_authorisation")
    meeting.gathers()
    assert meeting.item(record).settled is None


def test_a_change_is_put_on_the_agenda_by_its_number_whatever_state_it_is_in(meeting: Meeting, desk: Desk) -> None:
    draft = Doing(desk, "g1").create("change", "A draft")
    meeting.adds(draft, 25)
    assert (meeting.item(draft).minutes, meeting.item(draft).settled) == (25, None)
    meeting.gathers()
    assert meeting.item(draft).settled is None
    assert code(lambda: meeting.adds(draft)) == "already_on_agenda"
    incident = Doing(desk, "g1").create()
    assert code(lambda: meeting.adds(incident)) == "invalid_input"


def test_items_are_put_in_another_order_get_another_time_and_are_taken_out(meeting: Meeting, desk: Desk) -> None:
    one, two, three = (waiting(desk, start=at(day)) for day in (4, 5, 6))
    meeting.gathers()
    meeting.arranges(three, position=1, minutes=30)
    assert meeting.numbers() == [three.number, one.number, two.number]
    assert meeting.item(one).starts_at == NINE + timedelta(minutes=30)
    meeting.arranges(three, position=99)
    meeting.does("cm1", agenda.take_out, one.number)
    assert meeting.numbers() == [two.number, three.number]
    assert code(lambda: meeting.does("cm1", agenda.take_out, one.number)) == "not_found"
    four = waiting(desk)
    meeting.adds(four)
    assert meeting.numbers() == [two.number, three.number, four.number]


def test_members_do_not_change_the_agenda(meeting: Meeting, desk: Desk) -> None:
    record = waiting(desk)
    meeting.gathers()
    for deed in (
        lambda: meeting.gathers(by="l1"),
        lambda: meeting.adds(record, by="l1"),
        lambda: meeting.arranges(record, 1, by="l1"),
        lambda: meeting.does("l1", agenda.take_out, record.number),
        lambda: meeting.concludes(record, Result.DEFERRED, by="l1"),
        lambda: meeting.does("l1", meetings.attend, ["l1"]),
        lambda: meeting.does("l1", meetings.note, "Mine."),
        lambda: meeting.closes("l1"),
    ):
        assert code(deed) == "forbidden"


def test_a_change_that_a_member_does_not_see_stands_there_without_a_word(meeting: Meeting, desk: Desk) -> None:
    secret = waiting(desk, by="g2", group="security", title="Close the hole")
    meeting.does("cm1", meetings.revise, {"chair": "l1"})
    assert meeting.gathers(by="l1") == []
    meeting.does("cm1", meetings.revise, {"chair": "g2"})
    meeting.gathers(by="g2")
    meeting.votes("g2", secret, Vote.ABSTAIN)
    meeting.concludes(secret, Result.DEFERRED, "Wait.", by="g2")
    (shown,) = meeting.read("g2").items
    assert (shown.number, shown.result, len(shown.ballots)) == (secret.number, Result.DEFERRED, 1)
    (hidden,) = meeting.read("l1").items
    assert (hidden.number, hidden.title, hidden.state, hidden.result, hidden.words) == (None,) * 5
    assert (hidden.ballots, hidden.starts_at, hidden.minutes) == ((), NINE, 10)
    meeting.does("cm1", meetings.revise, {"chair": "l1"})
    for deed in (
        lambda: meeting.votes("l1", secret, Vote.APPROVE),
        lambda: meeting.concludes(secret, Result.DEFERRED, by="l1"),
        lambda: meeting.arranges(secret, 1, by="l1"),
        lambda: meeting.does("l1", agenda.take_out, secret.number),
    ):
        assert code(deed) == "not_found"
    assert code(lambda: meeting.adds(secret, by="l1")) == "invalid_input"


def test_an_agenda_has_an_end(meeting: Meeting, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("itsm.changes.board.MOST_ITEMS", 1)
    waiting(desk), waiting(desk)
    assert code(meeting.gathers) == "agenda_full"
    assert meeting.numbers() == []


# The closing


def test_a_meeting_is_closed_once_and_keeps_what_was_put_down(meeting: Meeting, desk: Desk) -> None:
    record = waiting(desk, title="Swap the switch")
    meeting.gathers()
    meeting.does("cm1", meetings.attend, ["cm1", "g2", "ra1"])
    meeting.does("cm1", meetings.note, "The room was cold.")
    meeting.votes("l1", record, Vote.ABSTAIN)
    meeting.concludes(record, Result.DEFERRED, "Next week.")
    meeting.closes()
    before = minutes.text(meeting.read())
    for words in ("Swap the switch", "Next week", "> The room was cold.", "G2 (g2), for security", "RA1 (ra1), guest"):
        assert words in before
    head = meeting.read().head
    assert (head.status, head.closed_by) == (Status.HELD, "cm1")
    assert head.digest is not None
    assert before.endswith(f"SHA-256 {head.digest}.\n")
    assert audited(desk, "meeting_closed") == [("cm1", {"meeting": meeting.id, "sha256": head.digest})]
    assert minutes.digest(meeting.read().kept) == head.digest
    Doing(desk, "g1").edit(record, title="Something else altogether")
    assert minutes.text(meeting.read()) == before
    assert code(lambda: meeting.votes("l1", record, Vote.APPROVE)) == "meeting_closed"
    assert code(lambda: meeting.concludes(record, Result.AUTHORISED)) == "meeting_closed"
    assert code(meeting.closes) == "meeting_closed"
    meeting.does("cm1", meetings.note, "It was the heating.")
    assert minutes.text(meeting.read()).startswith(before.rpartition("Closed by")[0])
    assert "> It was the heating." in minutes.text(meeting.read())


def test_a_meeting_is_not_closed_before_it_has_begun_nor_with_votes_and_no_outcome(meeting: Meeting, desk: Desk) -> None:
    assert code(lambda: meeting.does("cm1", meetings.close)) == "not_begun"
    voted, _ = waiting(desk), waiting(desk, title="Not reached")
    meeting.gathers()
    meeting.votes("l1", voted, Vote.APPROVE)
    assert code(meeting.closes) == "undecided"
    meeting.concludes(voted, Result.DEFERRED)
    meeting.closes()
    assert "Not reached" in minutes.text(meeting.read())
    assert "- No outcome\n" in minutes.text(meeting.read())


def test_the_minutes_of_a_closed_meeting_hide_what_a_reader_does_not_see(meeting: Meeting, desk: Desk) -> None:
    waiting(desk, by="g2", group="security", title="Close the hole")
    known = waiting(desk, title="Swap the switch")
    meeting.does("cm1", meetings.revise, {"chair": "g2"})
    meeting.gathers(by="g2")
    meeting.closes("cm1")
    assert "Close the hole" in minutes.text(meeting.read("g2"))
    for_l1 = minutes.text(meeting.read("l1"))
    assert "Close the hole" not in for_l1
    assert ("A change that you do not see" in for_l1, known.number in for_l1) == (True, True)


def test_every_change_tells_of_the_meeting_that_discussed_it(meeting: Meeting, desk: Desk) -> None:
    record = waiting(desk)
    meeting.gathers()
    meeting.concludes(record, Result.DEFERRED, "Next week.")
    meeting.concludes(record, Result.AUTHORISED, None)
    told = [payload for kind, payload in story(desk, record) if kind == "discussed"]
    assert [(each["meeting"], each["outcome"], "said" in each) for each in told] == [
        (meeting.id, "deferred", True),
        (meeting.id, "authorised", False),
    ]
    assert Doing(desk, "g1").read(record).state == "authorisation"


@pytest.mark.parametrize("table", ["change_board_votes", "change_meeting_notes"])
@pytest.mark.parametrize("deed", ["UPDATE {} SET id = id + 1", "DELETE FROM {}"])
def test_votes_and_notes_cannot_be_rewritten(meeting: Meeting, desk: Desk, table: str, deed: str) -> None:
    record = waiting(desk)
    meeting.gathers()
    meeting.votes("l1", record, Vote.APPROVE)
    meeting.does("cm1", meetings.note, "A note.")
    with pytest.raises(Exception, match=f"{table} is append-only"), desk.database.session() as session:
        session.script(deed.format(table))


def test_the_tables_of_meetings_are_taken_back_and_brought_again_with_data_in_them(meeting: Meeting, desk: Desk) -> None:
    record = waiting(desk)
    meeting.gathers()
    meeting.votes("l1", record, Vote.APPROVE)
    migrate.downgrade(desk.database, "0008")
    assert "change_meetings" not in sa.inspect(desk.database.engine).get_table_names()
    migrate.upgrade(desk.database)
    assert a_meeting(desk, meeting.clock).read().items == ()
    assert Doing(desk, "g1").read(record).state == "authorisation"
