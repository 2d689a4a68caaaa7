"""Lists of tickets: filtered, searched, sorted, and cut into pages by the last row's keys, so that no newcomer shifts them.

Nobody's list holds, counts or searches a ticket that `visible_to` would not show him, and the words of internal notes find
nothing for those who may not read them. The statement for each shape of question is built once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, TypeAlias

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from itsm.people.models import Group, User
from itsm.platform.database import Prepared
from itsm.platform.schema import Instant
from itsm.services.models import ConfigurationItem, Service
from itsm.tickets import loading, search
from itsm.tickets.desk import Tx
from itsm.tickets.models import Ticket
from itsm.tickets.records import Record
from itsm.tickets.visibility import parameters, sees_internal, sight, visible_to

NONE: Final = "none"
"""The value of a filter that stands for tickets where nothing is entered."""

Place: TypeAlias = tuple[int | str | datetime, ...]
"""Where a page ends: the values of the sort keys in its last row, then its id."""


@dataclass(frozen=True, slots=True)
class Key:
    """What a list is sorted by. `first_low` puts the lowest value first."""

    name: str
    first_low: bool = True


NEWEST_FIRST: Final = (Key("updated_at", first_low=False),)


@dataclass(frozen=True, slots=True)
class Question:
    """Which tickets, in which order, how many. Filters hold the values of which a ticket must have one."""

    filters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    words: tuple[str, ...] = ()
    sort: tuple[Key, ...] = NEWEST_FIRST
    limit: int = 25


@dataclass(frozen=True, slots=True)
class Page:
    """The tickets found, and where the next page goes on; None when there is none."""

    tickets: list[Record]
    next: Place | None


SORT_COLUMNS: Final[Mapping[str, Any]] = {
    "priority": Ticket.priority_rank,
    "updated_at": Ticket.updated_at,
    "created_at": Ticket.created_at,
    "number": Ticket.number,
}
"""What a list can be sorted by."""

_PARENT = aliased(Ticket)
_COLUMNS: Final[Mapping[str, tuple[Any, Any]]] = {
    "type": (Ticket.type, None),
    "state": (Ticket.state, None),
    "category": (Ticket.category, None),
    "group": (Ticket.group_id, (Group.id, Group.key)),
    "assignee": (Ticket.assignee_id, (User.id, User.login)),
    "requester": (Ticket.requester_id, (User.id, User.login)),
    "service": (Ticket.service_id, (Service.id, Service.key)),
    "ci": (Ticket.ci_id, (ConfigurationItem.id, ConfigurationItem.key)),
    "parent": (Ticket.parent_id, (_PARENT.id, _PARENT.number)),
}

FILTERS: Final = tuple(_COLUMNS)
"""What a list can be filtered by."""

MAY_BE_NONE: Final = frozenset({"group", "assignee"})
"""Filters that also find tickets where nothing is entered."""


@dataclass(frozen=True, slots=True)
class _Shape:
    """What the text of a statement depends on."""

    sight: str
    filters: tuple[tuple[str, int, bool], ...]
    words: bool
    notes: bool
    sort: tuple[Key, ...]
    onwards: bool
    limit: int
    postgresql: bool


def page(tx: Tx, question: Question, after: Place | None = None) -> Page:
    """The tickets that answer a question and that the actor may see, from the beginning or after a place."""
    given = {name: [value for value in values if not _is_none(name, value)] for name, values in question.filters.items()}
    filters = question.filters
    shape = _Shape(
        sight=sight(tx.actor),
        filters=tuple((name, len(given[name]), len(given[name]) < len(filters[name])) for name in FILTERS if name in given),
        words=bool(question.words),
        notes=sees_internal(tx.actor),
        sort=question.sort,
        onwards=after is not None,
        limit=question.limit,
        postgresql=tx.session.is_postgresql,
    )
    values: dict[str, Any] = parameters(tx.actor)
    for name, each in given.items():
        values.update({f"{name}_{index}": value for index, value in enumerate(each)})
    if question.words:
        values.update(search.parameters(question.words, postgresql=shape.postgresql))
    if after is not None:
        values.update({f"after_{index}": value for index, value in enumerate(after)})
    rows = tx.session.all(_statement(shape), **values)
    ends = len(rows) > question.limit
    rows = rows[: question.limit]
    return Page([loading.from_row(tx, row) for row in rows], _place(question.sort, rows[-1]) if ends else None)


def _is_none(name: str, value: str) -> bool:
    return value == NONE and name in MAY_BE_NONE


def _place(sort: tuple[Key, ...], row: Any) -> Place:
    names = ["priority_rank" if key.name == "priority" else key.name for key in sort]
    return tuple(getattr(row, name) for name in (*names, "id"))


@lru_cache(maxsize=512)
def _statement(shape: _Shape) -> Prepared:
    keys = [(SORT_COLUMNS[key.name], key.first_low) for key in shape.sort]
    keys.append((Ticket.id, keys[-1][1]))
    found = sa.select(Ticket.id).where(visible_to(shape.sight))
    for name, count, or_none in shape.filters:
        found = found.where(_filter(name, count, or_none=or_none))
    if shape.words:
        found = found.where(search.condition(notes=shape.notes, postgresql=shape.postgresql))
    if shape.onwards:
        found = found.where(_beyond(keys))
    order = [column.asc() if first_low else column.desc() for column, first_low in keys]
    # First the few ids of the page, then what is told of them: nothing is joined or carried along only to be sorted away.
    # The limit stands in the text: PostgreSQL plans for a tenth of all rows where it cannot see it.
    ids = found.order_by(*order).limit(sa.literal_column(str(shape.limit + 1))).subquery("found")
    return Prepared(loading.record_select(ids).add_columns(Ticket.priority_rank).order_by(*order))


def _filter(name: str, count: int, *, or_none: bool) -> sa.ColumnElement[bool]:
    column, reference = _COLUMNS[name]
    values: list[Any] = [sa.bindparam(f"{name}_{index}", type_=sa.Text) for index in range(count)]
    ways: list[sa.ColumnElement[bool]] = [column.is_(None)] if or_none else []
    if values and reference is not None:  # a scalar each, so that an index on the column serves them
        row_id, key = reference
        values = [sa.select(row_id).where(key == value).scalar_subquery() for value in values]
    if len(values) == 1:
        ways.append(column == values[0])
    elif values:
        ways.append(column.in_(values))
    return sa.or_(*ways)


def _beyond(keys: list[tuple[Any, bool]]) -> sa.ColumnElement[bool]:
    """What comes after the place: a comparison of rows, which an index can answer, where all keys run the same way."""
    places = [sa.bindparam(f"after_{index}", type_=_kind(column)) for index, (column, _) in enumerate(keys)]
    ways = {first_low for _, first_low in keys}
    if len(ways) == 1:
        row, place = sa.tuple_(*(column for column, _ in keys)), sa.tuple_(*places)
        return row > place if ways.pop() else row < place
    beyond: list[sa.ColumnElement[bool]] = []
    for depth, (column, first_low) in enumerate(keys):
        same = [keys[index][0] == places[index] for index in range(depth)]
        beyond.append(sa.and_(*same, column > places[depth] if first_low else column < places[depth]))
    column, first_low = keys[0]
    return sa.and_(column >= places[0] if first_low else column <= places[0], sa.or_(*beyond))


def _kind(column: Any) -> sa.types.TypeEngine[Any]:
    kind: sa.types.TypeEngine[Any] = Instant() if isinstance(column.type, Instant) else column.type
    return kind
