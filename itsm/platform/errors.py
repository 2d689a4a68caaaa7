"""The one error type of the desk.

Whatever refuses a command, at any floor, raises `DeskError`: a kind (what sort of refusal), a stable code (what programs
match on), a sentence (what people read) and, for input, every fault at once with its place. The doors translate it; nothing
between the rule and the door catches it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any


class Kind(Enum):
    """What sort of refusal it is; the HTTP door maps each to one status, the command line to one exit code."""

    MALFORMED = "malformed"  # cannot be read at all
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"  # a deed that is not yours
    NOT_FOUND = "not_found"  # does not exist, or you may not see that it does
    CONFLICT = "conflict"  # the workflow or the moment does not allow it
    GONE = "gone"  # was possible once, and is over for good
    STALE = "stale"  # written against an older version
    PRECONDITION_REQUIRED = "precondition_required"
    TOO_LARGE = "too_large"
    UNSUPPORTED = "unsupported"  # a media type we do not take
    INVALID = "invalid"  # well formed but wrong
    TOO_MANY = "too_many"
    UNAVAILABLE = "unavailable"  # try again later
    SETUP = "setup"  # the installation, not the request, is at fault


@dataclass(frozen=True, slots=True)
class FieldError:
    """One fault of an input: where (RFC 6901 JSON pointer), which, and in words."""

    pointer: str
    code: str
    message: str


class DeskError(Exception):
    """A refusal with a code.

    `kind` decides the status, `code` is stable for programs, `detail` is one sentence for people, `errors` names every
    faulty input at once, `retry_after` is in seconds. Where `deed` says what was tried, the refusal is told to the auditor.
    """

    def __init__(
        self,
        kind: Kind,
        code: str,
        detail: str,
        errors: tuple[FieldError, ...] = (),
        retry_after: int | None = None,
        deed: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.kind = kind
        self.code = code
        self.detail = detail
        self.errors = errors
        self.retry_after = retry_after
        self.deed = deed


def not_found(what: str, key: str) -> DeskError:
    """The refusal for what is absent and for what the caller may not see: the two are never told apart."""
    return DeskError(Kind.NOT_FOUND, "not_found", f"There is no {what} “{key}”.")


def busy() -> DeskError:
    """The refusal for who lost a race that he may win the next time; `Database.retrying` repeats the command by itself."""
    return DeskError(Kind.UNAVAILABLE, "busy", "Another change got in the way; try again.", retry_after=1)


def invalid(*errors: FieldError, detail: str = "The input is not valid.") -> DeskError:
    """The refusal of an input, all faults at once."""
    return DeskError(Kind.INVALID, "invalid_input", detail, errors)
