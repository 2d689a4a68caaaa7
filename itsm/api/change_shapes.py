"""The words that the routes of changes share: instants and lengths as they take them, spans and freezes as they tell them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from marshmallow import fields

from itsm.api.forms import Fault, fault, within_reach, words
from itsm.api.shapes import Shape, instant, text, texts
from itsm.changes.freezes import Declared
from itsm.changes.rules import Period
from itsm.platform.errors import FieldError, invalid
from itsm.worktime.duration import Duration, DurationError

LONGEST: Final = timedelta(days=400)
"""The longest period that may be asked about."""

AHEAD: Final = timedelta(days=90)
"""How far the schedule reaches ahead, unless something else is said."""

LONGEST_SLOT: Final = timedelta(days=30)


class Moment(fields.AwareDateTime):
    """An instant as RFC 3339 writes it, with its offset."""

    def __init__(self, about: str, **more: Any) -> None:
        naive = [Fault("invalid_value", "This must say its offset from UTC.")]
        told = {**words("a moment"), "invalid_awareness": naive}
        super().__init__(format="iso", validate=within_reach, error_messages=told, metadata={"description": about}, **more)


class Length(fields.String):
    """A span of elapsed time as ISO 8601 writes it; it becomes a timedelta."""

    def __init__(self, about: str, **more: Any) -> None:
        super().__init__(error_messages=words("text"), metadata={"description": about, "example": "PT2H"}, **more)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **more: Any) -> Any:
        try:
            length = Duration.parse(super()._deserialize(value, attr, data, **more)[:40])
        except DurationError as error:
            raise fault("invalid_value", str(error)) from None
        if length.business or length.business_days or length.end_of_day or not timedelta() < length.exact <= LONGEST_SLOT:
            raise fault("invalid_value", f"This must be elapsed time of up to {LONGEST_SLOT.days} days, such as PT2H.")
        return length.exact


class FreezeShape(Shape):
    """A time in which nothing is changed."""

    key = text("Its name in the configuration, or its number.")
    reason = text("Why.")
    starts_at = instant("From when on.")
    ends_at = instant("Until when.")
    services = texts("The services that are frozen, by key; null for all.", optional=True)
    spares = texts("The types of change that it does not hold for.")
    declared_by = text("The login of who declared it; null for one of the configuration.", optional=True)
    declared_at = instant("When it was declared.", optional=True)


def asked_period(start: datetime, end: datetime) -> Period:
    """A period that somebody asks about. Raises `invalid_input`, by pointer, if it is reversed or too long."""
    if end <= start:
        raise invalid(FieldError("/to", "reversed_period", "This period ends before it begins."))
    if end - start > LONGEST:
        raise invalid(FieldError("/to", "too_long", f"This period is longer than {LONGEST.days} days."))
    return Period(start, end)


def span(period: Period) -> dict[str, datetime]:
    """A period, as answers tell it."""
    return {"starts_at": period.start, "ends_at": period.end}


def told_freeze(each: Declared) -> dict[str, Any]:
    """A freeze, as answers tell it."""
    freeze = each.freeze
    return {
        "key": freeze.key,
        "reason": freeze.reason,
        **span(freeze.period),
        "services": None if freeze.services is None else sorted(freeze.services),
        "spares": sorted(freeze.spared),
        "declared_by": each.by,
        "declared_at": each.at,
    }
