"""The decision table of a policy: what is decided without asking anybody, and by which row.

A condition is typed against the workflow version that the ticket was born with. One that does not fit it, or has no answer
now, holds neither way: then people are asked.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from typing import Final

from itsm.approvals.policy import Policy, Row
from itsm.tickets import facts
from itsm.tickets.desk import Tx
from itsm.tickets.records import Record
from itsm.workflow import expression
from itsm.workflow.case import SYSTEM_PERSON, Fact
from itsm.workflow.definition import Expression
from itsm.workflow.expression import Compiled
from itsm.workflow.scope import Scope
from itsm.workflow.situation import Situation

_KEPT: Final = 256
_FACTS: Final = {"tasks": Fact.TASKS, "links": Fact.LINKS}
_log = logging.getLogger(__name__)


class Conditions:
    """Compiled conditions by workflow version and text, for the life of the desk."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str], Compiled | None] = OrderedDict()
        self._turn = threading.Lock()

    def get(self, tx: Tx, record: Record, condition: Expression) -> Compiled | None:
        """A condition of a policy, typed for this ticket's workflow; None if it does not fit."""
        workflow = record.process.workflow
        key = (workflow.digest, condition.text)
        with self._turn:
            if key in self._known:
                return self._known[key]
            if len(self._known) >= _KEPT:
                self._known.popitem(last=False)
            found = expression.compile(condition, Scope(Scope.of(workflow, tx.desk.vocabulary).variables))
            if isinstance(found, tuple):
                _log.error("a policy's condition does not fit %s: %s", workflow.name, found[0].message)
            compiled = self._known[key] = None if isinstance(found, tuple) else found
            return compiled


def first(tx: Tx, record: Record, policy: Policy) -> Row | None:
    """The first row that holds for the ticket now."""
    return next((row for row in policy.table if _holds(tx, record, row)), None)


def _holds(tx: Tx, record: Record, row: Row) -> bool:
    if row.condition is None:
        return True
    compiled = tx.desk.part(Conditions).get(tx, record, row.condition)
    if compiled is None:
        return False
    roots = {name.partition(".")[0] for name in compiled.names}
    case = record.case(**facts.gather(tx, record, frozenset(fact for root, fact in _FACTS.items() if root in roots)))
    workflow = record.process.workflow
    return compiled.evaluate(Situation(workflow, case, SYSTEM_PERSON, case.values, tx.now)) is True
