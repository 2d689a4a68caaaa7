"""Users and tokens from the command line, for those who hold the machine."""

from __future__ import annotations

from datetime import timedelta

import click

from itsm.cli import Wiring, print_json
from itsm.people import commands, places, ties
from itsm.people.access import SYSTEM, Channel, Scope
from itsm.people.places import Place
from itsm.people.tokens import TokenKeeper
from itsm.platform.errors import not_found
from itsm.platform.settings import from_environment


@click.group()
def user() -> None:
    """Users."""


@user.command()
@click.argument("login")
@click.option("--name", default=None, help="Full name; the login if not given.")
@click.option("--role", "roles", multiple=True, default=("requester",), show_default=True, help="Role; may be repeated.")
@click.option("--organisation", default=None, help="Key of the user's organisation.")
@click.option("--group", "groups", multiple=True, help="Group to join; may be repeated.")
@click.option("--email", default=None)
@click.pass_obj
def add(
    wiring: Wiring,
    login: str,
    name: str | None,
    roles: tuple[str, ...],
    organisation: str | None,
    groups: tuple[str, ...],
    email: str | None,
) -> None:
    """Add a user."""
    desk = wiring.build(from_environment()).desk
    with desk.transaction(SYSTEM, Channel.COMMAND_LINE) as tx:
        commands.add_user(
            tx.session,
            desk.roles,
            login,
            name or login,
            frozenset(roles),
            tx.now,
            "cli",
            email=email,
            organisation=organisation,
        )
        for group in groups:
            commands.join(tx.session, login, group, tx.now, "cli")
    click.echo(f"{login} added")


@user.command()
@click.argument("login")
@click.option("--manager", default=None, help="Who manages the user.")
@click.option("--same-as", "first", default=None, help="Another account of the same person; the user's own login parts them.")
@click.option("--cost-centre", default=None, help="A key of config/cost-centres.yaml.")
@click.pass_obj
def tie(wiring: Wiring, login: str, manager: str | None, first: str | None, cost_centre: str | None) -> None:
    """Say who manages a user, and which accounts are one person's."""
    desk = wiring.build(from_environment()).desk
    with desk.transaction(SYSTEM, Channel.COMMAND_LINE) as tx:
        if manager is not None:
            ties.set_manager(tx.session, login, manager, tx.now, "cli")
        if first is not None:
            ties.link_accounts(tx.session, login, first, tx.now, "cli")
        if cost_centre is not None:
            ties.set_cost_centre(tx.session, login, cost_centre, tx.now, "cli")
    click.echo(f"{login} changed")


@user.command()
@click.argument("login")
@click.option("--location", default=None, help="A key of config/locations.yaml.")
@click.option("--department", default=None)
@click.pass_obj
def place(wiring: Wiring, login: str, location: str | None, department: str | None) -> None:
    """Say where a user is, and in which department."""
    desk = wiring.build(from_environment()).desk
    if location is not None and location not in desk.locations:
        raise not_found("location", location)
    with desk.transaction(SYSTEM, Channel.COMMAND_LINE) as tx:
        places.place(tx.session, login, Place(location, department), tx.now, "cli")
    click.echo(f"{login} changed")


@user.command()
@click.argument("login")
@click.pass_obj
def deactivate(wiring: Wiring, login: str) -> None:
    """Shut a user out and revoke all his tokens."""
    desk = wiring.build(from_environment()).desk
    with desk.transaction(SYSTEM, Channel.COMMAND_LINE) as tx:
        commands.deactivate(tx.session, login, tx.now, "cli")
    click.echo(f"{login} is shut out")


@user.command()
@click.argument("login")
@click.argument("roles", nargs=-1, required=True)
@click.pass_obj
def roles(wiring: Wiring, login: str, roles: tuple[str, ...]) -> None:
    """Give a user exactly these ROLES."""
    desk = wiring.build(from_environment()).desk
    with desk.transaction(SYSTEM, Channel.COMMAND_LINE) as tx:
        commands.set_roles(tx.session, desk.roles, login, frozenset(roles), tx.now, "cli")
    click.echo(f"{login} is {', '.join(sorted(roles))}")


@user.command()
@click.argument("login")
@click.argument("group")
@click.option("--read-only", is_flag=True, help="May look at the group's tickets, and not act on them.")
@click.option("--lead", is_flag=True, help="Leads the group, too.")
@click.pass_obj
def join(wiring: Wiring, login: str, group: str, read_only: bool, lead: bool) -> None:
    """Make a user a member of a GROUP."""
    desk = wiring.build(from_environment()).desk
    with desk.transaction(SYSTEM, Channel.COMMAND_LINE) as tx:
        commands.join(tx.session, login, group, tx.now, "cli", "read" if read_only else "full")
        if lead:
            commands.set_lead(tx.session, group, login)
    click.echo(f"{login} is in {group}")


@user.command()
@click.argument("login")
@click.argument("group")
@click.pass_obj
def leave(wiring: Wiring, login: str, group: str) -> None:
    """Take a user out of a GROUP."""
    desk = wiring.build(from_environment()).desk
    with desk.transaction(SYSTEM, Channel.COMMAND_LINE) as tx:
        commands.leave(tx.session, login, group, tx.now, "cli")
    click.echo(f"{login} is no longer in {group}")


@click.group()
def token() -> None:
    """Bearer tokens."""


@token.command()
@click.option("--user", "login", required=True, help="Whose token.")
@click.option("--scope", "scopes", multiple=True, type=click.Choice([scope.value for scope in Scope]), required=True)
@click.option("--days", default=90, show_default=True, type=click.IntRange(1, 3650), help="Days until it expires.")
@click.option("--label", default="", help="What it is for.")
@click.option("--json", "as_json", is_flag=True)
@click.pass_obj
def create(wiring: Wiring, login: str, scopes: tuple[str, ...], days: int, label: str, as_json: bool) -> None:
    """Make a token and show it, this once."""
    settings = from_environment()
    desk = wiring.build(settings).desk
    keeper = TokenKeeper(settings.key("tokens"), desk.roles)
    with desk.transaction(SYSTEM, Channel.COMMAND_LINE) as tx:
        granted = frozenset(Scope(scope) for scope in scopes)
        text = keeper.create(tx.session, login, granted, tx.now, tx.now + timedelta(days=days), label)
        commands.tell(tx.session, tx.now, "cli", "token_made", {"login": login, "scopes": sorted(granted), "label": label})
    if as_json:
        print_json({"login": login, "token": text, "scopes": sorted(scopes)})
    else:
        click.echo(text)


@token.command()
@click.option("--user", "login", required=True, help="Whose tokens.")
@click.pass_obj
def revoke(wiring: Wiring, login: str) -> None:
    """Make every token of a user worthless, at once."""
    desk = wiring.build(from_environment()).desk
    with desk.transaction(SYSTEM, Channel.COMMAND_LINE) as tx:
        commands.revoke_tokens(tx.session, login, tx.now, "cli")
    click.echo(f"the tokens of {login} are revoked")
