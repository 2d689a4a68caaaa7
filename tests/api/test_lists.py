"""Lists: filters, order, pages, search; and that nobody's list holds what is not his to see (attacks A-07, A-44, A-90)."""

from __future__ import annotations

import re
from datetime import timedelta
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from itsm.platform.time import FrozenClock
from tests.api.world import Api


@pytest.fixture
def queue(api: Api, clock: FrozenClock) -> list[str]:
    """Eight incidents, a minute apart: the second and sixth are urgent, the third is with network, g1 has the fourth."""
    numbers = []
    for index in range(8):
        clock.advance(timedelta(minutes=1))
        numbers.append(api("ra1" if index % 2 else "rb1").opens(title=f"Printer {index}"))
    for number in (numbers[1], numbers[5]):
        api("g1").edits(number, {"fields": {"impact": "extensive", "urgency": "critical"}})
    api("g1").fires(numbers[2], "assign", group="network")
    api("g1").fires(numbers[3], "start")
    return numbers


def walk(api: Api, login: str, query: str) -> list[str]:
    """Every number on every page."""
    numbers: list[str] = []
    page = api(login).get(f"/tickets?{query}")
    while True:
        assert page.status == 200, page.text
        numbers += page.numbers
        if page.json["next"] is None:
            return numbers
        page = api(login).get(f"/tickets?{query}&cursor={page.json['next']}")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("state=new", [0, 1, 4, 5, 6, 7]),
        ("state=assigned,in_progress", [2, 3]),
        ("category=open", [2, 3]),
        ("category=open,new", [0, 1, 2, 3, 4, 5, 6, 7]),
        ("group=network", [2]),
        ("group=network,none", [0, 1, 2, 3, 4, 5, 6, 7]),
        ("group=desktop", []),
        ("assignee=me", [3]),
        ("assignee=g1,l1", [3]),
        ("assignee=none&category=open", [2]),
        ("requester=rb1", [0, 2, 4, 6]),
        ("requester=rb1&category=open", [2]),
        ("type=problem", []),
        ("type=incident,problem&state=in_progress", [3]),
        ("service=workplace", []),
        ("parent=INC0000001", []),
    ],
)
def test_filters_name_exactly_what_is_wanted(api: Api, queue: list[str], query: str, expected: list[int]) -> None:
    assert api("g1").get(f"/tickets?{query}&sort=number").numbers == [queue[index] for index in expected]


@pytest.mark.parametrize(
    "value", ["%", "_", "*", "ne_", "n%", "NEW", "new ", "ne*", "null", "[]", "{}", "' OR '1'='1", "new\\", "0"]
)
def test_nothing_in_a_filter_is_a_wildcard(api: Api, queue: list[str], value: str) -> None:
    for name in ("type", "state", "group", "assignee", "requester", "service", "ci", "parent"):
        assert api("g1").get(f"/tickets?{name}={quote(value)}").numbers == []


def test_an_unknown_parameter_category_or_sort_field_is_refused(api: Api) -> None:
    reply = api("g1").get("/tickets?status=new&category=open,odd&sort=-password")
    assert reply.pointers == {"/status": "unknown_member", "/category": "invalid_value", "/sort": "unknown_sort"}
    for sort in (
        "number;DROP TABLE tickets",
        "(SELECT 1)",
        "priority,priority",
        "priority,updated_at,created_at,number",
        "--number",
    ):
        assert api("g1").get(f"/tickets?sort={quote(sort)}").status == 422, sort


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=1000000000", "limit=-1", "limit=ten", "limit=1.5", "limit=٣"])
def test_a_page_has_one_to_a_hundred_tickets(api: Api, query: str) -> None:
    assert api("g1").get(f"/tickets?{quote(query, safe='=')}").pointers.keys() == {"/limit"}


def test_no_filter_takes_more_than_twenty_values_and_no_search_more_than_ten_words(api: Api) -> None:
    assert api("g1").get("/tickets?state=" + ",".join(f"s{index}" for index in range(21))).status == 422
    assert api("g1").get("/tickets?q=" + "+".join(f"w{index}" for index in range(11))).pointers == {"/q": "invalid_value"}
    assert api("g1").get("/tickets?q=" + "x" * 201).pointers == {"/q": "invalid_value"}


def test_the_most_urgent_come_first_and_among_them_the_longest_untouched(api: Api, queue: list[str]) -> None:
    numbers = api("g1").get("/tickets?sort=-priority,updated_at").numbers
    assert numbers[:2] == [queue[1], queue[5]]
    assert api("g1").get("/tickets?sort=priority,number").numbers[-2:] == [queue[1], queue[5]]


@pytest.mark.parametrize(
    "sort",
    [
        "",
        "-updated_at",
        "updated_at",
        "created_at",
        "-created_at",
        "number",
        "-number",
        "-priority",
        "priority",
        "-priority,updated_at",
        "-priority,-updated_at",
        "priority,-created_at,number",
        "-priority,created_at,-number",
    ],
)
@pytest.mark.parametrize("limit", [1, 3])
def test_pages_put_together_are_the_whole_list(api: Api, queue: list[str], sort: str, limit: int) -> None:
    whole = api("g1").get(f"/tickets?sort={sort}&limit=100").numbers
    assert sorted(whole) == queue
    assert walk(api, "g1", f"sort={sort}&limit={limit}") == whole


