"""Assessing a change's risk: the rules are asked about the ticket, the past is counted, and what comes out is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from itsm.changes import queries, risk
from itsm.changes.models import ChangeOutcome, ChangeRisk
from itsm.changes.risk import Guide, Level, Past, Reason, Rule
from itsm.changes.rules import CAUSED_BY, FAILURES, MODEL, RISK
from itsm.people.access import Permission, require
from itsm.platform.database import Prepared
from itsm.platform.errors import invalid
from itsm.platform.schema import Instant, table
from itsm.tickets import commands, records, saving
from itsm.tickets.desk import Tx
from itsm.tickets.models import Link
from itsm.tickets.records import Record
from itsm.workflow import expression
from itsm.workflow.case import SYSTEM_PERSON
from itsm.workflow.scope import Scope
from itsm.workflow.situation import Situation

ASSESSED: Final = "risk_assessed"
"""The event that tells of an assessment."""

_CAUSED = sa.select(Link.id).where(Link.target_id == ChangeOutcome.ticket_id, Link.kind == CAUSED_BY).exists()
_FAILED = sa.or_(*(ChangeOutcome.outcome == word for word in FAILURES), _CAUSED)
_MODEL: sa.BindParameter[Any] = sa.bindparam("model", type_=sa.Text)
_SERVICE: sa.BindParameter[Any] = sa.bindparam("service", type_=sa.BigInteger)
_PAST = Prepared(
    sa.select(
        sa.func.count().label("ended"), sa.func.coalesce(sa.func.sum(sa.case((_FAILED, 1), else_=0)), 0).label("failed")
    ).where(
        ChangeOutcome.ended_at >= sa.bindparam("since", type_=Instant),
        ChangeOutcome.ticket_id != sa.bindparam("ticket", type_=sa.BigInteger),
        sa.or_(ChangeOutcome.model == _MODEL, ChangeOutcome.service_id == _SERVICE),
    )
)
_KEPT = table(ChangeRisk)
_KEEP = Prepared(
    sa.insert(_KEPT).values(
        {name: sa.bindparam(name) for name in ("ticket_id", "level", "score", "answers", "reasons", "actor", "at")}
    )
)
_LATEST = Prepared(
    sa.select(ChangeRisk.level, ChangeRisk.score, ChangeRisk.answers, ChangeRisk.reasons, ChangeRisk.actor, ChangeRisk.at)
    .where(ChangeRisk.ticket_id == sa.bindparam("ticket"))
    .order_by(ChangeRisk.id.desc())
    .limit(1)
)


@dataclass(frozen=True, slots=True)
class Kept:
    """An assessment as it is kept: by whom, when."""

    level: Level
    score: int
    answers: Mapping[str, str]
    reasons: tuple[Reason, ...]
    by: str
    at: datetime


def assess(tx: Tx, number: str, answers: Mapping[str, str]) -> Kept:
    """Assess a change, keep what comes out with its reasons, and write the level into its field `risk`.

    Raises `DeskError`: `forbidden`, `invalid_input` for answers that are missing or none, and what the workflow has against
    writing the field: what was authorised is not assessed again.
    """
    require(tx.actor, Permission.WORK)
    guide = tx.desk.part(Guide)
    if wrong := risk.faults(guide, answers):
        raise invalid(*wrong, detail=" ".join(fault.message for fault in wrong))
    record = queries.change(tx, number)
    found = risk.assess(guide, _held(tx, record, guide), answers, _past(tx, record, guide))
    record = commands.edit(tx, number, {RISK: found.level.value}, None)
    reasons = [{"judge": each.judge, "level": each.level.value, "why": each.why} for each in found.reasons]
    records.append(tx, record, ASSESSED, {"level": found.level.value, "score": found.score, "reasons": reasons})
    saving.save(tx, record)
    kept = Kept(found.level, found.score, dict(answers), found.reasons, tx.actor.login, tx.now)
    tx.session.run(
        _KEEP,
        ticket_id=record.id,
        level=found.level.value,
        score=found.score,
        answers=dict(answers),
        reasons=reasons,
        actor=tx.actor.login,
        at=tx.now,
    )
    return kept


def latest(tx: Tx, number: str) -> Kept | None:
    """The newest assessment of a change that the actor sees; None while there is none. Raises `not_found`."""
    row = tx.session.first(_LATEST, ticket=queries.change(tx, number).id)
    if row is None:
        return None
    reasons = tuple(Reason(each["judge"], Level(each["level"]), each["why"]) for each in row.reasons)
    return Kept(Level(row.level), row.score, row.answers, reasons, row.actor, row.at)


def _held(tx: Tx, record: Record, guide: Guide) -> Rule | None:
    """The first rule that holds for the ticket now. One that has no answer, or does not fit the workflow, does not hold."""
    workflow = record.process.workflow
    scope = Scope.of(workflow, tx.desk.vocabulary)
    moment = Situation(workflow, record.case(), SYSTEM_PERSON, record.values, tx.now)
    for rule in guide.rules:
        compiled = expression.compile(rule.condition, scope)
        if not isinstance(compiled, tuple) and compiled.evaluate(moment) is True:
            return rule
    return None


def _past(tx: Tx, record: Record, guide: Guide) -> Past:
    row = tx.session.one(
        _PAST,
        since=tx.now - guide.history.reach,
        ticket=record.id,
        model=record.values.get(MODEL),
        service=record.ids.get("service"),
    )
    return Past(int(row.ended), int(row.failed))
