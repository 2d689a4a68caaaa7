"""Reads `config/locations.yaml`: where people and configuration items are, with every fault at its FILE:LINE:COL.

A location has a title, the time zone its clocks show, and the calendar (of `config/calendars.yaml`) by which it works, if it
has one. Users and items name a location by its key. docs/services.md describes the file.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from itsm.workflow import source
from itsm.workflow.calendars import Zone
from itsm.workflow.findings import Finding
from itsm.workflow.reading.compounds import Named, Part
from itsm.workflow.reading.entries import Matching, Name, Text
from itsm.workflow.reading.form import Form, Names, Noun, read

_KEY: Final = "[a-z][a-z0-9_-]{0,62}"


@dataclass(frozen=True, slots=True)
class Location:
    """A place. `zone` is a name of the IANA database, `calendar` a key of `config/calendars.yaml` or None."""

    key: str
    title: str
    zone: str
    calendar: str | None = None


def load_file(path: Path, calendars: Collection[str]) -> tuple[dict[str, Location], list[Finding]]:
    """The locations of a file, and every fault; an absent file has none. `calendars` are the keys that may be named."""
    if not path.exists():
        return {}, []
    tree, findings = source.parse_file(path)
    return ({}, findings) if tree is None else _locations(tree, findings, calendars)


def load_locations(text: str, file: str, calendars: Collection[str]) -> tuple[dict[str, Location], list[Finding]]:
    """The locations of a text, and every fault; none at all while there is one. `file` is the name that findings bear."""
    tree, findings = source.parse(text, file)
    return ({}, findings) if tree is None else _locations(tree, findings, calendars)


def _locations(
    tree: source.Node, findings: list[Finding], calendars: Collection[str]
) -> tuple[dict[str, Location], list[Finding]]:
    entry = Named(Matching(_KEY, "bad-name", "a key for a location"), Part(_LocationForm()), "locations")
    found, faults = read(entry, tree, Names({Noun.CALENDAR: frozenset(calendars)}))
    if findings or faults:
        return {}, [*findings, *faults]
    return {
        key: Location(key, one.value["title"] or key, one.value["zone"], one.value["calendar"]) for key, one in found.items()
    }, []


class _LocationForm(Form):
    """One location."""

    title = Text(load_default=None)
    zone = Zone(required=True)
    calendar = Name(Noun.CALENDAR, load_default=None)
