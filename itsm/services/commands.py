"""Keeping services, configuration items and their relations. Every change leaves an event that says who, when, old and new.

Changes are made one at a time, whoever makes them: two relations that are sound each for itself could close a circle together.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from itsm.people.access import Actor, Permission, require
from itsm.people.models import Group, Organisation, User
from itsm.platform.database import Prepared, Session
from itsm.platform.errors import DeskError, FieldError, Kind, invalid, not_found
from itsm.platform.schema import table
from itsm.services import edges, impact, queries, rules
from itsm.services.models import ConfigurationEvent, ConfigurationItem, ItemRelation, Service, ServiceDependency, ServiceItem
from itsm.services.queries import MODELS, Thing
from itsm.services.rules import FIELDS, Edge, Node, Sort, Values

REFERENCES: Final = ("group", "owner", "organisation")
"""Fields that name something else by its key."""


@dataclass(frozen=True, slots=True)
class Registrar:
    """Who keeps the records, when, and the keys of `config/` that may be named: locations and calendars."""

    session: Session
    actor: Actor
    now: datetime
    locations: Collection[str]
    calendars: Collection[str]


def column(field: str) -> str:
    """The column that holds a field."""
    return f"{field}_id" if field in REFERENCES else {"type": "kind"}.get(field, field)


_KEY: sa.BindParameter[Any] = sa.bindparam("key")
_GROUP = Prepared(sa.select(Group.id).where(Group.key == _KEY))
_REFERRED: Final[Mapping[str, Prepared]] = {
    "group": _GROUP,
    "owner": Prepared(sa.select(User.id).where(User.login == _KEY, User.active)),
    "organisation": Prepared(sa.select(Organisation.id).where(Organisation.key == _KEY)),
}
_ANY_OWNER = Prepared(sa.select(User.id).where(User.login == _KEY))
_ID = {sort: Prepared(sa.select(MODELS[sort].id).where(MODELS[sort].key == _KEY)) for sort in Sort}
_COLUMNS = {sort: ("words", *(column(field) for field in FIELDS[sort])) for sort in Sort}
_INSERT = {
    sort: Prepared(
        sa.insert(table(MODELS[sort])).values({"key": _KEY, **{name: sa.bindparam(name) for name in _COLUMNS[sort]}})
    )
    for sort in Sort
}
_UPDATE = {
    sort: Prepared(
        sa.update(table(MODELS[sort]))
        .where(table(MODELS[sort]).c.id == sa.bindparam("row_id"))
        .values({name: sa.bindparam(f"new_{name}") for name in _COLUMNS[sort]})
        .values(version=table(MODELS[sort]).c.version + 1)
    )
    for sort in Sort
}
_TELL = Prepared(
    sa.insert(table(ConfigurationEvent)).values(
        {name: sa.bindparam(name) for name in ("at", "actor", "kind", "subject", "old", "new")}
    )
)


def _item(name: str) -> sa.ScalarSelect[Any]:
    return sa.select(ConfigurationItem.id).where(ConfigurationItem.key == sa.bindparam(name, type_=sa.Text)).scalar_subquery()


def _service(name: str) -> sa.ScalarSelect[Any]:
    return sa.select(Service.id).where(Service.key == sa.bindparam(name, type_=sa.Text)).scalar_subquery()


_TIES: Final[Mapping[tuple[Sort, Sort], tuple[sa.Table, dict[str, Any]]]] = {
    (Sort.ITEM, Sort.ITEM): (
        table(ItemRelation),
        {"source_id": _item("source"), "target_id": _item("target"), "kind": sa.bindparam("kind")},
    ),
    (Sort.SERVICE, Sort.ITEM): (table(ServiceItem), {"service_id": _service("source"), "item_id": _item("target")}),
    (Sort.SERVICE, Sort.SERVICE): (
        table(ServiceDependency),
        {"service_id": _service("source"), "needed_id": _service("target")},
    ),
}
_TIE = {ends: Prepared(sa.insert(kept).values(values)) for ends, (kept, values) in _TIES.items()}
_UNTIE = {
    ends: Prepared(sa.delete(kept).where(*(kept.c[name] == value for name, value in values.items())))
    for ends, (kept, values) in _TIES.items()
}


def add(registrar: Registrar, node: Node, values: Values) -> Thing:
    """A new service or item. Fields that are not given are empty; an item without a type is `other`.

    Raises `DeskError`: `forbidden`; `key_taken`; `invalid_input` naming every fault.
    """
    require(registrar.actor, Permission.EDIT_SERVICES)
    take_turns(registrar.session)
    if registrar.session.first(_ID[node.sort], key=node.key) is not None:
        raise DeskError(Kind.CONFLICT, "key_taken", f"There is a {queries.WORDS[node.sort]} “{node.key}” already.")
    full = complete(node.sort, values)
    faults = rules.faults_of_key(node.key) + rules.faults_of_values(full, registrar.locations, registrar.calendars)
    ids = _referred(registrar.session, full, full, faults)
    registrar.session.run(_INSERT[node.sort], key=node.key, **row(node, full, ids))
    tell(registrar, [("added", node, None, {name: value for name, value in full.items() if value is not None})])
    return queries.thing(registrar.session, registrar.actor, node)


def change(registrar: Registrar, node: Node, values: Values, versions: frozenset[int] | None) -> Thing:
    """Give fields of a service or item other values; None empties one. `versions` are those that were read, None for any.

    Raises `DeskError`: `forbidden`; `not_found`; `stale`; `invalid_input` naming every fault.
    """
    require(registrar.actor, Permission.EDIT_SERVICES)
    take_turns(registrar.session)
    before = queries.thing(registrar.session, registrar.actor, node)
    if versions is not None and before.version not in versions:
        raise DeskError(Kind.STALE, "stale", f"The {queries.WORDS[node.sort]} has changed since you read it. Read it again.")
    changed = {name: value for name, value in values.items() if value != before.values[name]}
    faults = rules.faults_of_values(changed, registrar.locations, registrar.calendars)
    full = {**before.values, **changed}
    ids = _referred(registrar.session, full, changed, faults)
    if not changed:
        return before
    new = row(node, full, ids)
    registrar.session.run(_UPDATE[node.sort], row_id=before.id, **{f"new_{name}": value for name, value in new.items()})
    tell(registrar, [("changed", node, {name: before.values[name] for name in changed}, changed)])
    return queries.thing(registrar.session, registrar.actor, node)


def relate(registrar: Registrar, edge: Edge) -> None:
    """Say that two things are related; said before, nothing happens.

    Raises `DeskError`: `forbidden`; `not_found` for either end; `self_relation`; `cyclic_relation` naming the circle.
    """
    require(registrar.actor, Permission.EDIT_SERVICES)
    take_turns(registrar.session)
    for node in (edge.source, edge.target):
        queries.thing(registrar.session, registrar.actor, node)
    if edge.source == edge.target:
        raise DeskError(Kind.CONFLICT, "self_relation", f"“{edge.source.key}” cannot be related to itself.")
    if edge in edges.around(registrar.session, [edge.source]):
        return
    circle = impact.circle(edge, lambda nodes: edges.around(registrar.session, nodes))
    if circle:
        message = f"This would close a circle: {impact.path_in_words(circle)}."
        raise DeskError(Kind.CONFLICT, "cyclic_relation", message)
    tie(registrar, [edge])


def unrelate(registrar: Registrar, edge: Edge) -> None:
    """Take a relation back. Raises `DeskError`: `forbidden`; `not_found` if it is not there."""
    require(registrar.actor, Permission.EDIT_SERVICES)
    take_turns(registrar.session)
    ends = (edge.source.sort, edge.target.sort)
    if not registrar.session.run(_UNTIE[ends], **_ends(edge)):
        raise not_found("relation", f"{edge.source.key} {edge.kind} {edge.target.key}")
    tell(registrar, _said("unrelated", edge))


def tie(registrar: Registrar, related: Iterable[Edge]) -> None:
    """Keep relations that are new and sound, both ends of each being there."""
    related = list(related)
    for ends, statement in _TIE.items():
        registrar.session.run_many(statement, [_ends(edge) for edge in related if (edge.source.sort, edge.target.sort) == ends])
    tell(registrar, [event for edge in related for event in _said("related", edge)])


def put(registrar: Registrar, added: Mapping[Node, dict[str, Any]], changed: Iterable[tuple[Thing, dict[str, Any]]]) -> None:
    """Write many rows, made by `row`, in one statement for each sort and deed. Their events are the caller's to tell."""
    changed = list(changed)
    for sort in Sort:
        new = [{"key": node.key, **values} for node, values in added.items() if node.sort is sort]
        registrar.session.run_many(_INSERT[sort], new)
        other = [
            {"row_id": thing.id, **{f"new_{name}": value for name, value in values.items()}}
            for thing, values in changed
            if thing.node.sort is sort
        ]
        registrar.session.run_many(_UPDATE[sort], other)


