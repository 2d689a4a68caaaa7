"""Ties between tickets over HTTP (attack A-10)."""

from __future__ import annotations

from tests.api.world import Api


def test_a_tie_reads_from_both_ends(api: Api) -> None:
    one, other = api("ra1").opens(title="One"), api("ra1").opens(title="Other")
    made = api("g1").post(f"/tickets/{one}/links", {"kind": "caused_by", "number": other})
    assert (made.status, made.json["kind"], made.json["number"], made.json["own"]) == (201, "caused_by", other, True)
    (back,) = api("g1").get(f"/tickets/{other}/links").items
    assert (back["kind"], back["number"], back["title"], back["own"]) == ("causes", one, "One", False)


def test_a_tie_is_taken_back_at_either_end_whichever_it_was_said_from(api: Api) -> None:
    for at_its_own_end in (True, False):
        one, other = api("ra1").opens(), api("ra1").opens()
        tie = api("g1").post(f"/tickets/{one}/links", {"kind": "blocked_by", "number": other}).json
        assert tie["own"] is False
        at, far = (one, other) if at_its_own_end else (other, one)
        assert api("g1").delete(f"/tickets/{at}/links/{tie['id']}").status == 204
        assert api("g1").get(f"/tickets/{one}/links").items == api("g1").get(f"/tickets/{other}/links").items == []
        last = api("g1").get(f"/tickets/{at}/timeline").items[-1]
        kind = "blocked_by" if at_its_own_end else "blocks"
        assert (last["kind"], last["details"]["kind"], last["details"]["number"]) == ("unlinked", kind, far)
        assert api("g1").delete(f"/tickets/{far}/links/{tie['id']}").status == 404


def test_a_tie_of_other_tickets_is_not_taken_back_here(api: Api) -> None:
    one, other, third = (api("ra1").opens() for _ in range(3))
    tie = api("g1").post(f"/tickets/{one}/links", {"kind": "blocks", "number": other}).json
    assert api("g1").delete(f"/tickets/{third}/links/{tie['id']}").status == 404


def test_a_tie_to_a_ticket_out_of_sight_is_not_there_to_be_taken_back(api: Api) -> None:
    secret, mine = api.confidential(), api("ra1").opens()
    tie = api("g2").post(f"/tickets/{mine}/links", {"kind": "related_to", "number": secret}).json
    assert api("ra1").delete(f"/tickets/{mine}/links/{tie['id']}").status == 404
    assert [each["id"] for each in api("g2").get(f"/tickets/{mine}/links").items] == [tie["id"]]


def test_a_ticket_may_have_hundreds_of_ties_and_they_are_told_by_pages(api: Api) -> None:
    numbers = [api("ra1").opens() for _ in range(202)]
    path = f"/tickets/{numbers[0]}/links"
    made = [api("g1").post(path, {"kind": "causes", "number": other}) for other in numbers[1:]]
    assert {reply.status for reply in made} == {201}
    assert [reply.json["number"] for reply in made] == numbers[1:]
    assert pages(api, path, "number") == [numbers[1:101], numbers[101:201], numbers[201:]]
    assert api("g1").get(f"{path}?limit=3").numbers == numbers[1:4]


def pages(api: Api, path: str, name: str) -> list[list[str]]:
    """What a list tells in each of its pages, under this name."""
    told, cursor = [], ""
    while cursor is not None:
        reply = api("g1").get(path + (f"?cursor={cursor}" if cursor else ""))
        told.append([each[name] for each in reply.items])
        cursor = reply.json["next"]
    return told


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
