"""A ticket's clocks as one reader is told of them: staff with every reason, the requester in plain words.

The same data whether a program asks by HTTP or somebody at the command line.
"""

from __future__ import annotations

from typing import Any

from itsm.sla import showing, wording
from itsm.sla.explain import Change, Clock, Deed
from itsm.sla.queries import Sheet


def sheet(told: Sheet) -> dict[str, Any]:
    """All that the reader of a sheet may know."""
    head = {"number": told.record.number, "as_of": showing.instant(told.account.now), "zone": told.zone}
    if not told.for_staff:
        return {**head, "clocks": [_promised(one, told) for one in told.clocks]}
    proof = {"consistent": not told.differences, "differences": list(told.differences)}
    return {**head, "clocks": [_explained(one, told) for one in told.clocks], **proof}


def _promised(one: Clock, told: Sheet) -> dict[str, Any]:
    cycle = one.cycle
    return {
        "clock": cycle.clock,
        "part": cycle.part,
        "cycle": cycle.number,
        "title": one.policy.title,
        "kind": one.policy.kind.value,
        "state": cycle.status.value,
        "target": cycle.target.text,
        "elapsed": showing.length(one.elapsed),
        "remaining": showing.length(one.remaining),
        "due": showing.instant(one.due),
        "breached": one.breached,
        "words": wording.promise(one, told.zone),
        "changes": [_changed(each, one, told) for each in one.changes if _is_news(each)],
    }


def _is_news(each: Change) -> bool:
    """Whether it changes a promise for those to whom it was made.

    An excuse is put down for reports, and other terms may come to the same.
    """
    comes_to_the_same = each.deed is Deed.OTHER_AGREEMENT and each.due_before == each.due_after
    return each.deed is not Deed.EXCUSED and not comes_to_the_same


def _explained(one: Clock, told: Sheet) -> dict[str, Any]:
    more = {} if one.policy.underpins is None else {"underpins": one.policy.underpins}
    changes = [
        {**_changed(each, one, told), "by": each.moment.actor, "why": showing.why_changed(each, one, told.reader)}
        for each in one.changes
    ]
    return {**_promised(one, told), **more, "changes": changes, "derivation": showing.clock(one, told.reader)}


def _changed(each: Change, one: Clock, told: Sheet) -> dict[str, Any]:
    return {
        "at": showing.instant(each.moment.at),
        "what": each.deed.value,
        "due_before": showing.instant(each.due_before),
        "due_after": showing.instant(each.due_after),
        "words": wording.change(each, one, told.zone, told.names),
    }
