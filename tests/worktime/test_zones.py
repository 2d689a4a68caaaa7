"""Zones: what a person means by a local time, where clocks change, and which release of the rules says so."""

from __future__ import annotations

import struct
import zoneinfo
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
import tzdata

from itsm.worktime import zones

from .build import utc
from .comparison import ZONES


@pytest.mark.parametrize(
    ("zone", "written", "instant"),
    [
        ("Europe/Berlin", "2026-07-01 12:00", "2026-07-01 10:00"),
        ("Europe/Berlin", "2026-03-29 02:30", "2026-03-29 01:30"),  # in the gap: 03:30 summer time
        ("Europe/Berlin", "2026-10-25 02:30", "2026-10-25 00:30"),  # twice: the first, summer time
        ("Australia/Lord_Howe", "2026-10-04 02:15", "2026-10-03 15:45"),
        ("Pacific/Apia", "2011-12-30 10:00", "2011-12-30 20:00"),  # a day skipped: 10:00 on the day after
    ],
)
def test_a_local_time_in_the_gap_moves_forward_and_an_ambiguous_one_is_the_first(zone: str, written: str, instant: str) -> None:
    assert zones.parse_local(written, zone) == utc(instant)


@pytest.mark.parametrize("text", ["2026-02-30 12:00", "2026-02-28 25:00", "tomorrow", "", "2026-02-28T12:00Z"])
def test_an_impossible_local_time_is_refused(text: str) -> None:
    with pytest.raises(zones.LocalTimeError) as refusal:
        zones.parse_local(text, "Europe/Berlin")
    assert refusal.value.code == "invalid_local_time"


@pytest.mark.parametrize(
    "name", ["Europe/Berln", "", "../etc/passwd", "Europe", "right/Europe/Berlin", "localtime", "Factory", "\0"]
)
def test_a_name_that_is_no_place_is_refused(name: str) -> None:
    with pytest.raises(zones.UnknownZoneError) as refusal:
        zones.zone(name)
    assert refusal.value.code == "unknown_zone"


def test_a_misspelt_zone_is_answered_with_the_one_that_was_meant() -> None:
    with pytest.raises(zones.UnknownZoneError, match="Did you mean “Europe/Berlin”"):
        zones.zone("Europe/Berln")


def test_a_year_is_cut_where_clocks_change() -> None:
    winter, summer, again = zones.stretches("Europe/Berlin", 2026)
    assert (winter.offset, summer.offset, again.offset) == (3600, 7200, 3600)
    assert datetime.fromtimestamp(winter.end, UTC) == utc("2026-03-29 01:00")
    assert datetime.fromtimestamp(summer.end, UTC) == utc("2026-10-25 01:00")


def test_the_turn_of_every_year_is_covered_without_a_hole() -> None:
    for name in ("Europe/Berlin", "Pacific/Kiritimati", "America/Santiago"):
        for year in range(1969, 2101):
            cut = zones.stretches(name, year)
            assert cut[0].start == int(datetime(year, 1, 1, tzinfo=UTC).timestamp())
            assert cut[-1].end == int(datetime(year + 1, 1, 1, tzinfo=UTC).timestamp())
            assert all(one.end == other.start for one, other in pairwise(cut))


def test_no_zone_changes_its_clocks_twice_within_six_days() -> None:
    """What `stretches` rests on when it asks once a day; read from the compiled rules themselves."""
    for name in ZONES:
        changes = [change for change in compiled_changes(name) if change >= 0]
        assert all(later - earlier > 6 * 86_400 for earlier, later in pairwise(changes)), name


def test_every_change_in_the_rules_is_found() -> None:
    for name in ZONES[::12]:
        found = [stretch.start for year in range(2010, 2036) for stretch in zones.stretches(name, year)[1:]]
        first, last = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in (2010, 2036))
        place = zoneinfo.ZoneInfo(name)
        ruled = [change for change in compiled_changes(name) if first < change < last and shifts(place, change)]
        assert [change for change in found if change <= max(ruled, default=0)] == ruled, name


def test_the_release_of_the_rules_is_the_one_zoneinfo_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rules = (Path(tzdata.__file__).parent / "zoneinfo" / "Europe" / "Berlin").read_bytes()
    (tmp_path / "Europe").mkdir()
    (tmp_path / "Europe" / "Berlin").write_bytes(rules)

    def release() -> str:
        zones.tz_version.cache_clear()
        return zones.tz_version("Europe/Berlin")

    try:
        monkeypatch.setattr(zoneinfo, "TZPATH", ())
        assert release() == tzdata.IANA_VERSION
        monkeypatch.setattr(zoneinfo, "TZPATH", (str(tmp_path),))
        assert release().startswith("sha256:")
        (tmp_path / "+VERSION").write_text("2030a\n")
        assert release() == "2030a"
        (tmp_path / "tzdata.zi").write_text("# version 2031b\n")
        assert release() == "2031b"
    finally:
        zones.tz_version.cache_clear()


def shifts(place: zoneinfo.ZoneInfo, change: int) -> bool:
    """Whether the clock shows another offset after this change (and not just another name)."""
    before, after = (datetime.fromtimestamp(change + shift, place).utcoffset() for shift in (-1, 0))
    return before != after


def compiled_changes(name: str) -> list[int]:
    """The transition times in a zone's TZif file (RFC 8536, version 2 data block), in seconds since 1970."""
    roots = [*zoneinfo.TZPATH, str(Path(tzdata.__file__).parent / "zoneinfo")]
    data = next(file for root in roots if (file := Path(root, name)).is_file()).read_bytes()
    utc_flags, standard_flags, leaps, times, types, letters = struct.unpack(">6L", data[20:44])
    second = 44 + times * 5 + types * 6 + letters + leaps * 8 + standard_flags + utc_flags  # past the block of version 1
    (count,) = struct.unpack(">L", data[second + 32 : second + 36])
    return list(struct.unpack_from(f">{count}q", data, second + 44))
