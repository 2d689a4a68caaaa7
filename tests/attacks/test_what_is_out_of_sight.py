"""Nothing of what one may not see comes back on any way: routes, methods, addresses, lists, searches, replays, references."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from flask.testing import FlaskClient

from itsm.api import create_api
from itsm.people.access import SYSTEM, Channel
from itsm.platform.schema import Base
from itsm.portal import create_portal
from itsm.tickets import publishing
from itsm.workflow import language
from tests.api.world import INCIDENT, ROUTES, Api, Caller, Reply
from tests.attacks.prey import BODIES, Prey, canary, upload, where

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND")
OUTSIDERS = ("ra1", "ma", "ap1", "g1", "l1", "cm1", "ad1", "int1")
"""Who may not know that `prey.hidden` exists, whatever he is; `tests/api/test_matrix.py` has all the others."""

ON_TICKETS = {name: route for name, route in ROUTES.items() if "{number}" in route.path}


def send(caller: Caller, endpoint: str, prey: Prey, number: str, file: str, **headers: Any) -> Reply:
    """A sound request to a route, about this ticket."""
    route = ROUTES[endpoint]
    path = where(endpoint, prey, number, file)
    if route.upload:
        return caller.call(route.method, path, data=upload(endpoint), **headers)
    if_match: dict[str, Any] = {"If_Match": "*"} if route.if_match else {}
    return caller.call(route.method, path, body=BODIES.get(endpoint), **if_match, **headers)


def test_every_route_answers_for_a_hidden_ticket_as_for_none(api: Api, prey: Prey) -> None:
    """A-01, A-05: the same status, code and words, and no canary; nobody can tell the hidden from the absent."""
    for login, endpoint in product(OUTSIDERS, ON_TICKETS):
        number = prey.hidden_change if endpoint.startswith("changes.") else prey.hidden
        absent = number[:3] + "9999999"
        hidden = send(api(login), endpoint, prey, number, prey.hidden_file)
        nothing = send(api(login), endpoint, prey, absent, prey.hidden_file)
        assert hidden.status in (403, 404), endpoint
        told, expected = ({**reply.json, "request_id": ""} for reply in (hidden, nothing))
        assert told == {**expected, "detail": expected["detail"].replace(absent, number)}, endpoint
        assert set(hidden.headers.keys()) == set(nothing.headers.keys()), endpoint
        assert prey.leaks(hidden) == [], endpoint
    for endpoint, route in ON_TICKETS.items():
        if route.method == "GET" and endpoint != "catalogue.ordered":  # of which these tickets were not born
            number = prey.hidden_change if endpoint.startswith("changes.") else prey.hidden
            assert send(api("g2"), endpoint, prey, number, prey.hidden_file).status == 200, f"{endpoint} was asked wrongly"


def test_no_method_and_no_override_does_anything_to_a_hidden_ticket(api: Api, prey: Prey) -> None:
    """A-02: no method, and no header or parameter that claims another, changes a row or tells a word; TRACE is 405."""
    before = digest(api)
    path = f"/tickets/{prey.hidden}"
    for method in METHODS:
        reply = api("ra1").call(method, path, body={"title": "Mine"} if method in ("POST", "PATCH", "PUT") else None)
        assert prey.leaks(reply) == []
        assert reply.status in ((404, 428) if method in ("GET", "HEAD", "PATCH") else (405,)), method
    for override in ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X-Original-Method"):
        for claimed in ("PATCH", "DELETE", "PUT", "GET"):
            for method in ("GET", "POST"):
                header: dict[str, Any] = {override.replace("-", "_").capitalize(): claimed}
                assert prey.leaks(api("ra1").call(method, path, If_Match="*", **header)) == []
                reply = api("ra1").call(method, f"{path}?_method={claimed}", If_Match="*")
                assert reply.status in (404, 405, 422)
                own = api("ra1").call(method, f"/tickets/{prey.own}", If_Match="*", **header)
                assert own.status == (200 if method == "GET" else 405), "an override was heeded"
    assert digest(api) == before


def variants(number: str) -> Iterator[str]:
    """Other ways of writing the address of a ticket."""
    base = "/api/v1/tickets/"
    yield from (base + number + ending for ending in ("/", ".", "..", ".json", ".xml", ";x", ";jsessionid=1", "%00", "%2500"))
    yield from (
        base + number + ending for ending in ("%20", "%09", "%0a", "%0d%0a", "#", "%23", "%3f", "?", "%2e", "/.", "/..")
    )
    yield from (base + before + number for before in ("%2e/", "./", "../tickets/", "%2e%2e/tickets/", "/", "%2f", "%20", "%00"))
    yield from (
        base.rstrip("/") + between + number for between in ("%2f", "%252f", "//", "\\", "%5c", "/;/", "%c0%af", "%ef%bc%8f")
    )
    yield from (base + number.lower(), base + number.replace("I", "ı"), base + quote("".join(f"%{ord(c):02x}" for c in number)))
    yield from (
        "/API/V1/tickets/" + number,
        "/api/v1/TICKETS/" + number,
        "//api/v1/tickets/" + number,
        "/api//v1/tickets/" + number,
    )
    yield base + "".join(f"%{ord(sign):02x}" for sign in number)
    yield from (
        f"{base}{number}{tail}"
        for tail in ("%2ftimeline", "/timeline%20", "/timeline/", "\\timeline", "/timeline;x", "/%74imeline")
    )
    yield from (
        "/api/v1/../v1/tickets/" + number,
        "/static/../api/v1/tickets/" + number,
        "/healthz/../api/v1/tickets/" + number,
    )


def test_no_spelling_of_an_address_decides_otherwise_than_its_plain_form(api: Api, prey: Prey) -> None:
    """A-03: for who may not see the ticket every variant is refused; for who may, it is the ticket itself or nothing."""
    client = site(api)
    headers = {"Authorization": f"Bearer {api('ra1').token}"}
    for path in variants(prey.hidden):
        response = client.get(path, headers=headers)
        assert response.status_code in (400, 404, 405), path
        assert prey.leaks(Reply(response)) == [], path
    plain = {api("ra1").get(f"/tickets/{prey.own}{part}").content for part in ("", "/timeline")}
    for path in variants(prey.own):
        response = client.get(path, headers=headers)
        assert response.status_code in (400, 404, 405) or response.get_data() in plain, path
        assert prey.leaks(Reply(response)) == [], path


def test_internal_words_files_and_work_reach_no_requester_on_any_route(api: Api, prey: Prey) -> None:
    """A-05: every route about his own ticket, every list, figure and page: not one internal canary."""
    client = site(api)
    for login in ("ra1", "ma", "ap1", "ra2"):
        for endpoint, route in ROUTES.items():
            if not route.policy.needs_token:
                continue
            reply = send(api(login), endpoint, prey, prey.own, prey.file)
            assert prey.leaks(reply) == [], (login, endpoint)
        for path in ("/tickets", "/tickets?limit=100&sort=priority", "/approvals?mine=false&ticket=" + prey.change, "/metrics"):
            assert prey.leaks(api(login).get(path)) == []
        assert api(login).get(prey.file).status == 404
    for page in (
        "/",
        "/diagrams/incident.svg",
        "/diagrams/nothing.svg",
        "/openapi.json",
        "/api/reference",
        "/healthz",
        "/readyz",
    ):
        assert prey.leaks(Reply(client.get(page))) == []
    told = api("g1").get(f"/tickets/{prey.own}/timeline").text
    assert all(prey.canaries[what] in told for what in ("note", "work")), "the canaries are not where they should be"


def test_the_story_of_a_ticket_in_every_page_tells_no_internal_word(api: Api, prey: Prey) -> None:
    """A-05: neither by page size nor by cursor, and a cursor of staff is none of his."""
    staff = api("g1").get(f"/tickets/{prey.own}/timeline?limit=1").json["next"]
    assert api("ra1").get(f"/tickets/{prey.own}/timeline?cursor={staff}").pointers == {"/cursor": "invalid_cursor"}
    for limit in (1, 2, 100):
        cursor = ""
        while cursor is not None:
            reply = api("ra1").get(f"/tickets/{prey.own}/timeline?limit={limit}{cursor and '&cursor=' + cursor}")
            assert reply.status == 200
            assert prey.leaks(reply) == []
            cursor = reply.json["next"]


def test_a_search_says_nothing_about_words_one_may_not_read(api: Api, prey: Prey) -> None:
    """A-07: for whole words, beginnings, operators, prefixes and wildcards the page is that of a word that is nowhere."""
    nowhere = {login: api(login).get("/tickets?q=cnryabsent").content for login in ("ra1", "ma", "int1")}
    for login, page in nowhere.items():
        for word in prey.canaries.values():
            if login == "int1" and word in (prey.canaries["hidden change"], prey.canaries["hidden plan"]):
                continue  # a change that a program which reads all tickets may read
            for asked in (
                word,
                word[:12],
                f'"{word}"',
                f"title:{word}",
                f"{word}*",
                f"*{word}",
                f"^{word}",
                f"{word} OR a",
                f"a|{word}",
            ):
                reply = api(login).get(f"/tickets?q={quote(asked)}")
                assert (reply.status, reply.content) == (200, page), (login, asked)
    assert api("g1").get(f"/tickets?q={prey.canaries['note'][:12]}").numbers == [prey.own]
    assert api("rb1").get(f"/tickets?q={prey.canaries['hidden word']}").numbers == [prey.hidden]


def test_filters_and_sorting_find_nothing_hidden(api: Api, prey: Prey) -> None:
    """A-07: no filter names a hidden ticket, and its number leads nowhere."""
    for login in ("ra1", "ma", "g1"):
        for query in (
            f"q={prey.hidden}",
            "group=security",
            f"parent={prey.hidden}",
            "requester=rb1",
            "requester=rb1&assignee=g2",
            "assignee=g2",
            "group=security,none&requester=rb1",
        ):
            for order in ("", "&sort=priority&limit=1"):
                reply = api(login).get(f"/tickets?{query}{order}")
                assert (reply.items, reply.json["next"]) == ([], None), (login, query)


def test_a_hidden_ticket_can_be_named_nowhere(api: Api, prey: Prey) -> None:
    """A-10: link of every kind and direction, duplicate-of, parent and clone: refused in the words for a number that is not."""
    absent = "INC9999999"
    kinds = ("related_to", "duplicate_of", "duplicated_by", "caused_by", "causes", "blocks", "blocked_by")
    for kind in kinds:
        for login, own in (("ra1", prey.own), ("g1", prey.own)):
            tries = [api(login).post(f"/tickets/{own}/links", {"kind": kind, "number": each}) for each in (prey.hidden, absent)]
            alike(tries, prey.hidden, absent)
    for trigger, fields in (("merge", {}), ("assign", {"group": "network"})):
        tries = [api("g1").fires(prey.own, trigger, **fields, duplicate_of=each) for each in (prey.hidden, absent)]
        alike(tries, prey.hidden, absent)
    alike(
        [api("g1").edits(prey.own, {"fields": {"duplicate_of": each}}) for each in (prey.hidden, absent)], prey.hidden, absent
    )
    for login in ("ra1", "g1"):
        for name in ("parent", "duplicate_of"):
            tries = [api(login).post("/tickets", {**INCIDENT, "fields": {name: each}}) for each in (prey.hidden, absent)]
            alike(tries, prey.hidden, absent)
        for member in ("parent", "clone_of", "links", "attachments"):
            assert api(login).post("/tickets", {**INCIDENT, member: prey.hidden}).pointers == {f"/{member}": "unknown_member"}
        assert prey.leaks(api(login).get(f"/tickets/{prey.own}/links")) == []
        tries = [api(login).post("/changes/gate", {"change": each}) for each in (prey.hidden_change, "CHG9999999")]
        alike(tries, prey.hidden_change, "CHG9999999")
    for file in (prey.hidden_file.rsplit("/", 1)[1], prey.file.rsplit("/", 1)[1]):
        assert api("ra1").get(f"/tickets/{prey.own}/attachments/{file}").status == 404


def alike(tries: list[Reply], hidden: str, absent: str) -> None:
    one, other = ({**reply.json, "request_id": ""} for reply in tries)
    assert tries[0].status in (403, 404, 409, 422), tries[0].text
    assert str(one).replace(hidden, absent) == str(other)


def test_a_tie_needs_a_part_in_both_tickets(api: Api) -> None:
    """A-10, A-83: who may only read a ticket does not write ties into it from the other end."""
    theirs, mine = api("ra1").opens(), api("ma").opens()
    network, other = api.in_progress(), api("ra1").opens()
    for login, own, foreign in (("ma", mine, theirs), ("g3", other, network)):
        before = api("ad1").get(f"/tickets/{foreign}/timeline").json
        for kind in ("duplicate_of", "duplicated_by", "causes", "caused_by", "related_to"):
            for path, number in ((own, foreign), (foreign, own)):
                reply = api(login).post(f"/tickets/{path}/links", {"kind": kind, "number": number})
                assert (reply.status, reply.code) == (403, "read_only")
        assert api("ad1").get(f"/tickets/{foreign}/timeline").json == before
        assert api("ad1").get(f"/tickets/{foreign}/links").items == []


def test_a_part_of_a_hidden_ticket_is_hidden_with_it(api: Api, prey: Prey) -> None:
    """A-05: a task that names no group lies with the restricted group of its parent, not open to all staff."""
    assert api("g2").get(f"/tickets/{prey.hidden_task}").json["group"] == "security"
    for login in ("g1", "au1", "ad1", "int1", "ma"):
        assert api(login).get(f"/tickets/{prey.hidden_task}").status == 404
        assert api(login).get(f"/tickets/{prey.hidden}/tasks").status == 404


def test_the_answer_kept_for_one_is_given_to_no_other(api: Api, prey: Prey) -> None:
    """A-05: another's Idempotency-Key is no key to his answer, and one's own opens nothing that one has lost."""
    path = f"/tickets/{prey.hidden}/comments"
    body = {"body": prey.canaries["hidden word"], "visibility": "internal"}
    assert api("g2").post(path, body, Idempotency_Key="k").status == 201
    for login in ("ra1", "g1", "ad1"):
        reply = api(login).post(path, {**body, "body": "x"}, Idempotency_Key="k")
        assert (reply.status, prey.leaks(reply)) == (404, [])
        assert "Idempotency-Replayed" not in reply.headers


def test_entity_tags_are_no_oracle(api: Api, prey: Prey) -> None:
    """A-01: neither If-Match nor If-None-Match tells a right guess from a wrong one about a hidden ticket."""
    right = api("g2").get(f"/tickets/{prey.hidden}").etag
    path = f"/tickets/{prey.hidden}"
    for tag in (right, '"1"', "*", f'{right}, "1"', f"W/{right}"):
        assert api("ra1").get(path, If_None_Match=tag).status == 404
        assert api("ra1").call("HEAD", path, If_None_Match=tag).status == 404
        assert api("ra1").patch(path, {"title": "x"}, If_Match=tag).status == 404
        assert api("ra1").post(f"{path}/transitions", {"trigger": "cancel"}, If_Match=tag).status == 404


def test_the_start_page_counts_nothing_that_lies_with_a_restricted_group(api: Api, prey: Prey) -> None:
    """A-09 in small: the counts for strangers are those of a desk without the hidden tickets."""
    api.desk.settings = replace(api.desk.settings, public_pulse=True)
    page = site(api).get("/").get_data(as_text=True)
    assert "Security" not in page
    assert "<span>In progress</span> <strong>1</strong>" in page
    assert "<span>In progress</span> <strong>2</strong>" not in page


ERRAND = """\
workflow: errand
number: ERR{:07d}
fields:
  secretly: {type: text, edit: [agent], see: [agent]}
