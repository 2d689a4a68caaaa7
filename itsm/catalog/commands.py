"""What somebody does with the catalogue: order, keep a draft, upload a file for a form. Each is one transaction.

An order becomes a ticket of the workflow that its item makes, one for each person it is for; what it was filled with is kept
beside the ticket and never changes. `handlers.py` keeps it, in the very moment in which the ticket is opened.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from itsm.catalog import bundles, queries, rules, schema
from itsm.catalog.bundles import Pinned
from itsm.catalog.definition import NO_APPROVAL, Item, QuestionType
from itsm.catalog.entitlement import Requester
from itsm.catalog.models import CatalogDraft, CatalogFile
from itsm.catalog.queries import Promise
from itsm.catalog.rules import Filled
from itsm.catalog.shelf import Version
from itsm.people.access import Permission, require
from itsm.platform.database import Prepared
from itsm.platform.errors import FieldError, invalid
from itsm.platform.schema import table
from itsm.tickets import attachments, opening
from itsm.tickets.attachments import Kept
from itsm.tickets.desk import Tx
from itsm.tickets.opening import NewTicket
from itsm.tickets.records import Record
from itsm.workflow.builtin import LONGEST
from itsm.workflow.case import Value

MOST_PEOPLE = 50
"""For how many people one order may be at most."""

LARGEST_DRAFT = 256 * 1024

_DRAFTS, _FILES = table(CatalogDraft), table(CatalogFile)
_SAVE = Prepared(
    (_inserted := postgresql.insert(_DRAFTS))
    .values({name: sa.bindparam(name) for name in ("user_id", "item", "answers", "updated_at")})
    .on_conflict_do_update(
        index_elements=["user_id", "item"],
        set_={"answers": _inserted.excluded.answers, "updated_at": _inserted.excluded.updated_at},
    )
)
_DISCARD = Prepared(sa.delete(_DRAFTS).where(_DRAFTS.c.user_id == sa.bindparam("user"), _DRAFTS.c.item == sa.bindparam("of")))
_UPLOADED = Prepared(
    sa.insert(_FILES)
    .values(
        {name: sa.bindparam(name) for name in ("owner_id", "item", "digest", "size", "media_type", "filename", "at")}
        | {"ticket_id": None}
    )
    .returning(_FILES.c.id)
)
_MINE = Prepared(
    sa.select(CatalogFile.filename, CatalogFile.digest, CatalogFile.size, CatalogFile.media_type).where(
        CatalogFile.id == sa.bindparam("file"),
        CatalogFile.owner_id == sa.bindparam("owner"),
        CatalogFile.item == sa.bindparam("item"),
        CatalogFile.ticket_id.is_(None),
    )
)


@dataclass(frozen=True, slots=True)
class Placing:
    """An order on its way into a ticket that is being opened. `files` are the numbers of uploads that go with it.

    `parts` are the items of a bundle. `ordered_by` is who ordered the bundle that this is an item of; else the actor does.
    `approval` is asked for instead of the item's own policy.
    """

    version: Version
    filled: Filled
    person: Requester
    price: Mapping[str, Any]
    files: Mapping[int, Kept]
    promise: Promise | None = None
    parts: Mapping[str, Pinned] = field(default_factory=dict)
    ordered_by: tuple[int | None, str] | None = None
    recurrence: int | None = None
    approval: str | None = None

    @property
    def answers(self) -> dict[str, Any]:
        """The answers as they are kept."""
        return {name: schema.shown(value) for name, value in self.filled.answers.items()}

    @property
    def digest(self) -> str:
        """The digest of the answers, for the log."""
        return hashlib.sha256(orjson.dumps(self.answers, option=orjson.OPT_SORT_KEYS)).hexdigest()


def submit(tx: Tx, key: str, answers: Mapping[str, object], requested_for: Sequence[str]) -> list[Record]:
    """Order an item, for oneself or for others; the tickets, one for each person.

    Raises `DeskError`: `not_found` for an item that is not offered to everyone it is for, `forbidden` for acting for others
    without the right, `invalid_input` naming every faulty answer at once.
    """
    found = order(tx, key, answers, requested_for)
    tx.session.run(_DISCARD, user=tx.actor.id, of=key)
    return found


def order(
    tx: Tx, key: str, answers: Mapping[str, object], requested_for: Sequence[str], *, recurrence: int | None = None
) -> list[Record]:
    """The same, and the actor's draft stays. `recurrence` is the number of that by which an order comes again."""
    found = []
    for placing in judge(tx, key, answers, requested_for):
        tx.cache[Placing] = replace(placing, recurrence=recurrence)
        found.append(opening.create(tx, as_ticket(tx, placing)))
    return found


