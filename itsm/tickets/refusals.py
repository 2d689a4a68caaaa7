"""From the engine's refusal to the desk's error: one code and kind for each gravest reason."""

from __future__ import annotations

from itsm.platform.errors import DeskError, FieldError, Kind
from itsm.workflow.case import Refusal, Why

TOP_LEVEL_MEMBERS = frozenset({"title", "description", "service", "ci", "requester"})

_KINDS = {
    Why.UNKNOWN_TRIGGER: Kind.INVALID,
    Why.WRONG_STATE: Kind.CONFLICT,
    Why.NOT_ALLOWED: Kind.FORBIDDEN,
    Why.SEPARATION: Kind.FORBIDDEN,
    Why.CONDITION: Kind.CONFLICT,
    Why.REQUIRED: Kind.INVALID,
    Why.COMMENT_REQUIRED: Kind.INVALID,
    Why.UNKNOWN_FIELD: Kind.INVALID,
    Why.NOT_EDITABLE: Kind.FORBIDDEN,
    Why.INVALID_VALUE: Kind.INVALID,
    Why.INVARIANT: Kind.CONFLICT,
    Why.FROZEN: Kind.CONFLICT,
    Why.OUTSIDE_WINDOW: Kind.CONFLICT,
}


def as_error(refusal: Refusal, *, creating: bool = False) -> DeskError:
    """The error that says every reason of the refusal, by pointer where a field is meant."""
    errors = tuple(
        FieldError(_pointer(reason.field, reason.code, creating), reason.code.value, reason.message)
        for reason in refusal.reasons
        if reason.field is not None or reason.code is Why.COMMENT_REQUIRED
    )
    detail = " ".join(reason.message for reason in refusal.reasons)
    return DeskError(_KINDS[refusal.code], refusal.code.value, detail, errors)


def _pointer(field: str | None, code: Why, creating: bool) -> str:
    if field is None:
        return "/comment" if code is Why.COMMENT_REQUIRED else ""
    return f"/{field}" if creating and field in TOP_LEVEL_MEMBERS else f"/fields/{field}"
