"""How the checker of promises puts cases into words."""

from __future__ import annotations

from collections.abc import Iterable

from itsm.sla.check.cases import OTHER, Case
from itsm.workflow.check.logic import ANYTHING, FILLED, Value
from itsm.workflow.check.wording import listed

MOST_TOLD = 3


def described(case: Case, names: Iterable[str]) -> str:
    """What a case is in these names: `ticket.priority is p4 and ticket.group is nothing`."""
    known = [(name, case.values[name]) for name in names if case.values.get(name, ANYTHING) is not ANYTHING]
    return listed(f"{name} is {_word(value)}" for name, value in known)


def some(texts: Iterable[str]) -> str:
    """A few of these, each once, and how many more there are."""
    every = list(dict.fromkeys(texts))
    more = len(every) - MOST_TOLD
    return "; ".join([*every[:MOST_TOLD], *([f"and {more} more"] if more > 0 else [])])


def _word(value: Value) -> str:
    if value is None:
        return "nothing"
    if value is FILLED:
        return "filled"
    if isinstance(value, bool):
        return str(value).lower()
    return "something else" if value == OTHER else str(value)
