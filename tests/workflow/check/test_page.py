"""The page about findings is complete, and every example on it is true."""

from __future__ import annotations

import re

import pytest

from itsm.workflow.check import RULES, check
from itsm.workflow.codes import MEANINGS
from itsm.workflow.findings import Severity
from tests.workflow.check.bench import PAGE, WORDS, blocks, codes, errand

SECTIONS = dict(re.findall(r"^### (\S+ \(\w+\))\n(.*?)(?=^##|\Z)", PAGE.read_text(), re.MULTILINE | re.DOTALL))
EXAMPLES = {heading.split()[0]: list(blocks(text)) for heading, text in SECTIONS.items()}
OF_EXPRESSIONS = {
    *("expression-syntax", "expression-unknown-name", "expression-type", "expression-unknown-value", "expression-too-costly"),
    *("bad-default", "derived-field", "derivation-circle"),
}


def test_every_rule_has_a_section_that_says_how_grave_it_is() -> None:
    assert list(SECTIONS) == [f"{rule.code} ({rule.severity})" for rule in sorted(RULES.values(), key=_place)]


def _place(rule: object) -> int:
    return [heading.split()[0] for heading in SECTIONS].index(getattr(rule, "code", ""))


def test_every_fault_of_form_and_of_expressions_has_a_line() -> None:
    lines = set(re.findall(r"^\| `([a-z-]+)` \|", PAGE.read_text(), re.MULTILINE))
    assert lines == set(MEANINGS) | OF_EXPRESSIONS


def test_nothing_is_found_in_the_practice_of_the_page() -> None:
    assert check({"errand": errand()}, WORDS) == []


@pytest.mark.parametrize("code", sorted(RULES.keys() - {"too-complex"}))
def test_the_example_of_each_rule_is_found(code: str) -> None:
    assert code in codes(EXAMPLES[code][0])


@pytest.mark.parametrize("code", sorted(RULES.keys() - {"too-complex"}))
def test_what_mends_it_mends_it_and_breaks_nothing_else(code: str) -> None:
    assert codes(EXAMPLES[code][1]) == []


FOLLOWS = {"condition-never-holds": {"unreachable-state", "no-way-to-closed"}}
"""What follows from a transition that can never be made."""


@pytest.mark.parametrize("code", sorted(RULES.keys() - {"too-complex"}))
def test_an_example_shows_one_fault_and_perhaps_what_follows_from_it(code: str) -> None:
    errors = [other for other in codes(EXAMPLES[code][0]) if RULES[other].severity is Severity.ERROR]
    assert set(errors) <= {code, *FOLLOWS.get(code, ())}
