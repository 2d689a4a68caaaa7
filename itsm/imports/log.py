"""What every reader of another system's log yields: cases with their events, as text, each knowing where it stood.

Nothing is understood here. A reader says what was written; `translate.py` says what a mapping makes of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from itsm.platform.errors import DeskError, Kind

MOST_EVENTS = 10_000
"""How many events one case may have. The busiest cases of real desks have a few hundred; beyond this it is no case."""

MOST_CHARACTERS = 64 * 1024
"""How long one value of an event may be."""

MOST_WEIGHT = 16 << 20
"""How many characters a whole case may have."""


@dataclass(frozen=True, slots=True)
class SourceEvent:
    """One event: the line it begins on (from 1), and its attributes as written. What is not known is left out."""

    line: int
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a piece of the log cannot be imported: where it stands, a stable code, a sentence, and what was written there.

    `case` is None when not even the case can be told.
    """

    line: int
    case: str | None
    code: str
    message: str
    raw: object


@dataclass(frozen=True, slots=True)
class SourceCase:
    """One case: its own attributes and its events in the order of the file. With a fault among `faults` it fails as a whole."""

    id: str
    line: int
    values: Mapping[str, str]
    events: tuple[SourceEvent, ...]
    faults: tuple[Fault, ...] = ()


class Log(Protocol):
    """A log that is open for reading."""

    @property
    def progress(self) -> float:
        """The share of its cases that has been given out, about, from 0 to 1."""
        ...

    def cases(self) -> Iterator[SourceCase | Fault]:
        """Every case, and every piece that belongs to none. Raises `DeskError` where the file cannot be read any further."""
        ...


def unreadable(place: str, code: str, sentence: str, kind: Kind = Kind.MALFORMED) -> DeskError:
    """The refusal of a file, or of what is left of it. `place` is FILE, FILE:LINE or FILE:LINE:COL."""
    return DeskError(kind, code, f"{place}: {sentence}")
