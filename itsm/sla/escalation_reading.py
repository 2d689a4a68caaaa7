"""Reads `config/escalation.yaml`: the ladders, with every fault at its FILE:LINE:COL.

The desk reads the form alone when it starts; `check` also compiles the conditions against the fields of all workflows, as
`itsm workflow check` does. docs/sla.md describes the file.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from marshmallow import validates_schema

from itsm.sla.ladders import Cap, Ladder, Quiet, Step
from itsm.sla.scope import scope_of, together
from itsm.workflow import expression, source
from itsm.workflow.builtin_actions import recipients
from itsm.workflow.definition import Expression, Position, Workflow
from itsm.workflow.findings import Finding
from itsm.workflow.reading.compounds import Keyed, Named, Part, Several
from itsm.workflow.reading.entries import Cel, Matching, Name, Span, Text, Whole
from itsm.workflow.reading.form import Fault, Form, Names, Noun, fault, in_order, read, under
from itsm.workflow.scope import Scope
from itsm.workflow.vocabulary import Vocabulary

FILE: Final = "escalation.yaml"
MOST_STEPS: Final = 20
LARGEST_CAP: Final = 100
LONGEST_WINDOW: Final = timedelta(days=7)

_NAME: Final = "[a-z][a-z0-9_-]{0,62}"


def load_file(path: Path, vocabulary: Vocabulary, calendars: Collection[str]) -> tuple[Mapping[str, Ladder], list[Finding]]:
    """The ladders of a file, and every fault of its form and names; an absent file has none."""
    if not path.exists():
        return {}, []
    tree, findings = source.parse_file(path)
    return ({}, findings) if tree is None else _ladders(tree, findings, vocabulary, calendars)


def load_ladders(
    text: str, file: str, vocabulary: Vocabulary, calendars: Collection[str]
) -> tuple[Mapping[str, Ladder], list[Finding]]:
    """The ladders of a text, and every fault; none at all while there is one. `file` is the name that findings bear."""
    tree, findings = source.parse(text, file)
    return ({}, findings) if tree is None else _ladders(tree, findings, vocabulary, calendars)


def check(path: Path, vocabulary: Vocabulary, calendars: Collection[str], workflows: Mapping[str, Workflow]) -> list[Finding]:
    """Everything that is wrong with the ladders of a file: form, names, and conditions over the tickets of these workflows."""
    ladders, findings = load_file(path, vocabulary, calendars)
    if findings or not ladders:
        return findings
    everything = scope_of(
        together(workflows.values()).fields, workflows, vocabulary, calendars, (), source.normalised(path.read_text("utf-8"))
    )
    scope = tickets_only(everything)
    wrong: list[Finding] = []
    for ladder in ladders.values():
        if ladder.quiet is not None and ladder.quiet.unless is not None:
            found = expression.compile(ladder.quiet.unless, scope)
            wrong += found if isinstance(found, tuple) else ()
    return in_order(wrong)


def tickets_only(scope: Scope) -> Scope:
    """What the condition of a ladder may look at: the ticket as it is, and neither the clock nor whoever acts."""
    named = {name: variable for name, variable in scope.variables.items() if name.startswith("ticket.")}
    return Scope(MappingProxyType(named), scope.source)


def _ladders(
    tree: source.Node, findings: list[Finding], vocabulary: Vocabulary, calendars: Collection[str]
) -> tuple[Mapping[str, Ladder], list[Finding]]:
    known = {
        Noun.CALENDAR: frozenset(calendars),
        Noun.TEMPLATE: vocabulary.templates,
        Noun.ROLE: vocabulary.actors,
        **({Noun.GROUP: vocabulary.groups} if vocabulary.groups is not None else {}),
    }
    entry = Named(Matching(_NAME, "bad-name", "a name for a ladder"), Part(_LadderForm()), "ladders")
    found, faults = read(entry, tree, Names(known))
    if findings or faults:
        return {}, [*findings, *faults]
    return MappingProxyType({name: _ladder(name, one) for name, one in found.items()}), []


def _ladder(name: str, written: Keyed[Mapping[str, Any]]) -> Ladder:
    data = written.value
    quiet, cap = data.get("quiet"), data.get("at_most")
    return Ladder(
        name=name,
        title=data.get("title") or name.replace("-", " ").replace("_", " ").capitalize(),
        template=data["template"],
        steps=tuple(Step(tuple(one["to"]), one.get("wait")) for one in data["steps"]),
        at=Position(written.at.file, written.at.line, written.at.column),
        calendar=data.get("calendar"),
        quiet=None if quiet is None else Quiet(quiet["calendar"], quiet.get("unless")),
        cap=None if cap is None else Cap(cap["per_person"], cap["within"], cap["digest"]),
    )


class _Within(Span):
    """A length of elapsed time that windows can have."""

    def take(self, value: Any) -> Any:
        length = super().take(value)
        if not timedelta() < length.exact <= LONGEST_WINDOW:
            raise fault("bad-duration", f"“{length}” is no window: elapsed time of at most seven days.", "Such as “1 hour”.")
        return length.exact


class _StepForm(Form):
    """One step."""

    to = recipients(required=True)
    wait = Span()

    @validates_schema
    def named(self, data: dict[str, Any], **_: object) -> None:
        """A ladder belongs to no workflow, so nobody on it can be the result of an expression."""
        for one in data["to"]:
            if isinstance(one, Mapping) and any(isinstance(who, Expression) for who in one.values()):
                raise under("to", fault("wrong-type", "Here a name is wanted, not an expression."))


class _QuietForm(Form):
    """When nobody is disturbed."""

    calendar = Name(Noun.CALENDAR, required=True)
    unless = Cel()


class _CapForm(Form):
    """How much one person is told."""

    per_person = Whole(least=1, required=True)
    within = _Within(required=True)
    digest = Name(Noun.TEMPLATE, required=True)

    @validates_schema
    def bounded(self, data: dict[str, Any], **_: object) -> None:
        """A cap that nobody could read through is none."""
        if data["per_person"] > LARGEST_CAP:
            wrong = fault("bad-cap", f"{data['per_person']} messages are no cap; {LARGEST_CAP} is the highest.")
            raise under("per_person", wrong)


class _LadderForm(Form):
    """One ladder."""

    title = Text()
    template = Name(Noun.TEMPLATE, required=True)
    calendar = Name(Noun.CALENDAR)
    steps = Several(Part(_StepForm()), empty=Fault("missing-key", "A ladder needs at least one step."), required=True)
    quiet = Part(_QuietForm())
    at_most = Part(_CapForm())

    @validates_schema
    def climbable(self, data: dict[str, Any], **_: object) -> None:
        """Each step but the last says how long it is given, in a calendar that is named; the last has nothing to wait for."""
        steps = data["steps"]
        if len(steps) > MOST_STEPS:
            raise under("steps", fault("too-many-steps", f"A ladder has {MOST_STEPS} steps at most; this has {len(steps)}."))
        for place, step in enumerate(steps):
            if (wrong := _waiting(step.get("wait"), place == len(steps) - 1, data.get("calendar"))) is not None:
                raise under("steps", under(place, wrong))  # type: ignore[arg-type]  # a place in a list is a step down too


def _waiting(wait: Any, is_last: bool, calendar: str | None) -> Any:
    if wait is None:
        return None if is_last else fault("missing-key", "Say how long this step is given before the next: `wait`.")
    if is_last:
        return under("wait", fault("misplaced-key", "Nothing comes after this step, so nothing is waited for.", on_key=True))
    if wait.needs_calendar and calendar is None:
        hint = "Name one for the ladder: calendar: office-hours."
        return under("wait", fault("missing-calendar", f"“{wait}” counts business time, and no calendar is named.", hint))
    return None
