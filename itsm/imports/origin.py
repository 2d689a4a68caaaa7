"""Where the value of one field comes from, and how the words of a source become a value. Pure."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as made
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import Final

from itsm.workflow import values as workflow_values
from itsm.workflow.case import Value
from itsm.workflow.definition import Field, FieldType

KEYED: Final[Mapping[FieldType, str]] = {
    FieldType.USER: "people",
    FieldType.GROUP: "groups",
    FieldType.SERVICE: "services",
    FieldType.CI: "cis",
}
"""Types whose values are keys, and the part of a mapping that says how keys are made of the names of the source."""

CONVERTIBLE: Final = frozenset(FieldType) - {FieldType.MONEY, FieldType.TICKET}
"""Types that a column of text can fill."""

_PLACEHOLDER: Final = re.compile(r"\{([^{}]+)\}")
_TRUTHS: Final = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_NOT_IN_KEYS: Final = re.compile(r"[^a-z0-9_.@+]+")
_LONGEST_KEY: Final = 60


class Unfit(ValueError):
    """Words of the source that are no value of the field; the message is a sentence."""


@dataclass(frozen=True, slots=True)
class Dates:
    """How a source writes instants: `form` in strptime's letters (None: ISO 8601), in `zone` where no offset is given."""

    form: str | None = None
    zone: tzinfo | None = None

    def instant(self, text: str) -> datetime:
        """The instant that is meant, in UTC. Raises `Unfit`.

        A local time that is skipped in spring moves forward by the gap; one that comes twice in autumn means the first.
        """
        try:
            moment = datetime.fromisoformat(text) if self.form is None else datetime.strptime(text, self.form)  # noqa: DTZ007
        except ValueError:
            wanted = f"written as {self.form}" if self.form else "in ISO 8601"
            raise Unfit(f"“{text[:80]}” is not a date {wanted}.") from None
        if moment.tzinfo is None:
            if self.zone is None:
                raise Unfit(f"“{text[:80]}” has no offset, and the mapping says no `zone:`.")
            moment = moment.replace(tzinfo=self.zone)
        try:
            return moment.astimezone(UTC)
        except OverflowError:
            raise Unfit(f"“{text[:80]}” is out of all time.") from None


@dataclass(frozen=True, slots=True)
class Origin:
    """The source of one field: a column (with `values` for its words), a text with {columns}, or a constant."""

    field: Field
    column: str | None = None
    values: Mapping[str, Value] = made(default_factory=dict)
    otherwise: Value = None
    template: str | None = None
    constant: Value = None

    def value(self, row: Mapping[str, str], dates: Dates) -> Value:
        """What the row says of the field; None where it says nothing. A key of the source is given as it stands there.

        Raises `Unfit`.
        """
        if self.template is not None:
            return filled(self.template, row)[: workflow_values.longest(self.field)].strip() or None
        if self.column is None:
            return self.constant
        word = row.get(self.column)
        if word is None:
            return None
        if word in self.values:
            return self.values[word]
        if self.otherwise is not None:
            return self.otherwise
        if self.values and self.field.type not in KEYED:
            raise Unfit(f"“{self.column}” says “{word[:80]}”, which the mapping does not know (`values` of {self.field.name}).")
        return word if self.field.type in KEYED else self._accepted(word, dates)

    def is_own_key(self, row: Mapping[str, str]) -> bool:
        """Whether a reference is given as a key of this desk rather than as a name of the source."""
        return self.column is None or row.get(self.column) in self.values or row.get(self.column) is None

    def _accepted(self, word: str, dates: Dates) -> Value:
        if self.field.name == "title" and len(word) > (longest := workflow_values.longest(self.field)):
            word = f"{word[: longest - 1]}…"
        value = workflow_values.accept(self.field, _converted(self.field.type, word, dates))
        if isinstance(value, workflow_values.Fault):
            raise Unfit(f"“{self.column}” says “{word[:80]}”, but {self.field.name} {value.must}.")
        return value


def _converted(type_: FieldType, word: str, dates: Dates) -> object:
    """Text as JSON would have it for a field of this type; what does not fit stays text, for others to refuse."""
    if type_ is FieldType.DATETIME:
        return dates.instant(word)
    if type_ is FieldType.DATE:
        return dates.instant(word).date().isoformat()
    if type_ is FieldType.BOOLEAN:
        return _TRUTHS.get(word.strip().casefold(), word)
    if type_ is FieldType.MULTI_CHOICE:
        return [part.strip() for part in word.split(",")]
    try:
        if type_ is FieldType.INTEGER:
            return int(word)
        if type_ is FieldType.DECIMAL:
            return float(word)
    except ValueError:
        return word
    return word


def placeholders(template: str) -> tuple[str, ...]:
    """The columns that a text with {columns} names."""
    return tuple(_PLACEHOLDER.findall(template))


def filled(template: str, row: Mapping[str, str]) -> str:
    """A text with its {columns} filled in; what is not known leaves nothing."""
    return _PLACEHOLDER.sub(lambda found: row.get(found[1], ""), template)


@lru_cache(maxsize=10_000)
def key_of(pattern: str, name: str) -> str:
    """The key that a name of the source gets: small ASCII letters, digits and `_.@+`, and dashes for all else.

    Names that lose letters by it end with a digest, so that Göran and Goran stay two people.
    """
    folded = name.strip().casefold()
    plain = unicodedata.normalize("NFKD", folded).encode("ascii", "ignore").decode()
    plain = _NOT_IN_KEYS.sub("-", plain).strip("-")[:_LONGEST_KEY]
    if not folded.isascii() or len(folded) > _LONGEST_KEY:
        plain = f"{plain}-{hashlib.sha256(folded.encode('utf-8', 'replace')).hexdigest()[:4]}".strip("-")
    return pattern.replace("{}", plain or "unknown")
