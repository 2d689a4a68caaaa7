"""Scenarios: a practice's own tests, run in memory in the time of a keystroke.

A scenario gives a ticket, plays steps, and says how it must end. It begins on a Monday at 09:00 UTC; steps take no time but
`wait`, which lets timers run (business time is Monday to Friday, 09:00 to 17:00, unless calendars are given).

- Without `given.state` the actor creates the ticket with `given.fields`, and the event `created` happens. With a state, the
  ticket is there already, in that state with these fields, however it came there.
- A step is made by `as:`, else by `given.actor`; `cast.py` says who these are. `facts` hold from their step on.
- A step with `refused: CODE` must be refused with that code among its reasons, and then changes nothing; any other must not be.
- `expect`: `state` at the end; `trail`, every state in order; `fields`; `effects`, the actions asked for, in order; `notified`,
  exactly those reached by `notify`, in any order (an unset assignee is nobody; a role is called by its name); `refused`, the
  code of the last refusal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from itsm.workflow.case import Case, Decision, Effect, Refusal, Value
from itsm.workflow.cast import Cast
from itsm.workflow.definition import Scenario, Step
from itsm.workflow.engine import Process
from itsm.workflow.findings import Finding, Severity
from itsm.workflow.rehearsal import START, Rehearsal, RunawayError
from itsm.worktime.calendar import Calendar

_FAILED = "scenario-failed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a scenario went. `story` tells it in sentences, one for each thing that happened."""

    name: str
    failures: tuple[Finding, ...]
    trail: tuple[str, ...] = ()
    values: Mapping[str, Value] = field(default_factory=dict)
    effects: tuple[Effect, ...] = ()
    notified: frozenset[str] = frozenset()
    story: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether everything went as written."""
        return not self.failures


def run(process: Process, scenario: Scenario, calendars: Mapping[str, Calendar] | None = None) -> Outcome:
    """Play one scenario of a workflow. `calendars` by name, for timers that name one."""
    cast = Cast.of(process.workflow, process.fields, scenario, process.vocabulary.roles_of)
    begun = _given(process, scenario, cast, calendars or {})
    if isinstance(begun, Finding):
        return Outcome(scenario.name, (begun,))
    play = _Play(scenario, cast, begun)
    failures = tuple(play.failures())
    return Outcome(
        scenario.name,
        failures,
        tuple(begun.trail),
        begun.case.values,
        tuple(begun.effects),
        frozenset(begun.notified),
        tuple(begun.story),
    )


def run_all(process: Process, calendars: Mapping[str, Calendar] | None = None) -> list[Outcome]:
    """Play every scenario of a workflow, in the order of the file."""
    return [run(process, scenario, calendars) for scenario in process.workflow.scenarios]


def _given(process: Process, scenario: Scenario, cast: Cast, calendars: Mapping[str, Calendar]) -> Rehearsal | Finding:
    """The ticket as the scenario finds it."""
    premises = {"title": scenario.name[:200], "requester": "requester-1"}
    fields = {**premises, **cast.premises(scenario.actor), **scenario.fields}
    derived = [name for name in scenario.fields if name in process.fields and process.fields[name].derive is not None]
    if derived:
        return Finding(_FAILED, Severity.ERROR, f"{derived[0]} is derived and cannot be given.", scenario.at)
    if scenario.state is None:
        born = process.create(cast.person(scenario.actor, {}), {}, START, overrides=fields)
    else:
        born = process.force(Case(process.workflow.initial, process.defaults), scenario.state, fields, START)
    if isinstance(born, Refusal):
        return Finding(_FAILED, Severity.ERROR, f"The ticket cannot be: {_reasons(born)}", scenario.at)
    values = {**process.defaults, **{name: change.new for name, change in born.changes.items()}}
    values["number"] = process.workflow.number.format(42)
    words = {scenario.actor, *(step.actor for step in scenario.steps)}
    approvers, watchers = (frozenset({f"{word}-1"} if word in words else ()) for word in ("approver", "watcher"))
    case = Case(born.target, values, approvers=approvers, watchers=watchers)
    rehearsal = Rehearsal(process, case, calendars)
    rehearsal.learn(scenario.facts)
    rehearsal.begin()
    return rehearsal


class _Play:
    """Plays the steps of one scenario until one of them fails, and looks at the end."""

    def __init__(self, scenario: Scenario, cast: Cast, ticket: Rehearsal) -> None:
        self.scenario = scenario
        self.cast = cast
        self.ticket = ticket
        self.last_refusal: Refusal | None = None

    def failures(self) -> Iterator[Finding]:
        """Everything that went otherwise than written."""
        if self.scenario.state is None:
            self.ticket.happen("created")
        for step in self.scenario.steps:
            failure = self._failure(step)
            if failure is not None:
                yield Finding(_FAILED, Severity.ERROR, failure, step.at)
                return
        at = self.scenario.expect_at or self.scenario.at
        for failure in self._unexpected():
            yield Finding(_FAILED, Severity.ERROR, failure, at)

    def _failure(self, step: Step) -> str | None:
        """What is wrong with a step once it was played."""
        self.ticket.learn(step.facts)
        try:
            refusal = self._play(step)
        except RunawayError as error:
            return str(error)
        if refusal is not None:
            self.last_refusal = refusal
        if step.refused is None:
            return None if refusal is None or step.event is not None else f"This is refused: {_reasons(refusal)}"
        if refusal is None:
            return f"This was to be refused ({step.refused}), and is not."
        if all(reason.code != step.refused for reason in refusal.reasons):
            return f"This was to be refused with {step.refused}, but it is {refusal.code}: {_reasons(refusal)}"
        return None

    def _play(self, step: Step) -> Refusal | None:
        ticket = self.ticket
        person = self.cast.person(step.actor or self.scenario.actor, ticket.case.values)
        outcome: Decision | Refusal | None = None
        if step.fire is not None:
            outcome = ticket.fire(person, step.fire, step.inputs, step.comment)
        elif step.edit is not None:
            outcome = ticket.edit(person, step.edit)
        elif step.event is not None:
            outcome = ticket.happen(step.event)
        elif step.wait is not None:
            ticket.wait(step.wait)
        return outcome if isinstance(outcome, Refusal) else None

    def _unexpected(self) -> Iterator[str]:
        for key, expected in self.scenario.expect.items():
            if key == "fields" and isinstance(expected, Mapping):
                yield from self._other_fields(expected)
                continue
            found = self._found(key)
            wanted = sorted(map(str, expected)) if key == "notified" and isinstance(expected, list | tuple) else expected
            if _plain(found) != _plain(wanted):
                yield f"{key} is {_shown(found)}, not {_shown(wanted)}."

    def _other_fields(self, expected: Mapping[str, object]) -> Iterator[str]:
        for name, value in expected.items():
            found = self.ticket.case.values.get(name)
            if found != value:
                yield f"{name} is {_shown(found)}, not {_shown(value)}."

    def _found(self, key: str) -> object:
        ticket = self.ticket
        match key:
            case "state":
                return ticket.case.state
            case "trail":
                return ticket.trail
            case "effects":
                return [effect.action for effect in ticket.effects]
            case "notified":
                return sorted(ticket.notified)
            case "refused":
                return None if self.last_refusal is None else str(self.last_refusal.code)
            case _:
                return None


def _plain(value: object) -> object:
    return [str(each) for each in value] if isinstance(value, list | tuple) else None if value is None else str(value)


def _shown(value: object) -> str:
    if value is None or value == []:
        return "empty"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _reasons(refusal: Refusal) -> str:
    return " ".join(reason.message for reason in refusal.reasons)
