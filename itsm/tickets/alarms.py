"""Timers as one command sets and calls them off: gathered, and written once at its end.

Within a command the last word counts: a timer that was set and called off again is never written. What is called off goes
first, so a name can be called off and set anew in one command.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from itsm.platform import timers
from itsm.platform.timers import NewTimer
from itsm.tickets.desk import Tx


@dataclass(slots=True)
class _Gathered:
    armed: dict[tuple[int, str, str, int], NewTimer] = field(default_factory=dict)
    resting: dict[tuple[int, str], dict[str, None]] = field(default_factory=dict)
    resting_cycles: dict[tuple[int, str, str, int], None] = field(default_factory=dict)


def arm(tx: Tx, wanted: Iterable[NewTimer]) -> None:
    """Set timers when the command is done."""
    gathered = _gathered(tx)
    for timer in wanted:
        identity = (timer.ticket_id, timer.kind, timer.name, timer.cycle)
        gathered.armed[identity] = timer
        gathered.resting_cycles.pop(identity, None)


def disarm(tx: Tx, ticket_id: int, kind: str, names: Iterable[str]) -> None:
    """Call off timers of one kind, in every cycle, when the command is done."""
    gathered = _gathered(tx)
    for name in names:
        for identity in [one for one in gathered.armed if one[:3] == (ticket_id, kind, name)]:
            del gathered.armed[identity]
        gathered.resting.setdefault((ticket_id, kind), {})[name] = None


def disarm_cycle(tx: Tx, ticket_id: int, kind: str, name: str, cycle: int) -> None:
    """Call off one cycle of a timer when the command is done."""
    gathered = _gathered(tx)
    gathered.armed.pop((ticket_id, kind, name, cycle), None)
    gathered.resting_cycles[ticket_id, kind, name, cycle] = None


def disarm_kind(tx: Tx, ticket_id: int, kind: str) -> None:
    """Call off every timer of one kind of a ticket when the command is done, those included that this command has set."""
    written = (row.name for row in timers.waiting(tx.session, [ticket_id], kind))
    gathered = (name for ticket, of, name, _ in _gathered(tx).armed if (ticket, of) == (ticket_id, kind))
    disarm(tx, ticket_id, kind, {*written, *gathered})


def _gathered(tx: Tx) -> _Gathered:
    return tx.known(_Gathered, at_end=_write)


def _write(tx: Tx) -> None:
    gathered = _gathered(tx)
    resting = gathered.resting.items()
    timers.disarm(
        tx.session, [(ticket, kind, name) for (ticket, kind), names in resting if ticket not in tx.born for name in names]
    )
    timers.disarm_cycles(tx.session, [one for one in gathered.resting_cycles if one[0] not in tx.born])
    timers.arm(tx.session, gathered.armed.values())
