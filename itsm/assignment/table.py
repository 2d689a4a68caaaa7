"""The table at work: the first rule that holds for a ticket, and which were looked at before it.

A condition is typed against the workflow version that the ticket was born with. One that does not fit it, or has no answer now,
does not hold. The directory is asked once at most, and only if a rule that is looked at wants to know of somebody whom the
ticket names.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from itsm.assignment.book import Book, Need, Rule
from itsm.assignment.scope import NEAR, scope_of
from itsm.people.models import Group, Organisation, User
from itsm.platform.database import Prepared
from itsm.services.models import ConfigurationItem, Service
from itsm.tickets.desk import Tx
from itsm.tickets.records import Record
from itsm.workflow import expression
from itsm.workflow.definition import Expression
from itsm.workflow.expression import Compiled

_KEPT: Final = 2000
_log = logging.getLogger(__name__)

_OWNER, _SUPPORT, _KEEPER = aliased(User), aliased(Group), aliased(Group)
_COLUMNS: Final = {
    "requester.login": User.login,
    "requester.location": User.location,
    "requester.department": User.department,
    "requester.cost_centre": User.cost_centre,
    "requester.roles": User.roles,
    "organisation.key": Organisation.key,
    "organisation.plan": Organisation.plan,
    "service.key": Service.key,
    "service.criticality": Service.criticality,
    "service.calendar": Service.calendar,
    "service.owner": _OWNER.login,
    "service.group": _SUPPORT.key,
    "ci.key": ConfigurationItem.key,
    "ci.kind": ConfigurationItem.kind,
    "ci.location": ConfigurationItem.location,
    "ci.criticality": ConfigurationItem.criticality,
    "ci.group": _KEEPER.key,
}
_ONE = sa.select(sa.literal_column("1").label("one")).subquery()
_LOOK_UP = Prepared(
    sa.select(*(column.label(name.replace(".", "_")) for name, column in _COLUMNS.items()))
    .select_from(_ONE)
    .outerjoin(User, User.id == sa.bindparam("requester", type_=sa.BigInteger))
    .outerjoin(Organisation, Organisation.id == sa.bindparam("organisation", type_=sa.BigInteger))
    .outerjoin(Service, Service.id == sa.bindparam("service", type_=sa.BigInteger))
    .outerjoin(_OWNER, _OWNER.id == Service.owner_id)
    .outerjoin(_SUPPORT, _SUPPORT.id == Service.group_id)
    .outerjoin(ConfigurationItem, ConfigurationItem.id == sa.bindparam("ci", type_=sa.BigInteger))
    .outerjoin(_KEEPER, _KEEPER.id == ConfigurationItem.group_id)
)


class Table:
    """The book of this desk, with its conditions compiled against each version of a workflow once. Safe to share."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self._compiled: OrderedDict[tuple[str, str], Compiled | None] = OrderedDict()

    def condition(self, record: Record, condition: Expression) -> Compiled | None:
        """A condition, typed for this ticket's workflow; None if it does not fit."""
        process = record.process
        key = (process.workflow.digest, condition.text)
        if key not in self._compiled:
            compiled = expression.compile(condition, scope_of(process.workflow, process.vocabulary))
            if isinstance(compiled, tuple):
                _log.info("a rule's condition does not fit %s: %s", process.workflow.name, compiled[0].message)
            self._compiled[key] = None if isinstance(compiled, tuple) else compiled
            while len(self._compiled) > _KEPT:
                self._compiled.popitem(last=False)
        return self._compiled[key]


@dataclass(frozen=True, slots=True)
class Ruling:
    """The rule that holds, if one does, the levels of skills that it needs now, and the names of those that do not hold."""

    rule: Rule | None
    needs: dict[str, int]
    before: tuple[str, ...]


class _Surroundings:
    """What the expressions of the table see: the ticket, and those near it as soon as somebody asks."""

    def __init__(self, tx: Tx, record: Record) -> None:
        self._tx = tx
        self._record = record
        self._near: dict[str, Any] | None = None

    def __getitem__(self, name: str) -> object:
        root, _, rest = name.partition(".")
        record = self._record
        if root in NEAR:
            return self._look_up().get(name) if record.ids.get(root) is not None else None
        match rest:
            case "type" | "number" | "state" | "category":
                return getattr(record, rest)
            case _:
                return record.values.get(rest.partition(".")[0])

    def _look_up(self) -> dict[str, Any]:
        if self._near is None:
            row = self._tx.session.one(_LOOK_UP, **{name: self._record.ids.get(name) for name in NEAR})
            self._near = dict(zip(_COLUMNS, row, strict=True))
            roles = frozenset(self._near["requester.roles"] or ())
            self._near["requester.roles"] = sorted(self._tx.desk.roles.held(roles))
        return self._near


def first(tx: Tx, record: Record, kept: str | None) -> Ruling:
    """The first rule that holds. If the ticket keeps its group, rules that lead to others are passed over."""
    table, here = tx.desk.part(Table), _Surroundings(tx, record)
    before: list[str] = []
    for rule in table.book.rules:
        fits = (not rule.workflows or record.type in rule.workflows) and (kept is None or rule.group in (None, kept))
        if fits and _holds(table, record, rule.condition, here):
            return Ruling(rule, _needed(table, record, rule.needs, here), tuple(before))
        before.append(rule.name)
    return Ruling(None, {}, tuple(before))


def _needed(table: Table, record: Record, needs: tuple[Need, ...], here: _Surroundings) -> dict[str, int]:
    found: dict[str, int] = {}
    for need in needs:
        if _holds(table, record, need.condition, here):
            found[need.skill] = max(need.level, found.get(need.skill, 0))
    return found


def _holds(table: Table, record: Record, condition: Expression | None, here: _Surroundings) -> bool:
    if condition is None:
        return True
    compiled = table.condition(record, condition)
    return compiled is not None and compiled.evaluate(here) is True