Event = tuple[str, Node, Any, Any]
"""What happened to what, from which values to which."""


def tell(registrar: Registrar, events: Iterable[Event]) -> None:
    """Leave events about services and items, which nothing can change or remove."""
    written = {"at": registrar.now, "actor": registrar.actor.login}
    registrar.session.run_many(
        _TELL,
        [
            {**written, "kind": kind, "subject": str(node), "old": old and dict(old), "new": new and dict(new)}
            for kind, node, old, new in events
        ],
    )


def take_turns(session: Session) -> None:
    """Wait until nobody else changes services, items or relations. SQLite lets one writer at a time anyway."""
    if session.is_postgresql:
        session.script("LOCK TABLE configuration_events IN SHARE ROW EXCLUSIVE MODE")


def complete(sort: Sort, values: Values) -> dict[str, str | None]:
    """Every field of a new service or item."""
    full = {name: values.get(name) for name in FIELDS[sort]}
    return {**full, "type": full["type"] or "other"} if sort is Sort.ITEM else full


def row(node: Node, full: Values, ids: Mapping[str, int | None]) -> dict[str, Any]:
    """The columns of a service or item. `ids` are those of what its references name."""
    values: dict[str, Any] = {column(name): ids[name] if name in REFERENCES else value for name, value in full.items()}
    return {**values, "words": f"{node.key} {full['name']}".casefold()}


