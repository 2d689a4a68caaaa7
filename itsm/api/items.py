"""Configuration items: what services are made of, where each is and whose, and what hangs on it."""

from __future__ import annotations

from itsm.api import keeping, kept, kept_forms
from itsm.api.auth import SIGNED_IN, may
from itsm.api.keeping import KEEPS
from itsm.api.routing import Answer, Resource
from itsm.people.access import Permission
from itsm.services.rules import Node, Sort
from itsm.tickets.desk import Tx

items = Resource(
    "Configuration items", "Laptops, servers, applications: what services are made of, and how they hang together."
)


@items.get("/configuration-items", policy=SIGNED_IN, query=kept_forms.ItemListForm(), answers={200: kept.ItemPageShape()})
def find(tx: Tx, query: kept_forms.ListQuery) -> Answer:
    """List and search the configuration items that the caller sees, by key.

    Staff see all, others theirs and their organisation's.
    """
    return keeping.page(tx, Sort.ITEM, query)


@items.post("/configuration-items", policy=KEEPS, body=kept_forms.NewItemForm(), answers={201: kept.ItemShape()}, etag=True)
def add(tx: Tx, body: kept_forms.NewThing) -> Answer:
    """Add a configuration item."""
    return keeping.add(tx, Sort.ITEM, body)


@items.get("/configuration-items/{key}", policy=SIGNED_IN, answers={200: kept.ItemShape(), 304: None}, etag=True)
def read(tx: Tx, key: str) -> Answer:
    """Read a configuration item.

    With `If-None-Match` the answer is 304 and empty while nothing has changed.
    """
    return keeping.read(tx, Node(Sort.ITEM, key))


@items.patch(
    "/configuration-items/{key}",
    policy=KEEPS,
    body=kept_forms.ItemEditForm(),
    answers={200: kept.ItemShape()},
    if_match=True,
    etag=True,
)
def edit(tx: Tx, key: str, body: kept_forms.Edit, versions: frozenset[int] | None) -> Answer:
    """Change fields of a configuration item. Needs `If-Match`."""
    return keeping.edit(tx, Node(Sort.ITEM, key), body, versions)


@items.get("/configuration-items/{key}/relations", policy=SIGNED_IN, answers={200: kept.RelationsShape()})
def relations(tx: Tx, key: str) -> Answer:
    """List the relations of a configuration item, as they read from it, to what the caller sees."""
    return keeping.relations(tx, Node(Sort.ITEM, key))


@items.post(
    "/configuration-items/{key}/relations",
    policy=KEEPS,
    body=kept_forms.ItemRelationForm(),
    answers={201: kept.RelationShape()},
)
def relate(tx: Tx, key: str, body: kept_forms.NewRelation) -> Answer:
    """Relate a configuration item to another.

    A relation that would close a circle is refused: 409 `cyclic_relation`.
    """
    return keeping.relate(tx, Node(Sort.ITEM, key), body)


@items.delete("/configuration-items/{key}/relations/{kind}/{other}", policy=KEEPS, answers={204: None})
def unrelate(tx: Tx, key: str, kind: str, other: str) -> Answer:
    """Take back a relation of which this configuration item is the source."""
    return keeping.unrelate(tx, Node(Sort.ITEM, key), kind, other)


@items.get(
    "/configuration-items/{key}/impact", policy=SIGNED_IN, query=kept_forms.ImpactForm(), answers={200: kept.ImpactShape()}
)
def impact(tx: Tx, key: str, query: kept_forms.ImpactQuery) -> Answer:
    """What is touched when this configuration item fails, or what it rests on, and by which way."""
    return keeping.touched(tx, Node(Sort.ITEM, key), query)


@items.get(
    "/configuration-items/{key}/history",
    policy=may(Permission.READ_ALL),
    query=kept_forms.HistoryForm(),
    answers={200: kept.RecordHistoryShape()},
)
def history(tx: Tx, key: str, query: kept_forms.LimitQuery) -> Answer:
    """What was done to a configuration item and its relations, the newest first."""
    return keeping.history(tx, Node(Sort.ITEM, key), query)
