"""What the demo's people order from the catalogue: item, answers, and who orders such things. Data, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from itsm.cli.company import CUSTOMERS

Answers: TypeAlias = Callable[[datetime], Mapping[str, Any]]
"""The answers of somebody who fills the form at an instant."""

STAFF = ("noor", "ivan", "lena")


@dataclass(frozen=True, slots=True)
class Wish:
    """Something that is ordered now and then."""

    item: str
    answers: Answers
    by: tuple[str, ...] = CUSTOMERS


def _day(now: datetime, days: int) -> str:
    return (now + timedelta(days=days)).date().isoformat()


def laptop(_: datetime) -> Mapping[str, Any]:
    return {
        "use": "office",
        "model": "standard",
        "dock": True,
        "keyboard": "us",
        "delivered_to": "pick_up",
        "cost_centre": "acme-sales",
    }


def monitor(_: datetime) -> Mapping[str, Any]:
    return {"count": 2, "delivered_to": "desk", "place": "Room 214", "cost_centre": "acme-sales"}


def phone(_: datetime) -> Mapping[str, Any]:
    return {
        "model": "rugged",
        "number": "keep",
        "old_number": "+49 30 5550123",
        "abroad": False,
        "delivered_to": "pick_up",
        "cost_centre": "acme-plant",
    }


def licence(_: datetime) -> Mapping[str, Any]:
    return {"program": "diagrams", "reason": "Drawing the processes of our branch.", "cost_centre": "acme-sales"}


def visitors(now: datetime) -> Mapping[str, Any]:
    return {"visitor": "Auditors of Brenner & Co", "count": 3, "day": _day(now, 2), "days": 2}


def new_hire(now: datetime) -> Mapping[str, Any]:
    return {
        "name": "Jonas Richter",
        "private_mail": "jonas.richter@home.example",
        "starts": _day(now, 21),
        "manager": "paul",
        "department": "Sales",
        "model": "light",
        "phone": True,
        "applications": ["crm", "erp"],
        "cost_centre": "acme-sales",
    }


WISHES = (
    Wish("laptop", laptop),
    Wish(
        "laptop",
        lambda _: {
            "use": "power",
            "model": "graphics",
            "reason": "Assemblies of more than 2,000 parts no longer open on the present machine.",
            "delivered_to": "desk",
            "place": "Hall 2, engineering",
            "cost_centre": "acme-plant",
        },
        ("tom", "pia"),
    ),
    Wish("monitor", monitor),
    Wish("phone", phone),
    Wish("password-reset", lambda _: {"system": "erp", "call_back": "+49 30 555 4711"}),
    Wish("group-membership", lambda _: {"kind": "folder", "name": "Price lists", "reason": "I answer offers from now on."}),
    Wish("guest-wifi", visitors),
    Wish("software-licence", licence),
    Wish(
        "vpn",
        lambda now: (
            {"device": "company", "abroad": True, "countries": "Switzerland", "from": _day(now, 3)}
            | {"reason": "Two days a week at a customer's site."}
        ),
    ),
    Wish(
        "application-access",
        lambda now: {"application": "crm", "level": "write", "reason": "I take over the region south.", "from": _day(now, 1)},
    ),
    Wish(
        "data-restore",
        lambda now: {
            "path": "S:/sales/offers/2026",
            "what": "Offer 2026-0417, all versions",
            "as_of": (now - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "work_stands": True,
        },
    ),
    Wish(
        "server",
        lambda now: {
            "name": f"app{now.day:02d}.internal.example",
            "size": "medium",
            "disk": 120,
            "system": "debian",
            "stage": "test",
            "owner": "applications",
            "from": _day(now, 1),
            "cost_centre": "it-operations",
        },
        STAFF,
    ),
    Wish("new-hire", new_hire, ("paul", "pia")),
)
"""In the words of those who filled the forms."""
