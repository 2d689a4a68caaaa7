"""Dates on which nobody works: a list somebody wrote, or the law of a country or region. (`ics.py` reads lists from files.)

A source knows for which years it can answer; a calendar refuses to reckon beyond them instead of taking a year it knows nothing
about for one without holidays. The `holidays` library costs half a second to import, so it is imported when a country is
first named, and what it says is kept for the life of the process.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from functools import lru_cache
from importlib.metadata import version
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol

from itsm.platform.errors import DeskError, Kind

if TYPE_CHECKING:
    from holidays import HolidayBase

YEARS: Final = range(1969, 2101)
"""The years in which a desk can have had or will have a ticket."""

_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_ANNUAL: Final = re.compile(r"--([0-9]{2})-([0-9]{2})")


class HolidayError(DeskError):
    """A source of holidays that cannot be used. `why` is a sentence, `hint` a mend, `part` what of the source is at fault."""

    def __init__(self, why: str, hint: str, part: str | None = None) -> None:
        super().__init__(Kind.INVALID, "invalid_holidays", f"{why} {hint}")
        self.why = why
        self.hint = hint
        self.part = part


class Holidays(Protocol):
    """Where holidays come from. Implementations are frozen values: equal ones give equal answers."""

    @property
    def years(self) -> range:
        """The years for which it can answer."""
        ...

    def on(self, year: int) -> Mapping[date, str]:
        """The holidays of a year in `years`, each with its name."""
        ...

    def __str__(self) -> str:
        """Its content, in one line, the same for equal sources."""
        ...


def known_years(sources: Iterable[Holidays]) -> range:
    """The years for which all of these can answer."""
    start, stop = YEARS.start, YEARS.stop
    for source in sources:
        start, stop = max(start, source.years.start), min(stop, source.years.stop)
    return range(start, max(start, stop))


@dataclass(frozen=True, slots=True)
class Listed:
    """Dates somebody wrote down: single ones, and those that return every year (month, day)."""

    days: tuple[tuple[date, str], ...] = ()
    annual: tuple[tuple[int, int, str], ...] = ()
    source: str = "dates"

    @classmethod
    def parse(cls, texts: Iterable[str]) -> Listed:
        """Reads `2026-05-15` and `--12-25` (every year; ISO 8601:2000's form). Raises `HolidayError`."""
        days, annual = [], []
        for text in texts:
            found = _ANNUAL.fullmatch(text)
            day = parse_date(f"2000{text[1:]}" if found else text)  # 2000 is a leap year: the 29th of February may be listed
            if found:
                annual.append((day.month, day.day, ""))
            else:
                days.append((day, ""))
        return cls(tuple(sorted(days)), tuple(sorted(annual)))

    @property
    def years(self) -> range:
        return YEARS

    def on(self, year: int) -> Mapping[date, str]:
        return _listed(self, year)

    def __str__(self) -> str:
        single = [f"{day} {name}".strip() for day, name in self.days]
        return f"{self.source}: {', '.join([*single, *(f'--{m:02d}-{d:02d} {name}'.strip() for m, d, name in self.annual)])}"


@lru_cache(maxsize=4096)
def _listed(source: Listed, year: int) -> Mapping[date, str]:
    found = {day: name for day, name in source.days if day.year == year}
    for month, day_of_month, name in source.annual:
        if (month, day_of_month) != (2, 29) or _is_leap(year):
            found[date(year, month, day_of_month)] = name
    return MappingProxyType(found)


@dataclass(frozen=True, slots=True)
class Public:
    """The public holidays of a country (ISO 3166-1 alpha-2) or of one region of it (ISO 3166-2), by the `holidays` library.

    Raises `HolidayError` for a country or region the library does not know.
    """

    country: str
    region: str | None = None

    def __post_init__(self) -> None:
        _library(self.country, self.region)

    @property
    def years(self) -> range:
        known = _library(self.country, self.region)
        return range(max(YEARS.start, known.start_year), min(YEARS.stop, known.end_year + 1))

    def on(self, year: int) -> Mapping[date, str]:
        return _public(self.country, self.region, year)

    def __str__(self) -> str:
        place = f"{self.country}-{self.region}" if self.region else self.country
        return f"public holidays of {place}, holidays {version('holidays')}"


@lru_cache(maxsize=512)
def _library(country: str, region: str | None) -> HolidayBase:
    import holidays
    from holidays.registry import EntityLoader

    # Not `list_supported_countries`, which imports every country there is: half a second, and 10 MiB for good.
    countries = list(EntityLoader.get_country_codes(include_aliases=False))
    if country not in countries:
        near = get_close_matches(country.upper(), countries, n=1, cutoff=0.5)
        hint = f"Did you mean “{near[0]}”?" if near else "Write its two letters of ISO 3166-1, like DE."
        raise HolidayError(f"No holidays are known for a country “{country}”.", hint, "country")
    regions = getattr(holidays, country).subdivisions
    if region is not None and region not in regions:
        known = ", ".join(regions) or "none; leave the region out"
        raise HolidayError(f"No holidays are known for a region “{region}” of {country}.", f"Known are {known}.", "region")
    return holidays.country_holidays(country, subdiv=region)


@lru_cache(maxsize=4096)
def _public(country: str, region: str | None, year: int) -> Mapping[date, str]:
    import holidays

    language = _library(country, region).default_language  # else it would be that of the machine
    found = holidays.country_holidays(country, subdiv=region, years=year, language=language)
    return MappingProxyType({day: found[day] for day in sorted(found.keys()) if day.year == year})


def parse_date(text: str) -> date:
    """The date of `2026-12-24`, written just so. Raises `HolidayError`."""
    try:
        if _DATE.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass  # such as the 30th of February
    raise HolidayError(f"“{text[:60]}” is not a date.", "Write 2026-12-24, or --12-24 for every year.")


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
