"""What an action is, and how an entry of a `do:` list is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from marshmallow import Schema, ValidationError, fields

from itsm.workflow.definition import Action
from itsm.workflow.reading.compounds import FieldValues, describe, described
from itsm.workflow.reading.entries import Entry, Json, is_nothing
from itsm.workflow.reading.form import Form, Noun, fault, load, names, place_of, shape, under


@dataclass(frozen=True, slots=True)
class ActionSpec:
    """An action: its name, the form of its arguments, and what it does.

    `bare` names the argument that is meant by a value which is no mapping of arguments: `survey: csat`.
    """

    name: str
    schema: Schema
    describe: str
    bare: str | None = None

    def arguments(self, node: object) -> dict[str, object]:
        """The arguments that were written, by name. Raises `ValidationError`."""
        node = {} if is_nothing(node) else node
        if self.bare is None or (isinstance(node, Mapping) and not isinstance(self.entry(self.bare), FieldValues)):
            return self._load(node)
        try:
            return self._load({self.bare: node})
        except ValidationError as error:  # the argument's name is not in the source: its faults are those of the whole
            raise ValidationError(error.messages_dict.get(self.bare, error.messages)) from None

    def _load(self, node: object) -> dict[str, object]:
        """Stock marshmallow knows neither places nor YAML's null."""
        return load(self.schema, node if isinstance(self.schema, Form) else _ordinary(node))

    def entry(self, argument: str) -> fields.Field[Any]:
        """The field of the form that takes this argument."""
        return next(entry for name, entry in self.schema.load_fields.items() if argument == (entry.data_key or name))


class Do(Entry[Action]):
    """One entry of a `do:` list: a mapping of one action to its arguments, or an action's name where it needs none."""

    def take(self, value: Any) -> Action:
        name, node = self._split(value)
        names().require(Noun.ACTION, name)
        spec = names().actions.get(name)
        try:
            arguments = spec.arguments(node) if spec else {}
        except ValidationError as error:
            raise (under(name, error) if isinstance(value, Mapping) else error) from None
        return Action(name, MappingProxyType(arguments), place_of(value, name))

    def _split(self, value: object) -> tuple[str, object]:
        if isinstance(value, str) and not is_nothing(value):
            return str(value), None
        if not isinstance(value, Mapping):
            raise fault("wrong-type", f"Here an action is wanted, not {shape(value)}.")
        if len(value) != 1:
            raise fault("wrong-type", "One entry is one action.", "Begin each action with a - of its own.")
        ((name, node),) = value.items()
        return str(name), node

    def json_schema(self) -> Json:
        return {"$ref": "#/$defs/action"}


def describe_actions(specs: Iterable[ActionSpec]) -> Json:
    """The JSON Schema of an entry of a `do:` list, where these actions exist."""
    return {"anyOf": [_choice(spec) for spec in specs]}


def _ordinary(node: object) -> object:
    """Texts (as written) and None, lists and mappings."""
    if isinstance(node, str):
        return None if is_nothing(node) else str(node)
    if isinstance(node, list):
        return [_ordinary(item) for item in node]
    return {key: _ordinary(value) for key, value in node.items()} if isinstance(node, Mapping) else node


def _choice(spec: ActionSpec) -> Json:
    arguments = describe(spec.schema)
    if spec.bare:
        bare = spec.entry(spec.bare)
        arguments = described(bare) if isinstance(bare, FieldValues) else {"anyOf": [described(bare), arguments]}
    return {
        "type": "object",
        "description": spec.describe,
        "properties": {spec.name: arguments},
        "required": [spec.name],
        "additionalProperties": False,
    }
