"""How many statements a request costs the database, its caller's recognition included: what is counted stays quick."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.api.world import INCIDENT, Api, Reply


@contextmanager
def counted(api: Api, most: int) -> Iterator[list[str]]:
    """Fail if the block sends more statements than `most`."""
    said: list[str] = []
    api.desk.database.on_statement = said.append
    try:
        yield said
    finally:
        api.desk.database.on_statement = None
    assert len(said) <= most, "\n".join(said)


def test_reading_a_ticket_takes_three_at_most(api: Api) -> None:
    number = api.in_progress()
    for login in ("ra1", "g1", "ma", "au1"):
        caller = api(login)
        with counted(api, 3):
            assert caller.get(f"/tickets/{number}").status == 200


@pytest.mark.parametrize(
    "query",
    [
        "",
        "limit=100",
        "sort=-priority,updated_at",
        "q=screen+black",
        "group=network,none&assignee=me,none&requester=ra1&service=x",
    ],
)
def test_a_list_takes_three_at_most_however_long(api: Api, query: str) -> None:
    for _ in range(30):
        api("ra1").opens()
    for login in ("ra1", "g1", "ma"):
        caller = api(login)
        with counted(api, 3):
            assert caller.get(f"/tickets?{query}").status == 200


def test_a_story_takes_four_at_most_however_long(api: Api) -> None:
    number = api.in_progress()
    for index in range(20):
        api("g1").says(number, "A word.", "internal" if index % 2 else "public")
    for login in ("ra1", "g1"):
        with counted(api, 4):
            assert api(login).get(f"/tickets/{number}/timeline").status == 200


@pytest.mark.parametrize(
    "body",
    [
        INCIDENT,
        {**INCIDENT, "service": "workplace", "ci": "laptop-17", "fields": {"urgency": "high"}},
        {**INCIDENT, "requester": "rb1"},
    ],
    ids=["plain", "about a service and an item", "for somebody else"],
)
def test_opening_a_ticket_takes_thirteen_and_five_for_its_clocks_at_most(api: Api, body: dict[str, object]) -> None:
    caller = api("g1")
    caller.opens()  # a process reads a workflow once
    with counted(api, 18):
        assert caller.post("/tickets", body, Idempotency_Key="k").status == 201


Ready = Callable[[Api], str]


def _new(api: Api) -> str:
    return api("ra1").opens()


def _in_progress(api: Api) -> str:
    return api.in_progress()


def _resolved(api: Api) -> str:
    number = api.in_progress()
    assert api("g1").fires(number, "resolve", resolution_code="fixed", resolution="Cable.").status == 200
    return number


MOVES: list[tuple[str, Ready, str, dict[str, object], str | None]] = [
    ("g1", _new, "assign", {"group": "network"}, None),
    ("g1", _new, "start", {}, None),
    ("g1", _in_progress, "hold", {"pending_reason": "user"}, "Which screen?"),
    ("g1", _in_progress, "resolve", {"resolution_code": "fixed", "resolution": "Cable."}, "Done."),
    ("ra1", _resolved, "reopen", {}, "Black again."),
    ("ra1", _resolved, "close", {}, None),
    ("ra1", _new, "cancel", {}, "It was the cable."),
]


@pytest.mark.parametrize(("login", "ready", "trigger", "fields", "comment"), MOVES, ids=[move[2] for move in MOVES])
def test_a_move_takes_twelve_and_four_for_its_clocks_at_most(
    api: Api, login: str, ready: Ready, trigger: str, fields: dict[str, object], comment: str | None
) -> None:
    number = ready(api)
    caller = api(login)
    etag = caller.get(f"/tickets/{number}").etag
    body = {"trigger": trigger, "fields": fields, "comment": comment}

    def move() -> Reply:
        return caller.post(f"/tickets/{number}/transitions", body, If_Match=etag, Idempotency_Key="k")

    with counted(api, 16):
        assert move().status == 200
    with counted(api, 3):
        assert move().headers["Idempotency-Replayed"] == "true"


def test_what_else_is_done_every_day_takes_ten_at_most(api: Api) -> None:
    number, other = api.in_progress(), api("ra1").opens()
    caller = api("g1")
    etag = caller.get(f"/tickets/{number}").etag
    for deed in (
        lambda: caller.patch(f"/tickets/{number}", {"title": "Screen black"}, If_Match=etag),
        lambda: caller.says(number, "A word.", "internal"),
        lambda: caller.post(f"/tickets/{number}/watchers", {"login": "l1"}),
        lambda: caller.post(f"/tickets/{number}/work", {"minutes": 5}),
        lambda: caller.get(f"/tickets/{number}/transitions"),
        lambda: caller.get(f"/tickets/{number}/links"),
        lambda: caller.get("/approvals"),
        lambda: caller.get("/me"),
    ):
        with counted(api, 10):
            assert deed().status in (200, 201)
    with counted(api, 20):  # it is told on both tickets, each in a transaction of its own
        assert caller.post(f"/tickets/{number}/links", {"kind": "related_to", "number": other}).status == 201


def test_a_stranger_costs_the_database_nothing(api: Api) -> None:
    with counted(api, 0):
        assert api(None).get("/tickets").status == 401
        assert api(None).post("/tickets", INCIDENT).status == 401
        assert api(None).get("/openapi.json").status == 200
        assert api(None).get("/api/reference").status == 200


def test_a_refused_form_costs_no_more_than_knowing_its_sender(api: Api) -> None:
    caller = api("ra1")
    with counted(api, 1):
        assert caller.post("/tickets", {"title": 5}, Idempotency_Key="k").status == 422
