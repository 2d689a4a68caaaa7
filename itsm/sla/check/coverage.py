"""The rule about what nobody has promised anything for."""

from __future__ import annotations

from collections.abc import Iterator

from itsm.sla.check.registry import Fault, rule
from itsm.sla.check.subject import Subject
from itsm.sla.policy import Kind, Policy
from itsm.workflow.definition import Category
from itsm.workflow.findings import Severity

_AT_WORK = frozenset({Category.NEW, Category.OPEN})


@rule("uncovered-state", Severity.WARNING)
def uncovered_state(subject: Subject) -> Iterator[Fault]:
    """Tickets can be in this state, work is to be done on them, and no promise is running.

    What counts is a promise to those outside: an `sla`, or an `ola` that stands for itself and underpins nothing.
    """
    clocks = [clock for clock in subject.clocks.values() if _is_for_others(clock.policy)]
    if not clocks or not all(clock.is_known for clock in clocks):
        return
    covered = {(case.workflow, case.state) for clock in clocks for case in clock.running_cases}
    for name, workflow in subject.workflows.items():
        for state in workflow.states.values():
            reachable = state.name in subject.practice(name).reachable
            if reachable and state.category in _AT_WORK and (name, state.name) not in covered:
                message = f"No promise is running for {name} tickets in “{state.name}”."
                yield Fault(state.at, message, "Write a policy whose clock runs there.")


def _is_for_others(policy: Policy) -> bool:
    return policy.kind is Kind.SLA or (policy.kind is Kind.OLA and policy.underpins is None)
