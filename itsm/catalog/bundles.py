"""Items that consist of other items: what an order of a bundle would order in turn, judged, priced and pinned beforehand.

Every item of a bundle is a real order under its own form. All of them are judged when the bundle is ordered, and their versions
are pinned then, so nothing that comes later is refused for its answers. Each is ordered when its turn comes (`handlers.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from itsm.catalog import answers as types
from itsm.catalog import queries, rules, schema, shelf
from itsm.catalog.definition import Item, Part, Question, QuestionType
from itsm.catalog.entitlement import Requester, entitled
from itsm.catalog.graph import ordered
from itsm.catalog.queries import Promise
from itsm.catalog.rules import Charge, Filled
from itsm.catalog.shelf import Version
from itsm.platform.errors import FieldError
from itsm.tickets.desk import Tx
from itsm.workflow.case import Value
from itsm.workflow.values import Fault, from_expression


@dataclass(frozen=True, slots=True)
class Wanted:
    """An item of a bundle as it is ordered with it. `within` are its own items, where it is a bundle too."""

    part: Part
    version: Version
    filled: Filled
    charged: Charge
    within: tuple[Wanted, ...] = ()


@dataclass(frozen=True, slots=True)
class Pinned:
    """What is kept of it until its turn comes: version, answers and price, as they are written down."""

    version_id: int
    digest: str
    if_refused: str
    answers: Mapping[str, Any]
    price: Mapping[str, Any]
    parts: Mapping[str, Pinned] = field(default_factory=dict)

    def written(self) -> dict[str, Any]:
        """As JSON."""
        inner = {key: {**each.written(), "version_id": each.version_id} for key, each in self.parts.items()}
        told = {"digest": self.digest, "if_refused": self.if_refused, "answers": self.answers, "price": self.price}
        return {**told, "parts": inner}

    @classmethod
    def read(cls, version_id: int, told: Mapping[str, Any]) -> Pinned:
        """What `written` wrote."""
        inner = {key: cls.read(each["version_id"], each) for key, each in told["parts"].items()}
        return cls(version_id, told["digest"], told["if_refused"], told["answers"], told["price"], inner)


def wanted(
    tx: Tx, bundle: Item, person: Requester, variables: Mapping[str, object], pointer: str = ""
) -> tuple[list[Wanted], list[FieldError]]:
    """The items that an order of a bundle with these answers orders, and every fault: who may not have which, and why not.

    Faults are told at `/items/KEY`, and those of an answer at `/items/KEY/answers/NAME`. It costs a statement, however many
    items there are.
    """
    offered = shelf.everything(tx)
    found, faults = [], []
    for part in bundle.parts.values():
        if part.condition is not None and part.condition.evaluate(variables) is not True:
            continue
        here = f"{pointer}/items/{part.key}"
        version = offered.get(part.item)
        if version is None or not entitled(version.item, person, tx.now):
            faults.append(FieldError(here, "not_offered", f"“{part.item}” is not offered to {person.login}."))
            continue
        one, wrong = _one(tx, part, version, person, variables, here)
        found.append(one)
        faults += wrong
    return found, faults


def _one(
    tx: Tx, part: Part, version: Version, person: Requester, variables: Mapping[str, object], here: str
) -> tuple[Wanted, list[FieldError]]:
    item = version.item
    filled = rules.fill(item, person, answers(part, item, person, variables, tx.now), tx.now)
    errors = [*filled.errors, *queries.unknown_references(tx, item, filled)]
    faults = [replace(error, pointer=here + error.pointer) for error in errors]
    within, deeper = wanted(tx, item, person, filled.variables, here) if item.parts else ([], [])
    charged = charge(item, filled.variables, within)
    if not faults and rules.is_open(item, charged):
        faults.append(FieldError(here, "price_unknown", "With these answers there is no price."))
    return Wanted(part, version, filled, charged, tuple(within)), [*faults, *deeper]


def answers(part: Part, inner: Item, person: Requester, variables: Mapping[str, object], now: datetime) -> Mapping[str, object]:
    """What a bundle answers to the form of one of its items, as somebody would send it.

    What it does not say gets what the form proposes; what the form does not ask in the end is not said.
    """
    questions = inner.by_name
    said = {name: rules.said(value, variables) for name, value in part.answers.items()}
    sent = {
        name: _sendable(questions[name], value, now) if name in questions else value
        for name, value in said.items()
        if value is not None
    }
    asked, _ = rules.offer(inner, person, sent, now)
    proposed = {
        each.question.name: schema.shown(each.value)
        for each in asked
        if not each.question.is_computed and each.value is not None
    }
    shown = {each.question.name for each in asked}
    hidden = {name for name in sent if name in questions and name not in shown}
    return {**proposed, **{name: value for name, value in sent.items() if name not in hidden}}


def _sendable(question: Question, value: object, now: datetime) -> object:
    """What an expression yields, in the form in which an answer to the question is sent; what fits nowhere stays as it is."""
    if question.type is QuestionType.MONEY and isinstance(value, int | float) and not isinstance(value, bool):
        value = {"amount": f"{Decimal(str(value)):.2f}", "currency": question.currency}
    if isinstance(value, datetime) and question.type is not QuestionType.DATE:
        return schema.shown(value)
    raw = from_expression(question.field, value)
    taken = types.accept(question, raw, now)
    kept: Value = None if isinstance(taken, Fault) else taken
    return raw if kept is None else schema.shown(kept)


def charge(item: Item, variables: Mapping[str, object], within: Iterable[Wanted]) -> Charge:
    """What an order costs: what the item says, or for a bundle that says nothing the sum of its items' prices."""
    if not item.sums_up:
        return rules.charge(item, variables)
    charges = [each.charged for each in within]
    return Charge(item.price.currency, _sum(each.once for each in charges), _sum(each.monthly for each in charges))


