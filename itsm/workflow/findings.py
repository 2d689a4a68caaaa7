"""What is said about a definition: findings with a code, a place, a sentence and, where there is one, a mend."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

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
