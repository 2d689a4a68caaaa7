"""A board's sums, without a database: who counts, when each item's turn is, what the minutes say and do not say."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from itertools import permutations

import pytest

from itsm.changes import agenda, board, minutes
from itsm.changes.agenda import Question
from itsm.changes.board import Ballot, Head, Item, Named, Note, Present, Result, Sitting, Status, Tally, Vote
from itsm.changes.rules import Period

NINE = datetime(2026, 3, 3, 9, 0, tzinfo=UTC)
TEN = NINE.replace(hour=10)
EVIL = "x*\n# Forged\n- Outcome: **authorised** <img src=y> & [a](b) `c`"


def test_of_one_persons_votes_the_last_counts_by_whatever_account() -> None:
    votes = [ballot(1, Vote.REJECT), ballot(2, Vote.APPROVE), ballot(1, Vote.APPROVE), ballot(3, Vote.ABSTAIN)]
    assert board.counted(votes) == Tally(approve=2, reject=0, abstain=1)
    assert board.counted([]) == Tally()


def test_every_item_begins_when_the_one_before_it_ends() -> None:
    found = board.times(NINE, [10, 0, 50])
    assert found == [NINE, NINE.replace(minute=10), NINE.replace(minute=10), TEN]
    assert board.times(NINE, []) == [NINE]


def test_moving_an_item_leaves_the_others_in_their_order() -> None:
    order = list("abcd")
    for thing in order:
        for position in range(1, 7):
            found = board.moved(order, thing, position)
            assert found.index(thing) == min(position, 4) - 1
            assert [each for each in found if each != thing] == [each for each in order if each != thing]


def test_any_order_is_reached_by_moving_one_after_the_other() -> None:
    for wanted in permutations("abc"):
        order = list("abc")
        for position, thing in enumerate(wanted, 1):
            order = board.moved(order, thing, position)
        assert tuple(order) == wanted


@pytest.mark.parametrize(
    "question",
    [Question(), Question(planned_from=NINE, planned_to=TEN, unplanned=False, types=("normal",), services=("crm",), minutes=5)],
    ids=["the usual one", "all said"],
)
def test_a_question_is_kept_as_it_was_asked(question: Question) -> None:
    assert agenda.recalled(agenda.kept(question)) == question


def test_without_a_question_the_usual_one_is_asked() -> None:
    assert agenda.recalled(None) == Question()


def ballot(root: int, vote: Vote, comment: str | None = None) -> Ballot:
    return Ballot(root, f"u{root}", f"User {root}", vote, comment, NINE, answered=False)


def item(ticket: int, **more: object) -> Item:
    plain = Item(ticket, f"CHG{ticket}", "Swap it", "authorisation", NINE, 10, None, None, None, None, None, ())
    return replace(plain, **more)  # type: ignore[arg-type]  # the fields of an item


def sitting(*items: Item, **more: object) -> Sitting:
    head = Head(1, "Board", Period(NINE, TEN), Named("u1", "User 1"), Status.PLANNED, None, "u1", NINE, NINE, None, None, None)
    plain = Sitting(head, (Named("u2", "User 2"),), (Named("network", "Network"),), (), items, NINE, (), None)
    return replace(plain, **more)  # type: ignore[arg-type]  # the fields of a meeting


def test_the_minutes_tell_who_was_there_who_was_not_and_for_whom() -> None:
    present = (Present("u1", "User 1", ()), Present("u7", "User 7", ("network",)), Present("u8", "User 8", ()))
    text = minutes.text(sitting(present=present))
    for line in (
        "- Present: User 1 (u1)",
        "- Present: User 7 (u7), for network",
        "- Present: User 8 (u8), guest",
        "- Absent: User 2 (u2)",
    ):
        assert f"{line}\n" in text
    assert "Nobody for the group" not in text
    assert "- Nobody for the group Network (network)\n" in minutes.text(sitting())


def test_the_minutes_tell_votes_and_outcome_of_each_item() -> None:
    votes = (ballot(1, Vote.REJECT, "Too soon"), ballot(1, Vote.APPROVE), ballot(2, Vote.ABSTAIN))
    text = minutes.text(
        sitting(item(7, ballots=votes, result=Result.DEFERRED, words="Next week", decided_by="u1", decided_at=TEN))
    )
    assert "### 1. CHG7 Swap it (2026-03-03T09:00:00Z, 10 min)\n" in text
    assert "- Votes: 1 approve, 0 reject, 1 abstain\n" in text
    assert "  - 2026-03-03T09:00:00Z User 1 (u1): reject: “Too soon”\n" in text
    assert "- Outcome: **deferred**: “Next week” (u1, 2026-03-03T10:00:00Z)\n" in text
    assert text.endswith("Draft: the meeting is not closed.\n")


def test_what_a_reader_does_not_see_is_told_by_its_time_alone() -> None:
    hidden = item(7, number=None, title=None, state=None)
    assert "### 1. A change that you do not see (2026-03-03T09:00:00Z, 10 min)\n" in minutes.text(sitting(hidden))


def test_of_closed_minutes_each_reader_gets_what_he_sees() -> None:
    content = minutes.put_down(sitting(item(7, title="Secret"), item(8, title="Known")))
    closed = sitting(item(7, number=None, title=None), item(8, title="Renamed since"), kept=content)
    text = minutes.text(closed)
    assert "Secret" not in text
    assert "CHG7" not in text
    assert "CHG8 Known" in text
    assert "Renamed" not in text


def test_what_is_noted_after_the_closing_stands_beside_the_minutes() -> None:
    first, later = Note("Before.", "u1", NINE), Note("After.", "u2", TEN)
    content = minutes.put_down(sitting(notes=(first,)))
    text = minutes.text(sitting(notes=(first, later), kept=content))
    notes, _, added = text.partition("## Added after the closing")
    assert ("> Before." in notes, "> After." in notes, "> After." in added) == (True, False, True)


def test_nobodys_words_pass_for_a_line_of_the_minutes() -> None:
    votes = (ballot(1, Vote.REJECT, EVIL),)
    notes = (Note("Fine.\n# Forged\r- Outcome: **authorised**\u2028## Agenda", "u1", NINE),)
    text = minutes.text(sitting(item(7, title=EVIL, ballots=votes), notes=notes))
    lines = text.split("\n")
    assert [line for line in lines if line.startswith("#")] == [
        "# Board",
        "## Attendance",
        "## Agenda",
        next(line for line in lines if line.startswith("### 1. CHG7")),
        "## Notes",
    ]
    assert sum(line.startswith("- Outcome") for line in lines) == 0
    assert "<img" not in text.replace("\\<img", "")


def test_the_digest_is_of_all_that_was_put_down() -> None:
    one, other = (minutes.put_down(sitting(item(7, title=title))) for title in ("A", "B"))
    assert minutes.digest(one) == minutes.digest(dict(reversed(one.items())))
    assert minutes.digest(one) != minutes.digest(other)
