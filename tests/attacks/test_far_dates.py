"""A-92 for instants: what lies at the ends of the calendar is refused at its place, and never an error of ours."""

from __future__ import annotations

from urllib.parse import quote

from marshmallow import fields

from itsm.api.forms import Form
from tests.api.world import ROUTES, Api
from tests.attacks.prey import BODIES, Place, able, where

FAR = (
    "0001-01-01T00:00:00Z",
    "0001-01-01T00:00:00+23:59",
    "1969-12-31T23:59:59Z",
    "2200-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999Z",
    "9999-12-31T23:59:59-23:59",
)


def instants(form: Form | None) -> list[str]:
    """The members of a body or a query that are instants, by the names they are sent under."""
    found = {} if form is None else form.fields
    return [each.data_key or name for name, each in found.items() if isinstance(each, fields.AwareDateTime)]


def test_an_instant_out_of_reach_is_refused_wherever_one_is_taken(api: Api) -> None:
    place, asked = Place(api), 0
    for endpoint, route in ROUTES.items():
        caller, path = api(able(endpoint)), where(endpoint, place, place.own, "x/1")
        for name in instants(route.body):
            for far in FAR:
                reply = caller.call(route.method, path, body={**BODIES[endpoint], name: far}, If_Match="*")
                assert (reply.status, reply.pointers.get(f"/{name}")) == (422, "invalid_value"), (endpoint, name, far)
                asked += 1
        for name in instants(route.query):
            for far in FAR:
                more = f"{'&' if '?' in path else '?'}{name}={quote(far)}"
                reply = caller.call(route.method, path + more)
                assert (reply.status, list(reply.pointers.values())) == (422, ["invalid_value"]), (endpoint, name, far)
                asked += 1
    assert asked >= 100
