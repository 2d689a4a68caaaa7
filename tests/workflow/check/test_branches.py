"""Branches are tried in order: none may hide another, and two that can both pass are better told apart."""

from __future__ import annotations

import pytest

from tests.workflow.check.bench import codes, sentence


def finish(*branches: str) -> str:
    """The practice with these branches of `finish`."""
    return "transitions:\n  finish:\n" + "".join(f"    - {{{branch}}}\n" for branch in branches)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("from: open, to: done, by: [agent]", "from: open, to: closed, by: [agent], require: [answer]"),
        ("from: [new, open], to: done, by: [agent, lead]", "from: open, to: closed, by: [lead], require: [answer]"),
        ("from: open, to: done, by: [agent]", 'from: open, to: closed, by: [agent], if: "tasks.open == 0", require: [answer]'),
        (
            'from: open, to: done, by: [agent], if: "tasks.open <= 1"',
            'from: open, to: closed, by: [agent], if: "tasks.open == 0", require: [answer]',
        ),
        (
            "from: open, to: done, by: [agent], if: \"ticket.reason != 'user'\"",
            "from: open, to: closed, by: [agent], if: \"ticket.reason == 'vendor'\", require: [answer]",
        ),
        (
            "from: open, to: done, by: [agent], if: \"ticket.title.contains('x') || tasks.open == 0\"",
            "from: open, to: closed, by: [agent], if: \"ticket.title.contains('x')\", require: [answer]",
        ),
    ],
)
def test_a_branch_is_shadowed_by_an_earlier_one_that_asks_for_less(first: str, second: str) -> None:
    assert codes(finish(first, second)) == ["shadowed-branch"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("from: new, to: done, by: [agent]", "from: open, to: closed, by: [agent], require: [answer]"),
        ("from: open, to: done, by: [lead]", "from: open, to: closed, by: [agent], require: [answer]"),
        ('from: open, to: done, by: [agent], if: "tasks.open == 0"', "from: open, to: closed, by: [agent], require: [answer]"),
        (
            "from: open, to: done, by: [agent], if: \"ticket.title.contains('x')\"",
            "from: open, to: closed, by: [agent], if: \"ticket.title.contains('y')\", require: [answer]",
        ),
        (
            'from: open, to: done, by: [agent], if: "tasks.open == 0"',
            'from: open, to: closed, by: [agent], if: "tasks.open > 0", require: [answer]',
        ),
    ],
)
def test_a_branch_is_not_shadowed_by_one_for_other_states_people_or_cases(first: str, second: str) -> None:
    assert codes(finish(first, second)) == []


def test_several_earlier_branches_can_hide_one_together() -> None:
    changes = finish(
        "from: new, to: done, by: [agent]",
        "from: open, to: done, by: [agent]",
        "from: [new, open], to: closed, by: [agent], require: [answer]",
    )
    assert sentence("shadowed-branch", changes).startswith("This branch of “finish” is never taken: the one in line ")


def test_an_error_in_a_condition_lets_nobody_pass_and_hides_nothing() -> None:
    """`null < 3` is an error in CEL: the first branch is not taken while the count is empty, the second is."""
    changes = "fields: {count: {type: integer}}\n" + finish(
        'from: open, to: done, by: [agent], if: "ticket.count < 3 || ticket.count >= 3"',
        'from: open, to: closed, by: [agent], if: "ticket.count == null", require: [answer]',
    )
    assert codes(changes) == []


def test_two_conditions_that_can_both_hold_overlap() -> None:
    changes = finish(
        "from: open, to: done, by: [agent], if: \"ticket.reason == 'user'\"",
        'from: open, to: closed, by: [agent], if: "ticket.reason != null", require: [answer]',
    )
    assert "can both pass for agent in open; the earlier one is then taken" in sentence("overlapping-branches", changes)


def test_branches_overlap_where_one_of_several_states_always_goes_the_first_way() -> None:
    changes = finish("from: open, to: done, by: [agent]", "from: [new, open], to: closed, by: [agent], require: [answer]")
    assert codes(changes) == ["overlapping-branches"]


def test_a_last_branch_without_a_condition_means_otherwise() -> None:
    changes = finish(
        "from: open, to: done, by: [agent], if: \"ticket.reason == 'user'\"",
        "from: open, to: closed, by: [agent], require: [answer]",
    )
    assert codes(changes) == []


def test_two_conditions_of_which_it_cannot_be_said_do_not_overlap() -> None:
    changes = finish(
        "from: open, to: done, by: [agent], if: \"ticket.title.startsWith('a')\"",
        "from: open, to: closed, by: [agent], if: \"ticket.title.endsWith('a')\", require: [answer]",
    )
    assert codes(changes) == []


def test_a_later_rule_for_the_same_event_is_reached_only_past_the_earlier_ones() -> None:
    def rules(first: str, second: str) -> str:
        return f"reactions: {{requester_replied: [{{{first}, fire: resume}}, {{{second}, fire: resume}}]}}"

    assert "shadowed-rule" in codes(rules("in: [open, waiting]", "in: waiting"))
    assert codes(rules("in: waiting, if: \"ticket.reason == 'user'\"", "in: waiting")) == []
