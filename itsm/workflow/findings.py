"""What is said about a definition: findings with a code, a place, a sentence and, where there is one, a mend."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TypeAlias

from itsm.workflow.definition import Position


class Severity(StrEnum):
    """An error keeps a definition from being published; a warning does not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault of a definition. `code` is stable (`unknown-state`); `hint` proposes a mend."""

    code: str
    severity: Severity
    message: str
    at: Position
    hint: str | None = None


Meanings: TypeAlias = Mapping[str, tuple[str, Severity]]
"""By code: what is meant by it, and how grave what it says is."""


def meanings(errors: Mapping[str, str], warnings: Mapping[str, str] | None = None) -> Meanings:
    """What codes mean, given the meanings of those that are errors and of those that are warnings."""
    graded = {code: (meaning, Severity.ERROR) for code, meaning in errors.items()}
    return MappingProxyType(graded | {code: (meaning, Severity.WARNING) for code, meaning in (warnings or {}).items()})
