"""The one way in: every route is served here, so that none can forget a step.

A request is read, then one transaction is opened, and in it: who calls; whether his token and the route's policy let him;
whether the same was asked before under the same key; the handler; the answer kept under that key. Then it is committed, and
answered. A transaction that lost a race is run again as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from flask import Response, request, send_file

from itsm.api import auth, requests
from itsm.api.requests import Asked
from itsm.api.routing import Answer, Route
from itsm.people.access import Channel
from itsm.people.tokens import TokenKeeper
from itsm.platform import idempotency
from itsm.tickets.desk import Desk, Tx

FORM_MARGIN: Final = requests.FORM_BYTES + 4_096
"""What the other parts of a multipart form, and what parts them, may add to a file."""


@dataclass(frozen=True, slots=True)
class Said:
    """An answer as it goes out, and as it is kept for a repetition."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    answer: Answer | None = None


class Door:
    """Serves the routes of one desk."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.tokens = TokenKeeper(desk.settings.key("tokens"), desk.roles)

    def view(self, route: Route) -> Callable[..., Response]:
        """The function that Flask calls for a route."""

        def serve(**path: Any) -> Response:
            if not route.policy.needs_token:
                return _response(_say(route.handler(self.desk, **path)))
            try:
                return _response(self._answer(route, path))
            finally:
                request.close()  # of what was uploaded

        return serve

    def _answer(self, route: Route, path: Mapping[str, Any]) -> Said:
        token = auth.bearer(request.headers.get("Authorization"))
        if route.upload:
            self._meet(route, token)
        asked = requests.read(route, request, path, self._most_bytes(route))
        retrying = self.desk.database.retrying
        said = retrying(lambda: self._carry_out(route, token, asked))
        if asked.key is not None and not route.changes:
            return retrying(lambda: self._keep(token, asked, said))
        return said

    def _meet(self, route: Route, token: str) -> None:
        """Know the caller before a large body is taken from him."""
        with self.desk.reading(auth.NOBODY) as tx:
            self._admit(tx, route, token)

    def _carry_out(self, route: Route, token: str, asked: Asked) -> Said:
        if asked.fault is not None:
            self._meet(route, token)
            raise asked.fault
        opened = self.desk.transaction if route.changes else self.desk.reading
        with opened(auth.NOBODY, Channel.API) as tx:
            self._admit(tx, route, token)
            if asked.key is None or not route.changes:
                return _say(route.handler(tx, **asked.arguments))
            return self._once(tx, asked, lambda: _say(route.handler(tx, **asked.arguments)))

    def _admit(self, tx: Tx, route: Route, token: str) -> None:
        tx.actor = self.tokens.actor(tx.session, token, tx.now)
        auth.admit(tx.actor, route.policy, route.scope)

    def _keep(self, token: str, asked: Asked, said: Said) -> Said:
        """Keep the answer of a POST that changes nothing under its key, or give the one that is kept."""
        with self.desk.transaction(auth.NOBODY, Channel.API) as tx:
            tx.actor = self.tokens.actor(tx.session, token, tx.now)
            return self._once(tx, asked, lambda: said)

    def _once(self, tx: Tx, asked: Asked, command: Callable[[], Said]) -> Said:
        """Carry out a command unless it was carried out before under the same key; then its first answer is given again."""
        assert asked.key is not None
        assert tx.actor.id is not None
        kept = idempotency.begin(tx.session, tx.actor.id, asked.key, asked.fingerprint, tx.now)
        if kept is not None:
            return Said(kept.status, {**kept.headers, "Idempotency-Replayed": "true"}, kept.body.encode())
        said = command()
        idempotency.finish(tx.session, tx.actor.id, asked.key, said.status, said.headers, said.body.decode())
        return said

    def _most_bytes(self, route: Route) -> int:
        settings = self.desk.settings
        return settings.max_attachment_bytes + FORM_MARGIN if route.upload else settings.max_body_bytes


def _say(answer: Answer) -> Said:
    body = answer.value
    if not isinstance(body, bytes):
        body = b"" if body is None else orjson.dumps(body, option=orjson.OPT_UTC_Z)
    headers = {"Content-Type": answer.media_type, **answer.headers} if body else answer.headers
    return Said(answer.status, headers, body, answer)


def _response(said: Said) -> Response:
    if said.answer is not None and said.answer.file is not None:
        response = send_file(said.answer.file, mimetype=said.answer.media_type, etag=False, conditional=False)
        response.headers.update(said.headers)
        return response
    return Response(said.body, said.status, said.headers)
