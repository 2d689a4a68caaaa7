"""Ties between tickets: made and taken back. A tie is kept once, and reads from both ends (`facts.INVERSE_KINDS`)."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from itsm.platform.database import Prepared
from itsm.platform.errors import DeskError, FieldError, busy, invalid, not_found
from itsm.platform.schema import table
from itsm.tickets import cascades, loading, moves, queries, records, references, rights
from itsm.tickets.desk import Tx
from itsm.tickets.facts import INVERSE_KINDS
from itsm.tickets.models import Link
from itsm.tickets.records import Record
from itsm.workflow.definition import FieldType

_LINKS = table(Link)
_INSERT_LINK = Prepared(
    postgresql.insert(_LINKS)
    .values({name: sa.bindparam(name) for name in ("source_id", "target_id", "kind", "at")})
    .on_conflict_do_nothing(index_elements=["source_id", "target_id", "kind"])  # the same in both databases
    .returning(_LINKS.c.id)
)
_SAME_LINK = Prepared(
    sa.select(Link.id).where(
        Link.source_id == sa.bindparam("source"), Link.target_id == sa.bindparam("target"), Link.kind == sa.bindparam("kind")
    )
)
_DELETE_LINK = Prepared(
    sa.delete(_LINKS).where(_LINKS.c.id == sa.bindparam("link")).returning(_LINKS.c.source_id, _LINKS.c.target_id)
)


def link(tx: Tx, number: str, kind: str, other: str) -> tuple[Record, int]:
    """Tie a ticket to another that the actor has a part in as well. A link is kept once, whichever end it was said from.

    Raises `DeskError` (`invalid_input`) for an unknown kind, a ticket that is not there for the actor, itself, or a repetition;
    `read_only` if he may only read one of the two, for a tie is something said about both.
    """
    record = rights.load_to_contribute(tx, number)
    source, target, kept = _orient(tx, record, kind, other)
    rights.may_contribute(tx, loading.load(tx, other, lock=False))
    if _tied(tx, source, target, kept):
        raise _bad_link("/number", "already_linked", "The two are linked so already.")
    link_id = _keep_link(tx, record, kind, target if source == record.id else source, other)
    moves.settle(tx, record)
    return record, link_id


def tie(tx: Tx, record: Record, kind: str, other_id: int, other: str) -> None:
    """Link a record in hand to another ticket, on a workflow's behalf; a tie that is there already stays as it is."""
    if not _tied(tx, *_ends(record.id, kind, other_id)):
        _keep_link(tx, record, kind, other_id, other)


def _tied(tx: Tx, source: int, target: int, kind: str) -> bool:
    """Whether two tickets are linked so already; a tie that reads alike from both ends may have been said from the other."""
    ends = ((source, target), (target, source)) if inverse(kind) == kind else ((source, target),)
    return any(tx.session.first(_SAME_LINK, source=one, target=other, kind=kind) for one, other in ends)


def _ends(one: int, kind: str, other: int) -> tuple[int, int, str]:
    """Source, target and kind of a link as it is kept, from how it reads from one ticket."""
    return (one, other, kind) if kind in INVERSE_KINDS else (other, one, inverse(kind))


def _keep_link(tx: Tx, record: Record, kind: str, other_id: int, other: str) -> int:
    source, target, kept = _ends(record.id, kind, other_id)
    record.neighbours = None
    row = tx.session.first(_INSERT_LINK, source_id=source, target_id=target, kind=kept, at=tx.now)
    if row is None:  # said from the other end at this very moment; who runs again finds it
        raise busy()
    link_id = int(row.id)
    records.append(tx, record, "linked", {"link": link_id, "kind": kind, "number": other})
    back = {"event": "linked", "link": link_id, "kind": inverse(kind), "number": record.number}
    cascades.queue(tx, cascades.NOTE, record, [other_id], "linked", back)
    return link_id


def unlink(tx: Tx, number: str, link_id: int) -> Record:
    """Take back a link of this ticket, whichever end it was said from: a part in both was asked of whoever made it.

    Raises `not_found`, also where the actor may not see the ticket at the other end.
    """
    record = rights.load_to_contribute(tx, number)
    taken = queries.tie(tx, record, link_id)
    row = tx.session.first(_DELETE_LINK, link=link_id)
    if row is None:  # taken back from the other end at this very moment
        raise not_found("link", str(link_id))
    far = row.target_id if row.source_id == record.id else row.source_id
    records.append(tx, record, "unlinked", {"link": link_id, "kind": taken.kind, "number": taken.number})
    back = {"event": "unlinked", "link": link_id, "kind": inverse(taken.kind), "number": record.number}
    cascades.queue(tx, cascades.NOTE, record, [far], "unlinked", back)
    moves.settle(tx, record)
    return record


def inverse(kind: str) -> str:
    """How a kind of link reads from the other end."""
    backwards = {there: here for here, there in INVERSE_KINDS.items()}
    return INVERSE_KINDS.get(kind) or backwards[kind]


def _orient(tx: Tx, record: Record, kind: str, other: str) -> tuple[int, int, str]:
    """Source, target and kind as the link is kept."""
    if kind not in INVERSE_KINDS and kind not in INVERSE_KINDS.values():
        known = ", ".join(sorted({*INVERSE_KINDS, *INVERSE_KINDS.values()}))
        raise _bad_link("/kind", "unknown_kind", f"There is no kind of link “{kind}”; there are {known}.")
    far = references.find(tx, FieldType.TICKET, other)
    if far is None:
        raise _bad_link("/number", "unknown_reference", f"There is no ticket “{other}”.")
    if far == record.id:
        raise _bad_link("/number", "itself", "A ticket cannot be linked to itself.")
    return _ends(record.id, kind, far)


def _bad_link(pointer: str, code: str, message: str) -> DeskError:
    return invalid(FieldError(pointer, code, message), detail=message)
