"""The form of `config/approvals.yaml` and `config/cost-centres.yaml`: every key that may be written, as marshmallow schemas.

What the keys mean is told in docs/approvals.md; `reading.py` makes policies of what these forms accept.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from marshmallow import ValidationError, post_load, validates_schema

from itsm.approvals.policy import (
    Above,
    Approver,
    Group,
    Party,
    Quorum,
    Rule,
    Then,
    Verdict,
    Who,
)
from itsm.workflow import source
from itsm.workflow.builtin_actions import OrOne
from itsm.workflow.definition import RELATIONS, Position
from itsm.workflow.reading.compounds import Named, Part, Several
from itsm.workflow.reading.entries import Cel, Entry, Json, Matching, Name, OneOf, Span, Text, Whole, Word
from itsm.workflow.reading.form import NOWHERE, Fault, Form, Noun, fault, load, shape, suggestion, under

DEPTH_MAX: Final = 3
"""How often a delegation can be passed on at most, whatever the configuration wishes."""
LEVELS_MAX: Final = 5
RELATIONS_BARRED: Final = tuple(sorted(RELATIONS))

_KEY: Final = "[a-z][a-z0-9_-]{0,62}"
_WORDS: Final = tuple(
    who.value
    for who in (
        Who.REQUESTER,
        Who.ASSIGNEE,
        Who.MEMBERS,
        Who.LEAD,
        Who.WATCHERS,
        Who.MANAGER,
        Who.SERVICE_OWNER,
        Who.COST_CENTRE_OWNER,
    )
)
_HERE: Final = "organisation"


class CostCentreForm(Form):
    """A cost centre: its owner's login, and what it is called."""

    owner = Text(required=True)
    title = Text(load_default="")


# Quorums


class Percent(Whole):
    """A share of a hundred, above nothing."""

    def take(self, value: Any) -> int:
        number = super().take(value)
        if number > 100:
            raise fault("bad-percentage", f"{number} is more than a hundred.", "A percentage is from 1 to 100.")
        return number


_RULES: Final = (Rule.ANY.value, Rule.ALL.value, Rule.MAJORITY.value)
_NUMBERED: Final[Mapping[str, Entry[Any]]] = {Rule.AT_LEAST.value: Whole(least=1), Rule.PERCENT.value: Percent(least=1)}
_EVERYBODY: Final = "everybody_answers"


class QuorumEntry(Entry[Quorum]):
    """How many must approve: a word, `{at_least: 2}`, `{percent: 60}`, or `{everybody_answers: majority}`."""

    plain = OrOne(_RULES, "rule", _NUMBERED)
    any_of_all = OrOne((*_RULES, _EVERYBODY), "rule", {**_NUMBERED, _EVERYBODY: plain})

    def take(self, value: Any) -> Quorum:
        said = self.any_of_all.deserialize(value)
        if said == _EVERYBODY:
            return Quorum(Rule.MAJORITY, everybody=True)
        if isinstance(said, Mapping) and _EVERYBODY in said:
            return _quorum(said[_EVERYBODY], everybody=True)
        return _quorum(said, everybody=False)

    def json_schema(self) -> Json:
        return self.any_of_all.json_schema()


def _quorum(said: str | Mapping[str, int], *, everybody: bool) -> Quorum:
    if isinstance(said, str):
        return Quorum(Rule(said), everybody=everybody)
    ((word, number),) = said.items()
    return Quorum(Rule(word), number, everybody)


# Who is asked


class Member(Entry["Approver | Group"]):
    """Somebody to be asked, or a group with a quorum of its own."""

    def take(self, value: Any) -> Approver | Group:
        if not isinstance(value, Mapping):
            return self._word(value)
        if "rule" in value:
            return group_of(load(GroupForm(), value))
        return self._named({str(key): below for key, below in value.items()}, value)

    def _word(self, value: Any) -> Approver:
        if not isinstance(value, str):
            raise fault("wrong-type", f"Here somebody to be asked is wanted, not {shape(value)}.")
        if str(value) not in _WORDS:
            raise fault("unknown-approver", f"Nobody is called {source.quoted(value)}.", suggestion(str(value), _WORDS))
        return Approver(Who(str(value)))

    def _named(self, said: dict[str, Any], value: Mapping[str, Any]) -> Approver:
        here = said.pop("of", None)
        if len(said) != 1 or not set(said) <= set(_NAMED):
            raise fault("unknown-approver", "Somebody in braces is named by one key.", f"One of {', '.join(_NAMED)}.")
        ((key, node),) = said.items()
        if here is not None and (key != "role" or str(here) != _HERE):
            told = Fault("unknown-approver", "Only a role can be tied, and only to the organisation.", "of: organisation")
            raise ValidationError({"of": [told]})
        try:
            name = _NAMED[key].deserialize(node)
        except ValidationError as error:
            raise under(key, error) from None
        if key == "manager_chain":
            return Approver(Who.CHAIN, levels=name)
        who = {"user": Who.USER, "role": Who.ROLE, "group": Who.GROUP, "field": Who.FIELD}[key]
        return Approver(who, str(name), here=here is not None)

    def json_schema(self) -> Json:
        return {"anyOf": [{"enum": list(_WORDS)}, {"type": "object"}]}


