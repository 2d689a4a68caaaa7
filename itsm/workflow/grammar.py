"""The form of a workflow file: every key that may be written, as marshmallow schemas.

What a key means is told in docs/workflow-language.md; whether the whole makes sense is told by `check/`. `language.py` makes
definitions of what these forms accept.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from marshmallow import Schema, ValidationError, post_load, validates_schema

from itsm.workflow import source
from itsm.workflow.action_spec import Do
from itsm.workflow.builtin import BUILTIN_FIELDS, RESERVED_NAMES
from itsm.workflow.case import Why
from itsm.workflow.definition import ANY_STATE, SAME_STATE, Category, Comment, Field, FieldType
from itsm.workflow.reading.compounds import FieldValues, Named, Part, Several, fit, typed
from itsm.workflow.reading.entries import Cel, Entry, Json, Matching, Name, NewName, OneOf, Raw, Span, Text, Whole, Word
from itsm.workflow.reading.form import NOWHERE, Fault, Form, Noun, fault, load, under
from itsm.workflow.scope import APPROVAL_COUNTS, LINK_KINDS, TASK_COUNTS

ALL_FIELDS: Final = "*"
"""In a state's `readonly`: every field a person could edit."""

NUMBER: Final = r"[A-Za-z][A-Za-z0-9_-]{0,11}\{:0[1-9][0-9]?d\}"

_CEL_WORDS: Final = (
    "as", "break", "const", "continue", "else", "false", "for", "function", "if", "import", "in", "let", "loop", "namespace",
    "null", "package", "return", "true", "var", "void", "while",
)  # fmt: skip
_TAKEN: Final[Mapping[str, Fault]] = {
    **{name: Fault("bad-name", f"“{name}” is a word of CEL and cannot name a field.") for name in _CEL_WORDS},
    **{name: Fault("bad-name", f"“{name}” is what every ticket has; no field can be called so.") for name in RESERVED_NAMES},
    **{name: Fault("bad-name", f"Every ticket has “{name}” already; it cannot be declared anew.") for name in BUILTIN_FIELDS},
}
_FIELD_NAME: Final = NewName("field", _TAKEN)


class PlacedForm(Form):
    """A form whose loaded mapping says under `at` where it stood."""

    @post_load(pass_original=True)
    def place(self, data: dict[str, Any], original: object, **_: object) -> dict[str, Any]:
        """Adds the place."""
        return {**data, "at": original.at if isinstance(original, source.Mapping) else NOWHERE}


class DeriveForm(Form):
    """How a field follows from others: `{matrix: priority}` or `{expression: …}`."""

    matrix = Name(Noun.MATRIX)
    expression = Cel()

    @validates_schema
    def either(self, data: dict[str, Any], **_: object) -> None:
        """One way, not two and not none."""
        if len(data) != 1:
            raise fault("bad-derivation", "A field is derived by `matrix` or by `expression`, one of the two.")


class FieldForm(Form):
    """A field."""

    type = OneOf(FieldType, "type", required=True)
    title = Text()
    choices = Several(Text(), load_default=())
    default = Raw()
    derive = Part(DeriveForm())
    edit = Several(Name(Noun.ROLE))
    see = Several(Name(Noun.ROLE))

    @validates_schema
    def fitting(self, data: dict[str, Any], **_: object) -> None:
        """Choices where they belong, and a default that the field can have."""
        chosen = data["type"] in (FieldType.CHOICE, FieldType.MULTI_CHOICE)
        if chosen and not data["choices"]:
            raise fault("missing-key", f"A {data['type']} needs its `choices`.")
        if data["choices"] and not chosen:
            raise under("choices", fault("misplaced-key", f"A {data['type']} has no choices.", on_key=True))
        if "default" in data:
            field = Field("default", data["type"], NOWHERE, choices=tuple(data["choices"]))
            try:
                fit(field, typed(data["default"], field.type))
            except ValidationError as error:
                raise under("default", error) from None


class StateForm(Form):
    """A state."""

    category = OneOf(Category, "category", required=True)
    title = Text()
    require = Several(Name(Noun.FIELD), load_default=())
    readonly = Several(Name(Noun.FIELD, also=(ALL_FIELDS,)), load_default=())
    hidden = Several(Name(Noun.FIELD), load_default=())


_NO_STATES: Final = Fault("missing-key", "At least one state must be named here.")
_NO_BY: Final = Fault("missing-by", "Nobody may do this: nothing is allowed by omission.", "Say who may, such as by: [agent].")
_NO_BRANCH: Final = Fault("missing-key", "A transition needs at least one branch.")


def _states(**kwargs: Any) -> Several:
    return Several(Name(Noun.STATE, also=(ANY_STATE,)), empty=_NO_STATES, **kwargs)


