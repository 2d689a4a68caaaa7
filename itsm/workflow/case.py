"""What a decision is made from and what it says: facts in, decision or refusal out. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, TypeAlias

from itsm.workflow.definition import Category

Value: TypeAlias = str | int | float | bool | datetime | list[str] | Mapping[str, str] | None
"""A field's value inside the engine. Users, groups, services, CIs and tickets stand as their keys (login, key, number);
decimals as float, money as {amount, currency}, dates and durations as ISO 8601 text, date-times as aware datetimes."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who acts, as far as a rule may know. `login` is what `actor.id` yields; the desk itself is `SYSTEM_PERSON`."""

    login: str
    roles: frozenset[str]
    groups: frozenset[str] = frozenset()
    organisation: str | None = None


SYSTEM_PERSON = Person(login="system", roles=frozenset({"system"}))


class Fact(StrEnum):
    """What an engine may need to know beyond the ticket's own row; each costs its caller at most one statement."""

    TASKS = "tasks"
    APPROVALS = "approvals"
    LINKS = "links"
    WATCHERS = "watchers"
    APPROVERS = "approvers"
    DECIDERS = "deciders"


@dataclass(frozen=True, slots=True)
class Deciders:
    """Who approved the ticket, and for whom its parts are shut therefore (separation of duties).

    `logins` are those whose approval stands, with whoever gave it in their place; `barred` has for a field (`assignee`,
    `requester`) the logins that it may not be given, each with the reason as a sentence without its end.
    """

    logins: frozenset[str] = frozenset()
    barred: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


NOBODY: Final = Deciders()


@dataclass(frozen=True, slots=True)
class Case:
    """The facts of one ticket, read only.

    `values` holds built-in and declared fields by name (absent means null), and the ticket's `number`. `tasks` counts work
    tasks by {open, total, failed}; `approvals` counts approvals of the current round by {pending, approved, rejected, total};
    `links` counts links by kind. Facts that `Process.needs` did not name may be left empty.
    """

    state: str
    values: Mapping[str, Value]
    tasks: Mapping[str, int] = field(default_factory=dict)
    approvals: Mapping[str, int] = field(default_factory=dict)
    links: Mapping[str, int] = field(default_factory=dict)
    watchers: frozenset[str] = frozenset()
    approvers: frozenset[str] = frozenset()
    deciders: Deciders = NOBODY


@dataclass(frozen=True, slots=True)
class Effect:
    """Something asked for beyond the ticket's own fields: the registered action and its arguments, values filled in."""

    action: str
    arguments: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Change:
    """One field's old and new value."""

    old: Value
    new: Value


@dataclass(frozen=True, slots=True)
class Decision:
    """What will be: the caller applies it, or not at all.

    `trigger` is None for a creation (`source` is then None too) and for an edit. `changes` leaves out what stays equal, and
    never holds the state. `effects` are in the order in which they are to run.
    """

    trigger: str | None
    source: str | None
    target: str
    category: Category
    changes: Mapping[str, Change]
    effects: tuple[Effect, ...] = ()
    comment: str | None = None


class Why(StrEnum):
    """The codes of reasons for a refusal; stable, they reach API clients and scenarios (`refused: not_allowed`)."""

    UNKNOWN_TRIGGER = "unknown_trigger"
    WRONG_STATE = "wrong_state"
    NOT_ALLOWED = "not_allowed"
    SEPARATION = "separation_of_duties"
    CONDITION = "condition_failed"
    REQUIRED = "required"
    COMMENT_REQUIRED = "comment_required"
    UNKNOWN_FIELD = "unknown_field"
    NOT_EDITABLE = "not_editable"
    INVALID_VALUE = "invalid_value"
    INVARIANT = "invariant_broken"
    FROZEN = "frozen"
    OUTSIDE_WINDOW = "outside_window"


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason: code, sentence, and the field or expression it is about (a field's name in `field`)."""

    code: Why
    message: str
    field: str | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why not: every reason at once, the gravest first (as `Why` is ordered)."""

    trigger: str | None
    reasons: tuple[Reason, ...]

    @property
    def code(self) -> Why:
        """The gravest reason's code."""
        return self.reasons[0].code


@dataclass(frozen=True, slots=True)
class Input:
    """A field that a transition takes: what it is, whether it must still be filled."""

    field: str
    required: bool


@dataclass(frozen=True, slots=True)
class Offer:
    """One transition as an actor finds it now: possible (with its inputs), or blocked and why.

    Reasons that only inputs could mend (`required`, `comment_required`) do not block: they are in `inputs`.
    """

    trigger: str
    title: str
    target: str | None
    inputs: tuple[Input, ...]
    comment_required: bool
    blocked: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class Response:
    """What a timer or a reaction calls for: fields to change and effects to run, then a trigger to fire as the system.

    `refusal` says why its own changes cannot be made (an invariant, a value that cannot be computed); then nothing is done.
    """

    fire: str | None
    effects: tuple[Effect, ...] = ()
    changes: Mapping[str, Change] = field(default_factory=dict)
    refusal: Refusal | None = None
