"""The words of the catalogue's routes: what they take, and what their answers look like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from marshmallow import fields

from itsm.api import forms, paging
from itsm.api.attachments import UploadField
from itsm.api.forms import Form, Text, Values
from itsm.api.requests import Upload
from itsm.api.shapes import Shape, addresses, flag, instant, many, open_object, text, texts, whole
from itsm.catalog import commands, search
from itsm.catalog.definition import QuestionType

MOST_ITEMS: Final = 500


@dataclass(frozen=True, slots=True)
class CatalogQuery:
    """Which items."""

    q: str
    category: str | None
    service: str | None
    beneficiary: str | None
    limit: int
    cursor: str | None


class CatalogForm(Form):
    """Which items, and for whom."""

    makes = CatalogQuery

    q = Text("Words of it, or what else it is called; the last may be a beginning.", search.LONGEST, least=0, load_default="")
    category = Text("Only of this category.", load_default=None)
    service = Text("Only of the service with this key.", load_default=None)
    beneficiary = Text("The login of whom it is for, if not for you; staff only.", 100, data_key="for", load_default=None)
    limit = forms.WholeNumber("How many at a time.", 1, MOST_ITEMS, in_query=True, load_default=100)
    cursor = paging.cursor_field()


@dataclass(frozen=True, slots=True)
class ItemQuery:
    """For whom, and with which answers to begin."""

    beneficiary: str | None
    copy_of: str | None


class CatalogItemForm(Form):
    """For whom, and with which answers to begin."""

    makes = ItemQuery

    beneficiary = Text("The login of whom it is for, if not for you; staff only.", 100, data_key="for", load_default=None)
    copy_of = Text("The number of a former request for the item: its answers are taken over.", 100, load_default=None)


class People(fields.List[Any]):
    """One login, or several."""

    def __init__(self, about: str, most: int, **more: Any) -> None:
        self._most = most
        words = forms.words("a login or a list of logins")
        super().__init__(Text("", 100), error_messages=words, metadata={"description": about}, **more)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **more: Any) -> list[Any]:
        told = [value] if isinstance(value, str) else value
        if isinstance(told, list) and not 1 <= len(told) <= self._most:
            raise forms.fault("invalid_value", f"There may be 1 to {self._most} people here.")
        return super()._deserialize(told, attr, data, **more)


@dataclass(frozen=True, slots=True)
class NewOrder:
    """What is ordered, and for whom."""

    answers: Mapping[str, Any]
    requested_for: list[str]


class CatalogOrderForm(Form):
    """What is ordered, and for whom."""

    makes = NewOrder

    answers = Values("Answers by question; their form is the item's `schema`.", load_default=dict)
    requested_for = People("For whom, if not for you: a login or several; staff only.", commands.MOST_PEOPLE, load_default=list)


@dataclass(frozen=True, slots=True)
class Begun:
    """A form as far as it is filled."""

    answers: Mapping[str, Any]
    requested_for: str | None = None


class CatalogBegunForm(Form):
    """A form as far as it is filled."""

    makes = Begun

    answers = Values("Answers by question, as far as there are any.", required=True)
    requested_for = Text("The login of whom it is for, if not for you; staff only.", 100, load_default=None)


class CatalogDraftForm(Form):
    """A form as far as it is filled."""

    makes = Begun

    answers = Values("Answers by question, as far as there are any.", required=True)


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file for a form."""

    file: Upload


class CatalogFileForm(Form):
    """A file for a form."""

    makes = NewFile

    file = UploadField("The file itself, with its name.", required=True)


class CatalogPriceShape(Shape):
    """What it costs, as far as that can be said."""

    currency = text("Of both amounts.", example="EUR")
    once = text("What is charged once; null for nothing, or where it depends.", optional=True, example="1199.00")
    monthly = text("What is charged by the month; likewise.", optional=True)
    depends = flag("Whether it follows from the answers.")


class CatalogPromiseShape(Shape):
    """By when it is delivered, if it is ordered now."""

    words = text("The promise.", example="3 business days")
    due = instant("The instant that this means now.")
    calendar = text("The calendar that it is counted in.")


class CatalogOfferShape(Shape):
    """Something that can be ordered."""

    key = text("What addresses it.", example="new-laptop")
    title = text("What it is.")
    description = text("More about it.")
    category = text("Under which heading it stands.")
    icon = text("The name of its picture.")
    keywords = texts("What else it is called.")
    service = text("The key of the service it belongs to.")
    service_title = text("The name of that service.")
    makes = text("The type of the ticket that an order becomes.")
    price = fields.Nested(CatalogPriceShape, required=True)
    promise = fields.Nested(CatalogPromiseShape, required=True, allow_none=True)
    links = addresses()


