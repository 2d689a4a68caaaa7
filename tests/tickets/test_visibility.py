"""Who sees which ticket."""

from __future__ import annotations

import pytest

from itsm.platform.errors import DeskError
from itsm.tickets.desk import Desk
from tests.tickets.doing import Doing


@pytest.fixture
def tickets(desk: Desk) -> dict[str, str]:
    restricted = Doing(desk, "ra2").create(title="Somebody reads my mail")
    Doing(desk, "g1").fire(restricted, "assign", group="security")
    return {
        "own": Doing(desk, "ra1").create().number,
        "colleague": Doing(desk, "ra2").create().number,
        "foreign": Doing(desk, "rb1").create().number,
        "restricted": restricted.number,
    }


SEES = {
    "ra1": {"own"},
    "ra2": {"colleague", "restricted"},
    "rb1": {"foreign"},
    "ma": {"own", "colleague"},
    "g1": {"own", "colleague", "foreign"},
    "g2": {"own", "colleague", "foreign", "restricted"},
    "au1": {"own", "colleague", "foreign"},
    "ap1": set(),
}


@pytest.mark.parametrize("login", SEES)
def test_everyone_sees_just_what_is_his_to_see(desk: Desk, tickets: dict[str, str], login: str) -> None:
    seen = set()
    for which, number in tickets.items():
        try:
            Doing(desk, login).read(number)
            seen.add(which)
        except DeskError as refusal:
            assert refusal.code == "not_found"
    assert seen == SEES[login]


def test_what_one_may_not_see_is_answered_like_what_is_not_there(desk: Desk, tickets: dict[str, str]) -> None:
    with pytest.raises(DeskError) as unseen:
        Doing(desk, "ra1").read(tickets["foreign"])
    with pytest.raises(DeskError) as absent:
        Doing(desk, "ra1").read("INC9999999")
    assert unseen.value.detail.replace(tickets["foreign"], "INC9999999") == absent.value.detail


def test_watching_gives_no_right_to_see(desk: Desk, tickets: dict[str, str]) -> None:
    Doing(desk, "g1").watch(tickets["own"], "rb1")
    with pytest.raises(DeskError):
        Doing(desk, "rb1").read(tickets["own"])


def test_nobody_links_to_a_ticket_he_may_not_see(desk: Desk, tickets: dict[str, str]) -> None:
    with pytest.raises(DeskError) as refusal:
        Doing(desk, "ra1").link(tickets["own"], "related_to", tickets["foreign"])
    assert refusal.value.errors[0].code == "unknown_reference"
