"""Timers and reactions can do what they are for, and come to an end."""

from __future__ import annotations

import pytest

from tests.workflow.check.bench import codes, sentence


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ("timers: {over: {in: open, after: 1 day, fire: confirm}}", "no branch of it starts in open"),
        ("timers: {over: {in: open, after: 1 day, fire: finish}}", "from open it is for agent, not for the system"),
        (
            "transitions: {confirm: [{from: done, to: closed, by: [requester, system], comment: required}]}",
            "it requires a comment, and the system says nothing",
        ),
        (
            "fields: {seal: {type: text, edit: [system]}}\n"
            "transitions: {confirm: [{from: done, to: closed, by: [agent, system], require: [seal]}]}",
            "it requires “seal”, which nothing ever fills",
        ),
        (
            "transitions: {confirm: [{from: done, to: closed, by: [system], require: [answer], do: [{clear: [answer]}]}]}\n"
            "invariants: []",
            "it requires “answer”, which it empties itself",
        ),
        (
            "transitions: {confirm: [{from: done, to: closed, by: [requester, system], if: \"ticket.reason == 'user'\"}]}\n"
            "timers: {over: {in: done, after: 1 day, if: \"ticket.reason == 'vendor'\", fire: confirm}}",
            "“ticket.reason == 'user'” cannot hold then",
        ),
        (
            'transitions: {confirm: [{from: done, to: closed, by: [requester, system], if: "comment != null"}]}',
            "“comment != null” cannot hold then",
        ),
    ],
)
def test_a_timer_that_fires_what_cannot_pass_is_told_why(changes: str, why: str) -> None:
    assert sentence("fire-never-passes", changes) == f"The timer over fires “{_fired(changes)}”, which can never pass: {why}."


def _fired(changes: str) -> str:
    return "finish" if "fire: finish" in changes else "confirm"


def test_a_reaction_is_held_to_the_same() -> None:
    changes = "reactions: {tasks_done: [{in: open, fire: confirm}]}"
    assert sentence("fire-never-passes", changes).startswith("The reaction to tasks_done fires “confirm”, which can never pass")


def test_what_the_timer_sets_itself_counts_as_filled() -> None:
    changes = """
    fields: {seal: {type: text, edit: [system]}}
    transitions: {confirm: [{from: done, to: closed, by: [requester, system], require: [seal]}]}
    timers: {over: {in: done, after: 1 day, do: [{set: {seal: Silence}}], fire: confirm}}
    """
    assert "fire-never-passes" not in codes(changes)


def test_one_passing_branch_is_enough() -> None:
    changes = """
    transitions:
      confirm:
        - {from: done, to: closed, by: [requester], comment: required}
        - {from: done, to: closed, by: [system]}
    """
    assert codes(changes) == []


def test_a_state_in_which_it_is_in_vain_is_named() -> None:
    changes = "timers: {over: {in: [waiting, done], after: 1 day, fire: confirm}}"
    assert sentence("fire-sometimes-never-passes", changes) == (
        "The timer over fires “confirm”, which can never pass in waiting: no branch of it starts in waiting."
    )


def test_a_rule_without_states_is_meant_for_wherever_it_fits() -> None:
    assert codes("reactions: {tasks_done: [{fire: confirm}]}") == []


def test_a_reply_does_not_lend_the_reaction_its_authors_rights() -> None:
    changes = """
    transitions: {reopen: [{from: done, to: open, by: [requester]}]}
    reactions: {requester_replied: [{in: done, fire: reopen}]}
    """
    assert sentence("fire-lacks-system", changes) == (
        "The reaction to requester_replied fires “reopen”, but acts as the system, which may not make it."
    )


def test_what_only_the_system_may_do_must_be_fired() -> None:
    changes = "transitions: {expire: [{from: new, to: open, by: [system]}]}"
    assert sentence("never-fired", changes) == "Only the system may make “expire”, and nothing fires it."


