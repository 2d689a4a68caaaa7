"""Promises in plain words: for the person who was promised something, and for whoever wants to read what was agreed.

Times of day are those of the reader's place, cut to the minute; the exact instants stand beside the words wherever these are
shown. Who is no member of staff hears nothing of groups, conditions, or what the desk has agreed with itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from itsm.sla.explain import Change, Clock, Deed
from itsm.sla.policy import ALWAYS, Condition, Goal, Happening, Hours, Kind, OnChange, Policy, Return, Threshold, names_of
from itsm.sla.rules import WITH_ANOTHER_GROUP
from itsm.sla.showing import field_of
from itsm.sla.standing import Status
from itsm.workflow.definition import Action
from itsm.worktime import zones
from itsm.worktime.duration import in_hours, words
from itsm.worktime.layout import from_micros

_MINUTE: Final = timedelta(minutes=1)
_MICROSECOND: Final = timedelta(microseconds=1)

HAPPENINGS: Final[Mapping[Happening, str]] = {
    Happening.CREATED: "the ticket is opened",
    Happening.REOPENED: "it is reopened",
    Happening.RESOLVED: "it is resolved",
    Happening.CLOSED: "it is closed",
    Happening.ASSIGNED: "somebody is assigned",
    Happening.GROUP_CHANGED: "it comes to another group",
    Happening.REQUESTER_REPLIED: "the requester writes",
    Happening.AGENT_REPLIED: "the desk answers in public",
    Happening.APPROVAL_REQUESTED: "an approval is asked for",
    Happening.APPROVAL_DECIDED: "an approval is given or refused",
    Happening.ESCALATED: "it is escalated",
}

KINDS: Final[Mapping[Kind, str]] = {
    Kind.SLA: "service level agreement",
    Kind.OLA: "operational level agreement",
    Kind.UC: "underpinning contract",
}

_RULES: Final[Mapping[OnChange, str]] = {
    OnChange.KEEP_ELAPSED: "When the target changes, the time already spent counts against the new one.",
    OnChange.RESTART: "When the target changes, its time begins anew.",
    OnChange.PRORATE: "When the target changes, the same share of the new one counts as spent.",
}

_RETURNS: Final[Mapping[Return, str]] = {
    Return.ACCUMULATE: "Each group has a clock of its own, which goes on when the ticket comes back.",
    Return.RESTART: "Each group has a clock of its own, which begins anew when the ticket comes back.",
}


@dataclass(frozen=True, slots=True)
class Names:
    """What people call things: states and fields by their keys, the fields that the reader sees, and those whose values are
    chosen from a list.
    """

    states: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)
    visible: frozenset[str] = frozenset()
    chosen: frozenset[str] = frozenset()

    def state(self, key: str) -> str:
        """The title of a state."""
        return self.states.get(key) or key

    def field(self, key: str) -> str:
        """The title of a field, as it stands within a sentence."""
        title = self.fields.get(key) or key.replace("_", " ")
        return title if title[:2].isupper() else title[:1].lower() + title[1:]

    def value(self, field: str, value: object) -> str:
        """What a field holds, in quotes: a choice as people write it (`third_party` is “third party”, `p1` is “P1”)."""
        if isinstance(value, list | tuple):
            return ", ".join(self.value(field, one) for one in value) or "nothing"
        if value is None:
            return "nothing"
        if field not in self.chosen:
            return f"“{value}”"
        words = str(value).replace("_", " ")
        return f"“{words.upper() if len(words) <= _AN_ABBREVIATION else words}”"


_AN_ABBREVIATION: Final = 2
"""So few letters are an abbreviation: nobody says “p one” in small letters."""


def moment(at: int, zone: str) -> str:
    """An instant as people at a place say it: “Tuesday 3 March 2026, 17:00 (Berlin time)”."""
    local = zones.to_local(from_micros(at), zone)
    return f"{local:%A} {local.day} {local:%B} {local.year}, {local:%H:%M} ({place(zone)})"


def place(zone: str) -> str:
    """A zone as people call it: “Berlin time”."""
    return zone if zone in ("UTC", "GMT") else f"{zone.rpartition('/')[2].replace('_', ' ')} time"


def span(micros: int, calendar: str) -> str:
    """A length as people say it, cut to the minute; working time in hours, for a day of work is not 24 hours."""
    length = timedelta(microseconds=micros)
    length = length - length % _MINUTE if length > _MINUTE else length
    return words(length) if calendar == ALWAYS else f"{in_hours(length)} of working time"


def left(length: timedelta) -> str:
    """How far off an end is, cut to the minute: “3 hours left”, “82 days 7 hours over” where it has passed."""
    return f"{span(abs(length) // _MICROSECOND, ALWAYS)} {'over' if length < timedelta() else 'left'}"


def promise(told: Clock, zone: str) -> str:
    """What somebody was promised, and what became of it, in a sentence or two."""
    says = f"We {told.policy.promise}" if told.policy.promise is not None else f"“{told.policy.title}” is to be kept"
    by = None if told.due is None else moment(told.due, zone)
    done = moment(told.until, zone)
    match told.cycle.status:
        case Status.MET:
            return f"Kept: done on {done}." + (f" It was promised by {by}." if by else "")
        case Status.MISSED:
            return f"Not kept: it was promised by {by}, and done on {done}."
        case Status.CANCELLED:
            return f"{says}: this promise ended on {done}, without a result."
    if told.breached:
        return f"{says} by {by}: so it was promised, and it is not kept yet."
    if by is not None:
        return f"{says} by {by}."
    left = span(told.remaining, told.cycle.target.calendar)
    return f"{says} within {left}, counted from when this goes on. At the moment it waits, and the time does not count."


def change(one: Change, told: Clock, zone: str, names: Names) -> str:
    """What happened to a promise, when and why, in a sentence."""
    by = f"by {moment(one.due_after, zone)}" if one.due_after is not None else "no date is set while it waits"
    when = moment(one.moment.at, zone)
    match one.deed:
        case Deed.STARTED:
            return f"{when}: it was promised, {by}."
        case Deed.PAUSED:
            return f"{when}: the time stopped counting, because {_why_paused(one, told, names)}."
        case Deed.RESUMED:
            return f"{when}: the pause ended, because {_cause(one, told, names)}. From then on: {by}."
        case Deed.RETARGETED:
            was = one.cycle.retargets[-1].was.text
            because = _cause(one, told, names)
            return f"{when}: {one.cycle.target.text} instead of {was}, because {because}. From then on: {by}."
        case Deed.TAKEN_OUT:
            return f"{when}: time was taken out that should not have counted. From then on: {by}."
        case Deed.EXCUSED:
            return f"{when}: it was noted that there was an excuse."
        case Deed.OTHER_AGREEMENT:
            return f"{when}: other terms came into force{_moved(one)}. From then on: {by}."
        case Deed.ENDED:
            return f"{when}: the clock stopped, because {_cause(one, told, names)}."


def _why_paused(one: Change, told: Clock, names: Names) -> str:
    why, policy = one.cycle.pauses[-1].why, told.policy
    if why == WITH_ANOTHER_GROUP:
        group = one.moment.after.values.get("group")
        return f"the ticket is now with {group or 'no group'}"
    is_its_own = policy.pause is not None and why == policy.pause.text
    return policy.pause_reason if is_its_own and policy.pause_reason else _cause(one, told, names)


def _moved(one: Change) -> str:
    """By how much a change has moved the due instant, if it had one before and has one after."""
    if one.due_before is None or one.due_after is None or one.due_before == one.due_after:
        return ""
    length = span(abs(one.due_after - one.due_before), ALWAYS)
    return f", and it is due {length} {'later' if one.due_after > one.due_before else 'earlier'}"


def _cause(one: Change, told: Clock, names: Names) -> str:
    """Why a clock changed, as far as the reader knows the ticket: its new state, and the fields that were changed."""
    before, after = one.moment.before, one.moment.after
    asked = {field_of(name) for name in names_of(told.policy)} & names.visible
    changes = {name: change for name, change in one.moment.payload.get("changes", {}).items() if name in asked}
    if after.state == before.state:
        changed = [
            f"{names.field(name)} changed from {names.value(name, old)} to {names.value(name, new)}"
            for name, (old, new) in changes.items()
        ]
        return " and ".join(changed) or "what we rest it on has changed"
    known = [f"{names.field(name)} is {names.value(name, new)}" for name, (_, new) in changes.items() if new is not None]
    return " and ".join([f"the ticket is now “{names.state(after.state)}”", *known])


# What was agreed


def policy(one: Policy) -> list[str]:
    """A policy in sentences."""
    said = [f"{one.title}: {_article(KINDS[one.kind])}{f' that underpins {one.underpins}' if one.underpins else ''}."]
    if one.promise is not None:
        said.append(f"The requester reads: we {one.promise}.")
    said.append(f"It holds for tickets with {one.applies.text}." if one.applies else "It holds for every ticket.")
    said.append(f"The clock starts {_when(one.start)}{', and counts what passed before' if one.retroactive else ''}.")
    if one.pause is not None:
        said.append(f"It pauses while {one.pause.text}.")
    for verb, condition in (("stops", one.stop), ("is called off", one.cancel), ("begins anew", one.reset)):
        if condition.on or condition.when is not None:
            said.append(f"It {verb} {_when(condition)}.")
    if one.per_group is not None:
        said.append(_RETURNS[one.per_group])
    if len(one.goals) > 1:
        said.append(_RULES[one.on_change])
    return [*said, *map(goal, one.goals), *map(threshold, one.thresholds)]


def goal(one: Goal) -> str:
    """A row of the decision table in a sentence."""
    whom = f"If {one.condition.text}" if one.condition is not None else "Otherwise"
    return f"{whom}: {one.target}{'' if one.target.exact else f', {hours(one.hours)}'}."


def hours(one: Hours) -> str:
    """Whose hours a goal is counted in."""
    said = f"in the hours of {one.default}"
    if one.by is not None:
        said = f"in the hours of the {one.by.value}, else {one.default}"
    return said if one.zone_by is None else f"{said}, on the clocks of the {one.zone_by.value}'s place"


def threshold(one: Threshold) -> str:
    """What happens on the way, in a sentence."""
    does = [_action(action) for action in one.do] + ([f"{one.fire} the ticket"] if one.fire else [])
    asked = f", if {one.condition.text}" if one.condition is not None else ""
    return f"At {one.label}{asked}: {' and '.join(does) or 'it is noted'}."


def _when(condition: Condition) -> str:
    said = [f"when {HAPPENINGS[one]}" for one in sorted(condition.on)]
    if condition.when is not None:
        said.append(f"once {condition.when.text}")
    return " or ".join(said)


def _action(action: Action) -> str:
    told = [f"{name} {_listed(value)}" for name, value in action.arguments.items() if value]
    return f"{action.name} {', '.join(told)}" if told else action.name


def _listed(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_listed(one)}" for name, one in value.items())
    return " and ".join(map(_listed, value)) if isinstance(value, list | tuple) else str(value)


def _article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
