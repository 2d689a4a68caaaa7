"""Tokens: what each scope opens on each route, and everything that is not a token (A-70)."""

from __future__ import annotations

from datetime import timedelta
from itertools import product

import pytest
import sqlalchemy as sa

from itsm.api import routes
from itsm.people.access import Scope
from itsm.people.models import Token
from itsm.people.tokens import TokenKeeper
from itsm.platform.schema import Base, table
from itsm.platform.time import FrozenClock
from tests.api.world import Api
from tests.attacks.prey import BODIES, Place, upload, where
from tests.attacks.test_what_is_written import rows

HELD = {
    "nothing": (frozenset[Scope](), -1),
    "read": (frozenset({Scope.READ}), 0),
    "write": (frozenset({Scope.WRITE}), 1),
    "read and write": (frozenset({Scope.READ, Scope.WRITE}), 1),
    "admin": (frozenset({Scope.ADMIN}), 2),
}
RANK = {"read": 0, "write": 1, "admin": 2}
CHANGING = {"POST", "PATCH", "DELETE", "PUT"}


def test_every_route_asks_for_the_least_scope_that_its_method_allows(api: Api) -> None:
    """A-70: reading asks for read, everything else for write at least; 403 before anything is read of the body or changed."""
    place = Place(api)
    for route in routes():
        assert (RANK[route.scope.value] >= 1) is (route.method in CHANGING), route.endpoint
    before = rows(api)
    for route, (words, (scopes, rank)) in product(routes(), HELD.items()):
        if not route.policy.needs_token or rank >= RANK[route.scope.value]:
            continue
        path = where(route.endpoint, place, place.own, "x/1")
        for sound in (True, False):
            data = {"data": upload()} if route.upload else {"body": BODIES.get(route.endpoint) if sound else {"odd": 1}}
            reply = api("ad1", scopes).call(route.method, path, If_Match="*", **data)
            assert (reply.status, reply.code) == (403, "insufficient_scope"), (route.endpoint, words)
    assert rows(api) == before
    for route, (words, (scopes, rank)) in product(routes(), HELD.items()):
        if not route.policy.needs_token or route.method != "GET" or rank < RANK[route.scope.value]:
            continue
        path = where(route.endpoint, place, place.own, "x/1")
        assert api("ad1", scopes).get(path).status in (200, 404), (route.endpoint, words)


def test_only_the_token_itself_opens_anything(api: Api, clock: FrozenClock) -> None:
    """A-70: expired, revoked, altered, of another desk, digest or prefix, in a query, a cookie or another scheme: 401."""
    token = api.token("ad1")
    assert api.holding(token).get("/me").status == 200
    expired = api.token("ad1", expires_at=clock.now() + timedelta(seconds=1))
    revoked = api.token("ad1")
    with api.desk.database.engine.begin() as connection:
        tokens = table(Token)
        kept = connection.execute(sa.select(Token.digest, Token.prefix).order_by(Token.id)).all()
        last = connection.execute(sa.select(sa.func.max(tokens.c.id))).scalar_one()
        connection.execute(sa.update(tokens).where(tokens.c.id == last).values(revoked_at=clock.now()))
    clock.advance(timedelta(seconds=1))
    foreign = TokenKeeper(b"another desk's key, as long as ours", api.desk.roles)
    with api.desk.database.session() as session:
        of_another = foreign.create(session, "ad1", frozenset(Scope), clock.now(), None)
    wrong = [
        expired,
        revoked,
        of_another,
        token[:-1],
        token + "A",
        token.upper(),
        token.lower(),
        token.swapcase(),
        token[::-1],
        "itsm_",
    ]
    wrong += (
        [row.digest.hex() for row in kept] + [row.prefix for row in kept] + [f"{token},{token}", token.replace("itsm_", "")]
    )
    answers = {(reply := api.holding(each).get("/me")).status: reply.json["detail"] for each in wrong}
    assert set(answers) == {401}
    for header in (
        f"Basic {token}",
        f"Token {token}",
        token,
        f"Bearer {token} x",
        f'Bearer "{token}"',
        f"Bearer token={token}",
    ):
        assert api(None).get("/me", Authorization=header).status == 401, header
    for header in ("X-Api-Key", "X-Auth-Token", "Proxy-Authorization", "Cookie", "X-Authorization"):
        assert api(None).get("/me", **{header.replace("-", "_"): f"Bearer {token}"}).status == 401, header
    for name in ("token", "access_token", "api_key", "authorization", "bearer"):
        assert api(None).get(f"/me?{name}={token}").status == 401
        assert api("ra1").get(f"/me?{name}={token}").status == 422


def test_a_dump_of_the_database_holds_no_token(api: Api) -> None:
    """A-70: of a token there is its keyed digest and nine signs by which scanners know it; two of a person share nothing."""
    given = [api.token("ra1") for _ in range(3)]
    with api.desk.database.engine.connect() as connection:
        dump = "\n".join(str(tuple(row)) for each in Base.metadata.sorted_tables for row in connection.execute(sa.select(each)))
        kept = connection.execute(sa.select(Token.digest, Token.prefix)).all()
    assert all(token not in dump and token[9:] not in dump for token in given)
    assert len({row.digest for row in kept}) == len(kept)
    assert all(len(row.digest) == 32 and len(row.prefix) == 9 for row in kept)
    assert all(len(token) >= len("itsm_") + 32 for token in given)


@pytest.mark.parametrize("endpoint", ["me.read", "tickets.find"])
def test_refusals_of_a_token_are_all_alike(api: Api, endpoint: str) -> None:
    """A-70: unknown, foreign and malformed tokens are told apart by nothing but the number of the request."""
    path = {"me.read": "/me", "tickets.find": "/tickets"}[endpoint]
    bodies = set()
    for token in ("itsm_" + "A" * 32, "itsm_" + "B" * 32, "x", api.token("ra1")[:-1] + "!"):
        reply = api.holding(token).get(path)
        body = {**reply.json, "request_id": ""}
        bodies.add((reply.status, body["code"], reply.headers["WWW-Authenticate"]))
    assert bodies == {(401, "unauthenticated", "Bearer")}
