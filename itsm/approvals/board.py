"""What a board that meets about a ticket asks: is the actor asked for its approval, and how does that stand."""

from __future__ import annotations

from itsm.approvals import rounds, rules
from itsm.tickets.desk import Tx
from itsm.tickets.records import Record


def question(tx: Tx, record: Record) -> int | None:
    """The open question about a ticket that is put to the actor himself; None if there is none."""
    round_ = rounds.latest(tx, record)
    if round_ is None:
        return None
    return next((each.id for each in round_.awaited() if each.approver_id == tx.actor.id), None)


def standing(tx: Tx, record: Record) -> str | None:
    """How the latest round of a ticket stands: `open`, or how it ended; None if there was none."""
    round_ = rounds.latest(tx, record)
    if round_ is None:
        return None
    return rules.Outcome.OPEN.value if round_.outcome is None else round_.outcome.value
