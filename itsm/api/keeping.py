"""The forms and answers that the routes of services and of configuration items share.

Both are kept alike and differ in their fields; `services.py` and `items.py` have the routes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from flask import request

from itsm.api import conditions, paging
from itsm.api.auth import may
from itsm.api.forms import Form, Text, WholeNumber
from itsm.api.routing import PREFIX, Answer
from itsm.people.access import Permission
from itsm.platform.errors import not_found
from itsm.services import commands, edges, impact, queries, rules
from itsm.services.commands import Registrar
from itsm.services.impact import Direction
from itsm.services.queries import Question, Thing
from itsm.services.rules import Criticality, Node, Relation, Sort
from itsm.tickets.desk import Tx

PATHS: Final[Mapping[Sort, str]] = {Sort.SERVICE: "/services", Sort.ITEM: "/configuration-items"}
ME: Final = "me"
CRITICALITIES: Final = tuple(str(each) for each in Criticality)
KEEPS: Final = may(Permission.EDIT_SERVICES)
"""The policy of routes that change what is kept."""


def registrar(tx: Tx) -> Registrar:
    """The keeper of records in a transaction."""
    return Registrar(tx.session, tx.actor, tx.now, tx.desk.locations.keys(), tx.desk.calendars.keys())


@dataclass(frozen=True, slots=True)
class NewThing:
    """A service or item to be added."""

    key: str
    values: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Edit:
    """Values to be changed, by field."""

    values: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class ListQuery:
    """The parameters of a list as they were given."""

    limit: int
    cursor: str | None
    q: str | None
    filters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ImpactQuery:
    """How far impact is followed, and which way."""

    depth: int
    direction: str


@dataclass(frozen=True, slots=True)
class LimitQuery:
    """How much of a history."""

    limit: int


@dataclass(frozen=True, slots=True)
class NewRelation:
    """A relation to be made."""

    kind: str
    target: str


def _key() -> Text:
    return Text("Its key, which never changes.", rules.LONGEST_KEY, required=True, example="erp-db")


def _name(**more: Any) -> Text:
    return Text("What people call it.", rules.LONGEST_NAME, **more)


def _optional(about: str, **more: Any) -> Text:
    return Text(about, allow_none=True, **more)


def _group() -> Text:
    return _optional("The key of the group that supports it.")


def _owner() -> Text:
    return _optional("The login of who answers for it, or uses it.")


def _criticality() -> Text:
    return _optional("How much the business would miss it.", choices=CRITICALITIES)


class _ServiceForm(Form):
    name = _name()
    group = _group()
    owner = _owner()
    criticality = _criticality()
    calendar = _optional("When it is supported: a key of `config/calendars.yaml`.")


class _ItemForm(Form):
    name = _name()
    type = Text("What it is.", 63, example="server")
    organisation = _optional("The key of the organisation it belongs to, whose people see it.")
    group = _group()
    owner = _owner()
    location = _optional("Where it is: a key of `config/locations.yaml`.")
    criticality = _criticality()


def _edit(**given: Any) -> Edit:
    return Edit(given)


def _new(**given: Any) -> NewThing:
    return NewThing(given.pop("key"), given)


class ServiceEditForm(_ServiceForm):
    """Fields of a service to be changed; null empties one."""

    makes = staticmethod(_edit)


class NewServiceForm(_ServiceForm):
    """A service to be added."""

    key = _key()
    name = _name(required=True)
    makes = staticmethod(_new)


class ItemEditForm(_ItemForm):
    """Fields of a configuration item to be changed; null empties one."""

    makes = staticmethod(_edit)


class NewItemForm(_ItemForm):
    """A configuration item to be added."""

    key = _key()
    name = _name(required=True)
    makes = staticmethod(_new)


def _query(sort: Sort, given: dict[str, Any]) -> ListQuery:
    filters = {name: given.pop(name) for name in queries.FILTERS[sort] if name in given}
    return ListQuery(filters=filters, **given)


class ServiceListForm(Form):
    """Which services."""

    q = Text("A part of the key or name.", load_default=None)
    group = Text("The key of the supporting group.")
    owner = Text("A login; `me`.")
    criticality = Text("How critical.", choices=CRITICALITIES)
    limit = paging.limit_field()
    cursor = paging.cursor_field()

    @staticmethod
    def makes(**given: Any) -> ListQuery:
        return _query(Sort.SERVICE, given)


class ItemListForm(Form):
    """Which configuration items."""

    q = Text("A part of the key or name.", load_default=None)
    type = Text("What they are.")
    organisation = Text("The key of the organisation they belong to.")
    group = Text("The key of the supporting group.")
    owner = Text("A login; `me`.")
    location = Text("The key of a location.")
    criticality = Text("How critical.", choices=CRITICALITIES)
    service = Text("The key of a service that is made of them.")
    limit = paging.limit_field()
    cursor = paging.cursor_field()

    @staticmethod
    def makes(**given: Any) -> ListQuery:
        return _query(Sort.ITEM, given)


class ImpactForm(Form):
    """How far, and which way."""

    makes = ImpactQuery

    depth = WholeNumber("How many steps.", 1, impact.DEEPEST, in_query=True, load_default=impact.DEPTH)
    direction = Text(
        "`touches`: what fails with it. `rests_on`: what it fails with.",
        choices=tuple(str(each) for each in Direction),
        load_default=str(Direction.TOUCHES),
    )


class HistoryForm(Form):
    """How much of it."""

    makes = LimitQuery

    limit = paging.limit_field()


def _other() -> Text:
    return Text("The key of the other.", rules.LONGEST_KEY, required=True, example="erp-db")


class ServiceRelationForm(Form):
    """A relation to be made, read from the service in the path."""

    makes = NewRelation

    kind = Text(
        "`made_of` a configuration item, or `depends_on` another service.",
        choices=tuple(str(kind) for kind in rules.kinds_from(Sort.SERVICE)),
        required=True,
    )
    target = _other()


class ItemRelationForm(Form):
    """A relation to be made, read from the configuration item in the path."""

    makes = NewRelation

    kind = Text("How it stands to the other.", choices=tuple(str(kind) for kind in rules.kinds_from(Sort.ITEM)), required=True)
    target = _other()


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
