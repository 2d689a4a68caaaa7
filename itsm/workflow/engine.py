"""What may happen to a ticket, decided: facts in, decision or refusal out.

A `Process` is one version of one workflow, compiled once. It keeps nothing of any ticket, asks no clock and has no effects, so
one instance serves all threads for as long as tickets of its version live.

The meaning of `fire`, in this order:

1. Inputs are typed, and taken where the person may write: never a derived field, not what the present state keeps read-only,
   else by the field's `edit`. They are laid over the ticket's values.
2. The first branch is taken whose `from`, `by` and `if` all pass. `by` (like `edit`) is judged on the ticket as it was: nobody
   makes himself its assignee to be allowed to resolve it. `if` sees the inputs, and still the old state.
3. A branch with `comment: required` needs words.
4. `do` is carried out as written: `set`, `clear` and `assign` change fields, all else is collected as effects. Nobody whose
   approval stands may be its assignee or requester by now, unless the ticket closes and he was so before.
5. Derived fields are computed anew; `ticket.state` is the new state from here on.
6. What the branch, then the target state, requires must be filled now.
7. The invariants of the target state must hold.

Steps after the second are taken even if an earlier one found fault, so that a refusal names every reason. When no branch
passes, the reasons are: the state, if none starts here; else the people it is for, if none of those that start here is for this
person; else the condition of each that is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING

from itsm.workflow import sentences, values
from itsm.workflow.builtin import REQUIRED_AT_CREATION
from itsm.workflow.case import SYSTEM_PERSON, Case, Decision, Fact, Offer, Person, Reason, Refusal, Response, Value
from itsm.workflow.creation import created, override
from itsm.workflow.definition import Action, Category, Comment, Field, FieldType, Workflow
from itsm.workflow.draft import Draft, Occasion
from itsm.workflow.elsewhere import Elsewhere
from itsm.workflow.machine import StateMachine
from itsm.workflow.needs import Needs
from itsm.workflow.offers import offer
from itsm.workflow.rules import AnswerRule, BranchRule, FaultyWorkflowError, Rulebook, required
from itsm.workflow.situation import standing

if TYPE_CHECKING:
    from itsm.workflow.vocabulary import Vocabulary

__all__ = ["FaultyWorkflowError", "Process"]


class Process:
    """One version of a workflow, ready to decide. Raises `FaultyWorkflowError` if an expression or a literal in it is wrong."""

    def __init__(self, workflow: Workflow, vocabulary: Vocabulary) -> None:
        self.workflow = workflow
        self.vocabulary = vocabulary
        self._book = Rulebook.of(workflow, vocabulary)
        self._machine = StateMachine(workflow, self._book.branches)
        self._from: dict[str, tuple[BranchRule, ...]] = {
            state: tuple(rule for rule in chain.from_iterable(self._book.branches.values()) if state in rule.branch.sources)
            for state in workflow.states
        }
        self._needs = Needs(self._book)
        self._elsewhere = Elsewhere(self._book, vocabulary, self._needs)
        self._shown = lru_cache(maxsize=1024)(self._fields_shown)

    # What it is

    @property
    def fields(self) -> Mapping[str, Field]:
        """Built-in and declared fields by name."""
        return self._book.fields

    @property
    def defaults(self) -> Mapping[str, Value]:
        """The values of fields that nobody has stated."""
        return self._book.defaults

    @property
    def actions(self) -> frozenset[str]:
        """The name of every action that anything in this workflow may carry out or ask for."""
        return self._book.actions

    @property
    def triggers(self) -> frozenset[str]:
        """Every trigger that can ever be fired: the workflow's own, and no other."""
        return self._machine.triggers

    def hears(self, event: str) -> bool:
        """Whether anything in this workflow reacts to this event; what nobody hears need not be told."""
        return event in self._book.reactions

    def needs(self, trigger: str | None = None) -> frozenset[Fact]:
        """The facts that `fire` of this trigger asks for; without one, what any decision asks for."""
        return self._needs.everything if trigger is None else self._needs.of_trigger(trigger)

    def needs_edit(self) -> frozenset[Fact]:
        """The facts that `edit` asks for, and `create` and `force` would."""
        return self._needs.always

    def needs_sight(self) -> frozenset[Fact]:
        """The facts that `visible_fields` asks for."""
        return self._needs.sight

    def needs_event(self, event: str) -> frozenset[Fact]:
        """The facts that `react` to this event asks for, and `fire` of what it may call for."""
        return self._needs.of_event(event)

    def needs_timer(self, name: str) -> frozenset[Fact]:
        """The facts that `due` of this timer asks for, and `fire` of what it may call for."""
        return self._needs.of_timer(name)

    def needs_actions(self, actions: tuple[Action, ...]) -> frozenset[Fact]:
        """The facts that `carry_out` of these actions asks for."""
        return self._elsewhere.get(actions).needs

    def references(self, given: Mapping[str, Value]) -> list[tuple[str, FieldType, str]]:
        """The values that are keys of something, for the caller to look up: (field, type, key)."""
        return values.references(self.fields, given)

    def input_schema(self, field: str) -> dict[str, object]:
        """JSON Schema of one field's values. Raises `KeyError` for a field that does not exist."""
        return values.json_schema(self.fields[field])

    def visible_fields(self, case: Case, person: Person) -> frozenset[str]:
        """The fields that a person who may see the ticket sees of it: by `see`, and not `hidden` in its state."""
        return self._shown(case.state, standing(person, case))

    def _fields_shown(self, state: str, words: frozenset[str]) -> frozenset[str]:
        return frozenset(field.name for field in self.fields.values() if self._book.shows(field, state, words))

    def standing(self, case: Case, person: Person) -> frozenset[str]:
        """Every word of `by`, `edit` and `see` that is true of a person on this ticket: relations and roles."""
        return standing(person, case)

    # What may happen

    def create(
        self,
        person: Person,
        inputs: Mapping[str, object],
        now: datetime,
        overrides: Mapping[str, object] | None = None,
    ) -> Decision | Refusal:
        """A new ticket, in the initial state.

        Anyone who creates a ticket may fill its title, description, service and CI, and the fields whose `edit` names one of
        his roles, or the requester if that is who he is. `overrides` are given by the desk itself (a parent, a catalogue's
        fields): typed, but written by no one's right. Who may create tickets of this kind at all is for the caller to know.
        """
        return created(self._book, person, inputs, now, overrides or {}).outcome(None, None)

    def fire(
        self,
        case: Case,
        person: Person,
        trigger: str,
        inputs: Mapping[str, object],
        comment: str | None,
        now: datetime,
    ) -> Decision | Refusal:
        """Make a transition. See this module's head for what that means."""
        draft = Draft(self._book, case, person, now, comment)
        if stray := self._stray(draft, trigger):
            return Refusal(trigger, (stray,))
        draft.take(inputs, Occasion.TRANSITION)
        self._go(draft, trigger)
        return draft.outcome(trigger, case.state)

    def edit(self, case: Case, person: Person, inputs: Mapping[str, object], now: datetime) -> Decision | Refusal:
        """Change fields without moving. What the state requires stays filled; invariants about the changed fields must hold."""
        draft = Draft(self._book, case, person, now)
        if case.state not in self.workflow.states:
            return Refusal(None, (sentences.lost_state(case.state, self.workflow.name),))
        draft.take(inputs, Occasion.EDIT)
        draft.separate(draft.changes())
        draft.arrive(case.state)
        required_here = REQUIRED_AT_CREATION + self.workflow.states[case.state].require
        draft.require(name for name in required_here if name in inputs)
        draft.hold(only_about=frozenset(draft.changes()))
        return draft.outcome(None, case.state)

    def force(
        self, case: Case, target: str, inputs: Mapping[str, object], now: datetime, trigger: str | None = None
    ) -> Decision | Refusal:
        """Put a ticket into a state as history tells it, whatever the rules say.

        For imports and migrations, where what happened has happened: `by`, `if`, `require`, `do` and invariants are not asked.
        Values are still typed, and derived fields computed. `trigger` is only noted in the decision.
        """
        draft = Draft(self._book, case, SYSTEM_PERSON, now)
        if target not in self.workflow.states:
            return Refusal(trigger, (sentences.lost_state(target, self.workflow.name),))
        override(draft, inputs)
        draft.arrive(target)
        return draft.outcome(trigger, case.state)

    def offers(self, case: Case, person: Person, now: datetime) -> tuple[Offer, ...]:
        """Every transition that starts in the ticket's state, as this person finds it: open, or blocked and why.

        It takes the very steps of `fire`, without inputs. So an offer that is not blocked and asks for nothing is one that
        `fire` accepts, and a blocked one is one that it refuses for the same reasons.
        """
        if case.state not in self.workflow.states:
            return ()
        triggers = dict.fromkeys(rule.branch.trigger for rule in self._from[case.state])
        return tuple(self._offer(case, person, now, trigger) for trigger in triggers)

    def react(self, event: str, case: Case, now: datetime) -> Response | None:
        """What an event calls for: the first rule that fits. None if none does."""
        for rule in self._book.reactions.get(event, ()):
            if (response := self._answer(rule, case, now)) is not None:
                return response
        return None

    def due(self, timer: str, case: Case, now: datetime) -> Response | None:
        """What a timer that has run out calls for. None when the ticket has left its states or its condition fails.

        Raises `KeyError` for a timer that does not exist.
        """
        return self._answer(self._book.timers[timer], case, now)

    def carry_out(self, actions: tuple[Action, ...], case: Case, now: datetime) -> Response:
        """Carry out actions that were written elsewhere, as a timer's `do` would be. What does not fit this workflow (a field
        that it lacks, a value that its field does not take) makes the response a refusal.
        """
        foreign = self._elsewhere.get(actions)
        if foreign.refusal is not None:
            return Response(None, refusal=foreign.refusal)
        if case.state not in self.workflow.states:
            return Response(None, refusal=Refusal(None, (sentences.lost_state(case.state, self.workflow.name),)))
        return self._carried_out(foreign.rule, case, Draft(self._book, case, SYSTEM_PERSON, now))

    # How it is decided

    def _stray(self, draft: Draft, trigger: str) -> Reason | None:
        """A trigger that does not exist, or a state that is not of this version: then nothing else can be said."""
        state = draft.case.state
        if state not in self.workflow.states:
            return sentences.lost_state(state, self.workflow.name)
        if trigger not in self._book.branches:
            known = self.workflow.transitions
            return sentences.unknown_trigger(trigger, self.workflow.name, known, state, self._open(draft))
        return None

    def _open(self, draft: Draft) -> Iterable[str]:
        """The triggers that start here and are for this person."""
        rules = self._from[draft.case.state]
        return dict.fromkeys(rule.branch.trigger for rule in rules if not rule.by.isdisjoint(draft.words))

    def _go(self, draft: Draft, trigger: str) -> None:
        """Steps 2 to 7."""
        try:
            target = self._machine.move(trigger, draft.case.state, draft)
        except LookupError:
            transition = self.workflow.transitions[trigger]
            draft.reasons.append(sentences.wrong_state(transition, draft.case.state, self._open(draft)))
            return
        if target is None or draft.taken is None:
            self._no_branch(draft, trigger)
        else:
            self._proceed(draft, draft.taken, target)

    def _no_branch(self, draft: Draft, trigger: str) -> None:
        """Why no branch that starts here was taken."""
        for rule in draft.failed:
            self._blame_condition(draft, rule)
        if not draft.failed:
            here = (rule.branch.by for rule in self._from[draft.case.state] if rule.branch.trigger == trigger)
            words = dict.fromkeys(chain.from_iterable(here))
            draft.reasons.append(sentences.not_allowed(trigger, words, draft.situation.person, draft.told()))

    def _blame_condition(self, draft: Draft, rule: BranchRule) -> None:
        if rule.condition is not None:
            why = draft.why(rule.condition, rule.condition.evaluate(draft.situation))
            draft.blame(sentences.condition(rule.branch.trigger, rule.condition, why), rule.condition)

    def _proceed(self, draft: Draft, rule: BranchRule, target: str) -> None:
        """Steps 3 to 7."""
        if rule.branch.comment is Comment.REQUIRED and draft.situation.comment is None:
            draft.reasons.append(sentences.comment_missing(rule.branch.trigger))
        draft.carry_out(rule.deeds)
        draft.separate(draft.changes() if self.workflow.category(target) is Category.CLOSED else draft.case.deciders.barred)
        draft.arrive(target)
        draft.require(required(rule, self.workflow.states[target]))
        draft.hold()

    def _offer(self, case: Case, person: Person, now: datetime, trigger: str) -> Offer:
        draft = Draft(self._book, case, person, now)
        self._go(draft, trigger)
        transition = self.workflow.transitions[trigger]
        for rule in draft.failed if draft.taken is None else ():
            # What this branch asks for may make its condition true; then it is open, and `fire` will tell.
            asked = Draft(self._book, case, person, now)
            asked.taken = rule
            self._blame_condition(asked, rule)
            self._proceed(asked, rule, rule.branch.lands_in(case.state))
            candidate = offer(asked, transition)
            if not candidate.blocked:
                return candidate
        return offer(draft, transition)

    def _answer(self, rule: AnswerRule, case: Case, now: datetime) -> Response | None:
        if case.state not in self.workflow.states or (rule.states is not None and case.state not in rule.states):
            return None
        draft = Draft(self._book, case, SYSTEM_PERSON, now)
        if rule.condition is not None and rule.condition.evaluate(draft.situation) is not True:
            return None
        return self._carried_out(rule, case, draft)

    def _carried_out(self, rule: AnswerRule, case: Case, draft: Draft) -> Response:
        if not rule.deeds:
            return Response(rule.fire)
        draft.carry_out(rule.deeds)
        draft.separate(draft.changes())
        draft.arrive(case.state)
        draft.hold(only_about=frozenset(draft.changes()))
        done = draft.outcome(None, case.state)
        if isinstance(done, Refusal):
            return Response(None, refusal=done)
        return Response(rule.fire, done.effects, done.changes)
