"""How changes ended: how many succeeded, failed or caused incidents, by service, model or month."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from itsm.changes.models import ChangeOutcome
from itsm.changes.rules import CAUSED_BY, FAILURES, Period
from itsm.platform.database import Prepared
from itsm.platform.schema import Instant
from itsm.services.models import Service
from itsm.tickets.desk import Tx
from itsm.tickets.models import Link, Ticket
from itsm.tickets.visibility import SIGHTS, parameters, sight, visible_to


class By(StrEnum):
    """What figures are broken down by; a month is one of UTC."""

    SERVICE = "service"
    MODEL = "model"
    TYPE = "type"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Figure:
    """Changes of one service, model, type or month (None: of none): how many ended, succeeded, failed, caused incidents.

    `failures` counts a change once that failed, was backed out, or caused an incident: the numerator of the failure rate.
    """

    key: str | None
    ended: int
    successful: int
    failed: int
    causing: int
    incidents: int
    failures: int

    @property
    def rate(self) -> float:
        """The change failure rate, from 0 to 1."""
        return self.failures / self.ended


_INCIDENTS = (
    sa.select(sa.func.count())
    .select_from(Link)
    .where(Link.target_id == ChangeOutcome.ticket_id, Link.kind == CAUSED_BY)
    .correlate(ChangeOutcome)
    .scalar_subquery()
)
_ENDED = {
    kind: Prepared(
        sa.select(
            ChangeOutcome.change_type,
            ChangeOutcome.model,
            ChangeOutcome.outcome,
            ChangeOutcome.ended_at,
            Service.key.label("service"),
            _INCIDENTS.label("incidents"),
        )
        .join(Ticket, Ticket.id == ChangeOutcome.ticket_id)
        .outerjoin(Service, Service.id == ChangeOutcome.service_id)
        .where(
            ChangeOutcome.ended_at >= sa.bindparam("begin", type_=Instant),
            ChangeOutcome.ended_at < sa.bindparam("finish", type_=Instant),
            visible_to(kind),
        )
    )
    for kind in SIGHTS
}


def figures(tx: Tx, period: Period, by: By) -> list[Figure]:
    """The figures of the changes that ended in a period and that the actor sees, by key."""
    rows = tx.session.all(_ENDED[sight(tx.actor)], begin=period.start, finish=period.end, **parameters(tx.actor))
    groups: dict[str | None, list[Any]] = defaultdict(list)
    for row in rows:
        groups[_key(row, by)].append(row)
    return [_figure(key, groups[key]) for key in sorted(groups, key=lambda key: (key is None, key or ""))]


def _key(row: Any, by: By) -> str | None:
    found = {By.SERVICE: row.service, By.MODEL: row.model, By.TYPE: row.change_type, By.MONTH: f"{row.ended_at:%Y-%m}"}
    key: str | None = found[by]
    return key


def _figure(key: str | None, rows: list[Any]) -> Figure:
    failed = [row.outcome in FAILURES for row in rows]
    causing = [row.incidents > 0 for row in rows]
    return Figure(
        key=key,
        ended=len(rows),
        successful=sum(row.outcome == "successful" for row in rows),
        failed=sum(failed),
        causing=sum(causing),
        incidents=sum(row.incidents for row in rows),
        failures=sum(one or other for one, other in zip(failed, causing, strict=True)),
    )
