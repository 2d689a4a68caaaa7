"""Who may do what: actors, permissions, roles.

A role is a name from `config/roles.yaml` with the permissions it gives. What a role may do to a ticket's *state* is not
decided here but in the workflow; which tickets somebody sees is decided in `tickets/visibility.py`, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from itsm.platform.errors import DeskError, Kind
from itsm.workflow.case import SYSTEM_PERSON, Person


class Permission(StrEnum):
    """What a role can be allowed, besides what workflows say."""

    CREATE = "ticket.create"
    READ_ALL = "ticket.read_all"
    READ_ORGANISATION = "ticket.read_organisation"
    CREATE_FOR_OTHERS = "ticket.create_for_others"
    CREATE_FOR_REPORTS = "ticket.create_for_reports"
    NOTE = "ticket.note"
    WORK = "ticket.work"
    READ_WORKFLOWS = "workflow.read"
    CHECK_WORKFLOWS = "workflow.check"
    PUBLISH_WORKFLOWS = "workflow.publish"
    READ_AUDIT = "audit.read"
    ADMINISTER_USERS = "admin.users"
    ADMINISTER_TOKENS = "admin.tokens"
    DECIDE = "approval.decide"
    DECIDE_IN_LINE = "approval.decide_in_line"
    CORRECT_CLOCKS = "sla.correct"
    EDIT_SERVICES = "services.edit"
    FREEZE = "changes.freeze"
    OVERRIDE_CALENDAR = "changes.override"
    APPROVE_MODELS = "changes.approve_models"
    CALL_MEETINGS = "changes.meet"


class Scope(StrEnum):
    """What a token may be used for: each includes the one before it."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


class Channel(StrEnum):
    """The way a command came in."""

    API = "api"
    PORTAL = "portal"
    IMPORT = "import"
    TIMER = "timer"
    REACTION = "reaction"
    CASCADE = "cascade"
    COMMAND_LINE = "cli"
    CALLBACK = "callback"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, with everything a decision about rights may rest on.

    `groups` gives the access (`full` or `read`) by group key; `id` is None for the desk itself.
    """

    id: int | None
    login: str
    name: str
    roles: frozenset[str]
    permissions: frozenset[str]
    organisation_id: int | None = None
    organisation: str | None = None
    groups: Mapping[str, str] = field(default_factory=dict)
    scopes: frozenset[str] = frozenset(Scope)
    sees_organisation: bool = False

    def may(self, permission: Permission) -> bool:
        """Whether one of the actor's roles gives this permission."""
        return permission in self.permissions

    @property
    def is_system(self) -> bool:
        """Whether this is the desk itself: timers, reactions, cascades."""
        return self.id is None

    def person(self) -> Person:
        """The actor as a workflow's rules see him: only groups he may act for count as his."""
        if self.is_system:
            return SYSTEM_PERSON
        acting = frozenset(key for key, access in self.groups.items() if access == "full")
        return Person(self.login, self.roles, acting, self.organisation)


SYSTEM = Actor(
    id=None,
    login="system",
    name="The desk",
    roles=frozenset({"system"}),
    permissions=frozenset(
        {Permission.READ_ALL, Permission.NOTE, Permission.WORK, Permission.CREATE, Permission.CREATE_FOR_OTHERS}
    ),
)


def require(actor: Actor, permission: Permission) -> None:
    """Raise `DeskError` (`forbidden`) unless the actor has the permission."""
    if not actor.may(permission):
        raise DeskError(Kind.FORBIDDEN, "forbidden", f"You need the permission {permission.value} for this.")


@dataclass(frozen=True, slots=True)
class Roles:
    """The roles of this installation: what each may do, and which others each includes; both with all that is inherited."""

    permissions: Mapping[str, frozenset[str]]
    included: Mapping[str, frozenset[str]]

    def expand(self, roles: frozenset[str]) -> frozenset[str]:
        """Every permission that these roles give together."""
        return frozenset().union(*(self.permissions.get(role, frozenset()) for role in roles))

    def held(self, roles: frozenset[str]) -> frozenset[str]:
        """These roles and all that they include: a lead is an agent, too."""
        return roles.union(*(self.included.get(role, frozenset()) for role in roles))
