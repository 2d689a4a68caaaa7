"""Reading the clocks of one ticket, and what is agreed. (`running.py` lists what falls due, `results.py` what came of it.)

What is told is of a single moment: what is kept comes with the number of events it rests on, and only these are read. The
clocks are derived from them, and compared with what is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from itsm.people.access import Permission
from itsm.people.models import User
from itsm.platform.database import Prepared
from itsm.platform.time import to_micros
from itsm.sla import log, proving
from itsm.sla.explain import Account, Clock, explain
from itsm.sla.keeping import Keeper
from itsm.sla.models import SlaClock, SlaStanding
from itsm.sla.policy import ALWAYS, Agreement, Policy
from itsm.sla.policy import Kind as PolicyKind
from itsm.sla.showing import Reader
from itsm.sla.wording import Names
from itsm.tickets import queries
from itsm.tickets.desk import Tx
from itsm.tickets.models import Ticket
from itsm.tickets.records import Record
from itsm.tickets.visibility import sees_internal
from itsm.workflow.definition import FieldType

_TICKET = sa.bindparam("ticket", type_=sa.BigInteger)
_KEPT = Prepared(
    sa.select(Ticket.event_count, User.location, SlaStanding.state.label("standing"), *proving.KEPT_COLUMNS)
    .outerjoin(User, User.id == Ticket.requester_id)
    .outerjoin(SlaStanding, SlaStanding.ticket_id == Ticket.id)
    .outerjoin(SlaClock, SlaClock.ticket_id == Ticket.id)
    .where(Ticket.id == _TICKET)
)

_NOT_FOR_REQUESTERS: Final = frozenset({"group", "assignee"})
"""Fields that no reason for a requester names, though he may see them on the ticket: promises to him are the desk's."""


def is_staff(tx: Tx) -> bool:
    """Whether the actor is told of all clocks, with their reasons; others hear of what they were promised."""
    return tx.actor.is_system or tx.actor.may(Permission.READ_ALL)


def reader_of(tx: Tx) -> Reader:
    """What the actor may know where no single ticket is in question."""
    return Reader(frozenset(), sees_internal(tx.actor))


# One ticket


@dataclass(frozen=True, slots=True)
class Sheet:
    """The clocks of a ticket as one reader may see them.

    `clocks` are those that are his to know; `differences` what the kept rows say otherwise than the events, for staff;
    `reader` what else he may know, `names` what he calls things, `zone` that of the requester's place and `home` the desk's.
    """

    record: Record
    account: Account
    clocks: tuple[Clock, ...]
    differences: tuple[str, ...]
    reader: Reader
    names: Names
    zone: str
    home: str
    for_staff: bool


def of_ticket(tx: Tx, keeper: Keeper, number: str) -> Sheet:
    """The clocks of a ticket, explained. Raises `DeskError` (`not_found`)."""
    record = queries.ticket(tx, number)
    visible = queries.visible_fields(tx, record)
    kept = tx.session.all(_KEPT, ticket=record.id)
    events = log.story(tx.session, record.id, kept[0].event_count)
    find = keeper.agreements.finder(tx.session)
    account = explain(find, events, to_micros(tx.now))
    rows = [row for row in kept if row.clock is not None]
    differences = [
        *proving.standing_differs(account.standing, kept[0].standing),
        *proving.clocks_differ(find, account.cycles, rows),
    ]
    return Sheet(
        record=record,
        account=account,
        clocks=tuple(one for one in account.clocks if is_staff(tx) or _is_promised(one.policy)),
        differences=tuple(differences) if is_staff(tx) else (),
        reader=Reader(visible, sees_internal(tx.actor)),
        names=_names(record, visible if is_staff(tx) else visible - _NOT_FOR_REQUESTERS),
        zone=zone_of(tx, kept[0].location, account),
        home=home_zone(tx),
        for_staff=is_staff(tx),
    )


def _is_promised(policy: Policy) -> bool:
    return policy.kind is PolicyKind.SLA and policy.promise is not None


def _names(record: Record, visible: frozenset[str]) -> Names:
    workflow = record.process.workflow
    return Names(
        {name: state.title for name, state in workflow.states.items()},
        {name: each.title for name, each in record.process.fields.items() if each.title},
        visible,
        frozenset(name for name, each in record.process.fields.items() if each.type in _CHOSEN),
    )


_CHOSEN = frozenset({FieldType.CHOICE, FieldType.MULTI_CHOICE})


def zone_of(tx: Tx, location: str | None, account: Account) -> str:
    """Whose clocks times are told by: those of the requester's place, else of the hours that something is promised in."""
    where = tx.desk.locations.get(location) if location is not None else None
    if where is not None:
        return where.zone
    promised = (one.calendar.zone for one in account.clocks if one.cycle.target.calendar != ALWAYS)
    return next(promised, home_zone(tx))


def home_zone(tx: Tx) -> str:
    """The zone of the desk: that of its first calendar."""
    return next((calendar.zone for calendar in tx.desk.calendars.values()), "UTC")


# What is agreed


def current(tx: Tx, keeper: Keeper) -> Agreement | None:
    """The agreement that new tickets are born with; None before the first was published."""
    found = keeper.agreements.current(tx.session)
    return None if found is None else found[0]
