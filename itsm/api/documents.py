"""The API in its own words: an OpenAPI 3.1 document from the very declarations that serve it, and a page of it for people.

Both are open to everybody, and say no more than the handbook does: no data, no addresses, no release.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterable, Sequence
from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import orjson
from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from flask import render_template
from marshmallow import Schema, fields

from itsm.api import problems
from itsm.api.auth import PUBLIC
from itsm.api.routing import Answer, Media, Resource, Route
from itsm.api.shapes import Shape, text, whole
from itsm.platform.errors import Kind
from itsm.tickets.desk import Desk

ABOUT: Final = (
    "Tickets of a service desk whose processes are written down, and kept. What may be done to a ticket, by whom and when, its "
    "workflow says; this API carries it out. Times are RFC 3339 in UTC. Lists are paged by cursor. A POST may carry an "
    "`Idempotency-Key`: the same request under the same key is carried out once, and answered alike each time."
)
_HEADERS: Final = {
    "If-Match": "The ETag of the ticket as you read it.",
    "Idempotency-Key": "1 to 200 visible ASCII characters, new for each thing you want done.",
}
_STYLE: Final = Path(__file__).with_name("templates") / "reference.css"


class FaultShape(Shape):
    """One fault of an input."""

    pointer = text("Where, as a JSON pointer; for parameters, into the query.", example="/fields/resolution")
    code = text("For programs.", example="required")
    message = text("For people.")


class ProblemShape(Shape):
    """A refusal (RFC 9457)."""

    type = text("A page about this sort of refusal.")
    title = text("What sort of refusal it is.")
    status = whole("The HTTP status.")
    code = text("For programs; stable.", example="stale")
    detail = text("For people.")
    request_id = text("The number under which our log has this request.")
    errors = fields.List(fields.Nested(FaultShape), metadata={"description": "Every fault of the input, at once."})


def resource(others: Sequence[Resource]) -> Resource:
    """The routes that tell of all the others, and of themselves."""
    documents = Resource("Documents", "The API in its own words.")
    book = Book([*others, documents])

    @documents.get("/openapi.json", policy=PUBLIC, answers={200: Media("application/json")})
    def openapi(_desk: Desk) -> Answer:
        """The API for programs, as OpenAPI 3.1."""
        return Answer(book.json)

    @documents.get("/api/reference", policy=PUBLIC, answers={200: Media("text/html")}, in_prefix=False)
    def reference(_desk: Desk) -> Answer:
        """The API for people, as a page."""
        style = _STYLE.read_text()
        mark = b64encode(hashlib.sha256(style.encode()).digest()).decode()
        policy = f"default-src 'none'; style-src 'sha256-{mark}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        page = render_template("reference.html", spec=book.content, style=style, statuses=_statuses())
        return Answer(page.encode(), headers={"Content-Security-Policy": policy}, media_type="text/html; charset=utf-8")

    return documents


class Book:
    """The document of a set of routes; it is put together when it is first asked for."""

    def __init__(self, resources: Sequence[Resource]) -> None:
        self._resources = resources

    @cached_property
    def content(self) -> dict[str, Any]:
        """The document as a value."""
        marshmallow = MarshmallowPlugin(schema_name_resolver=name_of)
        spec = APISpec("Service desk", "1", "3.1.0", plugins=[marshmallow], info={"description": ABOUT})
        spec.components.security_scheme("token", {"type": "http", "scheme": "bearer"})
        spec.components.schema("Problem", schema=ProblemShape)
        for sort in problems.SORTS.values():
            content = {problems.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
            spec.components.response(f"Problem{sort.status}", {"description": sort.title, "content": content})
        for each in self._resources:
            spec.tag({"name": each.name, "description": each.about})
            for route in each.routes:
                operation = _operation(route, marshmallow)
                spec.path(route.full_path, operations={route.method.lower(): operation})
        return spec.to_dict()

    @cached_property
    def json(self) -> bytes:
        """The document as it is sent."""
        return orjson.dumps(self.content)


def _statuses() -> dict[int, str]:
    """Every status of a refusal, with its meaning."""
    told = {sort.status: sort.title for sort in problems.SORTS.values()}
    told[HTTPStatus.METHOD_NOT_ALLOWED] = "This address does not take this method"
    return dict(sorted(told.items()))


def _operation(route: Route, plugin: MarshmallowPlugin) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.endpoint,
        "tags": [route.resource],
        "summary": route.summary,
        "description": route.description,
        "parameters": list(_parameters(route, plugin)),
        "responses": {**{str(status): _response(route, shape) for status, shape in route.answers.items()}, **_refusals(route)},
        "security": [{"token": []}] if route.policy.needs_token else [],
        "x-policy": route.policy.name,
        "x-scope": route.scope.value,
    }
    if route.body is not None:
        media_type = "multipart/form-data" if route.upload else "application/json"
        operation["requestBody"] = {"required": True, "content": {media_type: {"schema": route.body}}}
    return operation


def _parameters(route: Route, plugin: MarshmallowPlugin) -> Iterable[dict[str, Any]]:
    for name in route.parameters:
        kind = "integer" if name.endswith("id") else "string"
        yield {"name": name, "in": "path", "required": True, "schema": {"type": kind}}
    if route.query is not None:
        assert plugin.converter is not None
        for parameter in plugin.converter.schema2parameters(route.query, location="query"):
            if parameter.get("style") == "form":
                parameter["explode"] = False
            yield parameter
    if route.if_match:
        yield _header("If-Match", required=True)
    if route.method == "POST" and route.policy.needs_token:
        yield _header("Idempotency-Key", required=False)


def _header(name: str, *, required: bool) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": required, "schema": {"type": "string"}, "description": _HEADERS[name]}


def _response(route: Route, shape: Shape | Media | None) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": "Done." if shape is None else "The answer."}
    if isinstance(shape, Media):
        kind = "object" if shape.type == "application/json" else "string"
        answer["content"] = {shape.type: {"schema": {"type": kind}}}
    elif shape is not None:
        answer["content"] = {"application/json": {"schema": shape}}
    if route.etag:
        answer["headers"] = {"ETag": {"description": "The ticket's version.", "schema": {"type": "string"}}}
    return answer


def _refusals(route: Route) -> dict[str, Any]:
    """The refusals that this route may give."""
    kinds = [Kind.UNAVAILABLE, *route.refuses]
    if route.policy.needs_token:
        kinds += [Kind.UNAUTHENTICATED, Kind.FORBIDDEN, Kind.INVALID]
    if route.parameters:
        kinds.append(Kind.NOT_FOUND)
    if route.method == "POST":
        kinds.append(Kind.MALFORMED)
    if route.body is not None:
        kinds += [Kind.MALFORMED, Kind.TOO_LARGE, Kind.UNSUPPORTED]
    if route.method != "GET":
        kinds.append(Kind.CONFLICT)
    if route.if_match:
        kinds += [Kind.MALFORMED, Kind.STALE, Kind.PRECONDITION_REQUIRED]
    statuses = sorted({problems.SORTS[kind].status for kind in kinds})
    return {str(status): {"$ref": f"#/components/responses/Problem{status}"} for status in statuses}


def name_of(schema: Schema | type[Schema] | str) -> str:
    kind = schema if isinstance(schema, type) else type(schema)
    return kind.__name__.removesuffix("Shape").removesuffix("Schema")