def judge(tx: Tx, key: str, answers: Mapping[str, object], requested_for: Sequence[str]) -> list[Placing]:
    """What an order would be, for each person, without making it. Raises like `submit`."""
    require(tx.actor, Permission.CREATE)
    return [_placing(tx, key, answers, person) for person in _people(tx, key, requested_for)]


def save_draft(tx: Tx, key: str, answers: Mapping[str, object]) -> None:
    """Keep a form that is not finished. It need not be right yet, but may only answer what there is to answer.

    Raises `DeskError`: `not_found` for an item that is not offered to the actor, `invalid_input`.
    """
    who = queries.beneficiary(tx, None, "")
    item = queries.item(tx, key, who).item
    hidden = rules.never_asked(item, who, tx.now)
    known = {question.name for question in item.questions if not question.is_computed} - hidden
    if unknown := [name for name in answers if name not in known]:
        raise invalid(*(rules.fault(name, "unknown_answer", f"There is no question “{name}” here.") for name in unknown))
    if len(orjson.dumps(answers)) > LARGEST_DRAFT:
        raise invalid(FieldError("/answers", "too_large", "The answers are too long to be kept."))
    tx.session.run(_SAVE, user_id=tx.actor.id, item=key, answers=dict(answers), updated_at=tx.now)


def discard_draft(tx: Tx, key: str) -> None:
    """Throw the actor's draft away, if there is one."""
    tx.session.run(_DISCARD, user=tx.actor.id, of=key)


def upload(tx: Tx, key: str, filename: str, stream: BinaryIO) -> tuple[int, Kept]:
    """Keep a file for a form; its number is then the answer. Raises like `attachments.keep`, and `not_found`."""
    require(tx.actor, Permission.CREATE)
    queries.item(tx, key, queries.beneficiary(tx, None, ""))
    kept = attachments.keep(tx, filename, stream)
    row = tx.session.one(
        _UPLOADED,
        owner_id=tx.actor.id,
        item=key,
        digest=kept.digest,
        size=kept.size,
        media_type=kept.media_type,
        filename=kept.filename,
        at=tx.now,
    )
    return int(row.id), kept


def copy(tx: Tx, version: Version, who: Requester, number: str) -> dict[str, Any]:
    """The answers of a former order of the same item, as far as they still are answers under today's form.

    Raises `DeskError`: `not_found` for a ticket that the actor does not see, `invalid_input` for another item's.
    """
    _, former = queries.order(tx, number)
    if former.version.item.key != version.item.key:
        message = f"{number} was ordered from another item."
        raise invalid(FieldError("/copy_of", "other_item", message), detail=message)
    asked = {question.name: question for question in version.item.questions}
    raw = {
        name: value
        for name, value in former.answers.items()
        if name in asked and not asked[name].is_computed and asked[name].type is not QuestionType.FILE
    }
    while faults := {error.pointer.removeprefix("/answers/") for error in rules.fill(version.item, who, raw, tx.now).errors}:
        if faults.isdisjoint(raw):
            break
        raw = {name: value for name, value in raw.items() if name not in faults}
    return raw


def _people(tx: Tx, key: str, requested_for: Sequence[str]) -> list[Requester]:
    """Whom an order is for; the item must be offered to each of them."""
    logins = list(dict.fromkeys(requested_for)) or [tx.actor.login]
    if len(logins) > MOST_PEOPLE:
        raise invalid(FieldError("/requested_for", "too_many", f"An order is for {MOST_PEOPLE} people at most."))
    if not tx.actor.may(Permission.CREATE_FOR_OTHERS):
        queries.item(tx, key, queries.beneficiary(tx, None, ""))  # what is not for him is not there for him
    return [queries.beneficiary(tx, login, f"/requested_for/{number}") for number, login in enumerate(logins)]