def _referred(session: Session, values: Values, fresh: Collection[str], faults: list[FieldError]) -> dict[str, int | None]:
    """The row ids of what values refer to. Raises `invalid_input` with these faults and those found here.

    An owner who has left stays until another is named; only among the `fresh` fields must he be active.
    """
    ids: dict[str, int | None] = {}
    for name in REFERENCES:
        key = values.get(name)
        statement = _ANY_OWNER if name == "owner" and name not in fresh else _REFERRED[name]
        found = session.first(statement, key=key) if key is not None else None
        ids[name] = found.id if found else None
        if key is not None and found is None:
            noun = {"owner": "active user"}.get(name, name)
            faults.append(FieldError(f"/{name}", "unknown_reference", f"There is no {noun} “{key}”."))
    if faults:
        raise invalid(*faults, detail=" ".join(fault.message for fault in faults))
    return ids


def _ends(edge: Edge) -> dict[str, str]:
    ends = {"source": edge.source.key, "target": edge.target.key}
    return {**ends, "kind": str(edge.kind)} if edge.target.sort is edge.source.sort is Sort.ITEM else ends


def _said(kind: str, edge: Edge) -> list[Event]:
    """The event of a relation, once for each of its ends, as it reads from there."""
    told = []
    for node in (edge.source, edge.target):
        relation, other = edge.read_from(node)
        told.append((kind, node, None, {"relation": relation, "other": str(other)}))
    return told


# What a first start needs


def ensure_service(
    session: Session, key: str, name: str, group: str | None, criticality: str | None = None, calendar: str | None = None
) -> int:
    """The service with this key, made if it is not there yet; `group` is the key of the group that supports it.

    Raises `not_found` for a group that does not exist.
    """
    found = session.first(_ID[Sort.SERVICE], key=key)
    if found is None:
        supporter = session.first(_GROUP, key=group) if group is not None else None
        if group is not None and supporter is None:
            raise not_found("group", group)
        values = {"name": name, "group": group, "owner": None, "criticality": criticality, "calendar": calendar}
        ids = {"group": supporter.id if supporter else None, "owner": None}
        session.run(_INSERT[Sort.SERVICE], key=key, **row(Node(Sort.SERVICE, key), values, ids))
        found = session.one(_ID[Sort.SERVICE], key=key)
    return int(found.id)


def ensure_item(session: Session, key: str, name: str, kind: str) -> int:
    """The configuration item with this key, made if it is not there yet."""
    found = session.first(_ID[Sort.ITEM], key=key)
    if found is None:
        full = complete(Sort.ITEM, {"name": name, "type": kind})
        session.run(_INSERT[Sort.ITEM], key=key, **row(Node(Sort.ITEM, key), full, dict.fromkeys(REFERENCES)))
        found = session.one(_ID[Sort.ITEM], key=key)
    return int(found.id)
