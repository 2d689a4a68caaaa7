"""The form of a catalogue file: services, tables, question sets, synonyms and items, key by key.

What stands here is read once with its places. Whether a table, a set or a workflow's field of some name exists, and what
expressions say, is `reading.py`'s to find out: it knows all files of a directory.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from marshmallow import ValidationError, validates_schema

from itsm.catalog.definition import ICONS, PRODUCED, OnCancel, OnHold, QuestionType, Refused
from itsm.workflow import source
from itsm.workflow.reading.compounds import FieldValues, Keyed, Named, Part, Several, mapping_of
from itsm.workflow.reading.entries import (
    Cel,
    Entry,
    Matching,
    Name,
    NewName,
    OneOf,
    Raw,
    Said,
    Span,
    Text,
    Word,
    computed,
    text_of,
)
from itsm.workflow.reading.form import Fault, Form, Noun, fault, shape

_KEY: Final = "[a-z][a-z0-9-]{0,62}"


class Amount(Entry[Any]):
    """An amount of money without its currency: a number, or `= ` and the expression that yields one."""

    def take(self, value: Any) -> Any:
        if expression := computed(value):
            return expression
        number = value.core if isinstance(value, source.Scalar) else value
        if isinstance(number, bool) or not isinstance(number, int | float) or number < 0:
            raise fault("wrong-type", f"Here an amount or “= ” and an expression is wanted, not {shape(value)}.")
        return Decimal(str(number)).quantize(Decimal("0.01"))


class Choices(Entry[dict[str, Any]]):
    """What may be chosen: a list of words, a mapping of words and titles, or the rows of a table."""

    def take(self, value: Any) -> dict[str, Any]:
        if isinstance(value, Mapping) and "table" in value:
            return _TABLE_CHOICES.take(value)
        if isinstance(value, Mapping):
            return {"words": {str(word): text_of(title) for word, title in value.items()}}
        return {"words": {word: _title(word) for word in _WORDS.take(value)}}


class Computation(Entry[Any]):
    """Where a value comes from: an expression, or `{table: …, row: EXPRESSION, column: …}`."""

    def take(self, value: Any) -> Any:
        return _LOOKUP.take(value) if isinstance(value, Mapping) else Cel().take(value)


class Rows(Entry[dict[str, Any]]):
    """A table: `{KEY: {COLUMN: VALUE}}`, or `{csv: FILE, key: COLUMN}` for a file that lies beside this one."""

    def take(self, value: Any) -> dict[str, Any]:
        if isinstance(value, Mapping) and "csv" in value:
            return _CSV.take(value)
        found: dict[str, Any] = {}
        for key, row in mapping_of(value, "rows").items():
            if not isinstance(row, Mapping) or not all(isinstance(cell, source.Scalar) for cell in row.values()):
                raise ValidationError(
                    {key: [Fault("wrong-type", f"A row is a mapping of columns and values, not {shape(row)}.")]}
                )
            found[key] = {str(column): str(cell) for column, cell in row.items()}
        return {"rows": found}


class _TableChoicesForm(Form):
    table = Cel(required=True)
    title = Text(load_default="title")
    narrowed_by = Cel(load_default=None)
    column = Text(load_default=None)


class _LookupForm(Form):
    table = Cel(required=True)
    row = Cel(required=True)
    column = Cel(required=True)


class _CsvForm(Form):
    csv = Cel(required=True)
    key = Text(required=True)


class RuleForm(Form):
    """Something an answer must fulfil."""

    holds = Cel(required=True)
    say = Text(required=True)


class QuestionForm(Form):
    """A question, or `use:` and the name of a set of questions."""

    use = Cel()
    type = OneOf(QuestionType, "type")
    title = Text(load_default=None)
    help = Text(load_default="")
    choices = Choices(load_default=None)
    min = Raw(load_default=None)
    max = Raw(load_default=None)
    pattern = Cel(load_default=None)
    currency = Matching("[A-Z]{3}", "bad-currency", "a currency by its three letters", load_default=None)
    show = Cel(load_default=None)
    require = Cel(load_default=None)
    prefill = Raw(load_default=None)
    compute = Computation(load_default=None)
    valid = Several(Part(RuleForm()), load_default=())

    @validates_schema
    def one_of_both(self, data: dict[str, Any], **_: object) -> None:
        """A set stands alone; a question has a type."""
        if "use" not in data and "type" not in data:
            raise ValidationError({"type": [Fault("missing-key", "A question has a type, or uses a set of questions.")]})
        if "use" in data and ("type" in data or data["title"] or data["choices"]):
            raise ValidationError({"use": [Fault("misplaced-key", "What uses a set of questions says nothing else.")]})


class OfferForm(Form):
    """Who is meant: everything that is stated must be true of him."""

    organisations = Several(Text(), load_default=())
    departments = Several(Text(), load_default=())
    locations = Several(Text(), load_default=())
    roles = Several(Name(Noun.ROLE), load_default=())
    condition = Cel(data_key="if", attribute="condition", load_default=None)

    @validates_schema
    def somebody(self, data: dict[str, Any], **_: object) -> None:
        """An empty rule would mean everybody, and hardly anybody means that."""
        if not any(data.values()):
            raise ValidationError(
                [Fault("missing-key", "Say who is meant.", "organisations, departments, locations, roles, if")]
            )


class PriceForm(Form):
    """What it costs."""

    currency = Matching("[A-Z]{3}", "bad-currency", "a currency by its three letters", load_default="EUR")
    once = Amount(load_default=None)
    monthly = Amount(load_default=None)


class TaskForm(Form):
    """A piece of work that fulfils a request."""

    title = Said(required=True)
    description = Said(load_default="")
    group = Said(Noun.GROUP, load_default=None)
    webhook = Name(Noun.WEBHOOK, load_default=None)
    input = FieldValues(computed=True, foreign=True, load_default=dict)
    after = Several(Cel(), load_default=())
    condition = Cel(data_key="if", attribute="condition", load_default=None)
    fields_ = FieldValues(computed=True, foreign=True, data_key="fields", attribute="fields", load_default=dict)


class PartForm(Form):
    """An item within a bundle; without `item`, the one of its own key."""

    item = Cel(load_default=None)
    title = Said(load_default=None)
    after = Several(Cel(), load_default=())
    condition = Cel(data_key="if", attribute="condition", load_default=None)
    answers = FieldValues(computed=True, foreign=True, load_default=dict)
    approval = Cel(load_default=None)
    if_refused = OneOf(Refused, "word", load_default=Refused.DROP_AFTER)


class ServiceForm(Form):
    """A service, as the catalogue shows it."""

    title = Text(required=True)
    description = Text(load_default="")
    icon = Word(ICONS, "icon", load_default="help")
    offered_to = Several(Part(OfferForm()), load_default=())
    denied_to = Several(Part(OfferForm()), load_default=())


class ItemForm(Form):
    """Something that can be ordered."""

    title = Text(required=True)
    description = Text(load_default="")
    category = Matching(_KEY, "bad-name", "a name for a category", required=True)
    icon = Word(ICONS, "icon", load_default="help")
    keywords = Several(Text(), load_default=())
    service = Cel(required=True)
    offered_to = Several(Part(OfferForm()), load_default=())
    denied_to = Several(Part(OfferForm()), load_default=())
    price = Part(PriceForm(), load_default=None)
    deliver = Span(load_default=None)
    calendar = Name(Noun.CALENDAR, load_default=None)
    makes = Word(PRODUCED, "product", load_default="request")
    approval = Cel(load_default=None)
    ticket_title = Said(load_default=None)
    group = Said(Noun.GROUP, load_default=None)
    fields_ = FieldValues(computed=True, foreign=True, data_key="fields", attribute="fields", load_default=dict)
    form = Named(NewName("question"), Part(QuestionForm()), "questions", load_default=dict)
    tasks = Named(NewName("task"), Part(TaskForm()), "tasks", load_default=dict)
    items_ = Named(
        Matching(_KEY, "bad-name", "a key of an item"),
        Part(PartForm()),
        "items",
        data_key="items",
        attribute="items",
        load_default=dict,
    )
    on_hold = OneOf(OnHold, "word", load_default=OnHold.GO_ON)
    on_cancel = OneOf(OnCancel, "word", load_default=OnCancel.CANCEL)


class FileForm(Form):
    """A file of the catalogue."""

    services = Named(Matching(_KEY, "bad-name", "a key of a service"), Part(ServiceForm()), "services", load_default=dict)
    tables = Named(Matching(_KEY, "bad-name", "a name for a table"), Rows(), "tables", load_default=dict)
    questions = Named(
        Matching(_KEY, "bad-name", "a name for a set of questions"),
        Named(NewName("question"), Part(QuestionForm()), "questions"),
        "sets of questions",
        load_default=dict,
    )
    synonyms = Several(Several(Text()), load_default=())
    items = Named(Matching(_KEY, "bad-name", "a key of an item"), Part(ItemForm()), "items", load_default=dict)


FILE: Final = FileForm()
_WORDS: Final = Several(Text())
_TABLE_CHOICES: Final = Part(_TableChoicesForm())
_LOOKUP: Final = Part(_LookupForm())
_CSV: Final = Part(_CsvForm())

Things = Mapping[str, Keyed[Any]]


def _title(word: str) -> str:
    return word.replace("_", " ").replace("-", " ").capitalize()
