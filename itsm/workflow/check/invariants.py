"""The rule about invariants: they hold in every state that any way leads to, and if not, this is the way."""

from __future__ import annotations

from collections.abc import Iterator

from itsm.workflow.check.logic import Mark, Value, Values
from itsm.workflow.check.registry import Fault, rule
from itsm.workflow.check.space import Breach, breaches
from itsm.workflow.check.steps import Step
from itsm.workflow.check.subject import Subject
from itsm.workflow.check.wording import listed, quoted
from itsm.workflow.definition import Invariant
from itsm.workflow.findings import Severity


@rule("broken-invariant", Severity.ERROR)
def broken_invariant(subject: Subject) -> Iterator[Fault]:
    """A way that tickets can go leads to a state in which this invariant does not hold; the finding tells the way.

    Looked at are the fields that the invariant names, and those that conditions on the way name, by the values that matter.
    Where that is too much, or depends on dates, texts or approvals, nothing is said.
    """
    for invariant, breach in _broken(subject).items():
        last = breach.trail[-1]
        yield Fault(
            invariant.holds.at,
            f"{quoted(invariant.holds)} does not hold in “{last.to.state}” on this way: {_told(breach)}.",
            f"Require or set it on the way, or let “{last.deed}” set it or have a condition.",
        )


def _broken(subject: Subject) -> dict[Invariant, Breach]:
    """For each invariant that breaks whatever other fields may be, the shortest way to that."""
    broken: dict[Invariant, Breach] = {}
    explored: dict[frozenset[str], dict[Invariant, Breach]] = {}
    for invariant in subject.workflow.invariants:
        condition = subject.judged(invariant.holds)
        looked_at: frozenset[str] = frozenset()
        wanted = frozenset(map(_looked_at, condition.names)) if condition else looked_at
        while not wanted <= looked_at and not any(name.startswith("approvals.") for name in wanted):
            looked_at |= wanted
            if looked_at not in explored:
                explored[looked_at] = breaches(subject, looked_at)
            breach = explored[looked_at].get(invariant)
            if breach is not None:
                named = frozenset[str]().union(*(step.names for step in breach.trail))
                wanted = frozenset(_looked_at(name) for name in named if name.startswith("ticket.")) & subject.fields.keys()
                if wanted <= looked_at:
                    broken[invariant] = breach
    return broken


def _looked_at(name: str) -> str:
    """The field behind a name (`ticket.cost.amount` is of `cost`), or a count's own name."""
    return name.split(".")[1] if name.startswith("ticket.") else name


def _told(breach: Breach) -> str:
    """“new → (resolve, code: fixed) resolved → (close) closed, where code is empty”."""
    first, *others = breach.trail
    entered = f" ({_told_values(first.given)})" if first.given else ""
    way = " → ".join([first.to.state + entered, *map(_told_step, others)])
    last = [f"{name} is {_shown(value)}" for name, value in breach.values.items() if value is not Mark.ANYTHING]
    return f"{way}, where {listed(last)}" if last else way


def _told_step(step: Step) -> str:
    deed = f"{step.deed}, {_told_values(step.given)}" if step.given else step.deed
    return f"({deed}) {step.to.state}"


def _told_values(values: Values) -> str:
    return ", ".join(f"{name}: {_shown(value)}" for name, value in values.items())


def _shown(value: Value) -> str:
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return str(value).lower()
    return "filled" if value is Mark.FILLED else str(value)
