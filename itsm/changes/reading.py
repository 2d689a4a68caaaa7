"""Reads `config/changes.yaml`, with every fault at its FILE:LINE:COL: windows, freezes, slots, models, risk.

What the keys mean is told in docs/changes.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import orjson
from marshmallow import ValidationError, post_load, validates_schema

from itsm.changes.risk import Guide, History, Level, Question, Rule
from itsm.changes.rules import Book, Freeze, MaintenanceWindow, Model, Period, Search
from itsm.services.rules import Node, Sort
from itsm.workflow import source
from itsm.workflow.calendars import Zone
from itsm.workflow.findings import Finding
from itsm.workflow.reading.compounds import FieldValues, Named, Part, Several
from itsm.workflow.reading.entries import Cel, Matching, Name, OneOf, Span, Text, Whole
from itsm.workflow.reading.form import Fault, Form, Names, Noun, fault, read
from itsm.worktime import zones
from itsm.worktime.calendar import Calendar, always

FILE: Final = "changes.yaml"
EVERYTHING: Final = "all"
DEEPEST: Final = 10

_KEY: Final = "[a-z][a-z0-9_-]{0,62}"


def load_file(path: Path, calendars: Mapping[str, Calendar]) -> tuple[Book, Guide, list[Finding]]:
    """The change calendar of a file, and every fault; an absent file says nothing."""
    if not path.exists():
        return Book(Search(always())), Guide(), []
    tree, findings = source.parse_file(path)
    return (Book(Search(always())), Guide(), findings) if tree is None else _book(tree, findings, calendars)


def load_text(text: str, file: str, calendars: Mapping[str, Calendar]) -> tuple[Book, Guide, list[Finding]]:
    """The change calendar of a text, and every fault. `file` is the name that findings bear."""
    tree, findings = source.parse(text, file)
    return (Book(Search(always())), Guide(), findings) if tree is None else _book(tree, findings, calendars)


def _book(tree: source.Node, findings: list[Finding], calendars: Mapping[str, Calendar]) -> tuple[Book, Guide, list[Finding]]:
    known = Names({Noun.CALENDAR: frozenset(calendars)})
    data, faults = read(BookForm(), tree, known)
    if findings or faults:
        return Book(Search(always())), Guide(), [*findings, *faults]
    search = dict(data["slots"])
    search["calendar"] = calendars[search["calendar"]] if search["calendar"] else always()
    windows = tuple(_window(key, one.value, calendars) for key, one in data["windows"].items())
    freezes = tuple(Freeze(key=key, **one.value) for key, one in data["freezes"].items())
    return Book(Search(**search), freezes, windows, data["depth"], _models(data["models"])), _guide(data["risk"]), []


def _models(said: Mapping[str, Any]) -> dict[str, Model]:
    found = {}
    for name, one in said.items():
        content = orjson.dumps(one.value, option=orjson.OPT_SORT_KEYS)
        version = hashlib.sha256(content).hexdigest()[:12]
        found[name] = Model(name, one.value["title"], version, one.value["description"], one.value["filled"])
    return found


def _guide(said: Mapping[str, Any]) -> Guide:
    questions = tuple(
        Question(
            name, one.value["ask"], {answer: each.value for answer, each in one.value["answers"].items()}, one.value["weight"]
        )
        for name, one in said["questions"].items()
    )
    rules = tuple(Rule(each["name"], each["condition"], each["level"]) for each in said["rules"])
    return Guide(rules, questions, said["moderate"], said["high"], History(**said["history"]))


def _window(key: str, said: Mapping[str, Any], calendars: Mapping[str, Calendar]) -> MaintenanceWindow:
    return MaintenanceWindow(
        key=key,
        title=said["title"] or key,
        of=frozenset(
            [*(Node(Sort.SERVICE, name) for name in said["services"]), *(Node(Sort.ITEM, name) for name in said["items"])]
        ),
        calendar=calendars[said["calendar"]],
        spared=frozenset(said["spares"]),
    )


class WindowForm(Form):
    """When some services and items may be changed."""

    title = Text(load_default=None)
    services = Several(Text(), load_default=())
    items = Several(Text(), load_default=())
    calendar = Name(Noun.CALENDAR, required=True)
    spares = Several(Text(), load_default=("emergency",))

    @validates_schema
    def is_for_something(self, data: dict[str, Any], **_: object) -> None:
        """A window of nothing would never be looked at."""
        if not data.get("services") and not data.get("items"):
            raise ValidationError([Fault("window-of-nothing", "This window is for no service and no item.", "Name some.")])


class FreezeForm(Form):
    """When nothing is changed."""

    reason = Text(required=True)
    services = Several(Text(), required=True)
    begins = Text(required=True, data_key="from")
    ends = Text(required=True, data_key="to")
    zone = Zone(load_default="UTC")
    spares = Several(Text(), load_default=())

    @post_load
    def make(self, data: dict[str, Any], **_: object) -> dict[str, Any]:
        """The freeze's parts, its ends read on the clocks of its zone."""
        faults: dict[str, Any] = {}
        ends = {}
        for name, key in (("begins", "from"), ("ends", "to")):
            try:
                ends[name] = zones.parse_local(data[name], data["zone"])
            except zones.LocalTimeError as error:
                faults[key] = [Fault("bad-moment", error.detail, "Write it as 2026-12-18 18:00.")]
        if not faults and ends["begins"] >= ends["ends"]:
            faults["to"] = [Fault("reversed-period", "This freeze ends before it begins.")]
        if faults:
            raise ValidationError(faults)
        services = None if EVERYTHING in data["services"] else frozenset(data["services"])
        period = Period(ends["begins"], ends["ends"])
        return {"reason": data["reason"], "period": period, "services": services, "spared": frozenset(data["spares"])}


