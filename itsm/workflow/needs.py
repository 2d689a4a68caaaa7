"""What must be known beyond the ticket's own row, for which decision: so that a caller asks for tasks only where they count."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Final

from itsm.workflow.case import Fact
from itsm.workflow.expression import Compiled
from itsm.workflow.rules import AnswerRule, BranchRule, Rulebook, expressions_in

_BY_ROOT: Final = {"tasks": Fact.TASKS, "approvals": Fact.APPROVALS, "links": Fact.LINKS}
_BY_RELATION: Final = {"approver": Fact.APPROVERS, "watcher": Fact.WATCHERS}


class Needs:
    """The facts that each trigger, timer and event of a workflow asks for, worked out once."""

    def __init__(self, book: Rulebook) -> None:
        # Any ticket may be a part of one that somebody approved, and be handed to him.
        self.always = _always(book) | {Fact.DECIDERS}
        self._triggers = {name: self.always | _of_branches(rules) for name, rules in book.branches.items()}
        self._timers = {name: self._of_answers((rule,)) for name, rule in book.timers.items()}
        self._events = {event: self._of_answers(rules) for event, rules in book.reactions.items()}
        seen_by = chain.from_iterable(field.see or () for field in book.fields.values())
        self.sight = _facts((), seen_by)
        self.everything = self.always.union(self.sight, *self._triggers.values())

    def of_trigger(self, name: str) -> frozenset[Fact]:
        """For making a transition."""
        return self._triggers.get(name, self.always)

    def of_timer(self, name: str) -> frozenset[Fact]:
        """For a timer that runs out, and what it may fire."""
        return self._timers.get(name, self.always)

    def of_event(self, event: str) -> frozenset[Fact]:
        """For answering an event, and what the answer may fire."""
        return self._events.get(event, self.always)

    @staticmethod
    def behind(compiled: Iterable[Compiled | None]) -> frozenset[Fact]:
        """For judging these expressions."""
        return _facts(compiled)

    def _of_answers(self, rules: Iterable[AnswerRule]) -> frozenset[Fact]:
        own = [_facts(chain((rule.condition,), expressions_in(rule.deeds))) for rule in rules]
        fired = [self.of_trigger(rule.fire) for rule in rules if rule.fire is not None]
        return self.always.union(*own, *fired)


def _always(book: Rulebook) -> frozenset[Fact]:
    """What any decision may look at: derivations, invariants, and who may edit which field."""
    derived = (each.expression for each in book.derived)
    invariants = (rule.holds for rule in chain.from_iterable(book.invariants.values()))
    return _facts(chain(derived, invariants), chain.from_iterable(field.edit for field in book.fields.values()))


def _of_branches(rules: Iterable[BranchRule]) -> frozenset[Fact]:
    compiled = chain.from_iterable(chain((rule.condition,), expressions_in(rule.deeds)) for rule in rules)
    return _facts(compiled, chain.from_iterable(rule.by for rule in rules))


def _facts(compiled: Iterable[Compiled | None], words: Iterable[str] = ()) -> frozenset[Fact]:
    """The facts behind the names of expressions and the words of `by`, `edit` and `see`."""
    roots = {name.partition(".")[0] for each in compiled if each is not None for name in each.names}
    named = {fact for root, fact in _BY_ROOT.items() if root in roots}
    return frozenset(named | {_BY_RELATION[word] for word in words if word in _BY_RELATION})
