"""The form of a mapping file, as marshmallow schemas over a tree that knows its places."""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from marshmallow import ValidationError

from itsm.imports.origin import CONVERTIBLE, KEYED, Origin
from itsm.workflow import source
from itsm.workflow.builtin import KEPT_BY_THE_DESK
from itsm.workflow.definition import SAME_STATE, Field, FieldType
from itsm.workflow.reading.compounds import FieldValues, Named, Part, Several, fit, mapping_of, typed
from itsm.workflow.reading.entries import Entry, Matching, Name, OneOf, Raw, Text, text_of
from itsm.workflow.reading.form import NOWHERE, Fault, Form, Noun, fault, load, names, suggestion

NAME: Final = "[a-z0-9][a-z0-9._-]{0,62}"
_KEY: Final = r"[A-Za-z0-9._@+-]{1,100}"
_OWN_KEYS: Final = {"organisation": "Say it under `organisation:` at the top.", "parent": "A parent cannot be imported."}
_COMPARE: Final = "Under `compare:` it is compared with what the source says."
_LEAP_DAY: Final = datetime(2016, 2, 29, 13, 45)  # noqa: DTZ001 — a date to try formats on


class Format(StrEnum):
    """What a log may be written in."""

    XES = "xes"
    CSV = "csv"


class Column(Entry[str]):
    """The name of a column (in XES, of an attribute), with its place kept: whether it exists is seen when the log is opened."""

    def take(self, value: Any) -> str:
        text_of(value)
        return value if isinstance(value, source.Scalar) else source.Scalar(str(value), NOWHERE)


class Pattern(Text):
    """How a key is made of a name of the source: a text with `{}` in the name's place."""

    def take(self, value: Any) -> str:
        text = text_of(value)
        if not re.fullmatch(r"[A-Za-z0-9._@+-]{0,30}\{\}[A-Za-z0-9._@+-]{0,30}", text):
            hint = "Write {} in the name's place, and letters, digits or . _ - @ + around it: “acme-{}”."
            raise fault("bad-pattern", f"“{text}” is no pattern for keys.", hint)
        return text


class Zone(Entry[ZoneInfo]):
    """A time zone of the IANA database."""

    def take(self, value: Any) -> ZoneInfo:
        name = text_of(value)
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            hint = suggestion(name, available_timezones())
            raise fault("unknown-zone", f"There is no time zone “{name}”.", hint) from None


class DateFormat(Text):
    """How instants are written, in strptime's letters."""

    def take(self, value: Any) -> str:
        form = text_of(value)
        try:
            tells_all = datetime.strptime(_LEAP_DAY.strftime(form), form).date() == _LEAP_DAY.date()  # noqa: DTZ007 — tried only
        except (ValueError, re.error):
            tells_all = False
        if not tells_all:
            hint = "Such as “%d-%m-%Y %H:%M” for 29-02-2016 13:45."
            raise fault("bad-dates", f"“{form}” does not tell day, month and year.", hint)
        return form


class Encoding(Text):
    """The name of a text encoding."""

    def take(self, value: Any) -> str:
        name = text_of(value)
        try:
            info = codecs.lookup(name)
        except LookupError:
            raise fault("unknown-encoding", f"There is no text encoding “{name}”.", "The usual one is utf-8.") from None
        if not info._is_text_encoding:
            raise fault("unknown-encoding", f"“{name}” is no encoding of text.")
        return name


