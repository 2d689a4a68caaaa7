"""What came of the clocks of promises, by policy and month: what contracts and meetings are about."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from itsm.api import forms
from itsm.api.auth import may
from itsm.api.forms import Form, Text
from itsm.api.routing import Answer, Resource
from itsm.api.sla_shapes import ResultsShape
from itsm.people.access import Permission
from itsm.sla import queries, showing
from itsm.sla import results as outcomes
from itsm.sla.results import MOST_MONTHS, By, Noted, Results
from itsm.tickets.desk import Tx
from itsm.worktime import zones

counted = Resource("SLA results", "What came of the clocks of promises.")

_MONTH: Final = r"(19[7-9]|[2-9][0-9]{2})[0-9]-(0[1-9]|1[0-2])\Z"


@dataclass(frozen=True, slots=True)
class ResultsQuery:
    """Which results."""

    from_: str | None
    to: str | None
    clock: str | None
    by: str | None


class ResultsForm(Form):
    """Which results."""

    makes = ResultsQuery

    from_ = Text("The first month; eleven before the last unless given.", pattern=_MONTH, data_key="from", load_default=None)
    to = Text("The last month; the present one unless given.", pattern=_MONTH, load_default=None)
    clock = Text("Only of this policy.", load_default=None)
    by = Text("Parted by what the tickets have now; a clock per group by its group.", choices=tuple(By), load_default=None)


@counted.get("/sla/results", policy=may(Permission.READ_ALL), query=ResultsForm(), answers={200: ResultsShape()})
def results(tx: Tx, query: ResultsQuery) -> Answer:
    """Count what came of the clocks that ended, by policy and month, over the tickets that the caller sees.

    Corrections and excuses are counted and shown: nothing is put right in silence.
    """
    zone = queries.home_zone(tx)
    last = query.to or f"{zones.to_local(tx.now, zone):%Y-%m}"
    months = list(_months(query.from_ or _month(_ordinal(last) - 11), last))
    if not months or len(months) > MOST_MONTHS:
        message = f"From the first month to the last there are 1 to {MOST_MONTHS}."
        raise forms.refusal("/from", "invalid_value", message)
    bounds = [zones.parse_local(f"{month}-01", zone) for month in [*months, _month(_ordinal(last) + 1)]]
    report = outcomes.count(tx, bounds, query.clock, None if query.by is None else By(query.by))
    names = dict(zip(bounds, months, strict=False))
    return Answer(
        {
            "zone": zone,
            "items": [_result(one, names[one.month]) for one in report.results],
            "corrections": [_noted(tx, one) for one in report.noted],
            "more_corrections": report.more_noted,
        }
    )


def _months(first: str, last: str) -> Iterator[str]:
    yield from map(_month, range(_ordinal(first), _ordinal(last) + 1))


def _ordinal(month: str) -> int:
    return int(month[:4]) * 12 + int(month[5:]) - 1


def _month(ordinal: int) -> str:
    return f"{ordinal // 12:04}-{ordinal % 12 + 1:02}"


def _result(one: Results, month: str) -> dict[str, Any]:
    return {
        "clock": one.clock,
        "kind": one.kind,
        "month": month,
        "of": one.of,
        "met": one.met,
        "missed": one.missed,
        "cancelled": one.cancelled,
        "excused": one.excused,
        "corrected": one.corrected,
    }


def _noted(tx: Tx, one: Noted) -> dict[str, Any]:
    return {
        "ticket": one.number,
        "clock": one.clock,
        "part": one.part,
        "cycle": one.cycle,
        "state": one.status,
        "stopped": one.stopped_at,
        **showing.correction(one.correction, queries.reader_of(tx)),
    }