class BranchForm(PlacedForm):
    """One way a transition can go."""

    missing: ClassVar[Mapping[str, Fault]] = {"by": _NO_BY}

    from_ = _states(required=True, data_key="from", attribute="sources")
    to = Name(Noun.STATE, also=(SAME_STATE,), required=True)
    by = Several(Name(Noun.ROLE), empty=_NO_BY, required=True)
    if_ = Cel(data_key="if", attribute="condition")
    require = Several(Name(Noun.FIELD), load_default=())
    comment = OneOf(Comment, "comment", load_default=Comment.OPTIONAL)
    do = Several(Do(), load_default=())


_BRANCHES: Final = Several(Part(BranchForm()), empty=_NO_BRANCH, required=True)


class TransitionForm(Form):
    """A transition with a title of its own."""

    title = Text()
    branches = _BRANCHES


class Branches(Entry[dict[str, Any]]):
    """A transition: its branches, or a mapping with its `title` and `branches`."""

    def take(self, value: Any) -> dict[str, Any]:
        if isinstance(value, Mapping) and "branches" in value:
            return load(_TRANSITION, value)
        return {"branches": _BRANCHES.deserialize(value)}

    def json_schema(self) -> Json:
        return {"anyOf": [_BRANCHES.json_schema(), Part(_TRANSITION).json_schema()]}


_TRANSITION: Final = TransitionForm()


class Consequence(PlacedForm):
    """What fires or is done by itself."""

    if_ = Cel(data_key="if", attribute="condition")
    fire = Name(Noun.TRIGGER)
    do = Several(Do(), load_default=())

    @validates_schema
    def something(self, data: dict[str, Any], **_: object) -> None:
        """Something must follow."""
        if "fire" not in data and not data["do"]:
            raise fault("missing-key", "Nothing follows from this: it needs `fire`, `do` or both.")


class TimerForm(Consequence):
    """A timer."""

    in_ = _states(required=True, data_key="in", attribute="sources")
    after = Span(required=True)
    every = Span()
    calendar = Name(Noun.CALENDAR)


class RuleForm(Consequence):
    """One answer to an event."""

    in_ = _states(data_key="in", attribute="sources")


class InvariantForm(PlacedForm):
    """What must hold."""

    in_ = _states(data_key="in", attribute="sources")
    holds = Cel(required=True)


class CountsForm(Form):
    """Facts beyond the ticket's own row, as a scenario states them."""

    tasks = Named(Word(TASK_COUNTS, "count"), Whole(), "counts")
    approvals = Named(Word(APPROVAL_COUNTS, "count"), Whole(), "counts")
    links = Named(Word(LINK_KINDS, "link"), Whole(), "counts")


class GivenForm(CountsForm):
    """Where a scenario begins."""

    actor = Name(Noun.ROLE, required=True)
    state = Name(Noun.STATE)
    fields_ = FieldValues(data_key="fields", attribute="fields", load_default=dict)


class StepForm(PlacedForm):
    """One step of a scenario."""

    fire = Name(Noun.TRIGGER)
    event = Name(Noun.EVENT)
    edit = FieldValues()
    wait = Span()
    as_ = Name(Noun.ROLE, data_key="as", attribute="actor")
    with_ = FieldValues(data_key="with", attribute="inputs", load_default=dict)
    facts = Part(CountsForm(), load_default=dict)
    comment = Text()
    refused = OneOf(Why, "refusal")

    @validates_schema
    def one_deed(self, data: dict[str, Any], **_: object) -> None:
        """A step is one thing."""
        if len({"fire", "event", "edit", "wait"} & data.keys()) != 1:
            raise fault("bad-step", "A step is one of `fire`, `event`, `edit` and `wait`.")


class ExpectForm(PlacedForm):
    """How a scenario must end."""

    state = Name(Noun.STATE)
    trail = Several(Name(Noun.STATE))
    notified = Several(Text())
    fields_ = FieldValues(data_key="fields", attribute="fields")
    effects = Several(Name(Noun.ACTION))
    refused = OneOf(Why, "refusal")


class ScenarioForm(Form):
    """A scenario."""

    given = Part(GivenForm(), required=True)
    steps = Several(Part(StepForm()), load_default=())
    expect = Part(ExpectForm())


class WorkflowForm(PlacedForm):
    """A whole file."""

    workflow = NewName("workflow", required=True)
    title = Text()
    description = Text(load_default="")
    number = Matching(NUMBER, "bad-number", "a form of numbers such as INC{:07d}")
    fields_ = Named(_FIELD_NAME, Part(FieldForm()), "fields", data_key="fields", attribute="fields", load_default=dict)
    states = Named(NewName("state"), Part(StateForm()), "states", required=True)
    initial = Name(Noun.STATE, required=True)
    transitions = Named(NewName("transition"), Branches(), "transitions", load_default=dict)
    timers = Named(NewName("timer"), Part(TimerForm()), "timers", load_default=dict)
    reactions = Named(Name(Noun.EVENT), Several(Part(RuleForm())), "reactions", load_default=dict)
    invariants = Several(Part(InvariantForm()), load_default=())
    scenarios = Named(Text(), Part(ScenarioForm()), "scenarios", load_default=dict)


WORKFLOW: Final[Schema] = WorkflowForm()