states:
  new:    {category: new, hidden: [assignee, group]}
  closed: {category: closed}
initial: new
transitions:
  give: [{from: new, to: =, by: [agent], require: [assignee, group]}]
  end:
    - {from: new, to: closed, by: [assignee, group]}
    - {from: new, to: closed, by: [requester], if: "ticket.secretly == 'x'"}
"""


def test_no_refusal_names_what_a_field_hides(api: Api) -> None:
    """A-05: whom a ticket lies with and what a field holds are not told by sentences that say why something cannot be."""
    workflow, _ = language.load(ERRAND, "errand.yaml", api.desk.vocabulary)
    assert workflow is not None
    with api.desk.transaction(SYSTEM, Channel.COMMAND_LINE) as tx:
        publishing.publish(tx, {"errand": workflow})
    number, word = api("ra1").opens("errand"), canary()
    assert api("l1").edits(number, {"fields": {"secretly": word}}).status == 200
    assert api("l1").fires(number, "give", assignee="l1", group="network").status == 200
    told = [api(login).get(f"/tickets/{number}/transitions").text for login in ("ra1", "ma")]
    told += [api(login).fires(number, trigger).text for login in ("ra1", "ma") for trigger in ("end", "give")]
    told += [api("ra1").get(f"/tickets/{number}{part}").text.replace('"actor":"l1"', "") for part in ("", "/timeline")]
    for text in told:
        assert word not in text
        assert "network" not in text
        assert "l1" not in text


def digest(api: Api) -> list[object]:
    """Every row of every table."""
    with api.desk.database.engine.connect() as connection:
        return [[tuple(row) for row in connection.execute(sa.select(each))] for each in Base.metadata.sorted_tables]


def site(api: Api) -> FlaskClient:
    """API and portal as they are served together."""
    app = create_api(api.desk)
    create_portal(app, api.desk)
    return app.test_client()
