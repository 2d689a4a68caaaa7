"""What can be said of services and configuration items, and what they can be to each other.

Each relation reads from source to target and has an inverse reading. Some bear weight: of two things, one rests on the other
and fails with it. What follows from that is in `impact.py`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Final, TypeAlias

from itsm.platform.errors import FieldError

LONGEST_KEY: Final = 100
LONGEST_NAME: Final = 200

_KEY: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_TYPE: Final = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class Sort(StrEnum):
    """What takes part in relations."""

    SERVICE = "service"
    ITEM = "item"


class Criticality(StrEnum):
    """How much the business would miss a service or item."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Relation(StrEnum):
    """How a source stands to a target."""

    DEPENDS_ON = "depends_on"
    RUNS_ON = "runs_on"
    PART_OF = "part_of"
    CONNECTED_TO = "connected_to"
    BACKUP_OF = "backup_of"
    MADE_OF = "made_of"


class Weight(Enum):
    """Which end of a relation rests on the other."""

    ON_TARGET = "on target"
    ON_SOURCE = "on source"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Reading:
    """What a relation means: its reading from the target, where its weight lies, and what it can be between."""

    inverse: str
    weight: Weight
    between: frozenset[tuple[Sort, Sort]]


_ITEMS: Final = frozenset({(Sort.ITEM, Sort.ITEM)})

READINGS: Final[Mapping[Relation, Reading]] = {
    Relation.DEPENDS_ON: Reading("needed_by", Weight.ON_TARGET, _ITEMS | {(Sort.SERVICE, Sort.SERVICE)}),
    Relation.RUNS_ON: Reading("runs", Weight.ON_TARGET, _ITEMS),
    Relation.PART_OF: Reading("contains", Weight.ON_SOURCE, _ITEMS),
    Relation.CONNECTED_TO: Reading("connected_to", Weight.NONE, _ITEMS),
    Relation.BACKUP_OF: Reading("backed_up_by", Weight.NONE, _ITEMS),
    Relation.MADE_OF: Reading("makes_up", Weight.ON_TARGET, frozenset({(Sort.SERVICE, Sort.ITEM)})),
}
"""A whole rests on its parts; a connection and a stand-by say that something is there, not that anything needs it."""

FIELDS: Final[Mapping[Sort, tuple[str, ...]]] = {
    Sort.SERVICE: ("name", "group", "owner", "criticality", "calendar"),
    Sort.ITEM: ("name", "type", "organisation", "group", "owner", "location", "criticality"),
}
"""What can be said of each, by the names under which people say it."""

Values: TypeAlias = Mapping[str, str | None]


@dataclass(frozen=True, slots=True, order=True)
class Node:
    """A service or a configuration item, by its key."""

    sort: Sort
    key: str

    def __str__(self) -> str:
        return f"{self.sort}:{self.key}"


@dataclass(frozen=True, slots=True, order=True)
class Edge:
    """A relation between two nodes."""

    source: Node
    kind: Relation
    target: Node

    @property
    def load(self) -> tuple[Node, Node] | None:
        """Which end rests, and on which; None where neither does."""
        weight = READINGS[self.kind].weight
        if weight is Weight.NONE:
            return None
        return (self.source, self.target) if weight is Weight.ON_TARGET else (self.target, self.source)

    def read_from(self, node: Node) -> tuple[str, Node]:
        """The relation as it reads from one of its ends, and the other end."""
        return (str(self.kind), self.target) if node == self.source else (READINGS[self.kind].inverse, self.source)


def edge(source: Node, kind: Relation, target: Node) -> Edge:
    """The one edge that says so: of what reads alike from both ends, the lower node is the source."""
    if READINGS[kind].inverse == kind and target < source:
        source, target = target, source
    return Edge(source, kind, target)


def kinds_from(sort: Sort) -> tuple[Relation, ...]:
    """The relations of which such a thing can be the source."""
    return tuple(kind for kind, reading in READINGS.items() if any(source is sort for source, _ in reading.between))


def target_sort(source: Sort, kind: Relation) -> Sort:
    """What the target of a relation is. `kind` must be one of `kinds_from(source)`."""
    (found,) = (target for here, target in READINGS[kind].between if here is source)
    return found


def faults_of_key(key: str) -> list[FieldError]:
    """What is wrong with a key, if anything."""
    if _KEY.fullmatch(key):
        return []
    message = f"A key has 1 to {LONGEST_KEY} letters, digits or . _ -, and begins with a letter or digit."
    return [FieldError("/key", "invalid_value", message)]


def faults_of_values(values: Values, locations: Collection[str], calendars: Collection[str]) -> list[FieldError]:
    """What is wrong with what is said of a thing, all at once, as far as its words alone tell."""
    faults = []
    for field, value in values.items():
        wrong = _fault(field, value, locations, calendars)
        if wrong is not None:
            faults.append(FieldError(f"/{field}", *wrong))
    return faults


def _fault(field: str, value: str | None, locations: Collection[str], calendars: Collection[str]) -> tuple[str, str] | None:
    if value is None:
        return ("required", f"The {field} cannot be empty.") if field in {"name", "type"} else None
    known: Mapping[str, Collection[str]] = {
        "criticality": list(Criticality),
        "location": locations,
        "calendar": calendars,
    }
    if field in known and value not in known[field]:
        words = ", ".join(sorted(known[field])) if field != "criticality" else ", ".join(Criticality)
        return "unknown_reference", f"There is no {field} “{value}”; there are {words}."
    if field == "name" and (not value.strip() or len(value) > LONGEST_NAME or _CONTROL.search(value)):
        return "invalid_value", f"A name has 1 to {LONGEST_NAME} characters, on one line."
    if field == "type" and not _TYPE.fullmatch(value):
        return "invalid_value", "A type is a word of small letters, digits, _ and -, such as laptop."
    return None
