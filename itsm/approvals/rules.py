"""When a round of approval is decided. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Outcome(Enum):
    """How a round stands; the values are the events that workflows react to."""

    OPEN = "open"
    APPROVED = "approved"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Tally:
    """The answers of one round."""

    needed: int
    approved: int
    rejected: int
    pending: int


def needed(rule: object, asked: int) -> int:
    """How many approvals a rule (`any`, `all`, or `{at_least: n}`) wants of so many people; it may be more than there are."""
    if rule == "all":
        return asked
    if isinstance(rule, dict):
        return int(rule["at_least"])
    return 1


def outcome(tally: Tally) -> Outcome:
    """Approved as soon as enough say yes; rejected as soon as enough can no longer do so."""
    if tally.approved >= tally.needed:
        return Outcome.APPROVED
    if tally.approved + tally.pending < tally.needed:
        return Outcome.REJECTED
    return Outcome.OPEN