class Levels(Whole):
    """How many managers up."""

    def take(self, value: Any) -> int:
        number = super().take(value)
        if number > LEVELS_MAX:
            raise fault("bad-value", f"A chain of managers has {LEVELS_MAX} links at most.")
        return number


_NAMED: Final[Mapping[str, Entry[Any]]] = {
    "user": Text(),
    "role": Name(Noun.ROLE),
    "group": Name(Noun.GROUP),
    "field": Text(),
    "manager_chain": Levels(least=1),
}


class PlacedForm(Form):
    """A form whose loaded mapping says under `at` where it stood."""

    @post_load(pass_original=True)
    def place(self, data: dict[str, Any], original: object, **_: object) -> dict[str, Any]:
        """Adds the place."""
        return {**data, "at": original.at if isinstance(original, source.Mapping) else NOWHERE}


class GroupForm(PlacedForm):
    """People and groups, and how many of them must approve."""

    rule = QuorumEntry(load_default=Quorum(Rule.ANY))
    of = Several(Member(), required=True)
    title = Text(load_default="")


class ReminderForm(Form):
    """When whoever has not answered is reminded."""

    after = Span(required=True)
    every = Span(load_default=None)


class EscalationForm(Form):
    """When open questions pass to somebody above."""

    after = Span(required=True)
    to = OneOf(Above, "escalation", load_default=Above.MANAGER)


class TimeOutForm(Form):
    """When a stage ends by itself."""

    after = Span(required=True)
    then = OneOf(Then, "timeout", required=True)


class StageForm(GroupForm):
    """One step of a policy."""

    name = Text(load_default="")
    calendar = Name(Noun.CALENDAR, load_default=None)
    remind = Part(ReminderForm(), load_default=None)
    escalate = Part(EscalationForm(), load_default=None)
    timeout = Part(TimeOutForm(), load_default=None)


class RowForm(PlacedForm):
    """A row of the decision table."""

    name = Text(load_default="")
    if_ = Cel(data_key="if", attribute="condition", load_default=None)
    then = OneOf(Verdict, "verdict", required=True)


class PolicyForm(Form):
    """A policy of approval."""

    title = Text(load_default="")
    for_ = Several(Name(Noun.WORKFLOW), data_key="for", attribute="workflows", load_default=())
    decide = Several(Part(RowForm()), load_default=())
    stages = Several(Part(StageForm()), required=True)
    separate = Several(OneOf(Party, "party"), load_default=tuple(Party))
    exclude_ = Several(Word(RELATIONS_BARRED, "relation"), data_key="exclude", attribute="exclude", load_default=())
    material = Several(Text(), load_default=())


class DelegatingForm(Form):
    """How far decisions may be delegated."""

    depth = Whole(load_default=1)
    longest_days = Whole(least=1, load_default=90)

    @validates_schema
    def not_too_deep(self, data: dict[str, Any], **_: object) -> None:
        """A vote that went through many hands is nobody's."""
        if data["depth"] > DEPTH_MAX:
            told = Fault(
                "delegation-too-deep", f"Decisions are passed on {DEPTH_MAX} times at most.", "Usually once is enough."
            )
            raise ValidationError({"depth": [told]})


class BookForm(Form):
    """The whole file."""

    delegation = Part(DelegatingForm(), load_default={})
    policies = Named(Matching(_KEY, "bad-name", "a name for a policy"), Part(PolicyForm()), "policies", load_default={})


def group_of(data: Mapping[str, Any]) -> Group:
    at: Position = data["at"]
    return Group(
        quorum=data["rule"],
        people=tuple(each for each in data["of"] if isinstance(each, Approver)),
        groups=tuple(each for each in data["of"] if isinstance(each, Group)),
        at=at,
        title=data["title"],
    )
