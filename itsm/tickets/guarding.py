"""What else may refuse a change of a ticket: the desk's guards, which are asked about whatever the workflow itself would allow.

A workflow knows one ticket. Whether a service is frozen, or a window lies where none may, is known elsewhere; a guard brings it
in, with reasons like the workflow's own. Every way on which a ticket changes passes here: people, timers, reactions, cascades
and imported history alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from itsm.tickets.desk import Intent, Tx
from itsm.tickets.records import Record
from itsm.workflow import values
from itsm.workflow.case import Change, Decision, Offer, Reason, Refusal, Value, Why

_OF_THE_MOMENT: Final = frozenset({Why.CONDITION, Why.REQUIRED, Why.COMMENT_REQUIRED, Why.INVARIANT})
"""Refusals that do not turn the actor away, so that he may be told what else is wrong."""


def judge(tx: Tx, record: Record, verdict: Decision | Refusal, given: Mapping[str, Value]) -> Decision | Refusal:
    """The verdict, unless a guard speaks against it. Where the workflow refused, guards still name faults of values first."""
    if not tx.desk.guards:
        return verdict
    if isinstance(verdict, Refusal):
        if verdict.code not in _OF_THE_MOMENT:
            return verdict
        found = _reasons(tx, record, Intent(None, {**record.values, **_fitting(record, given)}, frozenset(given), given))
        return Refusal(verdict.trigger, (*found, *verdict.reasons)) if found else verdict
    found = _reasons(tx, record, _intent(record, verdict.target, verdict.changes, given))
    return Refusal(verdict.trigger, found) if found else verdict


def against_changes(tx: Tx, record: Record, changes: Mapping[str, Change]) -> Refusal | None:
    """What speaks against changes that a timer or reaction makes where the ticket stands."""
    found = _reasons(tx, record, _intent(record, record.state, changes, {})) if changes else ()
    return Refusal(None, found) if found else None


def against_offer(tx: Tx, record: Record, offer: Offer) -> tuple[Reason, ...]:
    """What speaks against an offered move whatever is given with it; what other values could mend is not among it."""
    if offer.target is None:
        return ()
    found = _reasons(tx, record, Intent(offer.target, record.values))
    return tuple(reason for reason in found if reason.field is None)


def _intent(record: Record, target: str, changes: Mapping[str, Change], given: Mapping[str, Value]) -> Intent:
    after = {**record.values, **{name: change.new for name, change in changes.items()}}
    return Intent(target, after, frozenset(changes), given)


def _reasons(tx: Tx, record: Record, intent: Intent) -> tuple[Reason, ...]:
    return tuple(reason for guard in tx.desk.guards for reason in guard(tx, record, intent))


def _fitting(record: Record, given: Mapping[str, Value]) -> dict[str, Value]:
    """The given values that their fields take."""
    fields = record.process.fields
    taken = {name: values.accept(fields[name], value) for name, value in given.items() if name in fields}
    return {name: value for name, value in taken.items() if not isinstance(value, values.Fault)}
