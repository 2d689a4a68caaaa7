"""The rule about size: what is too large to be proved is not published."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from itsm.workflow.check.registry import Fault, rule
from itsm.workflow.check.subject import Subject
from itsm.workflow.findings import Severity

BRANCHES_MAX: Final = 50
MOVES_MAX: Final = 2_000
TOO_COMPLEX: Final = "too-complex"


@rule(TOO_COMPLEX, Severity.ERROR)
def too_complex(subject: Subject) -> Iterator[Fault]:
    """A transition has more than 50 branches, or all of them make more than 2,000 moves: nothing else is proved then."""
    for transition in subject.workflow.transitions.values():
        if len(transition.branches) > BRANCHES_MAX:
            message = (
                f"“{transition.name}” has {len(transition.branches)} branches; {BRANCHES_MAX} are the most that is proved."
            )
            yield Fault(transition.at, message, "Split it into transitions with names of their own.")
    moves = sum(len(branch.sources) for branch in subject.branches)
    if moves > MOVES_MAX:
        message = (
            f"{subject.workflow.name} has {moves:,} moves from one state to another; {MOVES_MAX:,} are the most that is proved."
        )
        yield Fault(subject.workflow.at, message, "Split it into several practices.")
