"""The rule about invariants: they hold in every state that any way leads to, and if not, this is the way."""

from __future__ import annotations

from collections.abc import Iterator

from itsm.workflow.check.domains import names_in
from itsm.workflow.check.logic import Mark
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
    for invariant in subject.workflow.invariants:
        if (breach := _breach(subject, invariant)) is not None:
            state = breach.trail[-1].to.state
            yield Fault(
                invariant.holds.at,
                f"{quoted(invariant.holds)} does not hold in “{state}” on this way: {_told(breach)}.",
                f"Require or set it on the way, or give “{breach.trail[-1].deed}” a condition.",
            )


def _breach(subject: Subject, invariant: Invariant) -> Breach | None:
    """The shortest way on which an invariant breaks, whatever the fields that it does not name may be."""
    trees = subject.trees(invariant.holds)
    names = {_root(name) for name in names_in(trees)}
    if not trees or any(name.startswith("approvals.") for name in names):
        return None
    while True:
        found = breaches(subject, names, [invariant])
        breach = found.get(invariant) if found else None
        if breach is None:
            return None
        on_the_way = {_root(name) for step in breach.trail for name in names_in(step.conditions) if name.startswith("ticket.")}
        if on_the_way & subject.fields.keys() <= names:
            return breach
        names |= on_the_way


def _root(name: str) -> str:
    """The field behind a name (`ticket.cost.amount` is of `cost`), or a count's own name."""
    return name.split(".")[1] if name.startswith("ticket.") else name


def _told(breach: Breach) -> str:
    """“new → (resolve, code: fixed) resolved → (close) closed, where code is empty”."""
    way = " → ".join(_told_step(step, first=number == 0) for number, step in enumerate(breach.trail))
    last = [f"{name} is {_shown(value)}" for name, value in breach.values.items() if value is not Mark.ANYTHING]
    return f"{way}, where {listed(last)}" if last else way


def _told_step(step: Step, *, first: bool) -> str:
    given = [f"{name}: {_shown(value)}" for name, value in step.given.items()]
    deed = ", ".join(given if first else [step.deed, *given])
    if first:
        return f"{step.to.state} ({deed})" if deed else step.to.state
    return f"({deed}) {step.to.state}"


def _shown(value: object) -> str:
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return str(value).lower()
    return "filled" if value is Mark.FILLED else str(value)
