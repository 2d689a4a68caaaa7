"""The page about findings tells of every rule of promises, and every example on it is true."""

from __future__ import annotations

import re
from typing import Final

import pytest

from itsm.sla.check import RULES
from itsm.workflow.findings import Severity
from tests.sla.check.bench import found, spoilt
from tests.workflow.check.bench import PAGE, blocks

_TEXT: Final = PAGE.read_text().partition("\n## Promises\n")[2]
SECTIONS: Final = dict(re.findall(r"^#### (\S+ \(\w+\))\n(.*?)(?=^##|\Z)", _TEXT, re.MULTILINE | re.DOTALL))
EXAMPLES: Final = {heading.split()[0]: list(blocks(text)) for heading, text in SECTIONS.items()}
WHOLE: Final = next(blocks(_TEXT))


def codes(changes: str) -> list[str]:
    """The codes of what is found in the promise of the page with these changes, each once."""
    return list(dict.fromkeys(finding.code for finding in found(spoilt(WHOLE, changes))))


def test_every_rule_has_a_section_that_says_how_grave_it_is() -> None:
    assert set(SECTIONS) == {f"{rule.code} ({rule.severity})" for rule in RULES.values()}


def test_nothing_is_found_in_the_promise_of_the_page() -> None:
    assert found(WHOLE) == []


@pytest.mark.parametrize("code", sorted(RULES))
def test_the_example_of_each_rule_is_found(code: str) -> None:
    assert code in codes(EXAMPLES[code][0])


@pytest.mark.parametrize("code", sorted(RULES))
def test_what_mends_it_leaves_no_error_and_none_of_its_kind(code: str) -> None:
    after = codes(EXAMPLES[code][1])
    assert code not in after
    assert [other for other in after if RULES[other].severity is Severity.ERROR] == []


FOLLOWS: Final = {"clock-always-paused": {"clock-never-starts"}}


@pytest.mark.parametrize("code", sorted(RULES))
def test_an_example_shows_one_fault(code: str) -> None:
    errors = {other for other in codes(EXAMPLES[code][0]) if RULES[other].severity is Severity.ERROR}
    assert errors <= {code, *FOLLOWS.get(code, ())}
