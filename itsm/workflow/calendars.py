"""Reads `config/calendars.yaml`: when each team works, with every fault at its FILE:LINE:COL.

`worktime/` below knows what hours and holidays are and refuses wrong ones; this module knows how a file says them and where. A
calendar names its `zone`, its `weekly` hours, its `holidays` (the law of a country or region, an iCalendar file, single
dates), `exceptions` and `breaks` by date, and the length of its `standard_day`. docs/working-time.md describes the file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

from marshmallow import Schema, ValidationError, validates_schema

from itsm.workflow import source
from itsm.workflow.findings import Finding
from itsm.workflow.reading.compounds import Keyed, Named, Part, Several, mapping_of
from itsm.workflow.reading.entries import Entry, Json, Matching, Span, Text, text_of
from itsm.workflow.reading.form import Fault, Form, fault, read, shape
from itsm.worktime import holidays, ics, zones
from itsm.worktime.calendar import Calendar
from itsm.worktime.holidays import HolidayError, Holidays, Listed, Public
from itsm.worktime.intervals import DAY, WEEKDAYS, Day, Interval, IntervalError, Week, overlap, weekdays

ReadFile = Callable[[str], bytes]
"""Gives the bytes of a file that a calendar names. Raises `OSError`."""

_NAME: Final = "[a-z][a-z0-9_-]{0,62}"
_LARGEST_FILE: Final = 1024 * 1024
_ONE_DAY: Final = timedelta(days=1)


def load_file(path: Path) -> tuple[dict[str, Calendar], list[Finding]]:
    """The calendars of a file, and every fault; an absent file has none. iCalendar files are looked for beside it."""
    if not path.exists():
        return {}, []
    tree, findings = source.parse_file(path)
    return ({}, findings) if tree is None else _calendars(tree, findings, lambda name: beside(path, name))


def load_calendars(text: str, file: str, read_file: ReadFile | None = None) -> tuple[dict[str, Calendar], list[Finding]]:
    """The calendars of a text, and every fault; none at all while there is one. `file` is the name that findings bear."""
    tree, findings = source.parse(text, file)
    return ({}, findings) if tree is None else _calendars(tree, findings, read_file or _no_file)


def _calendars(tree: source.Node, findings: list[Finding], read_file: ReadFile) -> tuple[dict[str, Calendar], list[Finding]]:
    entry = Named(Matching(_NAME, "bad-name", "a name for a calendar"), Part(_CalendarForm.reading(read_file)), "calendars")
    found, faults = read(entry, tree)
    if findings or faults:
        return {}, [*findings, *faults]
    return {name: _calendar(name, one.value) for name, one in found.items()}, []


def _calendar(name: str, content: Mapping[str, Any]) -> Calendar:
    return Calendar(
        name,
        content["zone"],
        content["weekly"],
        tuple(content["holidays"]),
        _by_date(content["exceptions"]),
        _by_date(content["breaks"]),
        content["standard_day"],
    )


def _by_date(dated: Mapping[str, Keyed[Day]]) -> dict[date, Day]:
    return {holidays.parse_date(day): hours.value for day, hours in dated.items()}


def beside(path: Path, name: str) -> bytes:
    """A file in the directory of the calendars or below it, as far as it could be a list of holidays. Raises `OSError`."""
    directory = path.parent.resolve()
    wanted = (directory / name).resolve()
    if not wanted.is_relative_to(directory):
        raise PermissionError("it lies outside the directory of the calendars")
    with wanted.open("rb") as stream:
        return stream.read(_LARGEST_FILE + 1)


def _no_file(name: str) -> bytes:
    raise FileNotFoundError(f"there are no files here, so no {name}")


class Zone(Text):
    """A name of the IANA database."""

    def take(self, value: Any) -> str:
        name = super().take(value)
        try:
            zones.zone(name)
        except zones.UnknownZoneError as error:
            raise fault("unknown-zone", f"There is no time zone “{name}”.", error.hint) from None
        return name


class _Opening(Text):
    """One interval: `08:00-12:00`."""

    def take(self, value: Any) -> Interval:  # type: ignore[override]  # read from a text, but not one
        try:
            return Interval.parse(text_of(value))
        except IntervalError as error:
            raise fault("bad-interval", f"“{error.text}” {error.why}.", error.hint) from None


class _Hours(Entry[Day]):
    """The intervals of a day, which may not share a minute."""

    intervals = Several(_Opening())

    def take(self, value: Any) -> Day:
        found = self.intervals.take(value)
        for index in range(1, len(found)):
            if clash := overlap(found[: index + 1]):
                raise ValidationError({index: [_clash(*clash)]})
        return tuple(sorted(found))

    def json_schema(self) -> Json:
        return self.intervals.json_schema()


class _Date(Text):
    """A date: `2026-12-24`."""

    def take(self, value: Any) -> str:
        text = super().take(value)
        try:
            holidays.parse_date(text)
        except HolidayError as error:
            raise fault("bad-date", error.why, "Write it as 2026-12-24.") from None
        return text


class _Weekly(Entry[Week]):
    """Hours by weekdays: `{mon-thu: [...], fri: [...]}`. What opens late may not run into what opens on the morning after."""

    hours = _Hours()

    def take(self, value: Any) -> Week:
        keys: dict[int, str] = {}
        week: list[Day] = [()] * len(WEEKDAYS)
        faults: dict[str, Any] = {}
        for key, node in mapping_of(value, "weekdays and hours").items():
            try:
                days = self._days(key, keys)
                keys.update(dict.fromkeys(days, key))
                day = self.hours.deserialize(node)
            except ValidationError as error:
                faults[key] = error.messages
            else:
                for weekday in days:
                    week[weekday] = day
        if faults or (faults := _nights(week, keys)):
            raise ValidationError(faults)
        return tuple(week)

    def _days(self, key: str, keys: Mapping[int, str]) -> tuple[int, ...]:
        try:
            days = weekdays(key)
        except IntervalError as error:
            raise fault("bad-weekday", f"“{error.text}” {error.why}.", error.hint, on_key=True) from None
        for weekday in days:
            if weekday in keys:
                message = f"The hours of {WEEKDAYS[weekday]} are given twice, also as “{keys[weekday]}”."
                raise fault("double-weekday", message, "Name each weekday once.", on_key=True)
        return days


def _nights(week: list[Day], keys: Mapping[int, str]) -> dict[str, list[Fault]]:
    """The faults of nights that run into the next day's hours, Sunday's into Monday's too."""
    faults = {}
    for weekday, day in enumerate(week):
        following = (weekday + 1) % len(week)
        if day and week[following] and day[-1].close - DAY > week[following][0].open:
            faults[keys[following]] = [_clash(day[-1], week[following][0])]
    return faults


