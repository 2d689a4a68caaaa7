"""The service catalogue: what the caller may order, the form of it, and ordering it.

What is not offered to somebody is not there for him, on any of these routes: he gets the answer to a key that does not exist.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import request

from itsm.api import paging
from itsm.api.auth import SIGNED_IN, may
from itsm.api.catalog_shapes import (
    Begun,
    CatalogBegunForm,
    CatalogDraftForm,
    CatalogDraftShape,
    CatalogFileForm,
    CatalogFileShape,
    CatalogForm,
    CatalogFormShape,
    CatalogItemForm,
    CatalogItemShape,
    CatalogOffersPageShape,
    CatalogOrderForm,
    CatalogOrderShape,
    CatalogPlacedPageShape,
    CatalogQuery,
    ItemQuery,
    NewFile,
    NewOrder,
)
from itsm.api.representation import address
from itsm.api.routing import PREFIX, Answer, Resource
from itsm.catalog import bundles, commands, queries, rules, schema
from itsm.catalog.bundles import Wanted
from itsm.catalog.definition import Item
from itsm.catalog.entitlement import Requester
from itsm.catalog.queries import Listed, Order, Promise
from itsm.catalog.shelf import Version
from itsm.people.access import Permission
from itsm.tickets.desk import Tx
from itsm.tickets.records import Record

catalog = Resource("Catalogue", "What can be ordered, and ordering it.")


@catalog.get("/catalog", policy=SIGNED_IN, query=CatalogForm(), answers={200: CatalogOffersPageShape()})
def find(tx: Tx, query: CatalogQuery) -> Answer:
    """List and search what may be ordered.

    Without words in the order of the catalogue, with words the best first. Synonyms count.
    """
    who = queries.beneficiary(tx, query.beneficiary, "/for")
    found = [item for item in queries.offered(tx, who, query.q) if _wanted(item, query)]
    asked = [query.q, query.category, query.service, who.login]
    after = paging.unseal(tx, asked, query.cursor)[0] if query.cursor is not None else None
    keys = [item.key for item in found]
    start = keys.index(after) + 1 if after in keys else 0
    page = found[start : start + query.limit]
    more = paging.seal(tx, asked, (page[-1].key,)) if start + query.limit < len(found) else None
    items = [_offer(each) for each in queries.listed(tx, page, who)]
    return Answer({"items": items, "next": more}, headers=paging.next_link(request, more))


@catalog.get("/catalog/{item}", policy=SIGNED_IN, query=CatalogItemForm(), answers={200: CatalogItemShape()})
def read(tx: Tx, item: str, query: ItemQuery) -> Answer:
    """Read an item with its form.

    `schema` says what `answers` may be; `form` what is asked at first, with what is proposed. With `copy_of` the form begins
    with the answers of a former request, as far as they still are answers.
    """
    who = queries.beneficiary(tx, query.beneficiary, "/for")
    version = queries.item(tx, item, who)
    given = {} if query.copy_of is None else commands.copy(tx, version, who, query.copy_of)
    (listed,) = queries.listed(tx, [version.item], who)
    shown = {**_offer(listed), **_form(tx, version, who, given), "schema": schema.json_schema(version.item, who, tx.now)}
    del shown["item"]
    return Answer(shown)


@catalog.post(
    "/catalog/{item}/form",
    policy=SIGNED_IN,
    changes=False,
    body=CatalogBegunForm(),
    answers={200: CatalogFormShape()},
)
def preview(tx: Tx, item: str, body: Begun) -> Answer:
    """See how the form goes on with some answers.

    Which questions are asked then, with which choices, what the desk works out, what it costs and when it comes. Nothing is
    kept. Answers that cannot be are passed over; ordering tells of them.
    """
    who = queries.beneficiary(tx, body.requested_for, "/requested_for")
    return Answer(_form(tx, queries.item(tx, item, who), who, body.answers))


@catalog.post(
    "/catalog/{item}/requests", policy=may(Permission.CREATE), body=CatalogOrderForm(), answers={201: CatalogPlacedPageShape()}
)
def order(tx: Tx, item: str, body: NewOrder) -> Answer:
    """Order an item.

    It becomes a ticket for each person it is for, with the answers kept beside it under this version of the form. A refusal
    names every faulty answer at once, and then nothing is ordered for anybody.
    """
    placed = commands.submit(tx, item, body.answers, body.requested_for)
    return Answer({"items": [_placed(record) for record in placed]}, 201, {"Location": address(placed[0].number)})


@catalog.post(
    "/catalog/{item}/files",
    policy=may(Permission.CREATE),
    body=CatalogFileForm(),
    answers={201: CatalogFileShape()},
    upload=True,
)
def attach(tx: Tx, item: str, body: NewFile) -> Answer:
    """Upload a file for a form, as `multipart/form-data`.

    Its number is then the answer, and the order takes it to the ticket.
    """
    body.file.stream.seek(0)
    number, kept = commands.upload(tx, item, body.file.filename, body.file.stream)
    return Answer({"id": number, "filename": kept.filename, "size": kept.size, "sha256": kept.digest}, 201)


@catalog.get("/catalog/{item}/draft", policy=SIGNED_IN, answers={200: CatalogDraftShape()})
def read_draft(tx: Tx, item: str) -> Answer:
    """Read the caller's draft of a form."""
    queries.item(tx, item, queries.beneficiary(tx, None, ""))
    return Answer(_draft(tx, item))


