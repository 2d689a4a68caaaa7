"""Reading services and configuration items: one, several by their keys, pages of many.

Everybody with an account sees the services. Staff see every item; others see the items that are theirs or their organisation's.
`visible_items` is the one place that says so, and every query of items carries it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import aliased

from itsm.people.access import Actor, Permission
from itsm.people.models import Group, Organisation, User
from itsm.platform.database import Prepared, Session
from itsm.platform.errors import not_found
from itsm.services.models import ConfigurationItem, Service, ServiceItem
from itsm.services.rules import FIELDS, Node, Sort, Values

SIGHTS: Final = ("everything", "own")

WORDS: Final[Mapping[Sort, str]] = {Sort.SERVICE: "service", Sort.ITEM: "configuration item"}
"""What people call them."""

_KEY: sa.BindParameter[Any] = sa.bindparam("key")


@dataclass(frozen=True, slots=True)
class Thing:
    """A service or item as it is kept. `values` has every field of `rules.FIELDS`, references by their keys."""

    id: int
    node: Node
    version: int
    values: Values


@dataclass(frozen=True, slots=True)
class Question:
    """Which services or items: those with all these values, whose key or name has these words; how many."""

    sort: Sort
    filters: Mapping[str, str] = field(default_factory=dict)
    words: str | None = None
    limit: int = 25


@dataclass(frozen=True, slots=True)
class Page:
    """What was found, and the key after which the next page begins; None on the last."""

    things: list[Thing]
    next: str | None


def sight(actor: Actor) -> str:
    """Which rule applies to the actor."""
    keeps = actor.may(Permission.READ_ALL) or actor.may(Permission.EDIT_SERVICES)
    return "everything" if actor.is_system or keeps else "own"


def visible_items(sight: str) -> sa.ColumnElement[bool]:
    """The condition on `configuration_items` for one kind of sight; its parameters come from `parameters`."""
    if sight == "everything":
        return sa.true()
    mine = ConfigurationItem.owner_id == sa.bindparam("viewer", type_=sa.BigInteger)
    return sa.or_(mine, ConfigurationItem.organisation_id == sa.bindparam("viewer_organisation", type_=sa.BigInteger))


def parameters(actor: Actor) -> dict[str, Any]:
    """The values for the condition of this actor's sight."""
    if sight(actor) == "everything":
        return {}
    return {"viewer": actor.id, "viewer_organisation": actor.organisation_id}


def texts(session: Session, values: Iterable[str]) -> Any:
    """Several texts as one parameter."""
    return list(values) if session.is_postgresql else orjson.dumps(list(values)).decode()


def among(column: Any, name: str, *, on_postgresql: bool) -> sa.ColumnElement[bool]:
    """Whether a column has one of the texts of a parameter."""
    if on_postgresql:
        found: sa.ColumnElement[bool] = column == sa.any_(sa.bindparam(name, type_=postgresql.ARRAY(sa.Text)))
        return found
    listed: sa.BindParameter[str] = sa.bindparam(name, type_=sa.Text)
    within: sa.ColumnElement[bool] = column.in_(sa.select(sa.column("value")).select_from(sa.func.json_each(listed)))
    return within


def _select(sort: Sort) -> Any:
    owner = aliased(User)
    if sort is Sort.SERVICE:
        model: Any = Service
        own: tuple[Any, ...] = (Service.criticality, Service.calendar)
    else:
        model = ConfigurationItem
        own = (
            ConfigurationItem.kind.label("type"),
            Organisation.key.label("organisation"),
            ConfigurationItem.location,
            ConfigurationItem.criticality,
        )
    shared = (model.id, model.key, model.version, model.name, Group.key.label("group"), owner.login.label("owner"))
    found: Any = (
        sa.select(*shared, *own).outerjoin(Group, Group.id == model.group_id).outerjoin(owner, owner.id == model.owner_id)
    )
    return found if sort is Sort.SERVICE else found.outerjoin(Organisation, Organisation.id == model.organisation_id)


MODELS: Final[Mapping[Sort, Any]] = {Sort.SERVICE: Service, Sort.ITEM: ConfigurationItem}


def _visible(sort: Sort, kind: str) -> sa.ColumnElement[bool]:
    return visible_items(kind) if sort is Sort.ITEM else sa.true()


_ONE = {
    (sort, kind): Prepared(_select(sort).where(MODELS[sort].key == _KEY, _visible(sort, kind)))
    for sort in Sort
    for kind in SIGHTS
}
_MANY = {
    (sort, kind, on): Prepared(_select(sort).where(among(MODELS[sort].key, "keys", on_postgresql=on), _visible(sort, kind)))
    for sort in Sort
    for kind in SIGHTS
    for on in (False, True)
}


