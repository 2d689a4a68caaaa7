"""The HTTP door: routes under `/api/v1`, and the few for those who run the desk. Each resource is a module of its own."""

from __future__ import annotations

import secrets
from typing import Final

from flask import Flask, Response, g, request
from werkzeug.routing import BaseConverter

from itsm.api import documents, problems
from itsm.api.approvals import approvals
from itsm.api.assignment import assignment
from itsm.api.attachments import attachments
from itsm.api.callbacks import callbacks
from itsm.api.catalog import catalog
from itsm.api.changes import changes
from itsm.api.comments import comments
from itsm.api.door import Door
from itsm.api.escalation import escalation
from itsm.api.items import items
from itsm.api.links import links
from itsm.api.me import me
from itsm.api.meetings import board
from itsm.api.on_call import duty
from itsm.api.operations import Measures, operations
from itsm.api.recurrences import recurrences
from itsm.api.routing import Route
from itsm.api.services import services
from itsm.api.sla import sla
from itsm.api.tasks import tasks
from itsm.api.tickets import tickets
from itsm.api.timeline import timeline
from itsm.api.transitions import transitions
from itsm.api.watchers import watchers
from itsm.api.work import work
from itsm.api.workflows import workflows
from itsm.tickets.desk import Desk

RESOURCES: Final = (
    me,
    tickets,
    transitions,
    timeline,
    comments,
    attachments,
    links,
    tasks,
    watchers,
    work,
    assignment,
    duty,
    sla,
    escalation,
    approvals,
    catalog,
    recurrences,
    changes,
    board,
    callbacks,
    services,
    items,
    workflows,
    operations,
)
"""Every resource, in the order in which the documents show them."""


def create_api(desk: Desk) -> Flask:
    """A web application that serves the API of a desk; other doors add themselves to it."""
    app = Flask("itsm.api", static_folder=None)
    app.url_map.merge_slashes = False
    app.url_map.converters.update(key=KeyConverter, row=RowConverter)
    app.config["MAX_CONTENT_LENGTH"] = desk.settings.max_body_bytes
    app.before_request(_number_request)
    Measures().install(app)
    app.after_request(_guard)
    problems.install(app)
    door = Door(desk)
    declared = routes()
    for route in declared:
        app.add_url_rule(route.rule, route.endpoint, door.view(route), methods=[route.method], provide_automatic_options=False)
    refuse_undeclared(app, declared)
    return app


def routes() -> list[Route]:
    """Every route of the API."""
    return [route for resource in (*RESOURCES, documents.resource(RESOURCES)) for route in resource.routes]


def refuse_undeclared(app: Flask, declared: list[Route]) -> None:
    """Raise `RuntimeError` if anything answers under our paths that was not declared as a route, and so has no policy."""
    endpoints = {route.endpoint for route in declared}
    for rule in app.url_map.iter_rules():
        if problems.is_ours(rule.rule) and rule.endpoint not in endpoints:
            raise RuntimeError(f"{rule.rule} is served without a declared policy")


class KeyConverter(BaseConverter):
    """What a number, login or name in a path can look like; anything else is not found."""

    regex = r"[A-Za-z0-9._@+-]{1,100}"


class RowConverter(BaseConverter):
    """A row's number in a path."""

    regex = r"[0-9]{1,18}"

    def to_python(self, value: str) -> int:
        return int(value)


def _number_request() -> None:
    g.request_id = secrets.token_hex(8)


def _guard(response: Response) -> Response:
    """What every answer of ours says to caches and browsers (RFC 9111 §5.2.2.5; OWASP ASVS 3.4)."""
    response.headers["X-Request-ID"] = g.request_id
    if problems.is_ours(request.path):
        response.headers["Cache-Control"] = "no-store"
        response.headers["Vary"] = "Authorization"
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers.setdefault("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
    return response
