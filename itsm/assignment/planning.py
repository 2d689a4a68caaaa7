"""What a routing would do to a ticket: the group by the table, the person by the group's strategy, and why. Nothing is changed.

The same plan is told to those who ask beforehand and carried out by those who route; only the latter hold the lock of the
group's turns. A routing takes four statements at most: the directory, the group with its turns, its members, and the note of
the turn; one more where the ticket was put to approvers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from itsm.assignment import people, table
from itsm.assignment.book import Rule, Strategy
from itsm.assignment.people import Look
from itsm.assignment.rules import Candidate, Choice, Terms, choose
from itsm.assignment.table import Ruling, Table
from itsm.tickets.desk import Tx
from itsm.tickets.facts import gather
from itsm.tickets.records import Record
from itsm.workflow.case import Deciders, Fact


class Keep(StrEnum):
    """What a routing leaves as it is: nothing, or the group that the ticket is with."""

    NOTHING = "nothing"
    GROUP = "group"


@dataclass(frozen=True, slots=True)
class Plan:
    """Where a ticket is to go: `group` with its row id (None: nowhere), and the choice of somebody in it (None: none is made).

    `missing` is the group that the rule names and the desk does not have.
    """

    rule: Rule | None
    before: tuple[str, ...]
    group: str | None
    group_id: int | None
    strategy: Strategy
    needs: Mapping[str, int]
    choice: Choice | None = None
    missing: str | None = None

    @property
    def chosen(self) -> Candidate | None:
        """Who is to have the ticket, if anybody."""
        return None if self.choice is None else self.choice.chosen


def plan(tx: Tx, record: Record, keep: Keep, look: Look) -> Plan:
    """What a routing would do now."""
    own = record.values.get("group")
    kept = own if keep is Keep.GROUP and isinstance(own, str) else None
    ruling = table.first(tx, record, kept)
    target = (ruling.rule.group if ruling.rule is not None else None) or (own if isinstance(own, str) else None)
    if target is None:
        return Plan(ruling.rule, ruling.before, None, None, Strategy.NONE, ruling.needs)
    return _within(tx, record, ruling, target, look)


def _within(tx: Tx, record: Record, ruling: Ruling, group: str, look: Look) -> Plan:
    book = tx.desk.part(Table).book
    team = book.team(group)
    strategy = (ruling.rule.strategy if ruling.rule is not None else None) or team.strategy
    own = group == record.values.get("group")
    if strategy is Strategy.NONE and own:
        return Plan(ruling.rule, ruling.before, group, record.ids.get("group"), strategy, ruling.needs)
    place = people.place(tx, group, Look.ONLY if strategy is Strategy.NONE else look)
    if place is None:
        return Plan(ruling.rule, ruling.before, None, None, Strategy.NONE, ruling.needs, missing=group)
    if strategy is Strategy.NONE:
        return Plan(ruling.rule, ruling.before, group, place.id, strategy, ruling.needs)
    terms = Terms(book, team, tx.now, tx.desk.calendars, ruling.needs, barred(tx, record))
    choice = choose(people.members(tx, place.id), strategy, place.last, terms)
    return Plan(ruling.rule, ruling.before, group, place.id, strategy, ruling.needs, choice)


def barred(tx: Tx, record: Record) -> dict[str, str]:
    """Whom separation of duties keeps from carrying the ticket out, each with the reason."""
    deciders = gather(tx, record, frozenset({Fact.DECIDERS}))[Fact.DECIDERS.value] if Fact.DECIDERS in tx.desk.facts else None
    assert deciders is None or isinstance(deciders, Deciders)
    return {} if deciders is None else dict(deciders.barred.get("assignee", {}))