def _clash(one: Interval, other: Interval) -> Fault:
    return Fault("overlapping-hours", f"“{other}” begins before “{one}” is over.", "Join the two, or end the first earlier.")


class _Holidays(Entry[Holidays]):
    """One source of holidays: `{country: DE, region: BE}`, `{icalendar: company.ics}`, a date, or `--12-24` for every year."""

    def __init__(self, read_file: ReadFile, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.law = Part(_LawForm())
        self.file = Part(_FileForm())
        self.read_file = read_file

    def take(self, value: Any) -> Holidays:
        try:
            if isinstance(value, str):
                return Listed.parse([text_of(value)])
            if isinstance(value, Mapping) and "icalendar" in value:
                return self._file(self.file.take(value)["icalendar"])
            if not isinstance(value, Mapping):
                raise fault("wrong-type", f"Here a source of holidays is wanted, not {shape(value)}.", _SOURCES)
            return Public(**self.law.take(value))
        except HolidayError as error:
            told = [Fault("bad-holidays", error.why, error.hint)]
            raise ValidationError({error.part: told} if error.part else told) from None

    def _file(self, name: str) -> Holidays:
        try:
            data = self.read_file(name)
        except OSError as error:
            why = f"{name} cannot be read: {error.strerror or error}."
            raise HolidayError(why, "It must lie beside this file.", "icalendar") from None
        if len(data) > _LARGEST_FILE:
            raise HolidayError(f"{name} is larger than 1 MiB.", "Holidays are a handful of days a year.", "icalendar")
        return ics.read(data, name)


_SOURCES: Final = "There are {country: DE, region: BE}, {icalendar: company.ics}, and dates."


class _LawForm(Form):
    country = Text(required=True)
    region = Text(load_default=None)


class _FileForm(Form):
    icalendar = Text(required=True)


class _StandardDay(Entry[timedelta]):
    """A length of up to a day: `8 hours`."""

    span = Span()

    def take(self, value: Any) -> timedelta:
        length = self.span.take(value)
        if length.business_days or length.end_of_day or length.exact + length.business > _ONE_DAY:
            raise fault("bad-duration", f"“{length}” is no length of a day.", "Such as “8 hours”.")
        return length.exact + length.business


class _CalendarForm(Form):
    """One calendar."""

    zone = Zone(required=True)
    weekly = _Weekly(load_default=((),) * 7)
    exceptions = Named(_Date(), _Hours(), "dates and hours", load_default={})
    breaks = Named(_Date(), _Hours(), "dates and hours", load_default={})
    standard_day = _StandardDay(load_default=None)

    @classmethod
    def reading(cls, read_file: ReadFile) -> Schema:
        """The form, with a way to read the files it names."""
        return cls.from_dict({"holidays": Several(_Holidays(read_file), load_default=[])})()

    @validates_schema
    def opens_some_time(self, data: dict[str, Any], **_: object) -> None:
        """A promise in a calendar that never opens would never fall due."""
        if not any(data["weekly"]) and not any(day.value for day in data["exceptions"].values()):
            raise ValidationError([Fault("empty-calendar", "This calendar never opens.", "Give it weekly hours.")])

    @validates_schema
    def knows_some_year(self, data: dict[str, Any], **_: object) -> None:
        """Holidays that are known for different years make a calendar that can answer for none."""
        if not holidays.known_years(data["holidays"]):
            told = Fault("bad-holidays", "There is no year for which all of these are known.", "Leave one out.")
            raise ValidationError({"holidays": [told]})
