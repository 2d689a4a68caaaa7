"""Who may order what: a person as the catalogue knows him, and the rules that offer an item to him or deny it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from itsm.catalog.definition import Entitlement, Item, Offer
from itsm.workflow.expression import EvaluationError


@dataclass(frozen=True, slots=True)
class Requester:
    """Whom a request is for, as far as the catalogue may know: see `scope.REQUESTER`. `roles` has those that they include."""

    id: int
    login: str
    name: str
    email: str | None
    organisation: str | None
    department: str | None
    location: str | None
    cost_centre: str | None
    manager: str | None
    roles: frozenset[str]

    def names(self, now: datetime) -> dict[str, object]:
        """The variables of expressions that tell of him."""
        told: dict[str, object] = {
            f"requester.{name}": getattr(self, name)
            for name in ("login", "name", "email", "organisation", "department", "location", "cost_centre", "manager")
        }
        return told | {"requester.roles": sorted(self.roles), "now": now}


def entitled(item: Item, person: Requester, now: datetime) -> bool:
    """Whether somebody may order an item: its service and the item itself both allow it, and neither denies it."""
    names = person.names(now)
    return _allows(item.service.entitlement, person, names) and _allows(item.entitlement, person, names)


def _allows(entitlement: Entitlement, person: Requester, names: Mapping[str, object]) -> bool:
    """Deny beats allow. A condition that cannot be answered lets nobody in, and where it denies, keeps out."""
    if any(_fits(offer, person, names, unknown=True) for offer in entitlement.denied):
        return False
    return not entitlement.offered or any(_fits(offer, person, names, unknown=False) for offer in entitlement.offered)


def _fits(offer: Offer, person: Requester, names: Mapping[str, object], *, unknown: bool) -> bool:
    """Whether a rule is about this person; `unknown` is the answer where its condition has none."""
    pairs = ((offer.organisations, person.organisation), (offer.departments, person.department))
    if any(named and value not in named for named, value in (*pairs, (offer.locations, person.location))):
        return False
    if offer.roles and offer.roles.isdisjoint(person.roles):
        return False
    if offer.condition is None:
        return True
    answer = offer.condition.evaluate(names)
    return unknown if isinstance(answer, EvaluationError) else answer
