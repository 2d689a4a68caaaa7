"""Bearer tokens: what they prove, and when they prove nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from itsm.people import commands
from itsm.people.access import Permission, Scope
from itsm.people.models import PeopleEvent, Token
from itsm.people.tokens import PREFIX, TokenKeeper
from itsm.platform.database import Prepared
from itsm.platform.errors import DeskError
from itsm.platform.time import FrozenClock
from itsm.tickets.desk import Desk

ROWS = Prepared(sa.select(Token.digest, Token.prefix))
TOLD = Prepared(sa.select(PeopleEvent.kind, PeopleEvent.actor).order_by(PeopleEvent.id))
WEEK = timedelta(days=7)


@pytest.fixture
def keeper(desk: Desk) -> TokenKeeper:
    return TokenKeeper(b"k" * 32, desk.roles)


def made(desk: Desk, keeper: TokenKeeper, login: str = "g1", scopes: frozenset[Scope] = frozenset(Scope)) -> str:
    with desk.database.session() as session:
        return keeper.create(session, login, scopes, desk.clock.now(), desk.clock.now() + WEEK)


def holder(desk: Desk, keeper: TokenKeeper, text: str):
    with desk.database.session() as session:
        return keeper.actor(session, text, desk.clock.now())


def test_a_token_stands_for_its_user_with_roles_groups_and_scopes(desk: Desk, keeper: TokenKeeper) -> None:
    actor = holder(desk, keeper, made(desk, keeper, "l1", frozenset({Scope.READ})))
    assert (actor.login, actor.scopes) == ("l1", {"read"})
    assert actor.roles == {"lead", "agent", "requester"}
    assert actor.groups == {"network": "full"}
    assert actor.may(Permission.NOTE)


def test_only_a_keyed_digest_is_kept(desk: Desk, keeper: TokenKeeper) -> None:
    text = made(desk, keeper)
    with desk.database.session() as session:
        (row,) = session.all(ROWS)
    assert text.encode() not in bytes(row.digest)
    assert text.startswith(PREFIX)
    assert row.prefix == text[: len(row.prefix)]
    assert len(row.prefix) < 12


@pytest.mark.parametrize("wrong", ["", "itsm_", "x" * 5000, "itsm_\ud800", "itsm_' OR 1=1 --", "\x00"])
def test_what_is_no_token_is_refused_in_the_same_words(desk: Desk, keeper: TokenKeeper, wrong: str) -> None:
    with pytest.raises(DeskError) as refusal:
        holder(desk, keeper, wrong)
    assert refusal.value.detail == "The token is missing, wrong, expired or revoked."


def test_a_token_of_another_installation_is_worth_nothing(desk: Desk, keeper: TokenKeeper) -> None:
    text = made(desk, keeper)
    with pytest.raises(DeskError):
        holder(desk, TokenKeeper(b"other" * 8, desk.roles), text)


def test_the_digest_itself_is_no_credential(desk: Desk, keeper: TokenKeeper) -> None:
    made(desk, keeper)
    with desk.database.session() as session:
        (row,) = session.all(ROWS)
    with pytest.raises(DeskError):
        holder(desk, keeper, bytes(row.digest).hex())


def test_a_token_ends_at_its_instant(desk: Desk, keeper: TokenKeeper, clock: FrozenClock) -> None:
    text = made(desk, keeper)
    clock.advance(WEEK - timedelta(microseconds=1))
    assert holder(desk, keeper, text).login == "g1"
    clock.advance(timedelta(microseconds=1))
    with pytest.raises(DeskError):
        holder(desk, keeper, text)


def test_deactivation_ends_every_token_and_is_told(desk: Desk, keeper: TokenKeeper) -> None:
    text = made(desk, keeper)
    with desk.database.session() as session:
        commands.deactivate(session, "g1", desk.clock.now(), "ad1")
    with pytest.raises(DeskError):
        holder(desk, keeper, text)
    with desk.database.session() as session:
        last = session.all(TOLD)[-1]
    assert (last.kind, last.actor) == ("deactivated", "ad1")


def test_a_role_taken_away_is_gone_at_once(desk: Desk, keeper: TokenKeeper) -> None:
    text = made(desk, keeper)
    with desk.database.session() as session:
        commands.set_roles(session, desk.roles, "g1", frozenset({"requester"}), desk.clock.now(), "ad1")
    assert not holder(desk, keeper, text).may(Permission.NOTE)


@pytest.mark.parametrize("login", ["", "a b", "x" * 101, "é", "a\n"])
def test_a_malformed_login_is_refused(desk: Desk, login: str) -> None:
    with pytest.raises(DeskError), desk.database.session() as session:
        commands.add_user(session, desk.roles, login, "X", frozenset({"agent"}), desk.clock.now(), "ad1")


def test_an_unknown_role_is_refused_by_name(desk: Desk) -> None:
    with pytest.raises(DeskError, match="wizard"), desk.database.session() as session:
        commands.add_user(session, desk.roles, "w1", "X", frozenset({"wizard"}), desk.clock.now(), "ad1")
