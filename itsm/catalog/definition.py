"""What the catalogue offers, once its YAML has been read: frozen values and nothing else.

`reading.py` makes these from files and from published versions, `rules.py` decides with them, `schema.py` describes them. An
item is whole in itself: its questions, tables and service come with it, so that a request can always be shown by the form it
was filled under.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Final, TypeAlias

from itsm.workflow.definition import Field, FieldType, Position
from itsm.workflow.expression import Compiled
from itsm.worktime.duration import Duration


class QuestionType(StrEnum):
    """The types a question may have."""

    TEXT = "text"
    LONG_TEXT = "long_text"
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
    FILE = "file"
    EMAIL = "email"
    HOSTNAME = "hostname"
    IP = "ip"
    URL = "url"


FIELD_TYPES: Final[Mapping[QuestionType, FieldType]] = {
    QuestionType.LONG_TEXT: FieldType.MARKDOWN,
    QuestionType.CHOICE: FieldType.CHOICE,
    QuestionType.MULTI_CHOICE: FieldType.MULTI_CHOICE,
    QuestionType.INTEGER: FieldType.INTEGER,
    QuestionType.DECIMAL: FieldType.DECIMAL,
    QuestionType.MONEY: FieldType.MONEY,
    QuestionType.BOOLEAN: FieldType.BOOLEAN,
    QuestionType.DATE: FieldType.DATE,
    QuestionType.DATETIME: FieldType.DATETIME,
    QuestionType.DURATION: FieldType.DURATION,
    QuestionType.USER: FieldType.USER,
    QuestionType.GROUP: FieldType.GROUP,
    QuestionType.SERVICE: FieldType.SERVICE,
    QuestionType.CI: FieldType.CI,
    QuestionType.TICKET: FieldType.TICKET,
    QuestionType.FILE: FieldType.INTEGER,
}
"""What an answer is to expressions and to a ticket's fields; types that are not here are text."""

CHOSEN: Final = frozenset({QuestionType.CHOICE, QuestionType.MULTI_CHOICE})
TEXTS: Final = frozenset({QuestionType.TEXT, QuestionType.LONG_TEXT})
NUMBERS: Final = frozenset({QuestionType.INTEGER, QuestionType.DECIMAL, QuestionType.MONEY})

ICONS: Final = (
    "access", "certificate", "cloud", "database", "file", "group", "help", "incident", "key", "laptop", "leaver", "mail",
    "meeting", "network", "newcomer", "phone", "printer", "restore", "server", "shield", "software", "wifi",
)  # fmt: skip
"""The pictures that a service or an item can have, by name."""

NO_APPROVAL: Final = "none"
"""The word of `approval` that spares a request the asking."""

MONTHS_COUNTED: Final = 12
"""How many months of a recurring price count into what an approver is told it costs."""

PRODUCED: Final = ("request", "incident", "problem", "change")
"""The workflows that an item can open a ticket of."""

Cell: TypeAlias = str | int | float | bool | None
Table: TypeAlias = Mapping[str, Mapping[str, Cell]]
"""Rows by key, each with its columns by name."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the values that a question takes, as it is sent and as it is read. `kin` is what it is narrowed by."""

    value: str
    title: str
    kin: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Lookup:
    """A value from a table: that of `column` in the row whose key the expression `row` yields."""

    table: Table
    row: Compiled
    column: str


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """Something an answer must fulfil besides its type, and the words for whoever breaks it."""

    holds: Compiled
    say: str


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """A question of a form.

    `low` and `high` bound numbers, amounts and dates, the characters of texts, the number of entries of a multiple choice.
    `require` and `show` of None mean never required and always shown. `narrowed_by` names the answer by which the choices are
    narrowed to their `kin`.
    """

    name: str
    type: QuestionType
    title: str
    at: Position
    field: Field
    help: str = ""
    choices: tuple[Choice, ...] = ()
    narrowed_by: str | None = None
    low: int | float | str | None = None
    high: int | float | str | None = None
    pattern: str | None = None
    matches: Compiled | None = None
    currency: str = "EUR"
    show: Compiled | None = None
    require: Compiled | None = None
    prefill: Compiled | Cell | list[str] = None
    compute: Compiled | Lookup | None = None
    rules: tuple[Rule, ...] = ()

    @property
    def always_required(self) -> bool:
        """Whether it must be answered in any case."""
        return self.show is None and self.require is not None and self.require.text == "true"

    @property
    def is_computed(self) -> bool:
        """Whether the desk works its value out by itself; then nobody may send one."""
        return self.compute is not None


