"""The forms that the routes of services and of configuration items share, and what each becomes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from itsm.api import paging
from itsm.api.forms import Form, Text, WholeNumber
from itsm.services import impact, queries, rules
from itsm.services.impact import Direction
from itsm.services.rules import Criticality, Sort

CRITICALITIES: Final = tuple(str(each) for each in Criticality)


@dataclass(frozen=True, slots=True)
class NewThing:
    """A service or item to be added."""

    key: str
    values: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Edit:
    """Values to be changed, by field."""

    values: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class ListQuery:
    """The parameters of a list as they were given."""

    limit: int
    cursor: str | None
    q: str | None
    filters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ImpactQuery:
    """How far impact is followed, and which way."""

    depth: int
    direction: str


@dataclass(frozen=True, slots=True)
class LimitQuery:
    """How much of a history."""

    limit: int


@dataclass(frozen=True, slots=True)
class NewRelation:
    """A relation to be made."""

    kind: str
    target: str


def _key() -> Text:
    return Text("Its key, which never changes.", rules.LONGEST_KEY, required=True, example="erp-db")


def _name(**more: Any) -> Text:
    return Text("What people call it.", rules.LONGEST_NAME, **more)


def _optional(about: str, **more: Any) -> Text:
    return Text(about, allow_none=True, **more)


def _group() -> Text:
    return _optional("The key of the group that supports it.")


def _owner() -> Text:
    return _optional("The login of who answers for it, or uses it.")


def _criticality() -> Text:
    return _optional("How much the business would miss it.", choices=CRITICALITIES)


class _ServiceForm(Form):
    name = _name()
    group = _group()
    owner = _owner()
    criticality = _criticality()
    calendar = _optional("When it is supported: a key of `config/calendars.yaml`.")


class _ItemForm(Form):
    name = _name()
    type = Text("What it is.", 63, example="server")
    organisation = _optional("The key of the organisation it belongs to, whose people see it.")
    group = _group()
    owner = _owner()
    location = _optional("Where it is: a key of `config/locations.yaml`.")
    criticality = _criticality()


def _edit(**given: Any) -> Edit:
    return Edit(given)


def _new(**given: Any) -> NewThing:
    return NewThing(given.pop("key"), given)


class ServiceEditForm(_ServiceForm):
    """Fields of a service to be changed; null empties one."""

    makes = staticmethod(_edit)


class NewServiceForm(_ServiceForm):
    """A service to be added."""

    key = _key()
    name = _name(required=True)
    makes = staticmethod(_new)


class ItemEditForm(_ItemForm):
    """Fields of a configuration item to be changed; null empties one."""

    makes = staticmethod(_edit)


class NewItemForm(_ItemForm):
    """A configuration item to be added."""

    key = _key()
    name = _name(required=True)
    makes = staticmethod(_new)


def _query(sort: Sort, given: dict[str, Any]) -> ListQuery:
    filters = {name: given.pop(name) for name in queries.FILTERS[sort] if name in given}
    return ListQuery(filters=filters, **given)


class ServiceListForm(Form):
    """Which services."""

    q = Text("A part of the key or name.", load_default=None)
    group = Text("The key of the supporting group.")
    owner = Text("A login; `me`.")
    criticality = Text("How critical.", choices=CRITICALITIES)
    limit = paging.limit_field()
    cursor = paging.cursor_field()

    @staticmethod
    def makes(**given: Any) -> ListQuery:
        return _query(Sort.SERVICE, given)


class ItemListForm(Form):
    """Which configuration items."""

    q = Text("A part of the key or name.", load_default=None)
    type = Text("What they are.")
    organisation = Text("The key of the organisation they belong to.")
    group = Text("The key of the supporting group.")
    owner = Text("A login; `me`.")
    location = Text("The key of a location.")
    criticality = Text("How critical.", choices=CRITICALITIES)
    service = Text("The key of a service that is made of them.")
    limit = paging.limit_field()
    cursor = paging.cursor_field()

    @staticmethod
    def makes(**given: Any) -> ListQuery:
        return _query(Sort.ITEM, given)


class ImpactForm(Form):
    """How far, and which way."""

    makes = ImpactQuery

    depth = WholeNumber("How many steps.", 1, impact.DEEPEST, in_query=True, load_default=impact.DEPTH)
    direction = Text(
        "`touches`: what fails with it. `rests_on`: what it fails with.",
        choices=tuple(str(each) for each in Direction),
        load_default=str(Direction.TOUCHES),
    )


class HistoryForm(Form):
    """How much of it."""

    makes = LimitQuery

    limit = paging.limit_field()


def _other() -> Text:
    return Text("The key of the other.", rules.LONGEST_KEY, required=True, example="erp-db")


class ServiceRelationForm(Form):
    """A relation to be made, read from the service in the path."""

    makes = NewRelation

    kind = Text(
        "`made_of` a configuration item, or `depends_on` another service.",
        choices=tuple(str(kind) for kind in rules.kinds_from(Sort.SERVICE)),
        required=True,
    )
    target = _other()


class ItemRelationForm(Form):
    """A relation to be made, read from the configuration item in the path."""

    makes = NewRelation

    kind = Text("How it stands to the other.", choices=tuple(str(kind) for kind in rules.kinds_from(Sort.ITEM)), required=True)
    target = _other()