class ExactSpan(Span):
    """A span of elapsed time, above nothing."""

    def take(self, value: Any) -> timedelta:  # type: ignore[override]  # read from a duration, but not one
        length = super().take(value)
        if length.business_days or length.end_of_day or length.business or not length.exact:
            raise fault("bad-duration", f"“{length}” is no length of elapsed time.", "Such as “15 minutes” or “90 days”.")
        return length.exact


class SearchForm(Form):
    """How free slots are looked for."""

    calendar = Name(Noun.CALENDAR, load_default=None)
    step = ExactSpan(load_default=timedelta(minutes=15))
    ahead = ExactSpan(load_default=timedelta(days=90))


class Depth(Whole):
    """How many steps along relations one change disturbs another."""

    def take(self, value: Any) -> int:
        number = super().take(value)
        if number > DEEPEST:
            raise fault("too-deep", f"Relations are followed {DEEPEST} steps at most.")
        return number


class ModelForm(Form):
    """A template of standard changes."""

    title = Text(required=True)
    description = Text(load_default="")
    filled = FieldValues(foreign=True, load_default=dict, data_key="fields")


class RuleForm(Form):
    """A row of the decision table of risk."""

    name = Text(required=True)
    condition = Cel(required=True, data_key="if")
    level = OneOf(Level, "level", required=True, data_key="risk")


class QuestionForm(Form):
    """A question about risk: the points of each answer, and what they weigh."""

    ask = Text(required=True)
    answers = Named(Text(), Whole(), "answers and points", required=True)
    weight = Whole(least=1, load_default=1)


class HistoryForm(Form):
    """What is learnt from past changes."""

    reach = ExactSpan(load_default=timedelta(days=365))
    least = Whole(least=1, load_default=5)
    moderate = Whole(load_default=10)
    high = Whole(load_default=25)


class RiskForm(Form):
    """How risk is judged."""

    rules = Several(Part(RuleForm()), load_default=())
    questions = Named(Matching(_KEY, "bad-name", "a name for a question"), Part(QuestionForm()), "questions", load_default={})
    moderate = Whole(least=1, load_default=1)
    high = Whole(least=1, load_default=1)
    history = Part(HistoryForm(), load_default=dict)


class BookForm(Form):
    """The whole file."""

    slots = Part(SearchForm(), load_default={"calendar": None})
    depth = Depth(load_default=3)
    models = Named(Matching(_KEY, "bad-name", "a name for a model"), Part(ModelForm()), "models", load_default={})
    risk = Part(RiskForm(), load_default=lambda: RiskForm().load({}))
    windows = Named(Matching(_KEY, "bad-name", "a name for a window"), Part(WindowForm()), "windows", load_default={})
    freezes = Named(Matching(_KEY, "bad-name", "a name for a freeze"), Part(FreezeForm()), "freezes", load_default={})
