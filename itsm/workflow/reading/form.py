"""Marshmallow that knows where things stand: fields that read a source tree, and faults with a code, a place and a mend.

A schema says the form of a file; while it is read, the names in it are looked up in `Names`, so that a misspelt state is told
in the same breath as a misspelt key. Ordinary marshmallow schemas (those of added actions) work beside these: whatever they
find is put into the same findings. The module knows the kinds of names, and nothing else of the language.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeAlias

from marshmallow import RAISE, Schema, ValidationError, fields

from itsm.workflow import source
from itsm.workflow.definition import Field, Position
from itsm.workflow.findings import Finding, Severity

if TYPE_CHECKING:
    from itsm.workflow.action_spec import ActionSpec

Path: TypeAlias = tuple[str | int, ...]
Hint: TypeAlias = str | Callable[[], str | None] | None

MAX_COMPARED: Final = 60
"""With how many names a misspelt one is compared at most: comparing takes up to 50 µs."""

NOWHERE: Final = Position("", 1, 1)
"""The place of values that come from a program instead of a source."""


class Noun(StrEnum):
    """What a name can be the name of. The words make codes: `unknown-state`, `unknown-role`."""

    STATE = "state"
    FIELD = "field"
    ROLE = "role"
    TRIGGER = "trigger"
    ACTION = "action"
    EVENT = "event"
    TEMPLATE = "template"
    CALENDAR = "calendar"
    MATRIX = "matrix"
    WORKFLOW = "workflow"
    GROUP = "group"
    POLICY = "policy"
    LADDER = "ladder"
    WEBHOOK = "webhook"


@dataclass(frozen=True, slots=True)
class Names:
    """The names that exist where a source is read, as far as they are `known`: a noun that is absent is not checked.

    `fields` tells what the fields are whose declaration can be understood; `actions` what a `do:` may ask for.
    """

    known: Mapping[Noun, frozenset[str]] = field(default_factory=dict)
    fields: Mapping[str, Field] = field(default_factory=dict)
    actions: Mapping[str, ActionSpec] = field(default_factory=dict)

    def require(self, noun: Noun, name: str) -> None:
        """Raises `ValidationError` if there is no such thing."""
        known = self.known.get(noun)
        if known is not None and name not in known:
            raise fault(f"unknown-{noun}", f"There is no {noun} {source.quoted(name)}.", suggestion(name, known))


_names: ContextVar[Names] = ContextVar("names")
_ANYTHING: Final = Names()


def names() -> Names:
    """The names of the reading that is under way."""
    return _names.get(_ANYTHING)


@dataclass(frozen=True, slots=True)
class Fault:
    """A finding before its place is known: marshmallow carries it by path. `on_key`: it is the key that is at fault.

    A hint that takes time is given as a function: it is asked for only if the fault is told.
    """

    code: str
    message: str
    hint: Hint = None
    on_key: bool = False


def fault(code: str, message: str, hint: Hint = None, *, on_key: bool = False) -> ValidationError:
    """The error a field raises."""
    return ValidationError([Fault(code, message, hint, on_key)])


def under(key: str, error: ValidationError) -> ValidationError:
    """The same faults, a step further down."""
    return ValidationError({key: error.messages})


def suggestion(word: str, known: Collection[str]) -> Callable[[], str | None]:
    """A hint: the name that was probably meant, or the few there are."""
    return lambda: _closest(word, known) or (f"Known: {', '.join(sorted(known))}." if 0 < len(known) <= 12 else None)


def closest(word: str, known: Collection[str]) -> Callable[[], str | None]:
    """A hint: the name that was probably meant."""
    return partial(_closest, word, known)


def _closest(word: str, known: Collection[str]) -> str | None:
    alike = sorted(known, key=lambda one: (abs(len(one) - len(word)), one))[:MAX_COMPARED]
    folded = {one.casefold(): one for one in alike}
    close = get_close_matches(word.casefold(), folded, n=1, cutoff=0.6)
    return f"Did you mean “{folded[close[0]]}”?" if close else None


@contextmanager
def within(here: Names) -> Iterator[None]:
    """Reads against these names."""
    token = _names.set(here)
    try:
        yield
    finally:
        _names.reset(token)


def read(form: Schema | fields.Field[Any], node: source.Node, here: Names = _ANYTHING) -> tuple[Any, list[Finding]]:
    """What a form (or a single entry) makes of a tree, or None and every fault of it, in the order of their places."""
    with within(here):
        try:
            return (load(form, node) if isinstance(form, Schema) else form.deserialize(node)), []
        except ValidationError as error:
            return None, list(_findings(node, error.messages))


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Findings as a reader meets them."""
    return sorted(findings, key=lambda finding: (finding.at.file, finding.at.line, finding.at.column))


