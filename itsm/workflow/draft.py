"""One decision in the making: the ticket as it would be, and everything that speaks against it.

A `Draft` starts as a case and a person. Its steps lay inputs over it, judge branches, carry out `do`, derive and check; each
adds its reasons and none stops the next, so that a refusal names them all at once. The case itself is never touched.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from enum import Enum
from types import MappingProxyType
from typing import Final

from itsm.workflow import sentences
from itsm.workflow.builtin import FILLED_AT_CREATION, KEPT_BY_THE_DESK, MOVED_BY_TRANSITIONS
from itsm.workflow.case import Case, Change, Decision, Effect, Person, Reason, Refusal, Value
from itsm.workflow.definition import SYSTEM, Field, FieldType, Position
from itsm.workflow.expression import Compiled, EvaluationError
from itsm.workflow.rules import Ask, BranchRule, Deed, Rulebook, Write
from itsm.workflow.situation import Situation, standing
from itsm.workflow.values import Fault, accept, from_expression, is_empty

_GUESSES: Final = 20
"""Reasons up to which it is guessed what an unknown field was meant to be; guessing costs more than anything else here."""

_COMMENT: Final = Field("comment", FieldType.MARKDOWN, Position("<built in>", 1, 1))


class Occasion(Enum):
    """When a field is written by hand; the rules of who may differ."""

    CREATION = "creation"
    TRANSITION = "transition"
    EDIT = "edit"


class Draft:
    """A ticket on its way from a case to a decision or a refusal. Lives for one call, in one thread."""

    __slots__ = ("about", "book", "case", "effects", "failed", "reasons", "situation", "taken", "values", "words")

    def __init__(
        self,
        book: Rulebook,
        case: Case,
        person: Person,
        now: datetime,
        comment: str | None = None,
        born: Mapping[str, Value] | None = None,
    ) -> None:
        """`born` holds what a new ticket has before anyone says anything about it; it counts for who stands how, too."""
        self.book = book
        self.case = case
        self.values: dict[str, Value] = {**case.values, **(born or {})}
        self.words = standing(person, case if born is None else replace(case, values=born))
        self.effects: list[Effect] = []
        self.reasons: list[Reason] = []
        self.about: dict[Reason, frozenset[str]] = {}
        """The names that a reason's expression looked at: filling one of them may mend it."""
        self.taken: BranchRule | None = None
        self.failed: list[BranchRule] = []
        """Branches that are open to this person, and whose condition does not hold."""
        self.situation = Situation(book.workflow, case, person, self.values, now, self._said(comment))

    # What people say

    def _said(self, comment: str | None) -> str | None:
        said = accept(_COMMENT, comment)
        if isinstance(said, Fault):
            self.reasons.append(sentences.invalid_value(_COMMENT, said.must))
            return None
        return said if isinstance(said, str) else None

    def take(self, inputs: Mapping[str, object], occasion: Occasion) -> None:
        """Lay inputs over the ticket: typed, and only where this person may write."""
        for name, raw in inputs.items():
            field = self.book.fields.get(name)
            if field is None:
                known = self.book.fields if len(self.reasons) < _GUESSES else ()
                self.reasons.append(sentences.unknown_field(name, self.book.workflow.name, known))
            elif (why := self.hindrance(field, occasion)) is not None:
                self.reasons.append(sentences.not_editable(field, why))
            else:
                self.lay(field, raw)

    def lay(self, field: Field, raw: object) -> None:
        """Give a field a value, or say why it is none."""
        value = accept(field, raw)
        if isinstance(value, Fault):
            self.reasons.append(sentences.invalid_value(field, value.must))
        else:
            self.values[field.name] = value

    def hindrance(self, field: Field, occasion: Occasion) -> str | None:
        """What keeps this person from writing a field, as the end of a sentence; None if nothing does."""
        if field.derive is not None:
            return "follows from other fields and cannot be written"
        if field.name in KEPT_BY_THE_DESK:
            return "is kept by the desk and cannot be written"
        if SYSTEM in self.words:
            return None
        if occasion is Occasion.EDIT and field.name in MOVED_BY_TRANSITIONS:
            return "is handed over by a transition, not by an edit"
        if occasion is Occasion.CREATION:
            if field.name in FILLED_AT_CREATION:
                return None
        else:
            state = self.book.workflow.states[self.case.state]
            if field.name in state.readonly:
                return f"cannot be changed while the ticket is in {state.name}"
            if occasion is Occasion.EDIT and field.name in state.hidden:
                return f"is not in use while the ticket is in {state.name}"
        return sentences.editors(field, self.told()) if self.words.isdisjoint(field.edit) else None

    def blame(self, reason: Reason, compiled: Compiled) -> None:
        """Add a reason that an expression gave."""
        self.reasons.append(reason)
        self.about[reason] = frozenset(".".join(name.split(".")[:2]) for name in compiled.names)

    # What the rules say

    def admits(self, rule: BranchRule) -> bool:
        """Whether a branch is open to this person and its condition holds."""
        if rule.by.isdisjoint(self.words):
            return False
        if rule.condition is not None and rule.condition.evaluate(self.situation) is not True:
            self.failed.append(rule)
            return False
        self.taken = rule
        return True

    def carry_out(self, deeds: Iterable[Deed]) -> None:
        """`do`, in the order in which it is written: later deeds see what earlier ones have set."""
        for deed in deeds:
            if isinstance(deed, Write):
                self._write(deed)
            else:
                self._ask(deed)

    def _write(self, deed: Write) -> None:
        if not isinstance(deed.value, Compiled):
            self.values[deed.field.name] = deed.value
            return
        result = self._computed(deed.value)
        if isinstance(result, EvaluationError):
            self.blame(sentences.uncomputable("set", deed.value, result, deed.field.name), deed.value)
        else:
            self.lay(deed.field, from_expression(deed.field, result))

    def _ask(self, deed: Ask) -> None:
        if deed.ready is not None:
            self.effects.append(deed.ready)
            return
        filled = {name: self._filled(deed.action, argument) for name, argument in deed.arguments.items()}
        self.effects.append(Effect(deed.action, MappingProxyType(filled)))

    def _filled(self, action: str, argument: object) -> object:
        if isinstance(argument, Compiled):
            result = self._computed(argument)
            if isinstance(result, EvaluationError):
                self.blame(sentences.uncomputable(action, argument, result), argument)
                return None
            return result
        if isinstance(argument, Mapping):
            return {name: self._filled(action, value) for name, value in argument.items()}
        if isinstance(argument, list):
            return [self._filled(action, value) for value in argument]
        return argument

    def _computed(self, compiled: Compiled) -> object:
        """A name standing alone is taken as it is, for CEL knows neither dates nor money; everything else is CEL's."""
        return compiled.value(self.situation) if compiled.path is None else self.situation[compiled.path]

    def arrive(self, state: str) -> None:
        """The ticket is in `state` from here on, and what is derived is derived anew."""
        self.situation.state = state
        for derived in self.book.derived:
            self.values[derived.field.name] = derived.value(self.situation)

    def require(self, names: Iterable[str]) -> None:
        """These fields must be filled by now."""
        blamed = {reason.field for reason in self.reasons}
        for name in dict.fromkeys(names):
            if is_empty(self.values.get(name)) and name not in blamed:
                self.reasons.append(sentences.missing(self.book.fields[name]))

    def separate(self, among: Iterable[str]) -> None:
        """Nobody is requester or assignee (those of them `among` which is looked) of what he approved, whoever made him so."""
        for name in among:
            login, barred = self.values.get(name), self.case.deciders.barred.get(name, {})
            if isinstance(login, str) and login in barred:
                self.reasons.append(sentences.separation(self.book.fields[name], login, barred[login]))

    def hold(self, only_about: frozenset[str] | None = None) -> None:
        """What must always hold here must hold now (`only_about`: as far as it names these fields).

        What looks at a field that is missing or wrong cannot be judged yet, and is not held against anyone as well.
        """
        state = self.situation.state
        blamed = {reason.field for reason in self.reasons}
        for rule in self.book.invariants[state]:
            if not blamed.isdisjoint(rule.fields) or (only_about is not None and only_about.isdisjoint(rule.fields)):
                continue
            answer = rule.holds.evaluate(self.situation)
            if answer is not True:
                self.blame(sentences.invariant(state, rule.holds, self.why(rule.holds, answer)), rule.holds)

    def why(self, compiled: Compiled, answer: bool | EvaluationError) -> str:
        """Why an expression does not hold, as the end of a sentence that begins with it."""
        if isinstance(answer, EvaluationError):
            return f", which cannot be said: {answer.text}"
        return self.known(compiled)

    def known(self, compiled: Compiled) -> str:
        """What an expression looked at, as far as this person may see it: “: tasks.open is 2”."""
        parts = [
            sentences.shown(name, self.situation[name])
            for name in sorted(compiled.names)
            if name.partition(".")[0] in ("tasks", "approvals", "links", "comment") or self._sees_name(name)
        ]
        return f": {', '.join(parts)}" if parts else ""

    def told(self) -> Mapping[str, Value]:
        """Who the ticket's people are, as far as this person may know: what a refusal may name."""
        known = (self.book.fields[name] for name in ("requester", "assignee", "group"))
        shown = (field.name for field in known if self.book.shows(field, self.case.state, self.words))
        return {name: self.case.values.get(name) for name in shown}

    def _sees_name(self, name: str) -> bool:
        root, _, rest = name.partition(".")
        field = self.book.fields.get(rest.partition(".")[0])
        return root == "ticket" and (field is None or self.book.shows(field, self.case.state, self.words))

    # What comes of it

    def changes(self) -> Mapping[str, Change]:
        """Every field that is not what it was."""
        before = self.case.values
        return {
            name: Change(before.get(name), value)
            for name, value in self.values.items()
            if value != before.get(name) and name not in KEPT_BY_THE_DESK
        }

    def outcome(self, trigger: str | None, source: str | None) -> Decision | Refusal:
        """The decision, if nothing speaks against it."""
        if self.reasons:
            return Refusal(trigger, sentences.in_order(self.reasons))
        target = self.situation.state
        category = self.book.workflow.states[target].category
        return Decision(trigger, source, target, category, self.changes(), tuple(self.effects), comment=self.situation.comment)
