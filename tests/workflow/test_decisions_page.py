"""The page about decisions leaves nothing out: every code, name, function, field and type that there is stands on it."""

from __future__ import annotations

from pathlib import Path

from itsm.workflow.builtin import BUILTIN_FIELDS, LONGEST
from itsm.workflow.case import Why
from itsm.workflow.definition import FieldType
from itsm.workflow.limits import TEXT_MAX
from itsm.workflow.rehearsal import TIMERS_MAX
from itsm.workflow.scope import FUNCTIONS, LINK_KINDS
from itsm.workflow.values import MARKDOWN_MAX
from itsm.workflow.values import TEXT_MAX as FIELD_MAX
from tests.workflow.builders import the_scope

PAGE = (Path(__file__).parents[2] / "docs" / "decisions.md").read_text()


def test_every_reason_for_a_refusal_is_described_in_its_order() -> None:
    places = [PAGE.index(f"| `{why}` |") for why in Why]
    assert places == sorted(places)


def test_every_built_in_field_and_every_type_is_described() -> None:
    for field in BUILTIN_FIELDS.values():
        assert f"| `{field.name}` | {field.type}" in PAGE
    for type_ in FieldType:
        assert f"`{type_}`" in PAGE


def test_every_name_and_function_of_expressions_is_described() -> None:
    for name in the_scope().variables:
        root, _, rest = name.partition(".")
        assert root == "ticket" or f"`{name}`" in PAGE or (root == "links" and rest in PAGE), name
    assert ", ".join(LINK_KINDS) in PAGE
    assert all(f"`{function}`" in PAGE for function in FUNCTIONS)


def test_every_bound_is_told_as_it_is() -> None:
    bounds = (LONGEST["title"], LONGEST["description"], FIELD_MAX, MARKDOWN_MAX, TEXT_MAX, TIMERS_MAX)
    assert all(f"{bound:,}" in PAGE for bound in bounds)