def thing(session: Session, actor: Actor, node: Node) -> Thing:
    """One service or item. Raises `not_found`, also for an item that the actor does not see."""
    row = session.first(_ONE[node.sort, _sight(node.sort, actor)], key=node.key, **_parameters(node.sort, actor))
    if row is None:
        raise not_found(WORDS[node.sort], node.key)
    return _thing(node.sort, row)


def things(session: Session, actor: Actor, nodes: Iterable[Node]) -> dict[Node, Thing]:
    """Those of some services and items that are there and that the actor sees; a statement for each sort."""
    wanted = set(nodes)
    found: dict[Node, Thing] = {}
    for sort in Sort:
        keys = sorted(node.key for node in wanted if node.sort is sort)
        if keys:
            statement = _MANY[sort, _sight(sort, actor), session.is_postgresql]
            rows = session.all(statement, keys=texts(session, keys), **_parameters(sort, actor))
            found.update((each.node, each) for each in (_thing(sort, row) for row in rows))
    return found


def _sight(sort: Sort, actor: Actor) -> str:
    return sight(actor) if sort is Sort.ITEM else "everything"


def _parameters(sort: Sort, actor: Actor) -> dict[str, Any]:
    return parameters(actor) if sort is Sort.ITEM else {}


def _thing(sort: Sort, row: Any) -> Thing:
    return Thing(row.id, Node(sort, row.key), row.version, {name: getattr(row, name) for name in FIELDS[sort]})


# Pages


FILTERS: Final[Mapping[Sort, tuple[str, ...]]] = {
    Sort.SERVICE: ("group", "owner", "criticality"),
    Sort.ITEM: ("type", "organisation", "group", "owner", "location", "criticality", "service"),
}
"""What lists can be filtered by. `service` finds the items that the service is made of."""


@dataclass(frozen=True, slots=True)
class _Shape:
    """What the text of a page's statement depends on."""

    sort: Sort
    sight: str
    filters: tuple[str, ...]
    words: bool
    onwards: bool
    limit: int


def page(session: Session, actor: Actor, question: Question, after: str | None = None) -> Page:
    """The services or items that answer a question and that the actor sees, by key, from the beginning or after a key."""
    sort = question.sort
    names = tuple(name for name in FILTERS[sort] if name in question.filters)
    shape = _Shape(sort, _sight(sort, actor), names, question.words is not None, after is not None, question.limit)
    values: dict[str, Any] = {f"{name}_is": question.filters[name] for name in names}
    if question.words is not None:
        values["words"] = f"%{_escaped(question.words.casefold())}%"
    if after is not None:
        values["after"] = after
    rows = session.all(_statement(shape), **values, **_parameters(sort, actor))
    found = [_thing(sort, row) for row in rows[: question.limit]]
    return Page(found, found[-1].node.key if len(rows) > question.limit else None)


def _escaped(words: str) -> str:
    return words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


@lru_cache(maxsize=512)
def _statement(shape: _Shape) -> Prepared:
    model = MODELS[shape.sort]
    found = _select(shape.sort).where(_visible(shape.sort, shape.sight))
    for name in shape.filters:
        found = found.where(_filter(model, name))
    if shape.words:
        found = found.where(model.words.like(sa.bindparam("words", type_=sa.Text), escape="\\"))
    if shape.onwards:
        found = found.where(model.key > sa.bindparam("after", type_=sa.Text))
    return Prepared(found.order_by(model.key).limit(sa.literal_column(str(shape.limit + 1))))


def _filter(model: Any, name: str) -> sa.ColumnElement[bool]:
    value: sa.BindParameter[str] = sa.bindparam(f"{name}_is", type_=sa.Text)
    referred: Mapping[str, tuple[Any, Any]] = {"group": (Group.id, Group.key), "owner": (User.id, User.login)}
    referred = {**referred, "organisation": (Organisation.id, Organisation.key)}
    if name == "service":
        service = sa.select(Service.id).where(Service.key == value).scalar_subquery()
        return model.id.in_(sa.select(ServiceItem.item_id).where(ServiceItem.service_id == service))  # type: ignore[no-any-return]
    if name in referred:
        row_id, key = referred[name]
        return getattr(model, f"{name}_id") == sa.select(row_id).where(key == value).scalar_subquery()  # type: ignore[no-any-return]
    return getattr(model, "kind" if name == "type" else name) == value  # type: ignore[no-any-return]