def test_pages_stay_together_while_tickets_arrive(api: Api, queue: list[str], clock: FrozenClock) -> None:
    page = api("g1").get("/tickets?sort=-updated_at&limit=3")
    seen = page.numbers
    while page.json["next"]:
        clock.advance(timedelta(minutes=1))
        api("ra1").opens()
        page = api("g1").get(f"/tickets?sort=-updated_at&limit=3&cursor={page.json['next']}")
        seen += page.numbers
    assert sorted(seen) == queue


def test_the_link_header_leads_through_the_pages(api: Api, queue: list[str]) -> None:
    path, seen = "/tickets?state=new&sort=number&limit=4", []
    while path:
        page = api("g1").get(path)
        seen += page.numbers
        match = re.fullmatch(r'<(/api/v1/tickets\?.*)>; rel="next"', page.headers.get("Link", ""))
        assert (match is None) == (page.json["next"] is None)
        path = match[1] if match else ""
    assert seen == [queue[index] for index in (0, 1, 4, 5, 6, 7)]


def test_a_cursor_belongs_to_its_question_and_its_caller(api: Api, queue: list[str]) -> None:
    cursor = api("g1").get("/tickets?state=new&limit=2").json["next"]
    assert api("g1").get(f"/tickets?state=new&limit=3&cursor={cursor}").status == 200
    for query in ("limit=2", "state=new&sort=number", "state=new,assigned", "state=new&q=printer"):
        assert api("g1").get(f"/tickets?{query}&cursor={cursor}").pointers == {"/cursor": "invalid_cursor"}
    assert api("l1").get(f"/tickets?state=new&cursor={cursor}").pointers == {"/cursor": "invalid_cursor"}


def test_a_cursor_cannot_be_made_up(api: Api, queue: list[str]) -> None:
    cursor = api("g1").get("/tickets?limit=2").json["next"]
    forged = [
        cursor[:-1] + ("A" if cursor[-1] != "A" else "B"),
        cursor[1:],
        "A" * 40,
        "é",
        "[1,2]",
        "*",
        "=",
        "a" * 2000,
        "W10",
    ]
    for each in forged:
        reply = api("g1").get(f"/tickets?limit=2&cursor={quote(each)}")
        assert (reply.status, set(reply.pointers)) == (422, {"/cursor"}), each


def test_nobodys_list_holds_what_is_not_his_to_see(api: Api) -> None:
    secret, mine, theirs = api.confidential(), api("ra1").opens(), api("ra2").opens()
    assert set(walk(api, "ra1", "limit=1")) == {mine}
    assert set(walk(api, "rb1", "limit=1")) == {secret}
    assert set(walk(api, "ma", "limit=1")) == {mine, theirs}
    assert set(walk(api, "g1", "limit=1")) == {mine, theirs}
    assert set(walk(api, "g2", "limit=1")) == {mine, theirs, secret}
    assert api("g1").get("/tickets?group=security").numbers == []
    assert api("ra1").get("/tickets?requester=ra2").numbers == []


def test_a_search_finds_words_in_titles_descriptions_and_public_comments(api: Api) -> None:
    number = api("ra1").opens(title="Screen flickers", description="A **ThinkPad** from Zürich")
    api("ra1").says(number, "It began with the firmware-update of example.org")
    other = api("ra1").opens(title="Mouse is slow")
    for words in (
        "screen",
        "FLICKERS screen",
        "thinkp",
        "zürich",
        "firmware-update",
        "example.org",
        "update",
        number,
        number.lower(),
    ):
        assert api("g1").get(f"/tickets?q={quote(words)}").numbers == [number], words
    assert api("g1").get("/tickets?q=s").numbers in ([other, number], [number, other])
    for words in (
        "screen mouse",
        "firm ware",
        "creen",
        "scr% flickers",
        "scr* flickers",
        "s_reen",
        "screen NOT flickers",
        "!!!",
        "%",
        "*",
        '"',
        "'",
    ):
        assert api("g1").get(f"/tickets?q={quote(words)}").numbers == [], words


def test_a_search_finds_nothing_that_is_not_the_searchers_to_see(api: Api) -> None:
    secret = api.confidential()
    api("g2").says(secret, "canarynote", "internal")
    api("g2").says(secret, "canaryword")
    mine = api("ra1").opens()
    api("g1").says(mine, "canaryinside", "internal")
    for word in (
        "canary",
        "confidential",
        "canarynote",
        "canaryword",
        "canaryinside",
        "can",
        secret,
        "canary*",
        "title:canary",
        "^canary",
    ):
        for login in ("ra1", "ra2", "ma"):
            assert api(login).get(f"/tickets?q={quote(word)}").items == [], (word, login)
    assert api("g1").get("/tickets?q=canary").numbers == [mine]
    assert api("rb1").get("/tickets?q=canarynote").items == []
    assert api("rb1").get("/tickets?q=canaryword").numbers == [secret]


@given(words=st.text(max_size=60))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_words_at_all_upset_a_search(api: Api, words: str) -> None:
    reply = api("g1").get(f"/tickets?q={quote(words, errors='replace')}")
    assert reply.status == (422 if "\0" in words or len(words.split()) > 10 else 200), reply.text


@given(
    st.from_regex(r"[a-zA-Z0-9äöüß]{3,12}", fullmatch=True),
    st.sampled_from(["", "'", '"', "\\", ":*", " | ", " & ", "!", "(", ")", "<->"]),
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_stands_in_a_title_is_found_by_it_whatever_sign_follows(api: Api, word: str, sign: str) -> None:
    number = api("ra1").opens(title=f"{word} broken")
    assert number in api("g1").get(f"/tickets?limit=100&q={quote(word + sign)}").numbers