class Origins(Entry[dict[str, Origin]]):
    """Fields of the ticket and where their values come from: a column, a text with {columns} in it, or a constant.

    A `derived` field cannot be filled; it can only be compared.
    """

    def __init__(self, *, derived: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.derived = derived

    def take(self, value: Any) -> dict[str, Origin]:
        found, faults = {}, {}
        for name, node in mapping_of(value, "fields and where they come from").items():
            try:
                found[name] = _origin(name, node, self.derived)
            except ValidationError as error:
                faults[name] = error.messages
        if faults:
            raise ValidationError(faults)
        return found


def _origin(name: str, node: Any, derived: bool) -> Origin:
    """One field's source. `names()` has the fields of the workflow that is imported into."""
    try:
        names().require(Noun.FIELD, name)
    except ValidationError as error:
        raise _on_key(error) from None
    field = names().fields.get(name)
    if field is None:  # of a workflow that does not exist, which is told already
        return Origin(Field(name, FieldType.TEXT, NOWHERE))
    if name in _OWN_KEYS or name in KEPT_BY_THE_DESK:
        raise fault("kept-field", f"“{name}” is not filled by a mapping.", _OWN_KEYS.get(name), on_key=True)
    if field.derive is not None and not derived:
        raise fault("derived-field", f"“{name}” follows from other fields and cannot be filled.", _COMPARE, on_key=True)
    if field.type not in CONVERTIBLE:
        raise fault("field-type", f"“{name}” is a field of type {field.type}, which cannot be imported.", on_key=True)
    if isinstance(node, Mapping):
        return _from_column(field, load(FromColumnForm(), node))
    text = text_of(node)
    if "{" in text:
        if field.type not in {FieldType.TEXT, FieldType.MARKDOWN}:
            raise fault("bad-template", f"“{name}” is no text; say `from:` and a column.")
        return Origin(field, template=node if isinstance(node, source.Scalar) else text)
    fit(field, typed(node, field.type))
    return Origin(field, constant=typed(node, field.type))


def _from_column(field: Field, data: Mapping[str, Any]) -> Origin:
    table, otherwise = data.get("values", {}), data.get("otherwise")
    given, faults = {}, {}
    for word, node in table.items():
        try:
            given[word] = _fitting(field, node)
        except ValidationError as error:
            faults[word] = error.messages
    if faults:
        raise ValidationError({"values": faults})
    try:
        rest = None if otherwise is None else _fitting(field, otherwise)
    except ValidationError as error:
        raise ValidationError({"otherwise": error.messages}) from None
    return Origin(field, column=data["column"], values=given, otherwise=rest)


def _fitting(field: Field, node: Any) -> Any:
    """A value of a field, or a key of this desk where the field refers to something."""
    value = typed(node, field.type)
    if field.type not in KEYED:
        fit(field, value)
    elif not re.fullmatch(_KEY, text_of(node)):
        raise fault("bad-key", f"“{node}” cannot be a key: letters, digits and . _ - @ + only, at most 100.")
    return value


def _on_key(error: ValidationError) -> ValidationError:
    return ValidationError([replace(one, on_key=True) if isinstance(one, Fault) else one for one in error.messages])


class Table(Entry[dict[str, Any]]):
    """Words of the source and what they mean; read once the field is known."""

    def take(self, value: Any) -> dict[str, Any]:
        return dict(mapping_of(value, "words of the source and their values"))


class Fillings(FieldValues):
    """Fields and constants, which must fit."""

    def _value(self, name: str, node: object) -> object:
        value = super()._value(name, node)
        field = names().fields.get(name)
        if field is None:
            return value
        if field.derive is not None:
            raise fault("derived-field", f"“{name}” follows from other fields and cannot be filled.", on_key=True)
        fit(field, value)  # type: ignore[arg-type]
        return value


class FromColumnForm(Form):
    """A field that is filled from a column."""

    column = Column(required=True, data_key="from")
    values = Table()
    otherwise = Raw()


class _Reading(Form):
    format = OneOf(Format, "format", required=True)
    unknown_words = Several(Text(), load_default=list, data_key="unknown")
    delimiter = Matching(r"[^\"\r\n]", "bad-delimiter", "a single character", load_default=",")
    encoding = Encoding(load_default="utf-8")
    dates = DateFormat()
    zone = Zone()


class _Opened(Form):
    at = Column()
    by = Column()


class _Organisation(Form):
    column = Column(data_key="from")
    key = Text(required=True)
    title = Text()


class _People(Form):
    login = Pattern(required=True)
    roles = Several(Name(Noun.ROLE), load_default=list)
    organisation = Part(_Organisation())


class _Keyed(Form):
    key = Pattern(required=True)


class _Comment(Form):
    column = Column(data_key="from")
    fill = Text()


class _Opens(Form):
    workflow = Name(Noun.WORKFLOW, required=True)
    title = Text(required=True)
    link = Text(required=True)


class _Status(Form):
    to = Name(Noun.STATE, also=(SAME_STATE,), required=True)
    trigger = Name(Noun.TRIGGER)
    roles = Several(Name(Noun.ROLE), load_default=list)
    origins = Origins(load_default=dict, data_key="fields")
    fill = Fillings(load_default=dict)
    clear = Several(Name(Noun.FIELD), load_default=list)
    comment = Part(_Comment())
    opens = Part(_Opens())


class MappingForm(Form):
    """A whole mapping file."""

    name = Matching(NAME, "bad-name", "a name of small letters, digits, dots and dashes", required=True, data_key="import")
    title = Text()
    workflow = Name(Noun.WORKFLOW, required=True)
    reading = Part(_Reading(), required=True, data_key="read")
    case = Column(required=True)
    instant = Column(required=True, data_key="at")
    status = Several(Column(), required=True, empty=Fault("missing-key", "At least one column must tell the status."))
    by = Column(required=True)
    opened = Part(_Opened(), load_default=dict)
    organisation = Part(_Organisation())
    people = Part(_People(), required=True)
    groups = Part(_Keyed())
    services = Part(_Keyed())
    cis = Part(_Keyed())
    origins = Origins(required=True, data_key="fields")
    keep = Several(Column(), load_default=list)
    compare = Origins(derived=True, load_default=dict)
    statuses = Named(Text(), Part(_Status()), "statuses and the states they mean", required=True)
    refuse = Named(Text(), Text(), "statuses that mean no state, and why", load_default=dict)