def test_a_linked_ticket_can_fire_it_too() -> None:
    changes = """
    transitions:
      expire: [{from: new, to: open, by: [system]}]
      confirm: [{from: done, to: closed, by: [requester, system], do: [{fire: {trigger: expire, on: children}}]}]
    """
    assert codes(changes) == []


# Circles


def test_two_timers_that_send_a_ticket_to_and_fro_are_a_livelock() -> None:
    changes = """
    transitions:
      doze: [{from: open, to: waiting, by: [system], do: [{set: {reason: user}}]}]
    timers:
      sleep: {in: open, after: 5 days, fire: doze}
      wake: {in: waiting, after: 5 days, fire: resume}
    """
    assert sentence("livelock", changes) == (
        "The ticket goes in a circle for ever without anybody: open → (sleep) waiting → (wake) open."
    )


def test_an_event_from_elsewhere_does_not_put_a_person_into_the_circle() -> None:
    changes = """
    transitions: {doze: [{from: open, to: waiting, by: [system], do: [{set: {reason: user}}]}]}
    timers: {sleep: {in: open, after: 5 days, fire: doze}}
    reactions: {linked_errand_resolved: [{in: waiting, fire: resume}]}
    """
    assert codes(changes) == ["livelock"]


def test_a_reply_does() -> None:
    changes = """
    transitions: {doze: [{from: open, to: waiting, by: [system], do: [{set: {reason: user}}]}]}
    timers: {sleep: {in: open, after: 5 days, fire: doze}}
    reactions: {requester_replied: [{in: waiting, fire: resume}]}
    """
    assert codes(changes) == []


def test_a_circle_that_counts_its_rounds_ends() -> None:
    changes = """
    fields: {rounds: {type: integer, default: 0, edit: [system]}}
    transitions:
      doze:
        - from: open
          to: waiting
          by: [system]
          if: "ticket.rounds < 3"
          do: [{set: {reason: user, rounds: "= ticket.rounds + 1"}}]
    timers:
      sleep: {in: open, after: 5 days, fire: doze}
      wake: {in: waiting, after: 5 days, fire: resume}
    """
    assert codes(changes) == []


def test_a_circle_whose_conditions_exclude_each_other_is_none() -> None:
    changes = """
    transitions:
      doze: [{from: open, to: waiting, by: [system], if: "ticket.reason == 'user'"}]
      resume: [{from: waiting, to: open, by: [agent, system], if: "ticket.reason == 'vendor'"}]
    timers:
      sleep: {in: open, after: 5 days, fire: doze}
      wake: {in: waiting, after: 5 days, if: "ticket.reason == 'user'", fire: resume}
    """
    assert "livelock" not in codes(changes)


def test_a_timer_that_repeats_a_move_in_place_is_a_livelock() -> None:
    changes = """
    transitions: {nudge: [{from: waiting, to: =, by: [system], do: [{notify: {to: assignee, template: reminder}}]}]}
    timers: {nag: {in: waiting, after: 1 day, every: 1 day, fire: nudge}}
    """
    assert sentence("livelock", changes) == (
        "The timer nag fires “nudge” again and again: the ticket stays in “waiting” and nothing in it changes."
    )


@pytest.mark.parametrize(
    "timer",
    [
        "{in: waiting, after: 1 day, every: 1 day, do: [{notify: {to: assignee, template: reminder}}]}",
        "{in: waiting, after: 1 day, fire: nudge}",
        "{in: waiting, after: 1 day, every: 1 day, fire: resume}",
    ],
)
def test_a_reminder_a_single_nudge_and_a_way_out_are_none(timer: str) -> None:
    changes = f"""
    transitions:
      nudge: [{{from: waiting, to: =, by: [agent, system], do: [{{notify: {{to: assignee, template: reminder}}}}]}}]
    timers:
      nag: {timer}
    """
    assert codes(changes) == []
