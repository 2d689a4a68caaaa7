"""What a practice is, once its YAML has been read: frozen values and nothing else.

`language.py` makes these from source, `check/` judges them, `engine.py` makes them run, `diagram/` draws them. They carry
their positions, so that every later word about them can name FILE:LINE:COL.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeAlias

from itsm.worktime.duration import Duration

Literal: TypeAlias = str | int | float | bool | list[str] | Mapping[str, str] | None
"""A value as a source can state it; money is {amount, currency}."""

ANY_STATE: Final = "*"
SAME_STATE: Final = "="

RELATIONS: Final = frozenset({"requester", "assignee", "group", "approver", "watcher"})
"""Words of `by`, `edit` and `see` that name a tie to the ticket; every other word is a role."""

SYSTEM: Final = "system"
"""The role of timers, reactions and integrations."""


class Category(StrEnum):
    """What a state means to everyone who does not know the practice: clocks, queues, reports."""

    NEW = "new"
    OPEN = "open"
    PENDING = "pending"
    RESOLVED = "resolved"
    CLOSED = "closed"


class FieldType(StrEnum):
    """The types a field may have."""

    TEXT = "text"
    MARKDOWN = "markdown"
    CHOICE = "choice"
    MULTI_CHOICE = "multi_choice"
    INTEGER = "integer"
    DECIMAL = "decimal"
    MONEY = "money"
    BOOLEAN = "boolean"
    DATE = "date"
    DATETIME = "datetime"
    DURATION = "duration"
    USER = "user"
    GROUP = "group"
    SERVICE = "service"
    CI = "ci"
    TICKET = "ticket"


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a source: 1-based line and column, as editors count."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Expression:
    """CEL text as written, with the place of its first character. `expression.py` types and compiles it."""

    text: str
    at: Position


@dataclass(frozen=True, slots=True)
class Derivation:
    """How a field's value follows from others: by a matrix of `config/` or by an expression."""

    matrix: str | None = None
    expression: Expression | None = None


@dataclass(frozen=True, slots=True)
class Field:
    """A typed field of a ticket. `edit` and `see` hold relations and roles; `see` of None means whoever sees the ticket."""

    name: str
    type: FieldType
    at: Position
    title: str = ""
    choices: tuple[str, ...] = ()
    default: Literal = None
    derive: Derivation | None = None
    edit: tuple[str, ...] = ("agent",)
    see: tuple[str, ...] | None = None
    builtin: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """A station in the life of a ticket."""

    name: str
    category: Category
    at: Position
    title: str = ""
    require: tuple[str, ...] = ()
    readonly: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Action:
    """One entry of a `do:` list: the registered name, its arguments as written (validated), and its place."""

    name: str
    arguments: Mapping[str, object]
    at: Position


class Comment(StrEnum):
    """Whether a branch asks for words."""

    OPTIONAL = "optional"
    REQUIRED = "required"


@dataclass(frozen=True, slots=True)
class Branch:
    """One way a transition can go. `sources` are resolved state names (`*` already expanded); `target` too (`=` is kept)."""

    trigger: str
    index: int
    sources: tuple[str, ...]
    target: str
    by: tuple[str, ...]
    at: Position
    condition: Expression | None = None
    require: tuple[str, ...] = ()
    comment: Comment = Comment.OPTIONAL
    do: tuple[Action, ...] = ()

    def lands_in(self, source: str) -> str:
        """The state a ticket in `source` is in after this branch."""
        return source if self.target == SAME_STATE else self.target


@dataclass(frozen=True, slots=True)
class Transition:
    """A trigger and its branches, in the order in which they are tried."""

    name: str
    branches: tuple[Branch, ...]
    at: Position
    title: str = ""


@dataclass(frozen=True, slots=True)
class Timer:
    """What happens by itself after a stay in one of `states`. Armed on entry from outside them, disarmed on leaving them."""

    name: str
    states: tuple[str, ...]
    after: Duration
    at: Position
    every: Duration | None = None
    calendar: str | None = None
    condition: Expression | None = None
    fire: str | None = None
    do: tuple[Action, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """One answer to an event: in these states (None: any), if this holds, fire this and do that."""

    at: Position
    states: tuple[str, ...] | None = None
    condition: Expression | None = None
    fire: str | None = None
    do: tuple[Action, ...] = ()


@dataclass(frozen=True, slots=True)
class Reaction:
    """What the ticket answers to an event; the first rule that fits is taken."""

    event: str
    rules: tuple[Rule, ...]
    at: Position


@dataclass(frozen=True, slots=True)
class Invariant:
    """What must hold in these states (None: in every state)."""

    holds: Expression
    at: Position
    states: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a scenario. Exactly one of `fire`, `event`, `edit` and `wait` is set."""

    at: Position
    fire: str | None = None
    event: str | None = None
    edit: Mapping[str, Literal] | None = None
    wait: Duration | None = None
    actor: str | None = None
    inputs: Mapping[str, Literal] = field(default_factory=dict)
    facts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    comment: str | None = None
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """Executable documentation: given, steps, expect."""

    name: str
    at: Position
    actor: str
    steps: tuple[Step, ...]
    state: str | None = None
    fields: Mapping[str, Literal] = field(default_factory=dict)
    facts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    expect: Mapping[str, object] = field(default_factory=dict)
    expect_at: Position | None = None


@dataclass(frozen=True, slots=True)
class Workflow:
    """A whole practice. `digest` names this exact content; a ticket stays on the version it was born with."""

    name: str
    title: str
    number: str
    fields: Mapping[str, Field]
    states: Mapping[str, State]
    initial: str
    transitions: Mapping[str, Transition]
    timers: Mapping[str, Timer]
    reactions: Mapping[str, Reaction]
    invariants: tuple[Invariant, ...]
    scenarios: tuple[Scenario, ...]
    source: str
    digest: str
    at: Position
    description: str = ""

    def category(self, state: str) -> Category:
        """The category of a state by name. Raises `KeyError` for a state this version does not have."""
        return self.states[state].category
