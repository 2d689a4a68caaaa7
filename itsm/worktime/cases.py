"""Working time questions in a neutral JSON form, answered: so that other implementations can be compared with this one.

A document is a list of groups, each with a `calendar` and `cases`; every case comes back with its `result`, or with `result`
null and the `error`. The form is that of the published test vectors of other desks; docs/working-time.md describes it. What
they expect is not looked at: where a desk counts otherwise than the rules here, its expectation and our result stand side by
side.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import Final, TypeAlias

from itsm.platform.errors import DeskError, Kind
from itsm.worktime import zones
from itsm.worktime.calendar import Calendar
from itsm.worktime.duration import Duration
from itsm.worktime.holidays import Holidays, Listed, Public, parse_date
from itsm.worktime.intervals import WEEKDAYS, Day, Interval, weekdays

Json: TypeAlias = Mapping[str, object]
Result: TypeAlias = str | int | float | bool

_MICROSECOND: Final = timedelta(microseconds=1)


class CaseError(DeskError):
    """A document, calendar or case that is not of the form."""

    def __init__(self, why: str) -> None:
        super().__init__(Kind.MALFORMED, "invalid_case", why)


def evaluate(document: object) -> list[dict[str, object]]:
    """The same groups and cases, each case with `result`. Raises `CaseError` if it is not a list of groups with cases."""
    return [_group(_mapping(group, "a group")) for group in _list(document, "the document")]


def calendar(content: Json, name: str = "calendar") -> Calendar:
    """The calendar that a group describes. Raises `DeskError` for one that cannot be."""
    hours: list[list[Interval]] = [[] for _ in WEEKDAYS]
    for names, day in _mapping(content.get("weekly", {}), "weekly").items():
        for weekday in weekdays(names):
            hours[weekday].extend(_hours(day))
    return Calendar(
        name,
        _text(content, "tz" if "tz" in content else "zone"),
        tuple(tuple(sorted(day)) for day in hours),
        _holidays(content.get("holidays", [])),
        _dated(content.get("overrides", {})) | _dated(content.get("exceptions", {})),
        _dated(content.get("breaks", {})),
    )


def _group(group: Json) -> dict[str, object]:
    cases = [_mapping(case, "a case") for case in _list(group.get("cases"), "cases")]
    try:
        content = group.get("calendar")
        known = None if content is None else calendar(_mapping(content, "calendar"))
    except DeskError as error:
        return {**group, "cases": [{**case, **_refused(error)} for case in cases]}
    return {**group, "cases": [_answered(case, known) for case in cases]}


def _answered(case: Json, known: Calendar | None) -> dict[str, object]:
    kind = case.get("kind")
    try:
        if isinstance(kind, str) and kind in _LOCAL:
            return {**case, "result": _LOCAL[kind](case)}
        if not isinstance(kind, str) or kind not in _KINDS:
            raise CaseError(f"“{kind}” is no kind of case; there are {', '.join([*_KINDS, *_LOCAL])}.")
        if known is None:
            raise CaseError(f"A case of kind {kind} needs a calendar.")
        return {**case, "result": _KINDS[kind](known, case)}
    except DeskError as error:
        return {**case, **_refused(error)}


def _refused(error: DeskError) -> dict[str, object]:
    return {"result": None, "error": {"code": error.code, "detail": error.detail}}


def _add(known: Calendar, case: Json) -> Result:
    start = _instant(case, "start")
    if "duration" in case:
        return _z(known.add_duration(start, Duration.parse(_text(case, "duration"))))
    return _z(known.add(start, _seconds(case)))


def _elapsed(known: Calendar, case: Json) -> Result:
    micros = known.elapsed(_instant(case, "start"), _instant(case, "end")) // _MICROSECOND
    return micros // 1_000_000 if micros % 1_000_000 == 0 else micros / 1_000_000


_KINDS: Final[Mapping[str, Callable[[Calendar, Json], Result]]] = {
    "add": _add,
    "sub": lambda known, case: _z(known.add(_instant(case, "start"), -_seconds(case))),
    "elapsed": _elapsed,
    "is_open": lambda known, case: known.is_working(_instant(case, "at")),
    "add_days": lambda known, case: _z(known.shift_days(_instant(case, "start"), _days(case))),
    "sub_days": lambda known, case: _z(known.shift_days(_instant(case, "start"), -_days(case))),
}


def _normalised(case: Json) -> Result:
    zone = _text(case, "tz")
    return zones.to_local(zones.parse_local(_text(case, "local"), zone), zone).isoformat()


_LOCAL: Final[Mapping[str, Callable[[Json], Result]]] = {
    "normalise_local": _normalised,
    "parse_local": lambda case: _z(zones.parse_local(_text(case, "local"), _text(case, "tz"))),
}


def _holidays(content: object) -> tuple[Holidays, ...]:
    """Dates as text, and laws as `{"country": "DE", "region": "BE"}`; one or a list of both."""
    dates: list[str] = []
    laws: list[Holidays] = []
    for item in content if isinstance(content, list) else [content]:
        if isinstance(item, dict):
            laws.append(Public(_text(item, "country"), _text(item, "region") if "region" in item else None))
        else:
            dates.append(str(item))
    return (Listed.parse(dates), *laws)


def _dated(content: object) -> dict[date, Day]:
    return {parse_date(day): _hours(hours) for day, hours in _mapping(content, "dates").items()}


def _hours(day: object) -> Day:
    """The hours of a day, each as `["08:00", "12:00"]` or `"08:00-12:00"`."""
    hours = []
    for interval in _list(day, "the hours of a day"):
        if isinstance(interval, list) and len(interval) == 2:
            hours.append(Interval.between(str(interval[0]), str(interval[1])))
        else:
            hours.append(Interval.parse(str(interval)))
    return tuple(sorted(hours))


def _instant(case: Json, key: str) -> datetime:
    text = _text(case, key)
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise CaseError(f"“{text}” is not an instant: {error}.") from error
    if instant.tzinfo is None:
        raise CaseError(f"“{text}” has no offset; an instant ends with Z or with +HH:MM.")
    return instant


def _seconds(case: Json) -> timedelta:
    seconds = case.get("duration_s")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise CaseError("“duration_s” must be a number of seconds.")
    try:
        return timedelta(seconds=seconds)
    except (OverflowError, ValueError) as error:
        raise CaseError(f"“duration_s” cannot be {seconds}.") from error


def _days(case: Json) -> int:
    days = case.get("days")
    if isinstance(days, bool) or not isinstance(days, int) or not 0 <= days <= 10_000:
        raise CaseError("“days” must be a whole number up to 10000.")
    return days


def _text(content: Json, key: str) -> str:
    value = content.get(key)
    if not isinstance(value, str):
        raise CaseError(f"“{key}” must be given, as text.")
    return value


def _list(value: object, what: str) -> list[object]:
    if not isinstance(value, list):
        raise CaseError(f"{what[0].upper()}{what[1:]} must be a list.")
    return value


def _mapping(value: object, what: str) -> Json:
    if not isinstance(value, dict):
        raise CaseError(f"{what[0].upper()}{what[1:]} must be an object.")
    return value


def _z(instant: datetime) -> str:
    return instant.isoformat().replace("+00:00", "Z")