def _placing(tx: Tx, key: str, answers: Mapping[str, object], person: Requester) -> Placing:
    version = queries.item(tx, key, person)
    filled = rules.fill(version.item, person, answers, tx.now)
    within, faults = bundles.wanted(tx, version.item, person, filled.variables) if version.item.parts else ([], [])
    charged = bundles.charge(version.item, filled.variables, within)
    files: dict[int, Kept] = {}
    errors = [*filled.errors, *_missing(tx, version.item, filled, files), *queries.unknown_references(tx, version.item, filled)]
    errors += [] if errors else faults  # they follow from answers, which must be right first
    if not errors and rules.is_open(version.item, charged):
        errors.append(FieldError("/answers", "price_unknown", "With these answers there is no price."))
    if errors:
        raise invalid(*errors, detail=" ".join(error.message for error in errors))
    promise = bundles.promise(tx, version.item, within)
    return Placing(version, filled, person, bundles.priced(charged), files, promise, bundles.pinned(within))


def _missing(tx: Tx, item: Item, filled: Filled, files: dict[int, Kept]) -> Iterable[FieldError]:
    """Answers that name files that are not there; those that are go into `files`."""
    for question in item.questions:
        value = filled.answers.get(question.name)
        if question.type is QuestionType.FILE and isinstance(value, int):
            row = tx.session.first(_MINE, file=value, owner=tx.actor.id, item=item.key)
            if row is None:
                yield rules.fault(question.name, "unknown_reference", f"You have uploaded no file {value} for this item.")
            else:
                files[value] = Kept(row.filename, row.digest, row.size, row.media_type)


def as_ticket(tx: Tx, placing: Placing) -> NewTicket:
    """The ticket that an order becomes. Its fields are the item's to say, and need no right of whoever orders."""
    item, variables = placing.version.item, placing.filled.variables
    laid: dict[str, Value] = {"service": item.service.key}
    if (group := rules.said(item.group, variables)) is not None:
        laid["group"] = group
    if item.makes == "request":
        laid |= _of_request(item, placing)
    laid |= {name: said for name, value in item.fields.items() if (said := rules.said(value, variables)) is not None}
    title = rules.said(item.ticket_title, variables) or item.title
    other = placing.person.login if placing.person.login != tx.actor.login else None
    return NewTicket(item.makes, str(title)[: LONGEST["title"]], described(item, placing.filled), requester=other, laid=laid)


def _of_request(item: Item, placing: Placing) -> dict[str, Value]:
    """What the workflow of requests wants to know of an item: who approves it, and what it costs."""
    found: dict[str, Value] = {}
    policy = placing.approval or item.approval
    if policy is not None:
        found["approval_required"] = policy != NO_APPROVAL
        if policy != NO_APPROVAL:
            found["approval_policy"] = policy
    cost = rules.first_year(placing.price)
    if cost is not None:
        found["cost"] = {"amount": str(cost), "currency": item.price.currency}
    return found


def described(item: Item, filled: Filled) -> str:
    """The answers in words, for those who work on the ticket: a line for each question, in the order of the form."""
    lines = []
    for question in item.questions:
        value = filled.answers.get(question.name)
        if value is not None and question.type is not QuestionType.FILE:
            lines.append(f"- {question.title}: {_in_words(value, {each.value: each.title for each in question.choices})}")
    text = "\n".join(lines)
    return text if len(text) <= LONGEST["description"] else text[: LONGEST["description"] - 1] + "…"


def _in_words(value: Value, titles: Mapping[str, str]) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return f"{value['amount']} {value['currency']}"
    if isinstance(value, list):
        return ", ".join(titles.get(each, each) for each in value)
    text = str(schema.shown(value))
    return titles.get(text, text).replace("\n", "\n  ")
