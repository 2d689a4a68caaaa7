"""Ties between tickets over HTTP (attack A-10)."""

from __future__ import annotations

from tests.api.world import Api


def test_a_tie_reads_from_both_ends(api: Api) -> None:
    one, other = api("ra1").opens(title="One"), api("ra1").opens(title="Other")
    made = api("g1").post(f"/tickets/{one}/links", {"kind": "caused_by", "number": other})
    assert (made.status, made.json["kind"], made.json["number"], made.json["own"]) == (201, "caused_by", other, True)
    (back,) = api("g1").get(f"/tickets/{other}/links").items
    assert (back["kind"], back["number"], back["title"], back["own"]) == ("causes", one, "One", False)


def test_a_tie_that_was_said_from_the_other_end_is_the_others_to_take_back(api: Api) -> None:
    one, other = api("ra1").opens(), api("ra1").opens()
    tie = api("g1").post(f"/tickets/{one}/links", {"kind": "blocked_by", "number": other}).json
    assert tie["own"] is False
    assert api("g1").delete(f"/tickets/{one}/links/{tie['id']}").status == 404
    assert api("g1").delete(f"/tickets/{other}/links/{tie['id']}").status == 204
    assert api("g1").get(f"/tickets/{one}/links").items == []


def test_a_ticket_out_of_sight_can_be_neither_tied_nor_recognised(api: Api) -> None:
    secret, mine = api.confidential(), api("ra1").opens()
    hidden = api("ra1").post(f"/tickets/{mine}/links", {"kind": "related_to", "number": secret})
    absent = api("ra1").post(f"/tickets/{mine}/links", {"kind": "related_to", "number": "INC9999999"})
    assert (hidden.status, hidden.pointers) == (absent.status, absent.pointers) == (422, {"/number": "unknown_reference"})
    assert hidden.json["detail"] == absent.json["detail"].replace("INC9999999", secret)
    assert api("ra1").post(f"/tickets/{secret}/links", {"kind": "related_to", "number": mine}).status == 404


def test_the_other_end_is_shown_only_to_those_who_see_it(api: Api) -> None:
    secret, mine = api.confidential(), api("ra1").opens()
    assert api("g2").post(f"/tickets/{mine}/links", {"kind": "related_to", "number": secret}).status == 201
    assert [tie["number"] for tie in api("g2").get(f"/tickets/{mine}/links").items] == [secret]
    for login in ("ra1", "ma", "g1"):
        reply = api(login).get(f"/tickets/{mine}/links")
        assert (reply.items, "Canary" in reply.text) == ([], False)


def test_what_cannot_be_tied_is_told_why(api: Api) -> None:
    one, other = api("ra1").opens(), api("ra1").opens()
    path = f"/tickets/{one}/links"
    assert api("g1").post(path, {"kind": "likes", "number": other}).pointers == {"/kind": "invalid_value"}
    assert api("g1").post(path, {"kind": "related_to", "number": one}).pointers == {"/number": "itself"}
    assert api("g1").post(path, {"kind": "related_to", "number": other}).status == 201
    assert api("g1").post(path, {"kind": "related_to", "number": other}).pointers == {"/number": "already_linked"}
    assert api("g1").delete(f"{path}/999999").status == 404
    assert api("g1").delete(f"{path}/one").status == 404
