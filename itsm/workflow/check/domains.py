"""The values that a name can have as far as conditions can tell them apart, and questions answered by trying them all.

A choice with twelve values of which a condition names two has four that matter: these two, one of the others, and null. A count
matters up to just beyond the largest number it is compared with. Of all else only is known whether it is filled. What cannot be
decided so, or would take too many trials, is left undecided, and the checker is silent on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import product
from math import prod
from typing import Final

from itsm.workflow.check.effort import CASES, Effort
from itsm.workflow.check.logic import ANYTHING, FILLED, HOLDS, Assumed, Condition, Value, Values
from itsm.workflow.definition import Field, FieldType, Workflow
from itsm.workflow.scope import DECIDERS

TRIALS_MAX: Final = 2_000
OPEN_MAX: Final = 6
"""So many open parts are tried with both truth values; a condition of more is left undecided."""

_COUNTING: Final = frozenset({"tasks", "approvals", "links"})
PLACE: Final = frozenset({"ticket.state", "ticket.category"})
"""The names whose value depends on where a condition is asked."""


def is_count(name: str) -> bool:
    """Whether a dotted name is how many there are of something."""
    return name.partition(".")[0] in _COUNTING and name != DECIDERS


class Answer(Enum):
    """Whether conditions can hold at once: in some case for certain, in none, or it depends on what is not known here."""

    YES = "yes"
    NO = "no"
    PERHAPS = "perhaps"


@dataclass(frozen=True, slots=True)
class Frame:
    """Where conditions are asked: in which states, and what is known there besides (`given`, by dotted name)."""

    workflow: Workflow
    fields: Mapping[str, Field]
    states: tuple[str, ...]
    given: Values = field(default_factory=dict)
    effort: Effort = field(default_factory=lambda: Effort(CASES))

    def values_of(self, name: str, literals: Iterable[Value]) -> Sequence[Value]:
        """What a name can be: one value for each group that these literals cannot tell apart."""
        if name in self.given:
            return (self.given[name],)
        root, _, rest = name.partition(".")
        if is_count(name):
            return values_of_count(literals)
        if root == "ticket" and rest in self.fields:
            return values_of_field(self.fields[rest], literals)
        match name:
            case "ticket.type":
                return (self.workflow.name,)
            case "now" | "actor.id":
                return (FILLED,)
            case "comment" | "actor.organisation" | "ticket.number":
                return (None, FILLED)
            case _:
                return (ANYTHING,)

    def cases(self, conditions: Sequence[Condition]) -> Iterator[Values | None]:
        """Every way in which what these conditions name can be; a single None if they are too many (or nowhere)."""
        literals = frozenset[Value]().union(*(each.literals for each in conditions))
        names = sorted(frozenset[str]().union(*(each.names for each in conditions)))
        free = [name for name in names if name not in PLACE]
        ranges = [self.values_of(name, literals) for name in free]
        states = self.states if len(free) < len(names) else self.states[:1]
        trials = prod(map(len, ranges)) * len(states)
        if not states or trials > TRIALS_MAX or not self.effort.spend(trials):
            yield None
            return
        for state in states:
            here: dict[str, Value] = {"ticket.state": state, "ticket.category": self.workflow.category(state).value}
            for values in product(*ranges):
                yield here | dict(zip(free, values, strict=True))


def values_of_count(literals: Iterable[Value]) -> Sequence[Value]:
    """What a count can be: up to just beyond the largest number it is compared with."""
    return range(max((value for value in literals if isinstance(value, int)), default=0) + 3)


def values_of_field(field_: Field, literals: Iterable[Value]) -> Sequence[Value]:
    """What a field can be: one value for each group that these literals cannot tell apart."""
    match field_.type:
        case FieldType.CHOICE:
            known = frozenset(literals)
            named = [choice for choice in field_.choices if choice in known]
            others = [choice for choice in field_.choices if choice not in known]
            return (*named, *others[:1], None)
        case FieldType.BOOLEAN:
            return (True, False, None)
        case FieldType.MULTI_CHOICE:
            return (ANYTHING,)
        case _:
            return (None, FILLED)


def can_hold(conditions: Sequence[Condition], frame: Frame) -> Answer:
    """Whether all of these conditions can hold at once."""
    best = Answer.NO
    for values in frame.cases(conditions):
        if values is None:
            return Answer.PERHAPS
        verdicts = {each.judge(values) for each in conditions}
        if verdicts <= {HOLDS}:
            return Answer.YES
        if all(verdict & HOLDS for verdict in verdicts) and any(
            assumed is None or all(each.judge(values, assumed) & HOLDS for each in conditions)
            for assumed in _assumptions(conditions, values, frame.effort)
        ):
            best = Answer.PERHAPS
    return best


def implies(premises: Sequence[Condition], conclusion: Condition, frame: Frame) -> bool:
    """Whether the conclusion certainly holds wherever the premises do; false also when that cannot be decided."""
    conditions = [*premises, conclusion]
    for values in frame.cases(conditions):
        if values is None:
            return False
        if conclusion.judge(values) == HOLDS or not all(each.judge(values) & HOLDS for each in premises):
            continue
        for assumed in _assumptions(conditions, values, frame.effort):
            if assumed is None:
                return False
            if all(each.judge(values, assumed) & HOLDS for each in premises) and conclusion.judge(values, assumed) != HOLDS:
                return False
    return True


def _assumptions(conditions: Sequence[Condition], values: Values, effort: Effort) -> Iterator[Assumed | None]:
    """Every way to take what is open for true or false; a single None if there is too much of it."""
    parts = list(dict.fromkeys(part for each in conditions for part in each.open_parts(values)))
    if len(parts) > OPEN_MAX or not effort.spend(2 ** len(parts)):
        yield None
        return
    for truths in product((True, False), repeat=len(parts)):
        yield dict(zip(parts, truths, strict=True))
