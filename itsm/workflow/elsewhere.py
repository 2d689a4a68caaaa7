"""Actions written outside a workflow and carried out by it: those of a promise's threshold, say.

A promise is written once for tickets of many kinds, and a ticket may live under a version of its workflow that lacks a field
the promise sets. So such actions are compiled against each version when they are first needed; what does not fit is a
refusal, told in the ticket's log, and no error.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Final

from itsm.workflow.case import Fact, Reason, Refusal, Why
from itsm.workflow.definition import Action
from itsm.workflow.needs import Needs
from itsm.workflow.rules import AnswerRule, Rulebook, Write, deeds_of, expressions_in

if TYPE_CHECKING:
    from itsm.workflow.findings import Finding
    from itsm.workflow.vocabulary import Vocabulary

_MOST_KEPT: Final = 2000


@dataclass(frozen=True, slots=True)
class Foreign:
    """A list of actions as one workflow would carry it out: a rule, or why it cannot; and the facts that it looks at."""

    actions: tuple[Action, ...]
    rule: AnswerRule
    needs: frozenset[Fact]
    refusal: Refusal | None


class Elsewhere:
    """The foreign actions that one workflow has met. Safe to share among threads: what is kept is never changed."""

    def __init__(self, book: Rulebook, vocabulary: Vocabulary, needs: Needs) -> None:
        self._book = book
        self._vocabulary = vocabulary
        self._always = needs.always
        self._kept: dict[int, Foreign] = {}

    def get(self, actions: tuple[Action, ...]) -> Foreign:
        """The actions, compiled the first time that this tuple is met."""
        found = self._kept.get(id(actions))  # it is kept too, so nothing else can get its id
        if found is None:
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            found = self._kept[id(actions)] = self._compile(actions)
        return found

    def _compile(self, actions: tuple[Action, ...]) -> Foreign:
        deeds, faults = deeds_of(self._book.workflow, self._vocabulary, actions)
        looked_at = chain(
            expressions_in(deeds),
            (each.expression for each in self._book.derived),
            (rule.holds for rules in self._book.invariants.values() for rule in rules),
        )
        changing = self._always if any(isinstance(deed, Write) for deed in deeds) else frozenset()
        refusal = Refusal(None, tuple(map(_reason, faults))) if faults else None
        return Foreign(actions, AnswerRule(None, None, deeds, None), Needs.behind(looked_at) | changing, refusal)


def _reason(fault: Finding) -> Reason:
    """A finding about the actions as the reason why they are not carried out."""
    return Reason(Why.UNKNOWN_FIELD if fault.code == "unknown-field" else Why.INVALID_VALUE, fault.message)
