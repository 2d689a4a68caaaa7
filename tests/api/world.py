"""Calling the API as the people of `tests/service.py` would: over HTTP, each with a token of his own.

Whatever comes back is held against the OpenAPI document on its way: an answer that the document does not describe fails the
test that got it.
"""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any

import orjson
from jsonschema import Draft202012Validator
from werkzeug.test import TestResponse

from itsm.api import RESOURCES, create_api, documents, problems, routes
from itsm.api.routing import PREFIX, Route
from itsm.people.access import Scope
from itsm.people.tokens import TokenKeeper
from itsm.tickets.desk import Desk

ROUTES: dict[str, Route] = {route.endpoint: route for route in routes()}
EVERY_SCOPE = frozenset(Scope)
INCIDENT = {"type": "incident", "title": "Screen stays black", "description": "Since this morning."}


class Reply:
    """An answer, as tests look at it."""

    def __init__(self, response: TestResponse) -> None:
        self.status = response.status_code
        self.headers = response.headers
        self.content = response.get_data()
        self.type = (response.content_type or "").split(";")[0]

    @property
    def text(self) -> str:
        return self.content.decode()

    @property
    def json(self) -> Any:
        return orjson.loads(self.content)

    @property
    def etag(self) -> str:
        return self.headers["ETag"]

    @property
    def code(self) -> str:
        """The code of a refusal."""
        return str(self.json["code"])

    @property
    def pointers(self) -> dict[str, str]:
        """The faults of the input: code by pointer."""
        return {each["pointer"]: each["code"] for each in self.json.get("errors", [])}

    @property
    def items(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.json["items"]
        return found

    @property
    def numbers(self) -> list[str]:
        return [item["number"] for item in self.items]


class Caller:
    """Somebody with a token, or nobody."""

    def __init__(self, api: Api, login: str | None, token: str | None) -> None:
        self._api = api
        self.login = login
        self.token = token

    def call(self, method: str, path: str, *, body: object = None, raw: bytes | None = None, **options: Any) -> Reply:
        """Send a request. Paths are taken from the prefix on; headers are keywords, `If_Match="…"`."""
        headers = {name.replace("_", "-"): value for name, value in options.items() if name[0].isupper() and value is not None}
        more = {name: value for name, value in options.items() if not name[0].isupper()}
        if self.token is not None:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        if body is not None or raw is not None:
            headers.setdefault("Content-Type", "application/json")
            more["data"] = raw if raw is not None else orjson.dumps(body)
        full = path if path.startswith(problems.OURS) else PREFIX + path
        response = self._api.client.open(full, method=method, headers=headers, **more)
        response.request.environ["wsgi.input"].close()
        return self._api.checked(method, full, response)

    def get(self, path: str, **options: Any) -> Reply:
        return self.call("GET", path, **options)

    def post(self, path: str, body: object = None, **options: Any) -> Reply:
        return self.call("POST", path, body=body, **options)

    def patch(self, path: str, body: object = None, **options: Any) -> Reply:
        return self.call("PATCH", path, body=body, **options)

    def delete(self, path: str, **options: Any) -> Reply:
        return self.call("DELETE", path, **options)

    def opens(self, type_: str = "incident", **more: Any) -> str:
        """Open a ticket; its number."""
        reply = self.post("/tickets", {**INCIDENT, "type": type_, **more})
        assert reply.status == 201, reply.text
        number: str = reply.json["number"]
        return number

    def fires(self, number: str, trigger: str, comment: str | None = None, **fields: Any) -> Reply:
        """Read a ticket and move it on from there."""
        body = {"trigger": trigger, "fields": fields, "comment": comment}
        return self.post(
            f"/tickets/{number}/transitions", body, If_Match=self.get(f"/tickets/{number}").headers.get("ETag", '"0"')
        )

    def edits(self, number: str, body: dict[str, Any]) -> Reply:
        """Read a ticket and change it from there."""
        return self.patch(f"/tickets/{number}", body, If_Match=self.get(f"/tickets/{number}").headers.get("ETag", '"0"'))

    def says(self, number: str, body: str, visibility: str = "public") -> Reply:
        return self.post(f"/tickets/{number}/comments", {"body": body, "visibility": visibility})


class Api:
    """The API over a desk. `api("g1")` calls as g1, `api(None)` as a stranger."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.app = create_api(desk)
        self.client = self.app.test_client()
        self.tokens = TokenKeeper(desk.settings.key("tokens"), desk.roles)
        self._callers: dict[tuple[str | None, frozenset[Scope]], Caller] = {}

    def __call__(self, login: str | None, scopes: frozenset[Scope] = EVERY_SCOPE) -> Caller:
        known = self._callers.get((login, scopes))
        if known is None:
            token = None if login is None else self.token(login, scopes)
            known = self._callers[login, scopes] = Caller(self, login, token)
        return known

    def holding(self, token: str) -> Caller:
        """Whoever holds this token."""
        return Caller(self, None, token)

    def token(self, login: str, scopes: frozenset[Scope] = EVERY_SCOPE, expires_at: datetime | None = None) -> str:
        with self.desk.database.session() as session:
            return self.tokens.create(session, login, scopes, self.desk.clock.now(), expires_at)

    def in_progress(self) -> str:
        """An incident of ra1 that g1 of the group network works on; its number."""
        number = self("ra1").opens()
        assert self("g1").fires(number, "assign", group="network").status == 200
        assert self("g1").fires(number, "start").status == 200
        return number

    def confidential(self) -> str:
        """An incident of rb1 in the restricted group security; its number."""
        number = self("rb1").opens(title="Canary confidential")
        assert self("g2").fires(number, "assign", group="security").status == 200
        return number

    def checked(self, method: str, path: str, response: TestResponse) -> Reply:
        """The answer, once it has been found to be as documented."""
        reply = Reply(response)
        assert response.headers["Cache-Control"] == "no-store"
        assert "Authorization" in response.headers["Vary"]
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        route = self._route(method, path)
        if method == "HEAD":
            assert reply.content == b""
        elif reply.status >= 400:
            assert reply.type == problems.MEDIA_TYPE, reply.text
            _validator("Problem").validate(reply.json)
            assert reply.json["status"] == reply.status
        elif route is not None and reply.type == "application/json":
            shape = route.answers[reply.status]
            if shape is not None and not isinstance(shape, documents.Media):
                _validator(documents.name_of(shape)).validate(reply.json)
        return reply

    def _route(self, method: str, path: str) -> Route | None:
        adapter = self.app.url_map.bind("localhost")
        if not adapter.test(path.partition("?")[0], method):
            return None
        endpoint, _ = adapter.match(path.partition("?")[0], method)
        return ROUTES.get(endpoint)


@cache
def document() -> dict[str, Any]:
    """The OpenAPI document."""
    resource = documents.resource(RESOURCES)
    content: dict[str, Any] = documents.Book([*RESOURCES, resource]).content
    return content


@cache
def _validator(name: str) -> Draft202012Validator:
    schema = {"$ref": f"#/components/schemas/{name}", "components": document()["components"]}
    return Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
