"""From the text of `config/sla.yaml` to an agreement: every fault of form, every name and type that is wrong, with its place.

An agreement is read against the workflows, calendars and locations that it is published with. Whether its promises make sense
together is for `check/` to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from itsm.sla.grammar import POLICIES, is_own
from itsm.sla.policy import ALWAYS, Agreement, Condition, Goal, Happening, Hours, Kind, Policy, Threshold
from itsm.sla.scope import Together, scope_of, together
from itsm.workflow import expression, source
from itsm.workflow.definition import Expression, Position, Workflow
from itsm.workflow.expression import Compiled
from itsm.workflow.findings import Finding, Severity
from itsm.workflow.language import known_names
from itsm.workflow.locations import Location
from itsm.workflow.reading.form import Names, Noun, in_order, read, suggestion
from itsm.workflow.scope import Scope
from itsm.workflow.vocabulary import Vocabulary
from itsm.worktime.calendar import Calendar

_AT_BIRTH: Final = frozenset({Happening.CREATED})
_ON_ARRIVAL: Final = frozenset({Happening.CREATED, Happening.GROUP_CHANGED})
_HOLDS_UP: Final = frozenset({Kind.SLA, Kind.OLA})
"""The kinds of promises that others can underpin."""


def load_agreement(
    text: str,
    file: str,
    vocabulary: Vocabulary,
    workflows: Mapping[str, Workflow],
    calendars: Mapping[str, Calendar],
    locations: Mapping[str, Location],
) -> tuple[Agreement | None, list[Finding]]:
    """The agreement that a text makes, or None and everything that keeps it from being one, in the order of the text.

    Warnings may come with an agreement. `file` is the name that findings bear.
    """
    tree, findings = source.parse(text, file)
    if tree is None:
        return None, findings
    fields = together(workflows.values())
    hours = frozenset(calendars) | vocabulary.calendars
    data, faults = read(POLICIES, tree, _names(fields, workflows, vocabulary, hours))
    if data is None or findings:
        return None, in_order([*findings, *faults])
    scope = scope_of(fields.fields, workflows, vocabulary, hours, locations, source.normalised(text))
    maker = _Maker(scope, fields)
    policies = maker.policies(data)
    findings = in_order(maker.findings)
    if any(finding.severity is Severity.ERROR for finding in findings):
        return None, findings
    zones = {key: place.zone for key, place in locations.items()}
    openings = {key: place.calendar for key, place in locations.items() if place.calendar is not None}
    return Agreement(policies, calendars, zones, openings), findings


def _names(fields: Together, workflows: Mapping[str, Workflow], vocabulary: Vocabulary, calendars: frozenset[str]) -> Names:
    """The names that policies may use. A value is judged only where all workflows agree what the field is."""
    known = {
        **known_names(vocabulary, frozenset(workflows)),
        Noun.FIELD: frozenset(fields.fields),
        Noun.TRIGGER: frozenset(name for workflow in workflows.values() for name in workflow.transitions),
        Noun.CALENDAR: calendars,
    }
    alike = {name: field for name, field in fields.fields.items() if name not in fields.unlike}
    return Names(known, alike, vocabulary.actions)


class _Maker:
    """Makes policies of data whose form is right; what is wrong with names and expressions goes to `findings`."""

    def __init__(self, scope: Scope, fields: Together) -> None:
        self.scope = scope
        self.fields = fields
        self.findings: list[Finding] = []

    def policies(self, data: list[Mapping[str, Any]]) -> Mapping[str, Policy]:
        """All policies by name, in the order of the file."""
        found: dict[str, Policy] = {}
        for one in data:
            policy = self._policy(one)
            if (first := found.setdefault(policy.name, policy)) is not policy:
                message = f"There is a policy “{policy.name}” already, in line {first.at.line}."
                self._fault("duplicate-policy", message, policy.at)
        for one in data:
            if "underpins" in one:
                self._underpinned(one["sla"], one["underpins"], found)
        return MappingProxyType(found)

    def _policy(self, data: Mapping[str, Any]) -> Policy:
        per_group = data.get("per_group")
        start = data["start"]
        on = start.get("on") or ([] if "when" in start else _AT_BIRTH if per_group is None else _ON_ARRIVAL)
        thresholds = tuple(self._threshold(one) for one in data["thresholds"])
        self._refuse_doubles(thresholds)
        underpins = data.get("underpins")
        return Policy(
            name=data["sla"],
            title=data.get("title", _title(data["sla"])),
            kind=data["kind"],
            at=data["at"],
            goals=tuple(self._goal(one, data.get("calendar")) for one in data["goals"]),
            applies=self._compiled(data.get("when")),
            start=Condition(frozenset(on), self._compiled(start.get("when"))),
            retroactive=start.get("retroactive", False),
            pause=self._compiled(data.get("pause", {}).get("condition")),
            pause_reason=data.get("pause", {}).get("because"),
            stop=self._condition(data["stop"]),
            cancel=self._condition(data.get("cancel", {})),
            reset=self._condition(data.get("reset", {})),
            on_change=data["on_change"],
            thresholds=thresholds,
            underpins=underpins.text if underpins else None,
            per_group=per_group,
            promise=data.get("promise"),
        )

    def _goal(self, data: Mapping[str, Any], configured: Hours | None) -> Goal:
        hours = data.get("calendar") or configured
        if hours is None and data["target"].needs_calendar:
            message = f"“{data['target']}” counts business time, and no calendar is named."
            hint = "Name one: calendar: office-hours, at this goal or for the whole policy."
            self._fault("missing-calendar", message, data["at"], hint)
        return Goal(data["target"], hours or Hours(ALWAYS), data["at"], self._compiled(data.get("condition")))

    def _threshold(self, data: Mapping[str, Any]) -> Threshold:
        point = data["point"]
        own = next(filter(is_own, data["do"]), None)
        return Threshold(
            label=point.label,
            at=data["at"],
            share=point.share,
            before=point.before,
            after=point.after,
            do=tuple(action for action in data["do"] if not is_own(action)),
            fire=None if own is None else str(own.arguments["trigger"]),
            condition=self._compiled(data.get("condition")),
        )

    def _refuse_doubles(self, thresholds: tuple[Threshold, ...]) -> None:
        seen: dict[str, Threshold] = {}
        for one in thresholds:
            if (first := seen.setdefault(one.label, one)) is not one:
                message = f"There is a threshold at “{one.label}” already, in line {first.at.line}."
                self._fault("duplicate-threshold", message, one.at, "Write both answers into one `do`.")

    def _underpinned(self, name: str, mention: Expression, policies: Mapping[str, Policy]) -> None:
        """What a policy underpins must be there, and be a promise to somebody else."""
        held_up = policies.get(mention.text)
        if held_up is None:
            others = [other for other, policy in policies.items() if policy.kind in _HOLDS_UP and other != name]
            hint = suggestion(mention.text, others)()
            self._fault("unknown-promise", f"There is no promise “{mention.text}”.", mention.at, hint)
        elif held_up.kind not in _HOLDS_UP:
            message = f"“{mention.text}” is a supplier's promise; nothing underpins it."
            self._fault("bad-underpinning", message, mention.at, "Name an sla or an ola.")
        elif _comes_back(name, policies):
            self._fault("bad-underpinning", f"“{name}” underpins itself.", mention.at, "Name the promise that it is made for.")

    def _condition(self, data: Mapping[str, Any]) -> Condition:
        return Condition(frozenset(data.get("on") or ()), self._compiled(data.get("when")))

    def _compiled(self, written: Expression | None) -> Compiled | None:
        if written is None:
            return None
        result = expression.compile(written, self.scope)
        if isinstance(result, tuple):
            self.findings += result
            return None
        for name in sorted(result.names):
            if (mixture := self.fields.mixed.get(name.split(".")[1])) and name.startswith("ticket."):
                message = f"“{name}” is {mixture}; where it is not the first of these, the condition does not hold."
                hint = "Give one of the fields another name."
                self.findings.append(Finding("ambiguous-field", Severity.WARNING, message, written.at, hint))
        return result

    def _fault(self, code: str, message: str, at: Position, hint: str | None = None) -> None:
        self.findings.append(Finding(code, Severity.ERROR, message, at, hint))


def _comes_back(name: str, policies: Mapping[str, Policy]) -> bool:
    """Whether what a policy underpins leads back to it."""
    seen: set[str] = set()
    here = policies[name].underpins
    while here is not None and here in policies and here not in seen:
        if here == name:
            return True
        seen.add(here)
        here = policies[here].underpins
    return False


def _title(name: str) -> str:
    return name.replace("-", " ").replace("_", " ").capitalize()
