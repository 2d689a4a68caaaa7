"""The actions of the language itself. The docstring of each form is its documentation."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from inspect import getdoc
from types import MappingProxyType
from typing import Any, Final

from marshmallow import ValidationError, validates_schema

from itsm.workflow import source
from itsm.workflow.action_spec import ActionSpec
from itsm.workflow.definition import RELATIONS
from itsm.workflow.reading.compounds import FieldValues, Several
from itsm.workflow.reading.entries import Entry, Json, Name, OneOf, Said, Text, Whole, Word, computed
from itsm.workflow.reading.form import Fault, Form, Noun, fault, under
from itsm.workflow.scope import LINK_KINDS

RECIPIENTS: Final = (
    *("requester", "requester.manager", "assignee", "group", "group.lead"),
    *("service.owner", "watchers", "approvers", "on_call"),
)
FIRED_ON: Final = ("parent", "children", *LINK_KINDS)
TIES: Final = tuple(kind for kind in LINK_KINDS if kind not in ("parent", "child"))
"""The links that an action can make; a ticket has its parent from birth."""

BORN_BY: Final = ("child", *TIES)
"""How a spawned ticket can stand to the one that spawns it."""

_NOBODY: Final = Fault("missing-key", "Somebody must be named here.")
_NO_FIELDS: Final = Fault("missing-key", "At least one field must be named here.")


class Visibility(StrEnum):
    """Who reads a comment: the desk, or the requester too."""

    INTERNAL = "internal"
    PUBLIC = "public"


class OrOne(Word):
    """One of a few words, or a mapping of one key out of `keyed`."""

    def __init__(self, words: tuple[str, ...], noun: str, keyed: Mapping[str, Entry[Any]], **kwargs: Any) -> None:
        super().__init__(words, noun, **kwargs)
        self.keyed = keyed

    def take(self, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return super().take(value)
        if len(value) != 1 or not set(value) <= set(self.keyed):
            raise fault(f"unknown-{self.noun}", f"A {self.noun} in braces has one key.", f"One of {', '.join(self.keyed)}.")
        ((key, node),) = value.items()
        try:
            return {str(key): self.keyed[key].deserialize(node)}
        except ValidationError as error:
            raise under(key, error) from None

    def json_schema(self) -> Json:
        return {"anyOf": [super().json_schema(), *(_only(key, entry.json_schema()) for key, entry in self.keyed.items())]}


def _only(key: str, below: Json) -> Json:
    return {"type": "object", "properties": {key: below}, "required": [key], "additionalProperties": False}


def recipients(**kwargs: Any) -> Several:
    """Who is meant, by their tie to the ticket or by name."""
    keyed: dict[str, Entry[Any]] = {"user": Said(), "group": Said(Noun.GROUP), "role": Name(Noun.ROLE)}
    return Several(OrOne(RECIPIENTS, "recipient", keyed), empty=_NOBODY, **kwargs)


class Payload(Entry[Any]):
    """Any data; texts in it may be `= ` and a CEL expression, or a variable's path standing alone."""

    def take(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {str(key): self.take(below) for key, below in value.items()}
        if isinstance(value, list):
            return [self.take(below) for below in value]
        return computed(value, alone=True) or (value.core if isinstance(value, source.Scalar) else value)


class Set(Form):
    """Gives fields values: `set: {pending_reason: user, assignee: actor.id}`.

    A value is a literal, a variable's path standing alone (`actor.id`, `now`, `ticket.group`), or `= ` and a CEL expression.
    """

    values = FieldValues(computed=True, required=True)


class Clear(Form):
    """Empties fields: `clear: [pending_reason]`."""

    fields_ = Several(Name(Noun.FIELD), empty=_NO_FIELDS, required=True, data_key="fields", attribute="fields")


class Assign(Form):
    """Hands the ticket to a group, a person or both: `assign: {group: network, assignee: actor.id}`."""

    group = Said(Noun.GROUP, alone=True)
    assignee = Said(alone=True)

    @validates_schema
    def somebody(self, data: dict[str, Any], **_: object) -> None:
        """An assignment to nobody is a slip."""
        if not data:
            raise fault("missing-key", "Name a group, an assignee or both.")


class Comment(Form):
    """Writes into the ticket's story: `comment: {body: Waiting for the vendor, visibility: public}`; internal unless said."""

    body = Said(required=True)
    visibility = OneOf(Visibility, "visibility", load_default=Visibility.INTERNAL)


class Notify(Form):
    """Sends a message made from a template: `notify: {to: [requester, group.lead], template: resolved}`."""

    to = recipients(required=True)
    template = Name(Noun.TEMPLATE, required=True)


class Escalate(Form):
    """Sets the ticket on a ladder of escalation: `escalate: {ladder: standard}`. They are in `config/escalation.yaml`.

    Its steps tell one after the other, until somebody acknowledges or the ticket is resolved. A ladder that is under way
    already is not begun again.
    """

    ladder = Name(Noun.LADDER, required=True)


class Route(Form):
    """Sends the ticket where the routing table says, and finds somebody there: `route: {}`, or `route: {keep: group}`.

    The table and the groups' strategies are in `config/assignment.yaml`. With `keep: group` only a person is looked for.
    """

    keep = Word(("nothing", "group"), "keep", load_default="nothing")


class CreateTask(Form):
    """Opens a work task below the ticket: `create_task: {title: Order the parts, group: desktop}`."""

    title = Said(required=True)
    description = Said()
    group = Said(Noun.GROUP)
    fields_ = FieldValues(computed=True, foreign=True, data_key="fields", attribute="fields")


class FulfilOrder(Form):
    """Begins the tasks that the ticket's catalogue item plans, each when its time has come: `fulfil_order: {}`.

    A ticket that was not ordered from the catalogue goes on without, and so does one whose tasks are planned already.
    """


class RequestApproval(Form):
    """Asks for approval: `request_approval: {from: [{role: change_manager}], rule: any, exclude: [requester]}`.

    The rule is `any` (one is enough, the default), `all`, or `{at_least: n}`. Whoever stands in a relation of `exclude` to the
    ticket does not count as an approver (separation of duties). Instead of `from` and `rule`, `policy` names a policy of
    `config/approvals.yaml`: `request_approval: {policy: purchase}`.
    """

    from_ = recipients(data_key="from", attribute="from")
    rule = OrOne(("any", "all"), "rule", {"at_least": Whole(least=1)}, load_default="any")
    policy = Said(Noun.POLICY, alone=True)
    exclude_ = Several(Word(sorted(RELATIONS), "relation"), load_default=(), data_key="exclude", attribute="exclude")
    title = Said()

    @validates_schema(pass_original=True)
    def either(self, data: dict[str, Any], written: Mapping[str, Any], **_: object) -> None:
        """By itself or by a policy; two that say whom to ask would disagree one day."""
        if "from" not in data and "policy" not in data:
            raise fault("missing-key", "The key “from” is missing here, or a “policy”.")
        if "policy" in data and not {"from", "rule"}.isdisjoint(written):
            raise fault("misplaced-key", "A policy says itself whom to ask, and by which rule.", "Keep one of the two.")


class Spawn(Form):
    """Opens a ticket of any workflow: `spawn: {workflow: problem, title: Find the cause, link: caused_by}`.

    `link` is said from this ticket: this incident is caused by the new problem. Without it the new ticket is this one's child.
    """

    workflow = Name(Noun.WORKFLOW, required=True)
    title = Said()
    description = Said()
    fields_ = FieldValues(computed=True, foreign=True, data_key="fields", attribute="fields")
    link = Word(BORN_BY, "link")


class Link(Form):
    """Links the ticket to another: `link: {kind: duplicate_of, to: "= ticket.duplicate_of"}`."""

    kind = Word(TIES, "link", required=True)
    to = Said(required=True)


class Fire(Form):
    """Fires a transition on linked tickets: `fire: {trigger: fix_deployed, on: fixes}`.

    Each of them answers in a transaction of its own; what one refuses is noted in its story and is no fault of this ticket.
    """

    trigger = Text(required=True)
    on = Word(FIRED_ON, "link", required=True)


class Survey(Form):
    """Asks the requester how it went: `survey: {template: csat}`."""

    template = Name(Noun.TEMPLATE, required=True)


class Webhook(Form):
    """Calls a configured receiver: `webhook: {name: monitoring, payload: {number: ticket.number}}`.

    Receivers are in `config/webhooks.yaml`. With `answer: awaited` it calls back: `webhook_succeeded`, `webhook_failed` or
    `webhook_unanswered` happens to the ticket then, unless it has left the state it is in after the action. `message` names the
    field that takes what the answer says, `input` a text of JSON that is sent besides.
    """

    name = Said(Noun.WEBHOOK, alone=True, required=True)
    payload = Payload()
    input = Said(alone=True)
    answer = Word(("awaited",), "answer")
    message = Name(Noun.FIELD)

    @validates_schema
    def answered(self, data: dict[str, Any], **_: object) -> None:
        """A message comes with an answer."""
        if "message" in data and "answer" not in data:
            raise fault("misplaced-key", "Nobody answers, so there is no message.", "Add answer: awaited.")


_FORMS: Final[Mapping[str, tuple[type[Form], str | None]]] = {
    "set": (Set, "values"),
    "clear": (Clear, "fields"),
    "assign": (Assign, None),
    "comment": (Comment, "body"),
    "notify": (Notify, None),
    "escalate": (Escalate, "ladder"),
    "route": (Route, None),
    "create_task": (CreateTask, "title"),
    "fulfil_order": (FulfilOrder, None),
    "request_approval": (RequestApproval, None),
    "spawn": (Spawn, None),
    "link": (Link, None),
    "fire": (Fire, None),
    "survey": (Survey, "template"),
    "webhook": (Webhook, "name"),
}

BUILTIN_ACTIONS: Final[Mapping[str, ActionSpec]] = MappingProxyType(
    {name: ActionSpec(name, form(), getdoc(form) or "", bare) for name, (form, bare) in _FORMS.items()}
)
"""By name."""
