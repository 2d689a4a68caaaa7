"""The entries of forms that hold others: parts with a form of their own, lists, mappings by name, values of fields.

They go on after a fault, so that every fault of a source is told at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Generic

from marshmallow import Schema, ValidationError, fields

from itsm.workflow import source, values
from itsm.workflow.definition import Field, FieldType, Literal, Position
from itsm.workflow.reading.entries import Entry, Json, T, computed, is_nothing
from itsm.workflow.reading.form import Fault, Noun, closest, fault, load, names, place_of, shape

_BY_CORE: Final = frozenset({FieldType.INTEGER, FieldType.DECIMAL, FieldType.BOOLEAN})
_STOCK: Final = (
    (fields.Integer, "integer"),
    (fields.Number, "number"),
    (fields.Boolean, "boolean"),
    (fields.String, "string"),
)


@dataclass(frozen=True, slots=True)
class Keyed(Generic[T]):
    """A value under a name, and the place of the name."""

    at: Position
    value: T


class Part(Entry[dict[str, Any]]):
    """A mapping of a form of its own."""

    def __init__(self, form: Schema, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.form = form

    def take(self, value: Any) -> dict[str, Any]:
        return load(self.form, value)

    def json_schema(self) -> Json:
        return describe(self.form)


class Several(Entry[list[Any]]):
    """A list; one thing alone is taken as a list of one, nothing as an empty list, which may be a fault."""

    def __init__(self, entry: fields.Field[Any], empty: Fault | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.entry = entry
        self.empty = empty

    def take(self, value: Any) -> list[Any]:
        found = self._items(value)
        if not found and self.empty:
            raise ValidationError([self.empty])
        return found

    def _items(self, value: object) -> list[Any]:
        if is_nothing(value):
            return []
        return self._each(value) if isinstance(value, list) else [self.entry.deserialize(value)]

    def _each(self, items: list[Any]) -> list[Any]:
        found, faults = [], {}
        for index, item in enumerate(items):
            try:
                found.append(self.entry.deserialize(item))
            except ValidationError as error:
                faults[index] = error.messages
        if faults:
            raise ValidationError(faults)
        return found

    def json_schema(self) -> Json:
        one = described(self.entry)
        return {"anyOf": [one, {"type": "array", "items": one}]}


class Named(Entry[dict[str, Keyed[Any]]]):
    """A mapping from names to things of one form; nothing is an empty mapping."""

    def __init__(self, key: Entry[str], entry: Entry[Any], things: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.key = key
        self.entry = entry
        self.things = things

    def take(self, value: Any) -> dict[str, Keyed[Any]]:
        found: dict[str, Keyed[Any]] = {}
        faults: dict[str, list[Any]] = {}
        for name, node in mapping_of(value, self.things).items():
            try:
                self.key.deserialize(name)
            except ValidationError as error:
                faults.setdefault(name, []).append(_on_key(error).messages)
            try:
                found[name] = Keyed(place_of(value, name), self.entry.deserialize(node))
            except ValidationError as error:
                faults.setdefault(name, []).append(error.messages)
        if faults:
            raise ValidationError(faults)
        return found

    def json_schema(self) -> Json:
        return {"type": "object", "propertyNames": self.key.json_schema(), "additionalProperties": self.entry.json_schema()}


class FieldValues(Entry[dict[str, Any]]):
    """Fields and their values, each read by the type of its field and never by its looks.

    Values that may be `computed` can also be `= ` and a CEL expression, or a variable's path standing alone; their literals
    must fit. Other values may be wrong on purpose: a scenario shows that they are refused. The fields of another workflow
    (`foreign`) are not known here: their values go by YAML's core schema.
    """

    def __init__(self, *, computed: bool = False, foreign: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.computed = computed
        self.foreign = foreign

    def take(self, value: Any) -> dict[str, Any]:
        found, faults = {}, {}
        for name, node in mapping_of(value, "fields and values").items():
            try:
                found[name] = self._value(name, node)
            except ValidationError as error:
                faults[name] = error.messages
        if faults:
            raise ValidationError(faults)
        return found

    def _value(self, name: str, node: object) -> object:
        if self.computed and (expression := computed(node, alone=True)):
            self._known(name)
            return expression
        if self.foreign:
            return source.plain(node) if isinstance(node, (source.Scalar, source.Sequence, source.Mapping)) else node
        self._known(name)
        field = names().fields.get(name)
        value = typed(node, field.type if field else FieldType.TEXT)
        if self.computed and field:
            fit(field, value)
        return value

    def _known(self, name: str) -> None:
        try:
            if not self.foreign:
                names().require(Noun.FIELD, name)
        except ValidationError as error:
            raise _on_key(error) from None

    def json_schema(self) -> Json:
        known = None if self.foreign else names().known.get(Noun.FIELD)
        return {"type": "object"} if known is None else {"type": "object", "propertyNames": {"enum": sorted(known)}}


def typed(node: object, type_: FieldType) -> Literal:
    """What a node says for a field of this type. What does not fit stays as it was written, for others to refuse."""
    if isinstance(node, source.Scalar):
        if node.is_null:
            return None
        if type_ is FieldType.MULTI_CHOICE:
            return [str(node)]
        return node.core if type_ in _BY_CORE else str(node)
    if isinstance(node, list):
        return [str(item) for item in node]
    if isinstance(node, Mapping):
        return {str(key): str(value) for key, value in node.items()}
    return node if isinstance(node, (str, int, float)) else None


def fit(field: Field, value: Literal) -> None:
    """Raises `ValidationError` if the field cannot have this value."""
    verdict = values.accept(field, value)
    if isinstance(verdict, values.Fault):
        wrong = [word for word in (value if isinstance(value, list) else [value]) if str(word) not in field.choices]
        hint = closest(str(wrong[0]), field.choices) if wrong else None
        raise fault("bad-value", f"“{field.name}” {verdict.must}.", hint)


def mapping_of(value: object, things: str) -> Mapping[str, Any]:
    """The mapping this is; nothing is an empty one. Raises `ValidationError`."""
    if isinstance(value, Mapping):
        return value
    if is_nothing(value):
        return {}
    raise fault("wrong-type", f"Here a mapping of {things} is wanted, not {shape(value)}.")


def describe(form: Schema) -> Json:
    """The JSON Schema (draft 2020-12) of a form."""
    entries = {entry.data_key or name: entry for name, entry in form.load_fields.items()}
    required = sorted(key for key, entry in entries.items() if entry.required)
    properties = {key: described(entry) for key, entry in entries.items()}
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def described(entry: fields.Field[Any]) -> Json:
    """The JSON Schema of one entry; a stock marshmallow field is described as far as it is plain."""
    if isinstance(entry, Entry):
        return entry.json_schema()
    return next(({"type": word} for kind, word in _STOCK if isinstance(entry, kind)), {})


def _on_key(error: ValidationError) -> ValidationError:
    """The same faults, told of the key."""
    return ValidationError([replace(one, on_key=True) if isinstance(one, Fault) else one for one in error.messages])
