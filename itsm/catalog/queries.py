"""Reading the catalogue as somebody may: what he may not order does not exist, by whichever way he asks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from itsm.catalog import rules, shelf
from itsm.catalog.definition import FIELD_TYPES, Item
from itsm.catalog.entitlement import Requester, entitled
from itsm.catalog.models import CatalogDraft, CatalogOrder, CatalogPart, CatalogVersion
from itsm.catalog.rules import Charge, Filled
from itsm.catalog.shelf import Version
from itsm.people.models import Organisation, User
from itsm.people.reports import require_acting_for
from itsm.platform.database import Prepared
from itsm.platform.errors import FieldError, invalid, not_found
from itsm.tickets import clockwork, queries, references
from itsm.tickets.desk import Tx
from itsm.tickets.records import Record
from itsm.workflow.values import REFERENCES

_MANAGER, _BY = aliased(User), aliased(User)
_PERSON = Prepared(
    sa.select(
        User.id,
        User.login,
        User.name,
        User.email,
        User.department,
        User.location,
        User.cost_centre,
        User.roles,
        User.active,
        Organisation.key.label("organisation"),
        _MANAGER.login.label("manager"),
    )
    .select_from(User)
    .outerjoin(Organisation, Organisation.id == User.organisation_id)
    .outerjoin(_MANAGER, _MANAGER.id == User.manager_id)
    .where(User.login == sa.bindparam("login"))
)
_ORDER = Prepared(
    sa.select(
        CatalogOrder.ticket_id,
        CatalogOrder.item,
        CatalogOrder.version_id,
        CatalogOrder.answers,
        CatalogOrder.price,
        CatalogOrder.promised_at,
        CatalogOrder.ordered_at,
        CatalogOrder.ordered_by_id,
        CatalogVersion.digest,
        User.login.label("requested_for"),
        _BY.login.label("ordered_by"),
    )
    .select_from(CatalogOrder)
    .join(CatalogVersion, CatalogVersion.id == CatalogOrder.version_id)
    .join(User, User.id == CatalogOrder.requested_for_id)
    .join(_BY, _BY.id == CatalogOrder.ordered_by_id)
    .where(CatalogOrder.ticket_id == sa.bindparam("ticket"))
)
_PARTS = Prepared(
    sa.select(CatalogPart.key, CatalogPart.if_refused, CatalogVersion.item, CatalogVersion.title, CatalogVersion.digest)
    .join(CatalogVersion, CatalogVersion.id == CatalogPart.version_id)
    .where(CatalogPart.ticket_id == sa.bindparam("ticket"))
)
_DRAFT = Prepared(
    sa.select(CatalogDraft.answers, CatalogDraft.updated_at).where(
        CatalogDraft.user_id == sa.bindparam("user"), CatalogDraft.item == sa.bindparam("item")
    )
)


@dataclass(frozen=True, slots=True)
class Promise:
    """By when something is delivered: in words, and as the instant that they mean now."""

    words: str
    due: datetime
    calendar: str


@dataclass(frozen=True, slots=True)
class Listed:
    """An item as a list shows it; `charged` is what can be said of its price before anything is answered."""

    item: Item
    charged: Charge
    promise: Promise | None


@dataclass(frozen=True, slots=True)
class Order:
    """What a ticket was ordered with."""

    version: Version
    answers: Mapping[str, Any]
    price: Mapping[str, Any]
    requested_for: str
    ordered_by: str
    ordered_at: datetime
    promised_at: datetime | None
    ordered_by_id: int | None


def person(tx: Tx, login: str) -> Requester | None:
    """Somebody as the catalogue knows him; None if there is no active user of this login."""
    row = tx.session.first(_PERSON, login=login)
    return _requester(tx, row) if row is not None and row.active else None


def person_of_order(tx: Tx, of: Order) -> Requester:
    """Whom something was ordered for, as he is now; he may have left since."""
    return _requester(tx, tx.session.one(_PERSON, login=of.requested_for))


def beneficiary(tx: Tx, login: str | None, pointer: str) -> Requester:
    """Whom something is ordered for: oneself, or somebody else by those who may, as his managers do.

    Raises `DeskError`: `forbidden`, and `invalid_input` at the pointer for a login that is nobody's.
    """
    if login is not None:
        require_acting_for(tx.session, tx.actor, login)
    found = person(tx, login or tx.actor.login)
    if found is None:
        message = f"There is no active user “{login}”."
        raise invalid(FieldError(pointer, "unknown_reference", message), detail=message)
    return found


def offered(tx: Tx, who: Requester, words: str) -> Sequence[Item]:
    """What somebody may order, in the order of the catalogue, or what fits the words best."""
    return [item for item in shelf.current(tx).search(words) if entitled(item, who, tx.now)]


def listed(tx: Tx, items: Sequence[Item], who: Requester) -> list[Listed]:
    """These items with price and promise."""
    known: dict[tuple[str, str | None], Promise | None] = {}
    found = []
    for item in items:
        key = (str(item.deliver), item.calendar)
        if key not in known:
            known[key] = promise(tx, item)
        found.append(Listed(item, rules.charge(item, who.names(tx.now)), known[key]))
    return found


def item(tx: Tx, key: str, who: Requester) -> Version:
    """The item of this key, if it is offered to this person. Raises `not_found`."""
    version = shelf.current_of(tx, key)
    if version is None or not entitled(version.item, who, tx.now):
        raise not_found("item", key)
    return version


def unknown_references(tx: Tx, of: Item, filled: Filled) -> Iterable[FieldError]:
    """Answers that name a person, group, service, configuration item or ticket that is not there for the actor."""
    for question in of.questions:
        value = filled.answers.get(question.name)
        kind = FIELD_TYPES.get(question.type)
        if kind in REFERENCES and isinstance(value, str) and references.find(tx, kind, value) is None:
            yield rules.fault(question.name, "unknown_reference", f"There is no {kind.value} “{value}”.")


def promise(tx: Tx, of: Item, begins: datetime | None = None) -> Promise | None:
    """By when what is begun now, or at another instant, is delivered, if the item says so."""
    if of.deliver is None:
        return None
    calendar = clockwork.calendar(tx, of.calendar if of.calendar in tx.desk.calendars else None)
    return Promise(str(of.deliver), calendar.add_duration(begins or tx.now, of.deliver), calendar.name)


def draft(tx: Tx, key: str) -> Any:
    """What the actor has begun to fill: answers, updated_at. Raises `not_found`."""
    row = tx.session.first(_DRAFT, user=tx.actor.id, item=key)
    if row is None:
        raise not_found("draft", key)
    return row


def order(tx: Tx, number: str) -> tuple[Record, Order]:
    """What a ticket that the actor sees was ordered with. Raises `not_found`."""
    record = queries.ticket(tx, number)
    found = order_of(tx, record)
    if found is None:
        raise not_found("order", number)
    return record, found


def parts_of(tx: Tx, record: Record, found: Order) -> list[Any]:
    """The items of a bundle that were ordered with it, in the order of the bundle: key, item, title, digest, if_refused."""
    if not found.version.item.parts:
        return []
    rows = {row.key: row for row in tx.session.all(_PARTS, ticket=record.id)}
    return [rows[key] for key in found.version.item.parts if key in rows]


def _requester(tx: Tx, row: Any) -> Requester:
    told = {name: value for name, value in row._asdict().items() if name != "active"}
    return Requester(**{**told, "roles": tx.desk.roles.held(frozenset(row.roles))})


def order_of(tx: Tx, record: Record) -> Order | None:
    """What a ticket was ordered with; None for one that was not ordered from the catalogue."""
    row = tx.session.first(_ORDER, ticket=record.id)
    if row is None:
        return None
    return Order(
        shelf.version(tx, row.version_id, row.digest),
        row.answers,
        row.price,
        row.requested_for,
        row.ordered_by,
        row.ordered_at,
        row.promised_at,
        row.ordered_by_id,
    )
