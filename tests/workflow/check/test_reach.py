"""Ways through the life cycle: every state can be reached, and every ticket closed."""

from __future__ import annotations

from tests.workflow.check.bench import codes, found, sentence


def test_a_state_that_nothing_leads_into_cannot_be_reached() -> None:
    assert sentence(
        "unreachable-state", "states: {lost: {category: open}}\ntransitions: {find: [{from: lost, to: done, by: [agent]}]}"
    ) == ("The state “lost” cannot be reached: no transition leads into it.")


def test_staying_in_a_state_is_no_way_into_it() -> None:
    changes = """
    states: {lost: {category: open}}
    transitions:
      note: [{from: lost, to: =, by: [agent]}]
      find: [{from: lost, to: done, by: [agent]}]
    """
    assert "no transition leads into it" in sentence("unreachable-state", changes)


def test_a_state_is_unreachable_behind_another_that_is() -> None:
    changes = """
    states: {dozing: {category: pending}}
    transitions:
      park: null
      doze: [{from: waiting, to: dozing, by: [agent]}]
      rise: [{from: dozing, to: open, by: [agent]}]
    """
    said = [finding.message for finding in found(changes) if finding.code == "unreachable-state"]
    assert said[1] == "The state “dozing” cannot be reached: it is entered only from waiting, which cannot be reached either."


def test_a_way_behind_a_condition_that_never_holds_is_none() -> None:
    changes = """
    transitions:
      park: [{from: open, to: waiting, by: [agent], if: "ticket.reason == 'user' && ticket.reason == null"}]
    """
    assert sentence("unreachable-state", changes).endswith("no branch into it can ever be taken (park).")


def test_a_way_that_always_loses_to_an_earlier_branch_is_none() -> None:
    changes = """
    transitions:
      park: [{from: open, to: done, by: [agent]}, {from: open, to: waiting, by: [agent]}]
    """
    assert sentence("unreachable-state", changes).endswith("no branch into it can ever be taken (park).")


def test_a_way_whose_condition_cannot_be_decided_counts() -> None:
    assert (
        codes("""
    transitions:
      park: [{from: open, to: waiting, by: [agent], if: "ticket.title.contains('wait') && now.getHours('UTC') > 8"}]
    """)
        == []
    )


def test_a_circle_of_open_states_has_no_way_to_a_closed_one() -> None:
    changes = """
    transitions:
      finish:
        - {from: open, to: done, by: [agent], if: "ticket.reason == null"}
        - {from: open, to: limbo, by: [agent], if: "ticket.reason != null"}
      back: [{from: limbo, to: limbus, by: [agent]}]
      forth: [{from: limbus, to: limbo, by: [agent]}]
    states: {limbo: {category: open}, limbus: {category: open}}
    """
    said = [finding.message for finding in found(changes)]
    assert said == [
        "From “limbo” no closed state can be reached; the way leads only to limbus.",
        "From “limbus” no closed state can be reached; the way leads only to limbo.",
    ]


def test_a_resolved_state_without_an_exit_never_closes() -> None:
    changes = "transitions: {end: [{from: open, to: ended, by: [agent]}]}\nstates: {ended: {category: resolved}}"
    assert sentence("no-way-to-closed", changes) == (
        "From “ended” no closed state can be reached; the way leads nowhere: no transition leaves it."
    )


def test_a_closed_state_needs_no_way_on() -> None:
    assert "no-way-to-closed" not in codes()


def test_a_ticket_that_reaches_any_closed_state_is_not_lost() -> None:
    assert (
        codes("states: {dropped: {category: closed}}\ntransitions: {drop: [{from: waiting, to: dropped, by: [agent]}]}") == []
    )


def test_where_nothing_is_closed_that_alone_is_said() -> None:
    assert codes("states: {closed: {category: resolved}}") == ["no-closed-state"]


def test_a_pending_state_that_only_an_unfired_transition_leaves_is_a_trap() -> None:
    changes = "transitions: {resume: [{from: waiting, to: open, by: [system]}]}\nreactions: {requester_replied: null}"
    assert sentence("pending-forever", changes) == (
        "No timer, reaction or person can take a ticket out of “waiting”: resume can be made by the system only,"
        " and nothing fires it here."
    )


def test_a_pending_state_that_nothing_leaves_at_all_is_a_trap_and_said_once() -> None:
    assert codes("transitions: {resume: null}\nreactions: {requester_replied: null}") == ["pending-forever"]


def test_a_timer_gets_a_ticket_out_of_a_pending_state() -> None:
    changes = """
    transitions: {resume: [{from: waiting, to: open, by: [system]}]}
    reactions: {requester_replied: null}
    timers: {enough: {in: waiting, after: 1 day, fire: resume}}
    """
    assert codes(changes) == []


def test_a_timer_whose_fire_cannot_pass_gets_no_ticket_out() -> None:
    changes = """
    transitions: {resume: [{from: waiting, to: open, by: [system], comment: required}]}
    reactions: {requester_replied: null}
    timers: {enough: {in: waiting, after: 1 day, fire: resume}}
    """
    assert codes(changes) == ["pending-forever", "fire-never-passes"]


def test_a_transition_that_linked_tickets_fire_gets_a_ticket_out() -> None:
    changes = """
    transitions:
      resume: [{from: waiting, to: open, by: [system]}]
      confirm: [{from: done, to: closed, by: [requester, system], do: [{fire: {trigger: resume, on: causes}}]}]
    reactions: {requester_replied: null}
    """
    assert codes(changes) == []


def test_tickets_should_begin_in_a_new_state() -> None:
    assert codes("states: {new: {category: open}}") == ["initial-not-new"]