@dataclass(frozen=True, slots=True, eq=False)
class Offer:
    """One way to be entitled, or barred: everything that is stated must be true of a person."""

    organisations: frozenset[str] = frozenset()
    departments: frozenset[str] = frozenset()
    locations: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    condition: Compiled | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Entitlement:
    """Who may order: whoever one of `offered` fits (nobody named: everybody), unless one of `denied` fits him too."""

    offered: tuple[Offer, ...] = ()
    denied: tuple[Offer, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Price:
    """What it costs once and by the month; an amount may follow from the answers. None: nothing of the kind is charged."""

    currency: str = "EUR"
    once: Decimal | Compiled | None = None
    monthly: Decimal | Compiled | None = None


@dataclass(frozen=True, slots=True)
class Service:
    """The service that an item belongs to, as the catalogue shows it."""

    key: str
    title: str
    description: str = ""
    icon: str = "help"
    entitlement: Entitlement = field(default_factory=Entitlement)


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """A piece of work that fulfils a request. It begins when those in `after` are over, and never if `condition` fails.

    One with a `webhook` is begun by that automation, which is given `input`.
    """

    key: str
    at: Position
    title: str | Compiled
    description: str | Compiled = ""
    group: str | Compiled | None = None
    after: tuple[str, ...] = ()
    condition: Compiled | None = None
    fields: Mapping[str, object] = field(default_factory=dict)
    webhook: str | None = None
    input: Mapping[str, object] = field(default_factory=dict)


class Refused(StrEnum):
    """What becomes of the rest of a bundle when one of its items is rejected or cancelled."""

    GO_ON = "go_on"
    DROP_AFTER = "drop_after"
    CANCEL_ALL = "cancel_all"


class OnHold(StrEnum):
    """What becomes of work under way while its request is on hold."""

    GO_ON = "go_on"
    PAUSE = "pause"


class OnCancel(StrEnum):
    """What becomes of a bundle's items that are not fulfilled yet when the bundle is cancelled."""

    CANCEL = "cancel"
    GO_ON = "go_on"


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """An item within a bundle: ordered when what stands in `after` is over, and never if `condition` fails.

    `answers` fill its form from those of the bundle; what they leave out gets what the form proposes. `approval` is asked for
    instead of the item's own policy, where the bundle's approval covers it (`none`), say.
    """

    key: str
    at: Position
    item: str
    title: str | Compiled | None = None
    after: tuple[str, ...] = ()
    condition: Compiled | None = None
    answers: Mapping[str, object] = field(default_factory=dict)
    if_refused: Refused = Refused.DROP_AFTER
    approval: str | None = None


MOST_LEVELS: Final = 3
"""How many bundles may lie in each other, the outermost counted."""


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """Something that can be ordered. `digest` names this exact content, `source` is its canonical text."""

    key: str
    title: str
    description: str
    category: str
    icon: str
    service: Service
    keywords: tuple[str, ...]
    synonyms: tuple[tuple[str, ...], ...]
    entitlement: Entitlement
    price: Price
    deliver: Duration | None
    calendar: str | None
    makes: str
    approval: str | None
    ticket_title: str | Compiled | None
    group: str | Compiled | None
    fields: Mapping[str, object]
    questions: tuple[Question, ...]
    order: tuple[str, ...]
    tasks: Mapping[str, Task]
    at: Position
    parts: Mapping[str, Part] = field(default_factory=dict)
    on_hold: OnHold = OnHold.GO_ON
    on_cancel: OnCancel = OnCancel.CANCEL
    source: str = ""
    digest: str = ""

    @property
    def after(self) -> Mapping[str, tuple[str, ...]]:
        """The plan that fulfils it: its items and tasks, and what each comes after."""
        parts = {key: part.after for key, part in self.parts.items()}
        return parts | {key: task.after for key, task in self.tasks.items()}

    @property
    def sums_up(self) -> bool:
        """Whether its price is the sum of its items': it is a bundle that names none of its own."""
        return bool(self.parts) and self.price.once is None and self.price.monthly is None

    @property
    def by_name(self) -> Mapping[str, Question]:
        """The questions by name."""
        return {question.name: question for question in self.questions}


@dataclass(frozen=True, slots=True)
class Catalog:
    """All that a directory offers, by the items' keys."""

    items: Mapping[str, Item] = field(default_factory=dict)
