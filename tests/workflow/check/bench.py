"""A small sound practice, ways to spoil it, and what the checker says then."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from itsm.workflow import language, source
from itsm.workflow.check import check
from itsm.workflow.check.subject import Subject
from itsm.workflow.definition import Workflow
from itsm.workflow.findings import Finding
from itsm.workflow.vocabulary import Matrix, Vocabulary

WORDS: Final = Vocabulary(
    roles=frozenset({"requester", "agent", "lead", "clerk"}),
    templates=frozenset({"reminder"}),
    calendars=frozenset({"office-hours"}),
    matrices={
        "priority": Matrix(
            "priority",
            ("impact", "urgency"),
            {("high", "high"): "p1", ("high", "low"): "p2", ("low", "high"): "p2", ("low", "low"): "p3"},
        )
    },
    workflows=frozenset({"errand"}),
    includes={
        "requester": frozenset(),
        "agent": frozenset({"requester"}),
        "lead": frozenset({"agent", "requester"}),
        "clerk": frozenset({"requester"}),
    },
)

PAGE: Final = Path(__file__).parents[3] / "docs" / "findings.md"


@cache
def _errand() -> dict[str, Any]:
    """The practice that docs/findings.md changes in its examples."""
    found: dict[str, Any] = plain(next(blocks(PAGE.read_text())))
    return found


def blocks(markdown: str) -> Iterator[str]:
    """The YAML examples of a page."""
    return (match[1] for match in re.finditer(r"^```yaml\n(.*?)^```", markdown, re.MULTILINE | re.DOTALL))


def plain(text: str) -> dict[str, Any]:
    """YAML as plain values."""
    node, findings = source.parse(text, "x.yaml")
    assert isinstance(node, source.Mapping), findings
    value = source.plain(node)
    assert isinstance(value, dict)
    return value


def errand(changes: str = "") -> Workflow:
    """The practice with these changes: entries replace those of the same name, `null` takes one out."""
    whole: dict[str, Any] = {}
    other = plain(changes) if changes.strip() else {}
    for key in dict.fromkeys([*_errand(), *other]):
        mine, theirs = _errand().get(key), other.get(key)
        merged = {**(mine or {}), **theirs} if isinstance(theirs, Mapping) else mine if key not in other else theirs
        whole[key] = (
            {name: value for name, value in merged.items() if value is not None} if isinstance(merged, dict) else merged
        )
    return loaded(json.dumps(whole))


def loaded(text: str, words: Vocabulary = WORDS) -> Workflow:
    """The workflow of a text in which the reader finds nothing."""
    workflow, findings = language.load(text, "x.yaml", words)
    assert workflow is not None, findings
    return workflow


def found(changes: str = "") -> list[Finding]:
    """What the checker says of the practice with these changes."""
    workflow = errand(changes)
    return check({workflow.name: workflow}, WORDS)


def codes(changes: str = "") -> list[str]:
    """The codes of what it says, each once."""
    return list(dict.fromkeys(finding.code for finding in found(changes)))


def sentence(code: str, changes: str) -> str:
    """What it says under one code, and it says it once."""
    said = [finding for finding in found(changes) if finding.code == code]
    assert len(said) == 1, found(changes)
    return said[0].message


def subject(changes: str = "") -> Subject:
    """The practice with these changes, under examination."""
    return Subject(errand(changes), WORDS)
