"""A small sound promise about the errands of docs/findings.md, ways to spoil it, and what the checker says then."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from itsm.sla.check import check
from itsm.sla.policy import Agreement
from itsm.sla.reading import load_agreement
from itsm.workflow import source
from itsm.workflow.definition import Workflow
from itsm.workflow.findings import Finding
from itsm.worktime.calendar import Calendar, always
from itsm.worktime.intervals import Interval
from tests.workflow.check import bench
from tests.worktime.build import a_calendar

_DAY: Final = (Interval.parse("09:00-17:00"),)
_LONG: Final = (Interval.parse("07:00-20:00"),)

CALENDARS: Final = {
    "office-hours": Calendar("office-hours", "UTC", (*(_DAY,) * 5, (), ())),
    "long-hours": Calendar("long-hours", "UTC", (*(_LONG,) * 5, (), ())),
    "never": Calendar("never", "UTC", ((),) * 7),
    "once": a_calendar("UTC", {}, exceptions={"2026-12-24": ["08:00-12:00"]}),
    "seldom": a_calendar("UTC", {"mon": ["08:00-08:01"]}, standard=timedelta(hours=8)),
    "always": always(),
}
WORDS: Final = replace(bench.WORDS, calendars=frozenset(CALENDARS), workflows=frozenset({"errand", "parcel"}))

PARCEL: Final = """\
workflow: parcel
fields:
  weight: {type: choice, choices: [light, heavy], default: light}
  reason: {type: choice, choices: [customs]}
states:
  posted:    {category: new}
  delivered: {category: closed}
initial: posted
transitions:
  deliver: [{from: posted, to: delivered, by: [agent, system]}]
  weigh:   [{from: posted, to: =, by: [agent], require: [weight]}]
"""


def practices(changes: str = "") -> dict[str, Workflow]:
    """The errand of the page with these changes."""
    return {"errand": bench.errand(changes)}


def both() -> dict[str, Workflow]:
    """Errands and parcels."""
    return {**practices(), "parcel": bench.loaded(PARCEL, WORDS)}


def promised(text: str, workflows: Mapping[str, Workflow] | None = None) -> Agreement:
    """The agreement of a text in which the reader finds nothing."""
    agreement, findings = load_agreement(text, "sla.yaml", WORDS, workflows or practices(), CALENDARS, {})
    assert agreement is not None, findings
    assert findings == []
    return agreement


def found(text: str, workflows: Mapping[str, Workflow] | None = None) -> list[Finding]:
    """What the checker says of these promises."""
    about = workflows or practices()
    return check(promised(text, about), about, WORDS)


def told(text: str, workflows: Mapping[str, Workflow] | None = None) -> list[str]:
    """The codes of what it says, each with its line."""
    return [f"{finding.at.line} {finding.code}" for finding in found(text, workflows)]


def sentence(code: str, text: str, workflows: Mapping[str, Workflow] | None = None) -> str:
    """What it says under one code, and it says it once."""
    said = [finding for finding in found(text, workflows) if finding.code == code]
    assert len(said) == 1, found(text, workflows)
    return said[0].message


def policy(**changes: str | None) -> str:
    """One policy in which nothing is found, each key on a line of its own; keys are replaced, added, or (None) left out.

    The lines are: sla 1, calendar 2, stop 3, goals 4, thresholds 5, and what is added from there on.
    """
    keys: dict[str, str | None] = {
        "calendar": "office-hours",
        "stop": "{when: \"ticket.category in ['resolved', 'closed']\"}",
        "goals": "[{target: 2 business days}]",
        "thresholds": "[{at: 75%, do: [{notify: {to: assignee, template: reminder}}]}]",
        **{key.rstrip("_"): value for key, value in changes.items()},
    }
    return "- sla: answer\n" + "".join(f"  {key}: {value}\n" for key, value in keys.items() if value is not None)


def spoilt(whole: str, changes: str) -> str:
    """The promises of the page with an example: keys change the first policy (`null` takes one out), a list adds others."""
    policies: list[Any] = _plain(whole)
    other = _plain(changes)
    if isinstance(other, list):
        return json.dumps([*policies, *other])
    merged = {**policies[0], **other}
    return json.dumps([{key: value for key, value in merged.items() if value is not None}, *policies[1:]])


def _plain(text: str) -> Any:
    node, findings = source.parse(text, "sla.yaml")
    assert node is not None, findings
    return source.plain(node)
