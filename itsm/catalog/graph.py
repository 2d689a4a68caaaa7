"""Things that come after others: an order that keeps to it, and the circle where there is none. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Set


def ordered(after: Mapping[str, Set[str]]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """All names in an order in which each follows those it comes after, otherwise as given; and a circle, if there is one.

    Where there is a circle, the names on and behind it stand at the end, as given. Names that are not keys do not count.
    """
    placed: dict[str, None] = {}
    waiting = dict.fromkeys(after)
    while ready := [name for name in waiting if all(other in placed or other not in after for other in after[name])]:
        placed[ready[0]] = None
        del waiting[ready[0]]
    return (*placed, *waiting), _circle({name: {other for other in after[name] if other in waiting} for name in waiting})


def _circle(after: Mapping[str, Set[str]]) -> tuple[str, ...]:
    """One circle among names each of which comes after another of them, beginning and ending with the same name."""
    if not after:
        return ()
    trail = [next(iter(after))]
    while trail[-1] not in trail[:-1]:
        trail.append(min(after[trail[-1]]))
    return tuple(reversed(trail[trail.index(trail[-1]) :]))
