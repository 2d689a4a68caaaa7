"""Reads `config/approvals.yaml` and `config/cost-centres.yaml`, with every fault at its FILE:LINE:COL.

What the keys mean is told in docs/approvals.md; whether a policy can come to an end is told by `check.py`. `frozen` reads the
text that a round of approval has kept of its policy, and `inline` makes a policy of what an action says by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import orjson
from marshmallow import ValidationError, post_load, validates_schema

from itsm.approvals.policy import (
    Above,
    Approver,
    Book,
    Delegating,
    Escalation,
    Group,
    Party,
    Policy,
    Quorum,
    Reminder,
    Row,
    Rule,
    Stage,
    Then,
    TimeOut,
    Verdict,
    Who,
)
from itsm.workflow import source
from itsm.workflow.builtin_actions import OrOne
from itsm.workflow.definition import RELATIONS, Position
from itsm.workflow.findings import Finding
from itsm.workflow.reading.compounds import Keyed, Named, Part, Several
from itsm.workflow.reading.entries import Cel, Entry, Json, Matching, Name, OneOf, Span, Text, Whole, Word
from itsm.workflow.reading.form import NOWHERE, Fault, Form, Names, Noun, fault, load, read, shape, suggestion, under
from itsm.workflow.vocabulary import Vocabulary

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


def load_file(path: Path, vocabulary: Vocabulary) -> tuple[Book, list[Finding]]:
    """What a file says of approvals, and every fault of its form; an absent file says nothing.

    The owners of cost centres are looked for beside it, in `cost-centres.yaml`.
    """
    centres, findings = _cost_centres(path.with_name("cost-centres.yaml"))
    if not path.exists():
        return Book(cost_centres=centres), findings
    tree, told = source.parse_file(path)
    return (Book(cost_centres=centres), findings + told) if tree is None else _book(tree, findings + told, vocabulary, centres)


def load_policies(text: str, file: str, vocabulary: Vocabulary) -> tuple[Book, list[Finding]]:
    """What a text says of approvals, and every fault of its form. `file` is the name that findings bear."""
    tree, findings = source.parse(text, file)
    return (Book(), findings) if tree is None else _book(tree, findings, vocabulary, {})


@lru_cache(maxsize=512)
def frozen(name: str, text: str) -> Policy:
    """The policy that a round has kept. What it names may be gone by now; then nobody is found by that name."""
    data: dict[str, Any] = load(PolicyForm(), orjson.loads(text))
    return _policy(name, Keyed(NOWHERE, data), text)


def inline(arguments: Mapping[str, object]) -> Policy:
    """The policy of a `request_approval` that says by itself whom to ask."""
    data = {"stages": [{"of": arguments["from"], "rule": arguments.get("rule") or Rule.ANY.value}]}
    return frozen("", orjson.dumps(data, option=orjson.OPT_SORT_KEYS, default=_plain).decode())


def excluding(policy: Policy, relations: Iterable[object]) -> Policy:
    """The same policy, which does not ask whoever stands in one of these relations to the ticket either."""
    more = [str(relation) for relation in relations if str(relation) not in policy.exclude]
    if not more:
        return policy
    data = {**orjson.loads(policy.source), "exclude": [*policy.exclude, *more]}
    return frozen(policy.name, orjson.dumps(data, option=orjson.OPT_SORT_KEYS).decode())


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} names nobody")


def _book(
    tree: source.Node, findings: list[Finding], vocabulary: Vocabulary, centres: Mapping[str, str]
) -> tuple[Book, list[Finding]]:
    known = {
        Noun.ROLE: vocabulary.roles,
        Noun.CALENDAR: vocabulary.calendars,
        Noun.WORKFLOW: vocabulary.workflows,
    } | ({Noun.GROUP: vocabulary.groups} if vocabulary.groups is not None else {})
    data, faults = read(BookForm(), tree, Names(known))
    findings = [*findings, *faults]
    if findings:
        return Book(cost_centres=centres), findings
    texts = tree["policies"] if isinstance(tree, source.Mapping) and "policies" in tree else None
    policies = {name: _policy(name, one, _text_of(texts, name)) for name, one in data["policies"].items()}
    return Book(policies, Delegating(**data["delegation"]), centres), []


def _text_of(policies: source.Node | None, name: str) -> str:
    """A policy's own text as JSON, for rounds to keep."""
    assert isinstance(policies, source.Mapping)
    return orjson.dumps(source.plain(policies[name]), option=orjson.OPT_SORT_KEYS).decode()


def _cost_centres(path: Path) -> tuple[dict[str, str], list[Finding]]:
    tree, findings = source.parse_file(path) if path.exists() else (None, [])
    if tree is None:
        return {}, findings
    found, faults = read(Named(Text(), Part(CostCentreForm()), "cost centres"), tree)
    return {key: str(one.value["owner"]) for key, one in (found or {}).items()}, [*findings, *faults]


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
            return _group(load(GroupForm(), value))
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


def _policy(name: str, one: Keyed[dict[str, Any]], text: str) -> Policy:
    data = one.value
    return Policy(
        name=name,
        stages=tuple(_stage(number, stage) for number, stage in enumerate(data["stages"], 1)),
        at=one.at,
        source=text,
        title=data["title"] or name,
        workflows=tuple(data["workflows"]),
        table=tuple(
            Row(row["name"] or f"row {number}", row["then"], row["at"], row["condition"])
            for number, row in enumerate(data["decide"], 1)
        ),
        separate=frozenset(data["separate"]),
        exclude=tuple(dict.fromkeys(data["exclude"])),
        material=tuple(dict.fromkeys(data["material"])),
    )


def _stage(number: int, data: Mapping[str, Any]) -> Stage:
    remind, escalate, timeout = data["remind"], data["escalate"], data["timeout"]
    return Stage(
        name=data["name"] or f"stage {number}",
        group=_group(data),
        at=data["at"],
        calendar=data["calendar"],
        remind=Reminder(**remind) if remind else None,
        escalate=Escalation(**escalate) if escalate else None,
        timeout=TimeOut(**timeout) if timeout else None,
    )


def _group(data: Mapping[str, Any]) -> Group:
    at: Position = data["at"]
    return Group(
        quorum=data["rule"],
        people=tuple(each for each in data["of"] if isinstance(each, Approver)),
        groups=tuple(each for each in data["of"] if isinstance(each, Group)),
        at=at,
        title=data["title"],
    )
