"""The state machine proper: which branch a trigger takes from a state.

This is the only module that knows the `transitions` library. One flat machine is built per workflow version and shared by all
threads: it has no model, keeps nothing of a ticket, and moves a throw-away subject that lives for one decision. Its names are
prefixed, so that no name in a YAML file can mean anything to the library, and it is given callables only: a string would be
imported and called.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from transitions import Machine, MachineError

from itsm.workflow.definition import Workflow
from itsm.workflow.rules import BranchRule

logging.getLogger("transitions").setLevel(logging.WARNING)  # at INFO it tells of every state that it enters

_STATE: Final = "state:"
_TRIGGER: Final = "trigger:"


class Attempt(Protocol):
    """Someone's wish to make a transition; it says of each branch in turn whether it may be taken."""

    def admits(self, rule: BranchRule) -> bool:
        """Whether this branch passes. The first that does is taken, and none is asked after it."""
        ...


class _Event(Protocol):
    """What the library tells a condition."""

    args: tuple[Attempt]


class _Subject:
    """What the library moves from state to state: one per decision, and nothing but a state."""

    __slots__ = ("station",)

    def __init__(self, state: str) -> None:
        self.station = _STATE + state


class StateMachine:
    """All branches of a workflow. Stateless; safe to use from many threads."""

    def __init__(self, workflow: Workflow, branches: Mapping[str, tuple[BranchRule, ...]]) -> None:
        machine = Machine(
            model=None,
            states=[_STATE + name for name in workflow.states],
            initial=_STATE + workflow.initial,
            auto_transitions=False,
            send_event=True,
            queued=False,
            model_attribute="station",
        )
        for name, rules in branches.items():
            for rule in rules:
                for source in rule.branch.sources:
                    target = _STATE + rule.branch.lands_in(source)
                    machine.add_transition(_TRIGGER + name, _STATE + source, target, conditions=_admitted(rule))
        self._machine = machine
        self._events = {name: machine.events[_TRIGGER + name] for name in branches if _TRIGGER + name in machine.events}

    @property
    def triggers(self) -> frozenset[str]:
        """Every trigger the machine knows; there are no others than the workflow's own."""
        return frozenset(name.removeprefix(_TRIGGER) for name in self._machine.events)

    def move(self, trigger: str, state: str, attempt: Attempt) -> str | None:
        """The state in which the first admitted branch ends, or None when none is admitted.

        Raises `LookupError` if no branch of this trigger starts in this state.
        """
        subject = _Subject(state)
        try:
            moved = self._events[trigger].trigger(subject, attempt)
        except MachineError as error:
            raise LookupError(trigger, state) from error
        return subject.station.removeprefix(_STATE) if moved else None


def _admitted(rule: BranchRule) -> Callable[[_Event], bool]:
    def condition(event: _Event) -> bool:
        return event.args[0].admits(rule)

    return condition