def _sum(amounts: Iterable[Decimal | None]) -> Decimal | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known, Decimal()) if known else None


def promise(tx: Tx, item: Item, within: Iterable[Wanted]) -> Promise | None:
    """By when an order made now is delivered: as the item says, or for a bundle that says nothing, by its longest way.

    Each item begins when what it comes after is delivered. Tasks, and items that promise nothing, take no time in this sum.
    """
    return queries.promise(tx, item) if item.deliver is not None or not item.parts else _longest(tx, item, within, tx.now)


def _longest(tx: Tx, item: Item, within: Iterable[Wanted], begins: datetime) -> Promise | None:
    by_key = {each.part.key: each for each in within}
    order, _ = ordered({key: frozenset(after) for key, after in item.after.items()})
    known: dict[str, Promise | None] = {}
    for key in order:
        before = _latest(known[other] for other in item.after[key])
        own = _promised(tx, by_key[key], before.due if before else begins) if key in by_key else None
        known[key] = before if own is None else _joined(before, own)
    return _latest(known.values())


def _promised(tx: Tx, one: Wanted, begins: datetime) -> Promise | None:
    inner = one.version.item
    if inner.deliver is None:
        return _longest(tx, inner, one.within, begins) if inner.parts else None
    return queries.promise(tx, inner, begins)


def _latest(promises: Iterable[Promise | None]) -> Promise | None:
    return max((each for each in promises if each is not None), key=lambda each: each.due, default=None)


def _joined(before: Promise | None, own: Promise) -> Promise:
    return own if before is None else replace(own, words=f"{before.words}, then {own.words}")


def promise_of_pinned(tx: Tx, item: Item, told: Pinned) -> Promise | None:
    """By when an item of a bundle is delivered whose turn has come now."""
    return promise(tx, item, _unpinned(tx, item, told))


def _unpinned(tx: Tx, item: Item, told: Pinned) -> tuple[Wanted, ...]:
    found = []
    for key, each in told.parts.items():
        version = shelf.version(tx, each.version_id, each.digest)
        nothing = Filled({}, {}, ())
        within = _unpinned(tx, version.item, each)
        found.append(Wanted(item.parts[key], version, nothing, Charge("EUR", None, None), within))
    return tuple(found)


def pinned(within: Iterable[Wanted]) -> Mapping[str, Pinned]:
    """These items as they are kept, by their keys."""
    return {each.part.key: _pin(each) for each in within}


def _pin(one: Wanted) -> Pinned:
    kept = {name: schema.shown(value) for name, value in one.filled.answers.items()}
    return Pinned(one.version.id, one.version.digest, one.part.if_refused.value, kept, priced(one.charged), pinned(one.within))


def priced(charged: Charge) -> dict[str, Any]:
    """What something costs, as it is kept and shown."""
    return {
        "currency": charged.currency,
        "once": None if charged.once is None else str(charged.once),
        "monthly": None if charged.monthly is None else str(charged.monthly),
    }
