"""Taking the answer to a call: by whom, whether it is still wanted, and what it does."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import orjson

from itsm.delivery import calls, handlers, signing
from itsm.delivery.calls import Call, Stand
from itsm.delivery.endpoints import Endpoints
from itsm.platform import outbox
from itsm.platform.database import Session
from itsm.platform.errors import DeskError, Kind, not_found
from itsm.tickets import loading, moves, records
from itsm.tickets.desk import Tx

LONGEST_MESSAGE: Final = 2_000
MOST_OUTPUT_BYTES: Final = 16_384


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver says came of a call: `status` is `succeeded` or `failed`."""

    status: str
    message: str = ""
    outputs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """What tells it from another answer."""
        told = [self.status, self.message, self.outputs]
        return hashlib.sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).hexdigest()


def identify(session: Session, endpoints: Endpoints, key: str, headers: Mapping[str, str], body: bytes, now: datetime) -> None:
    """Make sure that the answer to a call comes from its receiver. `headers` have names in small letters.

    Raises `DeskError`: `not_found`, `unauthenticated` where it is not signed at all, `bad_signature`. The answer is signed
    under the id of the call itself, so that one answer is never taken for that to another.
    """
    if not all(headers.get(name) for name in (signing.ID, signing.TIMESTAMP, signing.SIGNATURE)):
        words = f"Sign the answer: {signing.ID}, {signing.TIMESTAMP} and {signing.SIGNATURE}."
        raise DeskError(Kind.UNAUTHENTICATED, "unauthenticated", words)
    call = calls.find(session, key)
    endpoint = None if call is None else endpoints.get(call.endpoint)
    if call is None or endpoint is None:
        raise not_found("call", key)
    try:
        signed = signing.verify(endpoints.keys(endpoint), headers, body, now)
    except signing.BadSignature as error:
        raise _bad_signature(str(error)) from None
    except ValueError:
        raise DeskError(Kind.UNAVAILABLE, "no_secret", "The desk has no secret for this receiver.", retry_after=300) from None
    if signed != key:
        raise _bad_signature(f"{signing.ID} must be the id of the call.")


def _bad_signature(words: str) -> DeskError:
    return DeskError(Kind.UNAUTHENTICATED, "bad_signature", words)


def answer(tx: Tx, key: str, said: Answer) -> dict[str, Any]:
    """Take an answer; what was taken. The same one again changes nothing.

    Raises `DeskError`: `not_found`, `already_answered` for another answer than the first, `no_longer_awaited` when the desk has
    gone on without.
    """
    call = calls.find(tx.session, key)
    record = None if call is None else loading.load_by_id(tx, call.ticket_id)
    call = calls.find(tx.session, key) if record is not None else None  # as it is now that nobody else can end it
    if call is None or record is None:
        raise not_found("call", key)
    if call.digest is not None:
        if call.digest != said.digest:
            raise DeskError(Kind.CONFLICT, "already_answered", "This call was answered already, in other words.")
        return _told(call.key, record.number, said)
    if not call.waits or record.state != call.state_at:
        raise DeskError(Kind.GONE, "no_longer_awaited", "The desk has gone on without this answer.")
    _take(tx, record, call, said)
    return _told(call.key, record.number, said)


def _take(tx: Tx, record: records.Record, call: Call, said: Answer) -> None:
    stand = Stand(said.status)
    told: dict[str, Any] = {"webhook": call.endpoint, "call": call.key, "status": said.status, "message": said.message}
    calls.end(tx.session, call, stand, tx.now, said.digest, {"message": said.message, "outputs": said.outputs})
    records.append(tx, record, handlers.ANSWERED, {**told, "outputs": said.outputs}, internal=True)
    message = said.message or ("" if stand is Stand.SUCCEEDED else f"The automation “{call.endpoint}” has failed.")
    handlers.conclude(tx, record, call, stand, message)
    moves.settle(tx, record)


def _told(key: str, number: str, said: Answer) -> dict[str, Any]:
    return {"call": key, "ticket": number, "status": said.status}


def retry(session: Session, message_id: int, now: datetime) -> None:
    """Let a parked message go out again, and to its receiver again whatever that said.

    Raises `DeskError`: `not_found`; `no_longer_awaited` for a call whose ticket has gone on without the answer.
    """
    row = outbox.unpark(session, message_id, now)
    if row is None:
        raise not_found("parked message", str(message_id))
    call = calls.of_message(session, row.key)
    if call is not None and not call.awaited:
        words = "Its ticket has gone on without the answer: let the ticket call anew."
        raise DeskError(Kind.CONFLICT, "no_longer_awaited", words)
    calls.go_on(session, row.destination)
