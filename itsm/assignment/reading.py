"""Reads `config/assignment.yaml`, with every fault of its form at its FILE:LINE:COL. docs/assignment.md describes the file."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, time
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from marshmallow import post_load

from itsm.assignment.book import HOPS, Book, Layer, Need, Rule, Staff, Strategy, TakeUp, Team
from itsm.workflow import source
from itsm.workflow.calendars import Zone
from itsm.workflow.findings import Finding
from itsm.workflow.reading.compounds import Keyed, Named, Part, Several
from itsm.workflow.reading.entries import Cel, Entry, Matching, Name, OneOf, Span, Text, Whole
from itsm.workflow.reading.form import NOWHERE, Form, Names, Noun, fault, read
from itsm.workflow.vocabulary import Vocabulary

LONGEST_TURN: Final = 366

_KEY: Final = "[a-z][a-z0-9_-]{0,62}"


def load_file(path: Path, vocabulary: Vocabulary, calendars: Collection[str]) -> tuple[Book, list[Finding]]:
    """What a file says, and every fault of its form; an absent file says nothing."""
    if not path.exists():
        return Book(), []
    tree, findings = source.parse_file(path)
    return (Book(), findings) if tree is None else _book(tree, findings, vocabulary, calendars)


def load_book(text: str, file: str, vocabulary: Vocabulary, calendars: Collection[str]) -> tuple[Book, list[Finding]]:
    """What a text says, and every fault of its form. `file` is the name that findings bear."""
    tree, findings = source.parse(text, file)
    return (Book(), findings) if tree is None else _book(tree, findings, vocabulary, calendars)


def _book(
    tree: source.Node, findings: list[Finding], vocabulary: Vocabulary, calendars: Collection[str]
) -> tuple[Book, list[Finding]]:
    groups = tree.get("groups") if isinstance(tree, source.Mapping) else None
    known = {
        Noun.CALENDAR: frozenset(calendars),
        Noun.WORKFLOW: vocabulary.workflows,
        Noun.TEMPLATE: vocabulary.templates,
        Noun.GROUP: frozenset(groups) if isinstance(groups, source.Mapping) else frozenset(),
    }
    data, faults = read(_BookForm(), tree, Names(known))
    if findings or faults:
        return Book(), [*findings, *faults]
    return Book(
        rules=tuple(_rule(number, one) for number, one in enumerate(data["rules"], 1)),
        teams=MappingProxyType({key: Team(key, one.at, **one.value) for key, one in data["groups"].items()}),
        staff=MappingProxyType({login: _staff(login, one) for login, one in data["people"].items()}),
        skills=frozenset(data["skills"]),
        on_call=MappingProxyType({key: tuple(map(_layer, one.value)) for key, one in data["on_call"].items()}),
    ), []


def _rule(number: int, data: dict[str, Any]) -> Rule:
    return Rule(
        name=data["name"] or f"rule {number}",
        at=data["at"],
        group=data["group"],
        workflows=tuple(data["workflows"]),
        condition=data["condition"],
        strategy=data["strategy"],
        needs=tuple(Need(**one) for one in data["needs"]),
    )


def _staff(login: str, one: Keyed[dict[str, Any]]) -> Staff:
    skills = {skill: level.value for skill, level in one.value["skills"].items()}
    return Staff(login, skills, one.value["capacity"], one.value["shift"], one.at)


def _layer(data: dict[str, Any]) -> Layer:
    return Layer(**{**data, "people": tuple(data["people"])})


class _Date(Entry[date]):
    """A date: `2026-01-05`."""

    def take(self, value: Any) -> date:
        text = Text().take(value)
        try:
            return date.fromisoformat(text)
        except ValueError:
            raise fault("bad-date", f"“{text}” is no date.", "Write it as 2026-12-24.") from None


class _Clock(Entry[time]):
    """A time of day: `09:00`."""

    def take(self, value: Any) -> time:
        text = Matching("([01][0-9]|2[0-3]):[0-5][0-9]", "bad-time", "a time of day").take(value)
        return time.fromisoformat(text)


class _Turn(Whole):
    """How many days a turn lasts."""

    def take(self, value: Any) -> int:
        days = super().take(value)
        if days > LONGEST_TURN:
            raise fault("bad-turn", f"A turn of {days} days is none; {LONGEST_TURN} is the longest.")
        return days


class _Placed(Form):
    """A form whose loaded mapping says under `at` where it stood."""

    @post_load(pass_original=True)
    def place(self, data: dict[str, Any], original: object, **_: object) -> dict[str, Any]:
        """Adds the place."""
        return {**data, "at": original.at if isinstance(original, source.Mapping) else NOWHERE}


class _NeedForm(Form):
    """A skill that is needed."""

    skill = Text(required=True)
    level = Whole(least=1, load_default=1)
    if_ = Cel(data_key="if", attribute="condition", load_default=None)


class _RuleForm(_Placed):
    """A row of the table."""

    name = Text(load_default="")
    for_ = Several(Name(Noun.WORKFLOW), data_key="for", attribute="workflows", load_default=())
    if_ = Cel(data_key="if", attribute="condition", load_default=None)
    group = Name(Noun.GROUP, load_default=None)
    strategy = OneOf(Strategy, "strategy", load_default=None)
    needs = Several(Part(_NeedForm()), load_default=())


class _TakeUpForm(Form):
    """When an assignment that nobody begins passes on."""

    within = Span(required=True)
    calendar = Name(Noun.CALENDAR, load_default=None)

    @post_load
    def counted(self, data: Mapping[str, Any], **_: object) -> TakeUp:
        """Business time is counted in a calendar that is named."""
        if data["within"].needs_calendar and data["calendar"] is None:
            message = f"“{data['within']}” counts business time, and no calendar is named."
            raise fault("missing-calendar", message, "Name one: calendar: office-hours.")
        return TakeUp(data["within"], data["calendar"])


class _TeamForm(Form):
    """How a group works."""

    strategy = OneOf(Strategy, "strategy", load_default=Strategy.NONE)
    capacity = Whole(least=1, load_default=None)
    shift = Name(Noun.CALENDAR, load_default=None)
    take_up = Part(_TakeUpForm(), load_default=None)
    hops = Whole(load_default=HOPS)
    tell = Name(Noun.TEMPLATE, load_default=None)


class _StaffForm(Form):
    """What one person can, and when he is there."""

    skills = Named(Text(), Whole(least=1), "skills and levels", load_default={})
    capacity = Whole(least=0, load_default=None)
    shift = Name(Noun.CALENDAR, load_default=None)


class _LayerForm(_Placed):
    """One row of a rota."""

    name = Text(required=True)
    people = Several(Text(), required=True)
    start = _Date(required=True, data_key="from", attribute="start")
    days = _Turn(least=1, load_default=7)
    handover = _Clock(load_default=time(9))
    zone = Zone(required=True)
    calendar = Name(Noun.CALENDAR, load_default=None)


class _BookForm(Form):
    """The whole file."""

    skills = Several(Matching(_KEY, "bad-name", "a name for a skill"), load_default=())
    groups = Named(Text(), Part(_TeamForm()), "groups", load_default={})
    people = Named(Text(), Part(_StaffForm()), "people", load_default={})
    rules = Several(Part(_RuleForm()), load_default=())
    on_call = Named(Name(Noun.GROUP), Several(Part(_LayerForm())), "groups and their layers", load_default={})
