"""What the IANA time zone database says, in the form working time needs: stretches of one UTC offset.

`zoneinfo` answers for one instant at a time; a calendar needs the instants at which clocks change. They are found by asking
once a day and halving the day in which the answer differs. Since 1970 no zone has changed its clocks twice within six days,
and the tests hold that against every zone. Nothing here knows of opening hours.
"""

from __future__ import annotations

import zoneinfo
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from functools import lru_cache
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Final, NamedTuple

from itsm.platform.errors import DeskError, Kind

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
DAY: Final = 86_400
_SECOND: Final = timedelta(seconds=1)
_NOT_PLACES: Final = frozenset({"localtime", "posixrules", "Factory"})
"""Names in the database's folder that say “whatever this machine has” or “not set”."""


class UnknownZoneError(DeskError):
    """A name that is not in the IANA database of this system; `hint` proposes a near one."""

    def __init__(self, name: str) -> None:
        near = get_close_matches(name, sorted(zoneinfo.available_timezones()), n=1, cutoff=0.6)
        self.hint = f"Did you mean “{near[0]}”?" if near else "Name it as the IANA database does, like Europe/Berlin."
        super().__init__(Kind.INVALID, "unknown_zone", f"There is no time zone “{name}”. {self.hint}")
        self.name = name


class LocalTimeError(DeskError):
    """A text that is no local date and time, such as the 30th of February."""

    def __init__(self, text: str, why: str) -> None:
        super().__init__(Kind.INVALID, "invalid_local_time", f"“{text[:60]}” is not a local date and time: {why}.")


class Stretch(NamedTuple):
    """The instants `start ≤ t < end` (seconds since 1970, UTC), in which local clocks are `offset` seconds ahead of UTC."""

    start: int
    end: int
    offset: int


def zone(name: str) -> zoneinfo.ZoneInfo:
    """The zone of this IANA name. Raises `UnknownZoneError`, also for `right/…`, whose clocks count leap seconds."""
    if name in _NOT_PLACES or name.startswith(("right/", "posix/")):
        raise UnknownZoneError(name)
    try:
        return zoneinfo.ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise UnknownZoneError(name) from error


@lru_cache(maxsize=20_000)
def stretches(name: str, year: int) -> tuple[Stretch, ...]:
    """The UTC year cut where local clocks change. The stretches are in order, without holes, and neighbours differ."""
    place = zone(name)
    start, end = _seconds(datetime(year, 1, 1, tzinfo=UTC)), _seconds(datetime(year + 1, 1, 1, tzinfo=UTC))
    found: list[Stretch] = []
    begin, offset = start, _offset(place, start)
    for day in range(start, end, DAY):
        until = min(day + DAY, end - 1)
        after = _offset(place, until)
        if after != offset:
            change = _change(place, day, until)
            found.append(Stretch(begin, change, offset))
            begin, offset = change, after
    return (*found, Stretch(begin, end, offset))


def _change(place: zoneinfo.ZoneInfo, low: int, high: int) -> int:
    """The first second after `low` whose offset is no longer that of `low`."""
    before = _offset(place, low)
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(place, middle) == before:
            low = middle
        else:
            high = middle
    return high


def _offset(place: zoneinfo.ZoneInfo, second: int) -> int:
    offset = datetime.fromtimestamp(second, place).utcoffset()
    assert offset is not None  # a ZoneInfo always has one
    return offset // _SECOND


def _seconds(instant: datetime) -> int:
    return (instant - EPOCH) // _SECOND


def to_instant(local: datetime, name: str) -> datetime:
    """The instant, in UTC, that a person means by a wall-clock reading in a zone.

    A reading in the spring gap moves forward by the gap; one that occurs twice means the first occurrence. Raises `ValueError`
    for a reading that has a zone already.
    """
    if local.tzinfo is not None:
        raise ValueError("a local time has no time zone of its own")
    return local.replace(tzinfo=zone(name), fold=0).astimezone(UTC)  # PEP 495: fold=0 in a gap reads with the old offset


def to_local(instant: datetime, name: str) -> datetime:
    """The wall-clock reading of an aware instant in a zone, without zone or fold."""
    return instant.astimezone(zone(name)).replace(tzinfo=None, fold=0)


def parse_local(text: str, name: str) -> datetime:
    """The instant meant by a text such as `2026-03-29 02:30` in a zone. Raises `LocalTimeError` and `UnknownZoneError`."""
    try:
        local = datetime.fromisoformat(text)
    except ValueError as error:
        raise LocalTimeError(text, str(error)) from error
    if local.tzinfo is not None:
        raise LocalTimeError(text, "it names a zone or an offset of its own")
    try:
        return to_instant(local, name)
    except OverflowError as error:
        raise LocalTimeError(text, "in UTC it leads out of the years 1 to 9999") from error


@lru_cache(maxsize=1024)
def tz_version(name: str) -> str:
    """The release of the IANA database this zone's rules came from, such as `2026a`.

    `zoneinfo` reads the system's files first and the `tzdata` package where there are none, so this asks in the same order.
    Where a system does not say its release, the digest of the zone's own rules stands for it.
    """
    zone(name)
    for root in map(Path, zoneinfo.TZPATH):
        rules = root.joinpath(*name.split("/"))
        if rules.is_file():
            return _release(root) or f"sha256:{sha256(rules.read_bytes()).hexdigest()[:16]}"
    return str(import_module("tzdata").IANA_VERSION)


def _release(root: Path) -> str | None:
    """The release as the files of the database state it: `tzdata.zi` (zic's own) or `+VERSION` (BSD)."""
    compact, bsd = root / "tzdata.zi", root / "+VERSION"
    if compact.is_file():
        with compact.open(encoding="ascii", errors="replace") as lines:
            first = lines.readline().split()
        if first[:2] == ["#", "version"] and len(first) == 3:
            return first[2]
    return bsd.read_text(encoding="ascii", errors="replace").strip() if bsd.is_file() else None
