"""Reading relations: those of one thing, those around many, and what impact reaches along them.

Edges are read a frontier at a time, so that a question about one server costs one statement for each step, however many other
things there are. What impact reaches only by way of items that its reader does not see is left out of his answer.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from itsm.people.access import Actor
from itsm.platform.database import Prepared, Session
from itsm.services import impact, queries
from itsm.services.impact import Direction, Reached, Step
from itsm.services.models import ConfigurationEvent, ConfigurationItem, ItemRelation, Service, ServiceDependency, ServiceItem
from itsm.services.queries import Thing, among, texts
from itsm.services.rules import Edge, Node, Relation, Sort


@dataclass(frozen=True, slots=True)
class Tie:
    """A relation as it reads from one of its ends, and what stands at the other."""

    relation: str
    other: Thing


@dataclass(frozen=True, slots=True)
class Touched:
    """Something that impact reaches, and by which way."""

    thing: Thing
    path: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Impact:
    """What impact reaches as far as somebody sees it; `cut` if there is more than an answer holds."""

    things: list[Touched]
    cut: bool


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that was done to a service or item. `old` and `new` tell what changed."""

    at: datetime
    actor: str
    kind: str
    old: Any
    new: Any


_SOURCE, _TARGET = aliased(ConfigurationItem), aliased(ConfigurationItem)
_DEPENDING, _NEEDED = aliased(Service), aliased(Service)


def _item_edges() -> Any:
    return (
        sa.select(
            sa.literal_column("'item'").label("source_sort"),
            _SOURCE.key.label("source"),
            ItemRelation.kind.label("kind"),
            sa.literal_column("'item'").label("target_sort"),
            _TARGET.key.label("target"),
        )
        .join_from(ItemRelation, _SOURCE, _SOURCE.id == ItemRelation.source_id)
        .join(_TARGET, _TARGET.id == ItemRelation.target_id)
    )


def _composition() -> Any:
    return (
        sa.select(
            sa.literal_column("'service'"),
            Service.key,
            sa.literal_column(f"'{Relation.MADE_OF}'"),
            sa.literal_column("'item'"),
            ConfigurationItem.key,
        )
        .join_from(ServiceItem, Service, Service.id == ServiceItem.service_id)
        .join(ConfigurationItem, ConfigurationItem.id == ServiceItem.item_id)
    )


def _dependencies() -> Any:
    return (
        sa.select(
            sa.literal_column("'service'"),
            _DEPENDING.key,
            sa.literal_column(f"'{Relation.DEPENDS_ON}'"),
            sa.literal_column("'service'"),
            _NEEDED.key,
        )
        .join_from(ServiceDependency, _DEPENDING, _DEPENDING.id == ServiceDependency.service_id)
        .join(_NEEDED, _NEEDED.id == ServiceDependency.needed_id)
    )


def _around(on_postgresql: str) -> Prepared:
    """Every edge with an end among some items and services; a part for each end, so that each can use its index."""
    on = on_postgresql == "postgresql"
    items = sa.select(ConfigurationItem.id).where(among(ConfigurationItem.key, "items", on_postgresql=on))
    services = sa.select(Service.id).where(among(Service.key, "services", on_postgresql=on))
    return Prepared(
        sa.union(
            _item_edges().where(ItemRelation.source_id.in_(items)),
            _item_edges().where(ItemRelation.target_id.in_(items)),
            _composition().where(ServiceItem.item_id.in_(items)),
            _composition().where(ServiceItem.service_id.in_(services)),
            _dependencies().where(ServiceDependency.service_id.in_(services)),
            _dependencies().where(ServiceDependency.needed_id.in_(services)),
        )
    )


_AROUND = {kind: _around(kind) for kind in ("sqlite", "postgresql")}
_ALL = Prepared(sa.union_all(_item_edges(), _composition(), _dependencies()))
_HISTORY = Prepared(
    sa.select(
        ConfigurationEvent.at, ConfigurationEvent.actor, ConfigurationEvent.kind, ConfigurationEvent.old, ConfigurationEvent.new
    )
    .where(ConfigurationEvent.subject == sa.bindparam("subject"))
    .order_by(ConfigurationEvent.id.desc())
    .limit(sa.bindparam("limit"))
)


def around(session: Session, nodes: Collection[Node]) -> list[Edge]:
    """Every edge with an end among some nodes; one statement."""
    rows = session.all(
        _AROUND[session.dialect.name],
        items=texts(session, (node.key for node in nodes if node.sort is Sort.ITEM)),
        services=texts(session, (node.key for node in nodes if node.sort is Sort.SERVICE)),
    )
    return [_edge(row) for row in rows]


def every(session: Session) -> list[Edge]:
    """Every edge there is; for imports, which look at all of them at once."""
    return [_edge(row) for row in session.all(_ALL)]


def reached(session: Session, starts: Iterable[Node], direction: Direction, depth: int = impact.DEPTH) -> list[Reached]:
    """What impact reaches from some nodes, whoever may see it: for rules of the desk, such as conflicts between changes."""
    return impact.spread(starts, direction, depth, lambda nodes: around(session, nodes))


def touched(session: Session, actor: Actor, start: Node, direction: Direction, depth: int) -> Impact:
    """What impact reaches from a node that the actor sees, as far as he sees it. Raises `not_found`.

    At most `depth` + 3 statements.
    """
    queries.thing(session, actor, start)
    found = reached(session, [start], direction, depth)
    seen = queries.things(session, actor, (each.node for each in found))
    things = [Touched(seen[each.node], each.path) for each in found if all(step.node in seen for step in each.path)]
    return Impact(things, len(found) == impact.MOST_REACHED)


def ties(session: Session, actor: Actor, node: Node) -> list[Tie]:
    """The relations of a thing that the actor sees to others that he sees; at most 4 statements. Raises `not_found`."""
    queries.thing(session, actor, node)
    read = sorted(edge.read_from(node) for edge in around(session, [node]))
    seen = queries.things(session, actor, (other for _, other in read))
    return [Tie(relation, seen[other]) for relation, other in read if other in seen]


def history(session: Session, actor: Actor, node: Node, limit: int) -> list[Change]:
    """What was done to a thing, the newest first. Raises `not_found`."""
    queries.thing(session, actor, node)
    rows = session.all(_HISTORY, subject=str(node), limit=limit)
    return [Change(row.at, row.actor, row.kind, row.old, row.new) for row in rows]


def _edge(row: Any) -> Edge:
    source, target = Node(Sort(row.source_sort), row.source), Node(Sort(row.target_sort), row.target)
    return Edge(source, Relation(row.kind), target)
