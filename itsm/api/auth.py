"""Who calls, and may he come in: bearer tokens (RFC 6750), their scopes, and the policy that every route must have.

A policy says who may use a route at all. Which tickets he then sees is `visible_to`'s to say, and what he may do to them the
workflow's and the command's. A token is taken from the `Authorization` header only: addresses end up in logs and histories.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from itsm.people.access import Actor, Permission, Scope
from itsm.platform.errors import DeskError, Kind

NOBODY: Final = Actor(id=0, login="", name="", roles=frozenset(), permissions=frozenset(), scopes=frozenset())
"""Who acts before the token has been looked at: no user has this row id, and nothing is allowed or visible to him."""

_BEARER: Final = re.compile(r"Bearer +([A-Za-z0-9._~+/-]{1,200}=*)", re.ASCII | re.IGNORECASE)
_RANK: Final = {scope: rank for rank, scope in enumerate((Scope.READ, Scope.WRITE, Scope.ADMIN))}


@dataclass(frozen=True, slots=True)
class Policy:
    """Who may use a route: everybody, whoever has a token, or whoever has a permission."""

    name: str
    needs_token: bool = True
    permission: Permission | None = None


PUBLIC: Final = Policy("public", needs_token=False)
SIGNED_IN: Final = Policy("signed in")


def may(permission: Permission) -> Policy:
    """The policy for holders of a permission."""
    return Policy(f"may {permission.value}", permission=permission)


def bearer(header: str | None) -> str:
    """The token in an `Authorization` header. Raises `DeskError` (`unauthenticated`)."""
    match = _BEARER.fullmatch(header or "")
    if match is None:
        raise DeskError(Kind.UNAUTHENTICATED, "unauthenticated", "Send a token: Authorization: Bearer TOKEN.")
    return match[1]


def admit(actor: Actor, policy: Policy, scope: Scope) -> None:
    """Raise `DeskError` unless the token is good for this much (`insufficient_scope`), and its owner (`forbidden`)."""
    if not any(_RANK[Scope(held)] >= _RANK[scope] for held in actor.scopes):
        raise DeskError(Kind.FORBIDDEN, "insufficient_scope", f"Your token does not have the scope “{scope.value}”.")
    if policy.permission is not None and not actor.may(policy.permission):
        raise DeskError(Kind.FORBIDDEN, "forbidden", f"You need the permission {policy.permission.value} for this.")
