"""What delivery answers: the action `webhook`, and the clock when an answer is overdue."""

from __future__ import annotations

from typing import Any, Final

import orjson

from itsm.delivery import calls, messages
from itsm.delivery.calls import Call, Stand
from itsm.delivery.endpoints import Endpoints
from itsm.platform import outbox
from itsm.platform.outbox import Message
from itsm.platform.timers import TimerRow
from itsm.tickets import moves, records
from itsm.tickets.desk import Tx
from itsm.tickets.records import Record
from itsm.workflow.builtin import LONGEST
from itsm.workflow.case import Change, Effect, Response

ACTION: Final = "webhook"

ANSWERED, REPEATED, UNANSWERED = "webhook_answered", "webhook_repeated", "webhook_unanswered"
"""Events of a ticket's log."""

HAPPENS: Final = {stand: f"webhook_{stand}" for stand in (Stand.SUCCEEDED, Stand.FAILED, Stand.UNANSWERED)}
"""What the workflow may react to, by how a call ended."""


def call(tx: Tx, record: Record, effect: Effect) -> None:
    """The action `webhook`: put a call into the outbox; one that is to be answered is awaited from now on."""
    arguments = effect.arguments
    name, awaits = str(arguments["name"]), arguments.get("answer") == "awaited"
    key = f"{tx.posting or f'{record.number}:{record.version}'}:{messages.TOPIC}:{name}"
    told: dict[str, Any] = {
        "type": record.type,
        "awaits": awaits,
        "ticket": record.number,
        "webhook": name,
        "payload": arguments.get("payload") or {},
    }
    if arguments.get("input"):
        told["input"] = _read_input(arguments["input"])
    record.messages.append(Message(key, messages.TOPIC, record.id, told, name))
    if awaits:
        calls.make(
            tx.session,
            tx.now,
            key=messages.identity(tx.desk.settings.key(messages.PURPOSE), key),
            message=key,
            ticket_id=record.id,
            endpoint=name,
            state_at=record.state,
            field=arguments.get("message"),
        )


def _read_input(text: object) -> object:
    """What a text of JSON holds; a text that is none goes as it is."""
    try:
        return orjson.loads(str(text))
    except orjson.JSONDecodeError:
        return text


def due(tx: Tx, record: Record, row: TimerRow) -> None:
    """An answer is overdue, or will never come: the call goes out once more, or is given up and the workflow told."""
    found = calls.find(tx.session, row.name)
    if found is None or not found.waits:
        return
    if record.state != found.state_at:
        calls.end(tx.session, found, Stand.WITHDRAWN, tx.now)
        return
    why = row.payload.get("why")
    endpoint = tx.desk.part(Endpoints).get(found.endpoint)
    if why is None and endpoint is not None and found.sent < endpoint.tries and outbox.again(tx.session, found.message, tx.now):
        calls.sent_again(tx.session, found)
        told = {"webhook": found.endpoint, "call": found.key, "sent": found.sent + 1}
        records.append(tx, record, REPEATED, told, internal=True)
        return
    calls.end(tx.session, found, Stand.UNANSWERED, tx.now)
    why = why or f"Sent {found.sent} times, and not answered in time."
    told = {"webhook": found.endpoint, "call": found.key, "sent": found.sent, "why": why}
    records.append(tx, record, UNANSWERED, told, internal=True)
    conclude(tx, record, found, Stand.UNANSWERED, f"The automation “{found.endpoint}” has not answered.")


def conclude(tx: Tx, record: Record, found: Call, stand: Stand, message: str) -> None:
    """Lay the message into the field that the action named, and let the workflow react to the end of the call."""
    field = record.process.fields.get(found.field or "")
    if message and field is not None:
        longest = LONGEST.get(field.name, _LONGEST_MESSAGE)
        changes = {field.name: Change(record.values.get(field.name), message[:longest])}
        moves.respond(tx, record, Response(None, changes=changes), {"webhook": found.endpoint})
    record.happenings.append(HAPPENS[stand])


_LONGEST_MESSAGE: Final = 2000
