"""docs/catalog.md describes every key and type there is, and its example is a catalogue that works."""

from __future__ import annotations

from typing import Any

import pytest
from marshmallow import Schema

from itsm.catalog import grammar, reading, rules
from itsm.catalog.codes import MEANINGS
from itsm.catalog.definition import QuestionType
from itsm.catalog.scope import REQUESTER
from itsm.platform.settings import PROJECT_ROOT
from tests.catalog.world import NOW, a_person
from tests.docs.pages import page
from tests.service import configuration, practices

PAGE = page("catalog.md")


def words(heading: str) -> set[str]:
    return {word for row in PAGE.section(heading).splitlines() for word in row.split("`")[1::2]}


def test_the_example_of_the_page_is_sound_and_can_be_ordered() -> None:
    text, bundle = PAGE.blocks("yaml")
    catalog, findings = reading.load_text(text, configuration().vocabulary)
    assert [finding.message for finding in findings] == []
    answers: dict[str, Any] = {"kind": "office", "model": "light", "address": "Room 3"}
    filled = rules.fill(catalog.items["laptop"], a_person(organisation="acme"), answers, NOW)
    assert filled.errors == ()
    catalog, findings = reading.load_text(text + bundle, configuration().vocabulary)
    assert [finding.message for finding in findings] == []
    assert set(catalog.items["starter"].after) == {"badge", "laptop", "second", "welcome"}


@pytest.mark.parametrize(
    ("heading", "form", "unsaid"),
    [
        ("Items", grammar.ItemForm, {"offered_to", "denied_to"}),
        ("Items", grammar.PriceForm, set()),
        ("Questions", grammar.QuestionForm, {"type"}),
        ("Bundles", grammar.PartForm, set()),
        ("Who may order", grammar.OfferForm, set()),
    ],
)
def test_every_key_is_described(heading: str, form: type[Schema], unsaid: set[str]) -> None:
    keys = {entry.data_key or name for name, entry in form().load_fields.items()}
    assert keys - unsaid <= words(heading)


def test_every_type_and_every_name_of_expressions_is_described() -> None:
    assert set(QuestionType) | {f"requester.{name}" for name in REQUESTER} <= words("Questions")


def test_every_code_is_described_and_no_other() -> None:
    assert words("What the checker finds") >= set(MEANINGS)
    rows = [line for line in PAGE.section("What the checker finds").splitlines() if line.startswith("| `")]
    assert len(rows) == len(MEANINGS)


def test_the_shipped_catalogue_is_sound_with_the_shipped_workflows() -> None:
    catalog, findings = reading.load_directory(PROJECT_ROOT / "config" / "catalog", configuration().vocabulary, practices())
    assert [f"{finding.at}: {finding.message}" for finding in findings] == []
    assert len(catalog.items) >= 20
    assert {question.type for item in catalog.items.values() for question in item.questions} == set(QuestionType)
