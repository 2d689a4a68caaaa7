"""What is sent to be checked costs no more than a moment, however large or tangled it is."""

from __future__ import annotations

import time

from itsm.workflow.check import check
from tests.workflow.check.bench import WORDS, loaded, sentence


def test_a_transition_of_too_many_branches_is_not_proved() -> None:
    branch = "{from: open, to: done, by: [agent]}"
    changes = f"transitions: {{finish: [{', '.join([branch] * 51)}]}}"
    assert sentence("too-complex", changes) == "“finish” has 51 branches; 50 are the most that is proved."


def test_too_many_moves_are_not_proved() -> None:
    states = "".join(f"  s{number}: {{category: open}}\n" for number in range(60))
    ways = "".join(f"  t{number}: [{{from: '*', to: s{number}, by: [agent]}}]\n" for number in range(60))
    assert sentence("too-complex", f"states:\n{states}transitions:\n{ways}").startswith("errand has 3,845 moves")


def test_a_tangle_of_conditions_and_invariants_is_left_undecided_in_time() -> None:
    """Forty branches over six choices of twelve, from every state, and forty invariants over them."""
    fields = "".join(f"  f{n}: {{type: choice, choices: [{', '.join(f'v{m}' for m in range(12))}]}}\n" for n in range(6))
    states = "".join(f"  s{n}: {{category: open}}\n" for n in range(40))
    branches = "".join(
        f"    - {{from: '*', to: s{n}, by: [agent], if: \"ticket.f{n % 6} == 'v{n % 8}' || ticket.f{(n + 1) % 6} != 'v{n % 5}'"
        f" && ticket.f{(n + 2) % 6} == 'v{n % 9}' || ticket.title.contains('{n}')\"}}\n"
        for n in range(40)
    )
    claims = (
        f"ticket.f{n % 6} != 'v1' || ticket.f{(n + 1) % 6} == 'v{n % 9}' || ticket.f{(n + 2) % 6} == null" for n in range(40)
    )
    invariants = "".join(f'  - {{in: closed, holds: "{claim}"}}\n' for claim in claims)
    text = (
        f"workflow: errand\nfields:\n{fields}initial: new\n"
        f"states:\n  new: {{category: new}}\n  closed: {{category: closed}}\n{states}"
        f"transitions:\n  go:\n{branches}  end: [{{from: '*', to: closed, by: [agent]}}]\ninvariants:\n{invariants}"
    )
    workflow = loaded(text)
    begun = time.process_time()
    check({"errand": workflow}, WORDS)
    assert time.process_time() - begun < 5
