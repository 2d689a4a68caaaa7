"""Standard changes: templates, the change authority's approval of each version, and changes made from them.

A standard change is authorised in advance (ITIL 4), and what was authorised is a template as it read then. So an approval
belongs to a version: when the file is changed, the new one is to be approved before anybody can use it. And a change that says
otherwise than its model is none of that model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from itsm.changes import figures, rules
from itsm.changes.figures import By, Figure
from itsm.changes.models import ModelApproval
from itsm.changes.rules import AUTHORISED, CHANGE, DRAFT, MODEL, TYPE, Book, Model, Period
from itsm.people.access import Permission, require
from itsm.platform.database import Prepared
from itsm.platform.errors import DeskError, Kind, not_found
from itsm.platform.schema import table
from itsm.tickets import opening, records, saving
from itsm.tickets.desk import Intent, Tx
from itsm.tickets.opening import NewTicket
from itsm.tickets.records import Record
from itsm.workflow.case import Reason, Value, Why

FROM_MODEL: Final = "made_from_model"
"""The event that tells from which version of which model a change was made."""

STANDARD: Final = "standard"
_YEAR: Final = timedelta(days=365)

_APPROVALS = table(ModelApproval)
_STANDING = Prepared(
    sa.select(
        ModelApproval.name, ModelApproval.version, ModelApproval.approved_by, ModelApproval.approved_at, ModelApproval.note
    )
    .where(ModelApproval.revoked_at.is_(None))
    .order_by(ModelApproval.id)
)
_APPROVE = Prepared(
    sa.insert(_APPROVALS).values(
        {name: sa.bindparam(name) for name in ("name", "version", "content", "note", "approved_by", "approved_at")}
    )
)
_REVOKE = Prepared(
    sa.update(_APPROVALS)
    .where(_APPROVALS.c.name == sa.bindparam("model"), _APPROVALS.c.revoked_at.is_(None))
    .values(revoked_by=sa.bindparam("actor"), revoked_at=sa.bindparam("now"))
)


@dataclass(frozen=True, slots=True)
class Approved:
    """Who approved a version of a model, when, and what he said."""

    by: str
    at: datetime
    note: str


@dataclass(frozen=True, slots=True)
class Offered:
    """A model as it reads now: its approval, None if this version has none; how changes by it have ended within a year."""

    model: Model
    approved: Approved | None
    figure: Figure | None


def offered(tx: Tx) -> list[Offered]:
    """Every model, by name."""
    approved = _approved(tx)
    counted = {each.key: each for each in figures.figures(tx, Period(tx.now - _YEAR, tx.now), By.MODEL)}
    models = sorted(tx.desk.part(Book).models.values(), key=lambda model: model.name)
    return [Offered(model, approved.get((model.name, model.version)), counted.get(model.name)) for model in models]


def _approved(tx: Tx) -> dict[tuple[str, str], Approved]:
    rows = tx.session.all(_STANDING)
    return {(row.name, row.version): Approved(row.approved_by, row.approved_at, row.note) for row in rows}


def find(tx: Tx, name: str) -> Model:
    """The model of this name as it reads now. Raises `not_found`."""
    model = tx.desk.part(Book).models.get(name)
    if model is None:
        raise not_found("standard model", name)
    return model


def approve(tx: Tx, name: str, version: str, note: str) -> None:
    """Approve a version of a model, once for all changes by it.

    Raises `DeskError`: `forbidden`, `not_found`, `stale` for a version that the model does not have any more,
    `already_approved`.
    """
    require(tx.actor, Permission.APPROVE_MODELS)
    model = find(tx, name)
    if version != model.version:
        raise DeskError(Kind.STALE, "stale", f"The model {name} reads otherwise by now: its version is {model.version}.")
    if (name, version) in _approved(tx):
        raise DeskError(Kind.CONFLICT, "already_approved", f"This version of {name} is approved already.")
    content = {"title": model.title, "description": model.description, "fields": dict(model.fields)}
    tx.session.run(
        _APPROVE, name=name, version=version, content=content, note=note, approved_by=tx.actor.login, approved_at=tx.now
    )


def revoke(tx: Tx, name: str) -> None:
    """Take back every approval of a model: no change by it is submitted from now on. Raises `forbidden`, `not_found`."""
    require(tx.actor, Permission.APPROVE_MODELS)
    if tx.session.run(_REVOKE, model=name, actor=tx.actor.login, now=tx.now) == 0:
        raise not_found("approved standard model", name)


def create(tx: Tx, name: str, title: str | None, service: str | None, item: str | None) -> Record:
    """Open a change by a model, whose fields it fills. Raises `not_found`, `not_approved`, and whatever creating raises."""
    require(tx.actor, Permission.WORK)
    model = find(tx, name)
    if (name, model.version) not in _approved(tx):
        raise DeskError(Kind.CONFLICT, "not_approved", f"This version of the model {name} is not approved, or no longer.")
    laid: Mapping[str, Value] = {**model.fields, TYPE: STANDARD, MODEL: name}
    new = NewTicket(CHANGE, title or model.title, model.description, service=service, ci=item, laid=laid)
    record = opening.create(tx, new)
    records.append(tx, record, FROM_MODEL, {"model": name, "version": model.version})
    saving.save(tx, record)
    return record


def guard(tx: Tx, record: Record, intent: Intent) -> tuple[Reason, ...]:
    """A model must be one that there is; and none is submitted as a standard change without an approved one."""
    if record.type != CHANGE or intent.target is None:
        return ()
    models, name = tx.desk.part(Book).models, intent.values.get(MODEL)
    if MODEL in intent.changed and name is not None and name not in models:
        return (Reason(Why.INVALID_VALUE, f"There is no standard model “{name}”.", MODEL),)
    leaves = intent.target == AUTHORISED and record.state == DRAFT
    if not leaves or rules.type_of(intent.values) != STANDARD or not isinstance(name, str):
        return ()
    model = models.get(name)
    if model is None or (name, model.version) not in _approved(tx):
        return (Reason(Why.CONDITION, f"The standard model “{name}” is not approved as it reads now.", MODEL),)
    other = [field for field, value in model.fields.items() if intent.values.get(field) != value]
    message = f"This is no change by the model “{name}”, which says otherwise."
    return tuple(Reason(Why.CONDITION, message, field) for field in other)
