"""Every refusal as RFC 9457 writes it: the one table from kinds of refusal to HTTP, and the one form of an error's body.

A problem has a stable `code` for programs and a `detail` for people; input has all its faults in `errors`, each by JSON
pointer. What we did not foresee says nothing but the number under which the log tells more (OWASP ASVS 16.5.1).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import orjson
from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from itsm.platform.errors import DeskError, FieldError, Kind

MEDIA_TYPE: Final = "application/problem+json"
OURS: Final = ("/api/", "/healthz", "/readyz", "/metrics")
"""Beginnings of paths whose refusals are problems; the portal's are pages."""

_log = logging.getLogger("itsm.api")


@dataclass(frozen=True, slots=True)
class Sort:
    """What HTTP says to one kind of refusal."""

    status: int
    title: str


SORTS: Final[Mapping[Kind, Sort]] = {
    Kind.MALFORMED: Sort(400, "The request cannot be read"),
    Kind.UNAUTHENTICATED: Sort(401, "Who are you?"),
    Kind.FORBIDDEN: Sort(403, "Not yours to do"),
    Kind.NOT_FOUND: Sort(404, "Not found"),
    Kind.CONFLICT: Sort(409, "Not possible now"),
    Kind.GONE: Sort(410, "No longer possible"),
    Kind.STALE: Sort(412, "Changed in the meantime"),
    Kind.TOO_LARGE: Sort(413, "Too large"),
    Kind.UNSUPPORTED: Sort(415, "Not a media type we take"),
    Kind.INVALID: Sort(422, "The input is not valid"),
    Kind.PRECONDITION_REQUIRED: Sort(428, "Say which version you have seen"),
    Kind.TOO_MANY: Sort(429, "Too many requests"),
    Kind.SETUP: Sort(500, "The installation is at fault"),
    Kind.UNAVAILABLE: Sort(503, "Try again later"),
}

_WORDS: Final[Mapping[int, tuple[str, str]]] = {
    400: ("bad_request", "The request cannot be read."),
    404: ("not_found", "There is nothing at this address."),
    405: ("method_not_allowed", "This address does not take this method; see Allow."),
    413: ("too_large", "The body is larger than this address takes."),
}
"""Code and sentence for what Flask refuses by itself."""


def install(app: Flask) -> None:
    """Let every error under our paths be answered as a problem."""
    app.register_error_handler(DeskError, from_error)
    app.register_error_handler(HTTPException, _from_http)
    app.register_error_handler(Exception, _from_surprise)


def from_error(error: DeskError) -> Response:
    """The answer to a refusal of the desk."""
    sort = SORTS[error.kind]
    if error.kind is Kind.SETUP:
        return _from_surprise(error)
    headers = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
    if error.kind is Kind.UNAUTHENTICATED:
        headers["WWW-Authenticate"] = "Bearer"
    elif error.code == "insufficient_scope":
        headers["WWW-Authenticate"] = 'Bearer error="insufficient_scope"'  # RFC 6750 §3.1
    return _answer(sort.status, sort.title, error.code, error.detail, error.errors, headers)


def is_ours(path: str) -> bool:
    """Whether a path is answered by the API rather than by the portal."""
    return path.startswith(OURS)


def _from_http(error: HTTPException) -> Response | HTTPException:
    """The answer to what Flask refuses before a route is reached: unknown paths and methods, bodies that are too large."""
    status = error.code or 500
    if not is_ours(request.path) or status < HTTPStatus.BAD_REQUEST:
        return error
    headers = {name: value for name, value in error.get_headers() if name in {"Allow", "Retry-After"}}
    code, detail = _WORDS.get(status, ("http_error", "The request cannot be answered."))
    return _answer(status, HTTPStatus(status).phrase, code, detail, (), headers)


def _from_surprise(error: Exception) -> Response:
    """The answer to a fault of ours: generic, with the number under which the log has the rest."""
    _log.error("request %s failed", g.request_id, exc_info=error)
    detail = f"Something went wrong on our side. Please tell us the number {g.request_id}."
    if not is_ours(request.path):
        return Response(detail, 500, mimetype="text/plain")
    return _answer(500, "Internal error", "internal_error", detail, (), {})


def _answer(
    status: int, title: str, code: str, detail: str, errors: tuple[FieldError, ...], headers: Mapping[str, str]
) -> Response:
    body: dict[str, Any] = {
        "type": f"/api/reference#status-{status}",
        "title": title,
        "status": status,
        "code": code,
        "detail": detail,
        "request_id": g.request_id,
    }
    if errors:
        body["errors"] = [{"pointer": each.pointer, "code": each.code, "message": each.message} for each in errors]
    return Response(orjson.dumps(body), status, headers, content_type=MEDIA_TYPE)
