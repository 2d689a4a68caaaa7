"""The tasks and items that fulfil a request: which may begin, which wait, and which cannot begin any more. Pure.

A task begins when all it comes after are over: done, cancelled as no longer needed, or skipped because its condition does not
hold. One that failed holds back all that come after it until it is taken up again; those do not keep the request open, for the
person who answers for it must be able to end it with what there is. An item of a bundle that was refused holds back in the
same way, unless the bundle says that the others go on without it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum


class Stage(StrEnum):
    """How far a planned task or item is. The first three are kept; the others follow from its ticket.

    `forgone` was refused like `refused`, and what comes after it goes on without it.
    """

    PLANNED = "planned"
    SKIPPED = "skipped"
    DROPPED = "dropped"
    OPEN = "open"
    OVER = "over"
    FAILED = "failed"
    REFUSED = "refused"
    FORGONE = "forgone"


@dataclass(frozen=True, slots=True)
class Planned:
    """A task or an item of a plan."""

    key: str
    after: tuple[str, ...]
    stage: Stage


PASSED = frozenset({Stage.OVER, Stage.SKIPPED, Stage.FORGONE})
"""What comes after one of these may begin."""

HOLDING_BACK = frozenset({Stage.FAILED, Stage.DROPPED, Stage.REFUSED})
"""What comes after one of these, however far, does not begin as things stand."""


def ready(plan: Iterable[Planned]) -> list[str]:
    """The tasks that may begin now, in their order."""
    by_key = {each.key: each for each in plan}
    return [
        each.key
        for each in by_key.values()
        if each.stage is Stage.PLANNED and all(by_key[other].stage in PASSED for other in each.after)
    ]


def waiting(plan: Iterable[Planned]) -> list[str]:
    """The tasks that have not begun, and will unless something fails: to everybody who counts, they are open."""
    by_key = {each.key: each for each in plan}
    return [each.key for each in by_key.values() if each.stage is Stage.PLANNED and not _held_back(each, by_key)]


def _held_back(one: Planned, plan: Mapping[str, Planned]) -> bool:
    """Whether something that it comes after, however far, has failed, been refused or dropped."""
    seen: set[str] = set()
    ahead = list(one.after)
    while ahead:
        key = ahead.pop()
        if key in seen:
            continue
        seen.add(key)
        if plan[key].stage in HOLDING_BACK:
            return True
        ahead += plan[key].after
    return False
