"""What people do to clocks: publish promises, take out time that should not have counted, excuse a miss.

A clock is never set. A correction is an event of the ticket like any other, and the clock follows from it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from itsm.people.access import SYSTEM, Permission, require
from itsm.platform.errors import DeskError, FieldError, Kind, invalid
from itsm.platform.time import EPOCH, from_micros, rfc3339, to_micros
from itsm.platform.words import reasoned
from itsm.sla import sources
from itsm.sla.agreements import Source, publish
from itsm.sla.keeping import Keeper
from itsm.sla.moments import CORRECTED, EXCUSED
from itsm.sla.policy import OnChange
from itsm.sla.standing import Cycle, Status
from itsm.tickets import loading, moves, publishing, records, rights
from itsm.tickets.desk import Desk, Tx
from itsm.tickets.records import Record

LONGEST_REASON = 2000


def prove(desk: Desk, source: Source) -> frozenset[int]:
    """See that promises are sound for the tickets of the current workflows; the row ids of the versions that these are.

    It takes seconds, and holds no transaction. Raises `DeskError` (`agreement_unsound`) with everything the checker has against
    the promises.
    """
    with desk.reading(SYSTEM) as tx:
        versions = publishing.current(tx)
    workflows = {version.name: desk.processes.definition(version.source) for version in versions}
    sources.prove(source, workflows, desk.vocabulary)
    return frozenset(version.id for version in versions)


def publish_agreement(tx: Tx, source: Source, reason: str, proved_for: frozenset[int] | None = None) -> int | None:
    """Make these promises the ones that new tickets are born with; the new version, or None if they are current already.

    `proved_for` is what `prove` said of them before the transaction; where other workflows are current by now, it is asked
    again. Raises `DeskError` (`agreement_unsound`) with everything the checker has against them; then what runs goes on.
    """
    if not tx.actor.is_system:
        require(tx.actor, Permission.PUBLISH_WORKFLOWS)
    tx.session.take_time()
    if proved_for != frozenset(version.id for version in publishing.current(tx)):
        sources.prove(source, publishing.current_workflows(tx), tx.desk.vocabulary)
    version, is_new = publish(tx.session, source, tx.actor.login, reason, tx.now)
    return version if is_new else None


def take_out(tx: Tx, keeper: Keeper, number: str, clock: str, part: str, start: datetime, end: datetime, reason: str) -> Record:
    """Declare that the time from `start` to `end` does not count for a clock of a ticket that is still open.

    Raises `DeskError`: `not_found`, `forbidden`, `invalid_input` for a time that has not passed or is none, `clock_ended` for
    a clock that has its result: that is never rewritten, but it can be excused; `already_settled` for time before a change of
    target by which a policy begins anew or carries a share over: what was spent then is settled, and no longer looked at.
    """
    record, cycle = _clock(tx, keeper, number, clock, part)
    if not cycle.is_open:
        raise DeskError(Kind.CONFLICT, "clock_ended", f"The clock “{clock}” has its result; it can be excused, not changed.")
    if end <= start:
        raise invalid(FieldError("/end", "ends_before_it_starts", "A time that is taken out ends after it starts."))
    if start < EPOCH:
        raise invalid(FieldError("/start", "too_early", "No clock ran then."))
    if end > tx.now:
        raise invalid(FieldError("/end", "in_the_future", "Only time that has passed can be taken out."))
    _refuse_settled(cycle, to_micros(start))
    payload = {**_identity(cycle), "start": to_micros(start), "end": to_micros(end), "reason": reasoned(reason, LONGEST_REASON)}
    records.append(tx, record, CORRECTED, payload, internal=True)
    moves.settle(tx, record)
    return record


def _refuse_settled(cycle: Cycle, start: int) -> None:
    changed = next((one for one in reversed(cycle.retargets) if one.rule != OnChange.KEEP_ELAPSED.value), None)
    if changed is not None and start < changed.at:
        when, rule = rfc3339(from_micros(changed.at)), changed.rule.replace("_", " ")
        detail = (
            f"The target changed at {when}, and by “{rule}” the time before that is settled; take out only what came after."
        )
        raise DeskError(Kind.CONFLICT, "already_settled", detail)


def excuse(tx: Tx, keeper: Keeper, number: str, clock: str, part: str, cycle_number: int, reason: str) -> Record:
    """Excuse a miss, for reports: the result stays what it is, and shows who excused it, when and why.

    Raises `DeskError`: `not_found`, `forbidden`, `not_missed` where there is nothing to excuse.
    """
    record, _ = _clock(tx, keeper, number, clock, part)
    cycle = keeper.cycle(tx, record, (clock, part, cycle_number))
    if cycle is None or cycle.status is not Status.MISSED or cycle.excused is not None:
        raise DeskError(Kind.CONFLICT, "not_missed", f"Run {cycle_number} of “{clock}” is no miss that could be excused.")
    records.append(tx, record, EXCUSED, {**_identity(cycle), "reason": reasoned(reason, LONGEST_REASON)}, internal=True)
    moves.settle(tx, record)
    return record


def _clock(tx: Tx, keeper: Keeper, number: str, clock: str, part: str) -> tuple[Record, Cycle]:
    require(tx.actor, Permission.CORRECT_CLOCKS)
    record = loading.load(tx, number)
    rights.may_touch(tx, record)
    cycle = keeper.standing(tx, record).latest(clock, part)
    if cycle is None:
        raise DeskError(Kind.NOT_FOUND, "not_found", f"{number} has no clock “{clock}”.")
    return record, cycle


def _identity(cycle: Cycle) -> dict[str, Any]:
    return {"clock": cycle.clock, "part": cycle.part, "cycle": cycle.number}