@catalog.put("/catalog/{item}/draft", policy=SIGNED_IN, body=CatalogDraftForm(), answers={200: CatalogDraftShape()})
def save_draft(tx: Tx, item: str, body: Begun) -> Answer:
    """Keep a form that is not finished, in place of an earlier draft of it. Ordering the item throws it away."""
    commands.save_draft(tx, item, body.answers)
    return Answer(_draft(tx, item))


@catalog.delete("/catalog/{item}/draft", policy=SIGNED_IN, answers={204: None})
def discard_draft(tx: Tx, item: str) -> Answer:
    """Throw the caller's draft of a form away, if there is one."""
    queries.item(tx, item, queries.beneficiary(tx, None, ""))
    commands.discard_draft(tx, item)
    return Answer(None, 204)


@catalog.get("/tickets/{number}/order", policy=SIGNED_IN, answers={200: CatalogOrderShape()})
def ordered(tx: Tx, number: str) -> Answer:
    """Read what a ticket was ordered with, as it was filled, under the version of the form of that day."""
    record, found = queries.order(tx, number)
    return Answer({**_order(record, found), "items": [_part(row) for row in queries.parts_of(tx, record, found)]})


def _wanted(item: Item, query: CatalogQuery) -> bool:
    return query.category in (None, item.category) and query.service in (None, item.service.key)


def _offer(listed: Listed) -> dict[str, Any]:
    item = listed.item
    here = f"{PREFIX}/catalog/{item.key}"
    return {
        "key": item.key,
        "title": item.title,
        "description": item.description,
        "category": item.category,
        "icon": item.icon,
        "keywords": list(item.keywords),
        "service": item.service.key,
        "service_title": item.service.title,
        "makes": item.makes,
        "price": _price(item, listed.charged),
        "promise": _promise(listed.promise),
        "links": {"self": here, "requests": f"{here}/requests"},
    }


def _price(item: Item, charged: rules.Charge) -> dict[str, Any]:
    unknown = item.sums_up and charged.once is None and charged.monthly is None
    return {**bundles.priced(charged), "depends": unknown or rules.is_open(item, charged)}


def _promise(promise: Promise | None) -> dict[str, Any] | None:
    return None if promise is None else {"words": promise.words, "due": promise.due, "calendar": promise.calendar}


def _form(tx: Tx, version: Version, who: Requester, given: Mapping[str, Any]) -> dict[str, Any]:
    item = version.item
    asked, reading = rules.offer(item, who, given, tx.now)
    within = bundles.wanted(tx, item, who, reading.variables)[0] if item.parts else []
    return {
        "item": item.key,
        "version": version.digest,
        "requested_for": who.login,
        "form": schema.form(asked),
        "items": [_wanted_part(each) for each in within],
        "price": _price(item, bundles.charge(item, reading.variables, within)),
        "promise": _promise(bundles.promise(tx, item, within)),
    }


def _wanted_part(wanted: Wanted) -> dict[str, Any]:
    item = wanted.version.item
    return {"key": wanted.part.key, "item": item.key, "title": item.title, "price": _price(item, wanted.charged)}


def _part(row: Any) -> dict[str, Any]:
    told = {name: getattr(row, name) for name in ("key", "item", "title", "if_refused")}
    return {**told, "version": row.digest}


def _placed(record: Record) -> dict[str, Any]:
    here = address(record.number)
    return {
        "number": record.number,
        "type": record.type,
        "title": record.values["title"],
        "state": record.state,
        "requested_for": record.values["requester"],
        "links": {"ticket": here, "order": f"{here}/order"},
    }


def _draft(tx: Tx, item: str) -> dict[str, Any]:
    found = queries.draft(tx, item)
    return {"item": item, "answers": found.answers, "updated_at": found.updated_at}


def _order(record: Record, order: Order) -> dict[str, Any]:
    item = order.version.item
    answered = [
        {"name": question.name, "title": question.title, "type": question.type.value, "answer": order.answers[question.name]}
        for question in item.questions
        if question.name in order.answers
    ]
    return {
        "ticket": record.number,
        "item": item.key,
        "title": item.title,
        "version": order.version.digest,
        "requested_for": order.requested_for,
        "ordered_by": order.ordered_by,
        "ordered_at": order.ordered_at,
        "promised_at": order.promised_at,
        "price": dict(order.price),
        "answers": answered,
    }
