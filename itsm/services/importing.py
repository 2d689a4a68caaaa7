"""Bringing services and configuration items in from a file: what is new is added, what is there is changed, by key.

The whole file is judged before anything is written, against what is there and against itself; a row with a fault is left out
with everything that rests on it, and the rest goes in, in one transaction. What a row does not say stays as it is. Every
relation that lies on a circle is left out: which of them is mistaken, only the author of the file can tell.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, BinaryIO, Final

import sqlalchemy as sa

from itsm.people.access import Actor, Permission, require
from itsm.people.models import Group, Organisation, User
from itsm.platform.database import Prepared, Session
from itsm.services import commands, edges, impact, queries, rules, sheet
from itsm.services.commands import REFERENCES, Registrar
from itsm.services.queries import Question, Thing, among, texts
from itsm.services.rules import Edge, Node, Sort
from itsm.services.sheet import Row, RowFault

MOST_TOLD: Final = 1_000
"""How many faults an answer tells; the error file has all."""

_ACTIVE: Final[Mapping[str, Any]] = {"group": sa.true(), "owner": User.active, "organisation": sa.true()}
_KEYS: Final[Mapping[str, tuple[Any, Any]]] = {
    "group": (Group.id, Group.key),
    "owner": (User.id, User.login),
    "organisation": (Organisation.id, Organisation.key),
}
_REFERRED = {
    (name, on): Prepared(
        sa.select(row_id.label("id"), key.label("key"), _ACTIVE[name].label("active")).where(
            among(key, "keys", on_postgresql=on)
        )
    )
    for name, (row_id, key) in _KEYS.items()
    for on in (False, True)
}


class Mode(Enum):
    """Whether an import writes, or only tells what it would write."""

    WRITE = "write"
    TRY = "try"


@dataclass
class Report:
    """What an import came to. `faults` has every fault of every row that was left out, in the order of the file."""

    mode: Mode
    rows: int = 0
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    related: int = 0
    faults: list[RowFault] = field(default_factory=list)

    @property
    def refused(self) -> int:
        """How many rows were left out."""
        return len({fault.row for fault in self.faults})


@dataclass(frozen=True, slots=True, eq=False)
class _Planned:
    """A row that is sound by itself: what is there, what shall be, and the relations it asks for."""

    row: Row
    before: Thing | None
    full: Mapping[str, str | None]
    edges: tuple[Edge, ...]

    @property
    def changes(self) -> dict[str, str | None]:
        """The fields that get another value."""
        old = {} if self.before is None else self.before.values
        return {name: value for name, value in self.full.items() if value != old.get(name)}


def carry_out(registrar: Registrar, stream: BinaryIO, file: str, mode: Mode) -> Report:
    """Import a file. Raises `DeskError`: `forbidden`, and what `sheet.read` raises for the file as a whole."""
    require(registrar.actor, Permission.EDIT_SERVICES)
    commands.take_turns(registrar.session)
    report = Report(mode)
    rows = _distinct(sheet.read(stream, file), report)
    ids, planned = _plan(registrar, rows, report)
    standing = edges.every(registrar.session)
    planned = _Sieve(registrar, planned, standing, report).sound()
    fresh = sorted({edge for each in planned for edge in each.edges}.difference(standing))
    _count(planned, fresh, report)
    if mode is Mode.WRITE:
        _write(registrar, planned, ids, fresh)
    report.faults.sort(key=lambda fault: fault.row)
    return report


def _distinct(read: Iterable[Row | RowFault], report: Report) -> list[Row]:
    """The rows, each thing once: of several rows for one key the first counts."""
    first: dict[Node, Row] = {}
    for row in read:
        report.rows += 1
        if isinstance(row, RowFault):
            report.faults.append(row)
        elif row.node in first:
            message = f"Row {first[row.node].number} is about the same {row.node.sort}."
            report.faults.append(RowFault(row.number, row.node.key, sheet.KEY, "duplicate_key", message))
        else:
            first[row.node] = row
    return list(first.values())


Ids = Mapping[str, Mapping[str, Any]]
"""By field and key: what is referred to."""


def _plan(registrar: Registrar, rows: list[Row], report: Report) -> tuple[Ids, list[_Planned]]:
    """The rows that are sound by themselves; what is wrong with the others is reported."""
    session = registrar.session
    there = queries.things(session, registrar.actor, (row.node for row in rows))
    everything: dict[str, set[str]] = {name: set() for name in REFERENCES}
    for values in [*(row.values for row in rows), *(thing.values for thing in there.values())]:
        for name in REFERENCES:
            if key := values.get(name):
                everything[name].add(key)
    ids = {name: _referred(session, name, keys) for name, keys in everything.items()}
    planned = []
    for row in rows:
        before = there.get(row.node)
        full = {**before.values, **row.values} if before else commands.complete(row.node.sort, row.values)
        faults = _faults(registrar, row, before, full, ids)
        report.faults += faults
        if not faults:
            own = dict.fromkeys(rules.edge(row.node, kind, other) for kind, other in row.related)
            planned.append(_Planned(row, before, full, tuple(own)))
    return ids, planned


def _referred(session: Session, name: str, keys: set[str]) -> dict[str, Any]:
    if not keys:
        return {}
    rows = session.all(_REFERRED[name, session.is_postgresql], keys=texts(session, sorted(keys)))
    return {row.key: row for row in rows}


def _faults(registrar: Registrar, row: Row, before: Thing | None, full: Mapping[str, str | None], ids: Ids) -> list[RowFault]:
    told = rules.faults_of_key(row.node.key)
    told += rules.faults_of_values(row.values if before else full, registrar.locations, registrar.calendars)
    found = [RowFault(row.number, row.node.key, one.pointer[1:], one.code, one.message) for one in told]
    for name in REFERENCES:
        key = row.values.get(name)
        referred = ids[name].get(key) if key else None
        stays = before is not None and before.values.get(name) == key
        if key and not stays and (referred is None or not referred.active):
            noun = {"owner": "active user"}.get(name, name)
            message = f"There is no {noun} “{key[:100]}”."
            found.append(RowFault(row.number, row.node.key, name, "unknown_reference", message))
    found += [
        RowFault(row.number, row.node.key, str(kind), "self_relation", "A thing cannot be related to itself.")
        for kind, other in row.related
        if other == row.node
    ]
    return found


class _Sieve:
    """Leaves out rows whose relations lead nowhere or round in a circle, and what rests on rows that are left out."""

    def __init__(self, registrar: Registrar, planned: list[_Planned], standing: list[Edge], report: Report) -> None:
        self._planned = planned
        self._standing = frozenset(standing)
        self._report = report
        self._refused: set[_Planned] = set()
        named = {node for each in planned for edge in each.edges for node in (edge.source, edge.target)}
        self._there = set(queries.things(registrar.session, registrar.actor, named))
        self._naming: dict[Node, list[_Planned]] = defaultdict(list)
        for each in planned:
            for _, other in each.row.related:
                self._naming[other].append(each)

    def sound(self) -> list[_Planned]:
        """The rows that are left. Raises nothing; the others are in the report."""
        to_come = {each.row.node for each in self._planned}
        self._spread([node for node in self._naming if node not in self._there and node not in to_come])
        left = [each for each in self._planned if each not in self._refused]
        caught = impact.circles(self._standing, (edge for each in left for edge in each.edges if edge not in self._standing))
        for each in left:
            for edge in each.edges:
                if edge in caught and each not in self._refused:
                    way = impact.path_in_words(caught[edge])
                    self._refuse(each, str(edge.kind), "cyclic_relation", f"This relation is part of a circle: {way}.")
        self._spread([each.row.node for each in left if each in self._refused and each.before is None])
        return [each for each in left if each not in self._refused]

    def _spread(self, missing: list[Node]) -> None:
        """Leave out what names something that is not there, and will not be."""
        while missing:
            node = missing.pop()
            for each in self._naming[node]:
                if each not in self._refused:
                    kind = next(kind for kind, other in each.row.related if other == node)
                    noun = queries.WORDS[node.sort]
                    self._refuse(each, str(kind), "unknown_reference", f"There is no {noun} “{node.key[:100]}”.")
                    if each.before is None:
                        missing.append(each.row.node)

    def _refuse(self, each: _Planned, column: str, code: str, message: str) -> None:
        self._refused.add(each)
        self._report.faults.append(RowFault(each.row.number, each.row.node.key, column, code, message))


def _count(planned: list[_Planned], fresh: list[Edge], report: Report) -> None:
    report.related = len(fresh)
    for each in planned:
        if each.before is None:
            report.added += 1
        elif each.changes:
            report.changed += 1
        else:
            report.unchanged += 1


def _write(registrar: Registrar, planned: list[_Planned], ids: Ids, fresh: list[Edge]) -> None:
    added: dict[Node, dict[str, Any]] = {}
    changed: list[tuple[Thing, dict[str, Any]]] = []
    events: list[commands.Event] = []
    for each in planned:
        changes = each.changes
        if not changes:
            continue
        referred = {name: ids[name][key].id if (key := each.full.get(name)) else None for name in REFERENCES}
        row = commands.row(each.row.node, each.full, referred)
        if each.before is None:
            added[each.row.node] = row
            events.append(("added", each.row.node, None, {name: value for name, value in changes.items() if value is not None}))
        else:
            changed.append((each.before, row))
            old = {name: each.before.values[name] for name in changes}
            events.append(("changed", each.row.node, old, changes))
    commands.put(registrar, added, changed)
    commands.tell(registrar, events)
    commands.tie(registrar, fresh)


def export(session: Session, actor: Actor) -> str:
    """Every service and item that the actor sees, with their relations, as CSV that an import takes again."""
    related: dict[Node, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for edge in sorted(edges.every(session)):
        related[edge.source][str(edge.kind)].append(edge.target.key)
    return sheet.written((thing.node, thing.values, related[thing.node]) for thing in _all(session, actor))


def _all(session: Session, actor: Actor) -> Iterable[Thing]:
    for sort in Sort:
        after: str | None = None
        while True:
            page = queries.page(session, actor, Question(sort, limit=sheet.MOST_ROWS), after)
            yield from page.things
            after = page.next
            if after is None:
                break
