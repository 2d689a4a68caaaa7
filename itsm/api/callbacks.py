"""Where programs that the desk has called tell what came of it. They hold no token: their answer is signed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson
from flask import request
from marshmallow import fields

from itsm.api import forms, strict_json
from itsm.api.auth import Policy
from itsm.api.forms import Form, Text, fault, words
from itsm.api.routing import Answer, Resource
from itsm.api.shapes import Shape, text
from itsm.delivery import commands
from itsm.delivery.commands import LONGEST_MESSAGE, MOST_OUTPUT_BYTES
from itsm.delivery.endpoints import Endpoints
from itsm.people.access import SYSTEM, Channel
from itsm.platform.errors import Kind
from itsm.tickets.desk import Desk

callbacks = Resource("Callbacks", "What automations answer that the desk has called by webhook.")

SIGNED: Final = Policy("signature", needs_token=False)
"""For whoever has the secret of a receiver; see `docs/webhooks.md`."""

_STATUSES: Final = ("succeeded", "failed")


class _Outputs(fields.Dict):
    """Whatever the receiver wants kept, as an object."""

    def __init__(self) -> None:
        about = f"Whatever is worth keeping, for staff to read: an object of at most {MOST_OUTPUT_BYTES:,} bytes."
        super().__init__(
            keys=fields.String(),
            load_default=dict,
            error_messages=words("an object"),
            metadata={"description": about, "additionalProperties": True},
        )

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, Mapping):
            raise self.make_error("invalid")
        if len(orjson.dumps(value)) > MOST_OUTPUT_BYTES:
            raise fault("too_long", f"This must have at most {MOST_OUTPUT_BYTES:,} bytes.")
        return dict(value)


class CallbackForm(Form):
    """What came of a call."""

    makes = commands.Answer

    status = Text("Whether it was done.", choices=_STATUSES, required=True)
    message = Text("What was done, or why it could not be, for people.", LONGEST_MESSAGE, least=0, load_default="")
    outputs = _Outputs()


class CallbackShape(Shape):
    """What was taken."""

    call = text("The id of the call.")
    ticket = text("The number of its ticket.")
    status = text("`succeeded` or `failed`.")


@callbacks.post(
    "/callbacks/{call}",
    policy=SIGNED,
    body=CallbackForm(),
    answers={200: CallbackShape()},
    refuses=(Kind.UNAUTHENTICATED, Kind.INVALID, Kind.GONE),
)
def answer(desk: Desk, call: str) -> Answer:
    """Tell what came of a call.

    The answer is signed by Standard Webhooks with the secret of the receiver that was called, and `webhook-id` is the id of the
    call. The same answer again gets the same reply (200), another one 409, and one that comes when the desk has gone on 410.
    """
    body = request.get_data(cache=False)
    given = {name.lower(): value for name, value in request.headers.items()}
    with desk.reading(SYSTEM, Channel.CALLBACK) as tx:
        commands.identify(tx.session, desk.part(Endpoints), call, given, body, tx.now)
    said = forms.read(CallbackForm(), strict_json.loads(body))

    def take() -> Answer:
        with desk.transaction(SYSTEM, Channel.CALLBACK) as tx:
            return Answer(commands.answer(tx, call, said))

    return desk.database.retrying(take)