def load(schema: Schema, node: object) -> dict[str, Any]:
    """`schema.load`, with marshmallow's own words put into ours. Raises `ValidationError`."""
    try:
        loaded: dict[str, Any] = schema.load(node)  # type: ignore[arg-type]
    except ValidationError as error:
        raise ValidationError(_explained(schema, node, error.messages)) from None
    return loaded


def shape(node: object) -> str:
    """What a node is, in words."""
    if isinstance(node, list):
        return "a list"
    if isinstance(node, dict):
        return "a mapping"
    return "nothing" if getattr(node, "is_null", node is None) else source.quoted(node)


def place_of(node: object, key: str) -> Position:
    """Where a mapping has this key, or where a scalar stands."""
    if isinstance(node, source.Mapping):
        return node.keys_at[key]
    return node.at if isinstance(node, source.Scalar) else NOWHERE


class Form(Schema):
    """A mapping with known keys. `missing` may give a missing key a code and sentence of its own."""

    missing: ClassVar[Mapping[str, Fault]] = {}

    class Meta:
        unknown = RAISE


def _explained(schema: Schema, node: object, messages: list[Any] | dict[str, Any]) -> dict[str, Any]:
    if not isinstance(messages, dict):
        return {"_schema": messages}
    keys = {one.data_key or name for name, one in schema.load_fields.items()}
    special = schema.missing if isinstance(schema, Form) else {}
    explained: dict[str, Any] = {}
    for key, words in messages.items():
        if key == "_schema" and not isinstance(node, Mapping):
            explained[key] = [Fault("wrong-type", f"Here a mapping is wanted, not {shape(node)}.", _keys_hint(keys))]
        elif key not in keys and words == [schema.error_messages["unknown"]]:
            explained[key] = [
                Fault("unknown-key", f"There is no key {source.quoted(key)} here.", suggestion(key, keys), on_key=True)
            ]
        elif words == [fields.Field.default_error_messages["required"]]:
            explained[key] = [special.get(key) or Fault("missing-key", f"The key “{key}” is missing here.")]
        else:
            explained[key] = words
    return explained


def _keys_hint(keys: Collection[str]) -> str | None:
    words = sorted(keys)
    return f"Its keys are {', '.join(words)}." if words else None


def _findings(root: source.Node, messages: Any) -> Iterator[Finding]:
    """The faults in the order of their places, as many of them as anybody reads."""
    faults = [(source.locate(root, path, key=one.on_key), one) for path, one in _flat((), messages)]
    faults.sort(key=lambda placed: (placed[0].line, placed[0].column))
    for at, one in faults[: source.MAX_FINDINGS]:
        yield Finding(one.code, Severity.ERROR, one.message, at, one.hint() if callable(one.hint) else one.hint)
    for at, _ in faults[source.MAX_FINDINGS :][:1]:
        more = len(faults) - source.MAX_FINDINGS
        yield Finding("too-many-faults", Severity.ERROR, f"There are {more} more faults from here on.", at)


def _flat(path: Path, messages: Any) -> Iterator[tuple[Path, Fault]]:
    """Marshmallow's nested messages one by one; those of stock schemas become faults."""
    if isinstance(messages, dict):
        for key, below in messages.items():
            yield from _flat(path if key == "_schema" else (*path, key), below)
    elif isinstance(messages, list):
        for one in messages:
            yield from _flat(path, one)
    else:
        yield path, messages if isinstance(messages, Fault) else Fault("invalid-value", str(messages))
