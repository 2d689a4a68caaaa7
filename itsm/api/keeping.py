"""What the routes of services and of configuration items do, which is the same.

Both are kept alike and differ in their fields: `services.py` and `items.py` declare the routes, `kept_forms.py` has what they
take, `kept.py` what they answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from flask import request

from itsm.api import conditions, paging
from itsm.api.auth import may
from itsm.api.kept_forms import Edit, ImpactQuery, LimitQuery, ListQuery, NewRelation, NewThing
from itsm.api.routing import PREFIX, Answer
from itsm.people.access import Permission
from itsm.platform.errors import not_found
from itsm.services import commands, edges, queries, rules
from itsm.services.commands import Registrar
from itsm.services.impact import Direction
from itsm.services.queries import Question, Thing
from itsm.services.rules import Node, Relation, Sort
from itsm.tickets.desk import Tx

PATHS: Final[Mapping[Sort, str]] = {Sort.SERVICE: "/services", Sort.ITEM: "/configuration-items"}
ME: Final = "me"
KEEPS: Final = may(Permission.EDIT_SERVICES)
"""The policy of routes that change what is kept."""


def registrar(tx: Tx) -> Registrar:
    """The keeper of records in a transaction."""
    return Registrar(tx.session, tx.actor, tx.now, tx.desk.locations.keys(), tx.desk.calendars.keys())


def thing(found: Thing, status: int = 200) -> Answer:
    """The answer that is one service or item, with its version."""
    headers = {"ETag": conditions.tag(found.version)}
    if status == 201:
        headers["Location"] = f"{PREFIX}{PATHS[found.node.sort]}/{found.node.key}"
    return Answer(_told(found), status, headers)


def read(tx: Tx, node: Node) -> Answer:
    """One service or item; 304 while it is as the caller has it."""
    found = queries.thing(tx.session, tx.actor, node)
    if conditions.known(request.headers.get("If-None-Match"), found.version):
        return Answer(None, 304, {"ETag": conditions.tag(found.version)})
    return thing(found)


def add(tx: Tx, sort: Sort, body: NewThing) -> Answer:
    """Add a service or item."""
    return thing(commands.add(registrar(tx), Node(sort, body.key), body.values), 201)


def edit(tx: Tx, node: Node, body: Edit, versions: frozenset[int] | None) -> Answer:
    """Change fields of a service or item, if it is as the caller has read it."""
    return thing(commands.change(registrar(tx), node, body.values, versions))


def page(tx: Tx, sort: Sort, query: ListQuery) -> Answer:
    """A page of services or items."""
    filters = {name: tx.actor.login if (name, value) == ("owner", ME) else value for name, value in query.filters.items()}
    asked = [str(sort), filters, query.q]
    after = None if query.cursor is None else str(paging.unseal(tx, asked, query.cursor)[0])
    found = queries.page(tx.session, tx.actor, Question(sort, filters, query.q, query.limit), after)
    cursor = None if found.next is None else paging.seal(tx, asked, (found.next,))
    return Answer({"items": [_told(each) for each in found.things], "next": cursor}, headers=paging.next_link(request, cursor))


def relations(tx: Tx, node: Node) -> Answer:
    """The relations of a service or item."""
    found = edges.ties(tx.session, tx.actor, node)
    return Answer({"items": [{"relation": tie.relation, **_short(tie.other)} for tie in found]})


def relate(tx: Tx, node: Node, body: NewRelation) -> Answer:
    """Make a relation; the answer is how it reads."""
    kind = Relation(body.kind)
    other = Node(rules.target_sort(node.sort, kind), body.target)
    commands.relate(registrar(tx), rules.edge(node, kind, other))
    found = queries.thing(tx.session, tx.actor, other)
    where = f"{PREFIX}{PATHS[node.sort]}/{node.key}/relations"
    return Answer({"relation": body.kind, **_short(found)}, 201, {"Location": where})


def unrelate(tx: Tx, node: Node, kind: str, other: str) -> Answer:
    """Take a relation back."""
    if kind not in rules.kinds_from(node.sort):
        raise not_found("relation", f"{node.key} {kind} {other}")
    relation = Relation(kind)
    commands.unrelate(registrar(tx), rules.edge(node, relation, Node(rules.target_sort(node.sort, relation), other)))
    return Answer(None, 204)


def touched(tx: Tx, node: Node, query: ImpactQuery) -> Answer:
    """What impact reaches from a service or item."""
    found = edges.touched(tx.session, tx.actor, node, Direction(query.direction), query.depth)
    told = [
        {
            **_short(each.thing),
            "distance": len(each.path),
            "path": [{"relation": step.relation, "sort": str(step.node.sort), "key": step.node.key} for step in each.path],
        }
        for each in found.things
    ]
    return Answer({"items": told, "cut": found.cut})


def history(tx: Tx, node: Node, query: LimitQuery) -> Answer:
    """What was done to a service or item."""
    return Answer({"items": [asdict(each) for each in edges.history(tx.session, tx.actor, node, query.limit)]})


def _told(found: Thing) -> dict[str, Any]:
    return {"key": found.node.key, **found.values, "version": found.version}


def _short(found: Thing) -> dict[str, Any]:
    values = found.values
    return {"sort": str(found.node.sort), "key": found.node.key, "name": values["name"], "criticality": values["criticality"]}
