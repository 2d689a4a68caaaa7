"""The checker is quick on the practices that come with the desk, and has no error for the example of the language.

That nothing is found in the practices is for `tests/practices` to hold.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from itsm.workflow.check import check
from itsm.workflow.definition import Workflow
from itsm.workflow.findings import Severity
from itsm.workflow.language import load_directory
from itsm.workflow.vocabulary import Vocabulary, load_vocabulary
from tests.workflow import practice

ROOT: Final = Path(__file__).parents[3]
NAMES: Final = sorted(path.stem for path in (ROOT / "workflows").glob("*.yaml"))


@cache
def shipped() -> tuple[Mapping[str, Workflow], Vocabulary]:
    vocabulary, faults = load_vocabulary(ROOT / "config", ROOT / "workflows")
    workflows, findings = load_directory(ROOT / "workflows", vocabulary)
    assert not faults
    assert not findings
    return workflows, vocabulary


@pytest.mark.parametrize("name", NAMES)
def test_a_practice_is_checked_within_half_a_second(name: str) -> None:
    workflows, vocabulary = shipped()
    begun = time.process_time()
    check(workflows, vocabulary, only=name)
    assert time.process_time() - begun < 0.5


def test_no_error_is_found_in_the_example_of_the_language() -> None:
    example = practice.loaded(practice.INCIDENT)
    findings = check({"incident": example}, practice.WORDS)
    assert [finding for finding in findings if finding.severity is Severity.ERROR] == []
    assert [finding.code for finding in findings] == ["fire-lacks-system"]
