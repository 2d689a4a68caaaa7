"""Who of a group takes a ticket: decided here from what is known of everybody, and nothing else.

Everybody who is passed over is told of with the first reason that speaks against him, so that the choice can be retraced.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from itsm.assignment.book import Book, Strategy, Team
from itsm.worktime.calendar import Calendar


@dataclass(frozen=True, slots=True)
class Candidate:
    """A member of the group: how many open tickets he has, and whether he is away."""

    id: int
    login: str
    load: int = 0
    absent: bool = False


@dataclass(frozen=True, slots=True)
class Terms:
    """What a candidate must fulfil: `needs` are levels by skill, `barred` are reasons against people by login."""

    book: Book
    team: Team
    now: datetime
    calendars: Mapping[str, Calendar] = field(default_factory=dict)
    needs: Mapping[str, int] = field(default_factory=dict)
    barred: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Choice:
    """Who takes it, if anybody; `eligible` is between how many it was, `passed` why not the others, by login."""

    chosen: Candidate | None
    eligible: int
    passed: Mapping[str, str]


def choose(candidates: Iterable[Candidate], strategy: Strategy, last: int | None, terms: Terms) -> Choice:
    """Whose turn it is. `last` is the row id of who had the turn before: the next in order of row ids follows.

    Nobody who could take it throughout is passed over twice for the same colleague by turns; of those with equally few open
    tickets, the next in turn takes it.
    """
    able, passed = [], {}
    for candidate in candidates:
        if (why := objection(candidate, terms)) is None:
            able.append(candidate)
        else:
            passed[candidate.login] = why
    if strategy is Strategy.NONE or not able:
        return Choice(None, len(able), passed)
    start = -1 if last is None else last
    turns = sorted(able, key=lambda one: (one.id <= start, one.id))
    if strategy is Strategy.LEAST_LOADED:
        turns.sort(key=lambda one: one.load)  # stable: of equals the next in turn
    return Choice(turns[0], len(able), passed)


def objection(candidate: Candidate, terms: Terms) -> str | None:
    """The first thing that speaks against a candidate; None if nothing does."""
    if (why := terms.barred.get(candidate.login)) is not None:
        return why
    if candidate.absent:
        return "is absent"
    person = terms.book.of(candidate.login)
    shift = person.shift or terms.team.shift
    if shift is not None and not terms.calendars[shift].is_working(terms.now):
        return f"is off shift ({shift})"
    for skill, level in sorted(terms.needs.items()):
        if (has := person.skills.get(skill, 0)) < level:
            return f"has level {has} of {level} in {skill}"
    limit = terms.team.capacity if person.capacity is None else person.capacity
    if limit is not None and candidate.load >= limit:
        return f"has {candidate.load} open tickets of {limit} at most"
    return None