class CatalogOffersPageShape(Shape):
    """What can be ordered."""

    items = many(CatalogOfferShape)
    next = paging.next_field()


class CatalogChoiceShape(Shape):
    """A value that can be chosen."""

    value = text("What is sent.")
    title = text("The same for people.")


class CatalogQuestionShape(Shape):
    """A question as it is asked now."""

    name = text("The member of `answers` that answers it.")
    type = text("Its type.", example=QuestionType.CHOICE.value)
    title = text("The question.")
    help = text("More about it.")
    required = flag("Whether it must be answered.")
    computed = flag("Whether the desk works it out; then no answer is taken.")
    value = fields.Raw(required=True, allow_none=True, metadata={"description": "The answer so far, or what is proposed."})
    choices = fields.List(
        fields.Nested(CatalogChoiceShape), metadata={"description": "What can be chosen, with the other answers."}
    )
    min = fields.Raw(metadata={"description": "The least value, date, number of characters or of entries."})
    max = fields.Raw(metadata={"description": "The greatest."})
    pattern = fields.String(metadata={"description": "The form that the whole text must have, as RE2 writes it."})
    currency = fields.String(metadata={"description": "The currency of amounts."})


class CatalogPartShape(Shape):
    """An item of a bundle, as it is ordered with these answers."""

    key = text("Its name in the bundle.")
    item = text("The key of the item.")
    title = text("What it is.")
    price = fields.Nested(CatalogPriceShape, required=True)


class CatalogFormShape(Shape):
    """A form as it is, given some answers."""

    item = text("The key of the item.")
    version = text("The digest of the item's version.")
    requested_for = text("The login of whom it is for.")
    form = many(CatalogQuestionShape, "The questions that are asked, in their order.")
    items = many(CatalogPartShape, "For a bundle, the items that are ordered with these answers.")
    price = fields.Nested(CatalogPriceShape, required=True)
    promise = fields.Nested(CatalogPromiseShape, required=True, allow_none=True)


class CatalogItemShape(CatalogOfferShape):
    """Something that can be ordered, with its form."""

    version = text("The digest of its version.")
    requested_for = text("The login of whom it is for.")
    schema = open_object("What `answers` may be, as JSON Schema (draft 2020-12).")
    form = many(CatalogQuestionShape, "The questions that are asked at the beginning, in their order.")
    items = many(CatalogPartShape, "For a bundle, the items that are ordered with what the form proposes.")


class CatalogPlacedShape(Shape):
    """A ticket that an order became."""

    number = text("What addresses the ticket.", example="REQ0000007")
    type = text("The ticket's type.")
    title = text("The ticket's title.")
    state = text("The state it is in.")
    requested_for = text("The login of whom it is for.")
    links = addresses()


class CatalogPlacedPageShape(Shape):
    """The tickets that an order became, one for each person."""

    items = many(CatalogPlacedShape)


class CatalogDraftShape(Shape):
    """A form that is not finished."""

    item = text("The key of the item.")
    answers = open_object("Answers by question.")
    updated_at = instant("When it was kept.")


class CatalogFileShape(Shape):
    """A file for a form."""

    id = whole("The answer to a question of the type `file`.")
    filename = text("Its name.")
    size = whole("Its size in bytes.")
    sha256 = text("The digest of its bytes.")


class CatalogAnsweredShape(Shape):
    """A question and its answer."""

    name = text("The question's name.")
    title = text("The question.")
    type = text("Its type.")
    answer = fields.Raw(required=True, allow_none=True, metadata={"description": "The answer."})


class CatalogOrderedPriceShape(Shape):
    """What it cost when it was ordered."""

    currency = text("Of both amounts.")
    once = text("What is charged once.", optional=True)
    monthly = text("What is charged by the month.", optional=True)


class CatalogOrderedPartShape(Shape):
    """An item of a bundle that was ordered with it, and is a request of its own in its turn."""

    key = text("Its name in the bundle.")
    item = text("The key of the item.")
    title = text("What it is.")
    version = text("The digest of the version that it was filled under.")
    if_refused = text("What becomes of the rest where it is refused: `go_on`, `drop_after` or `cancel_all`.")


class CatalogOrderShape(Shape):
    """What a ticket was ordered with."""

    ticket = text("The ticket's number.")
    item = text("The key of the item.")
    title = text("The item's title.")
    version = text("The digest of the version that it was filled under.")
    requested_for = text("The login of whom it is for.")
    ordered_by = text("The login of who ordered it.")
    ordered_at = instant("When it was ordered.")
    promised_at = instant("By when it was promised.", optional=True)
    price = fields.Nested(CatalogOrderedPriceShape, required=True)
    answers = many(CatalogAnsweredShape, "Every question that was answered or computed, in the order of the form.")
    items = many(CatalogOrderedPartShape, "For a bundle, the items that were ordered with it.")
