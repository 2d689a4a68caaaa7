"""docs/workflow-language.md names every word of the language, and every example on it is read and proved."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import pytest
from marshmallow import Schema

from itsm.platform.settings import PROJECT_ROOT
from itsm.tickets import cascades, moves
from itsm.workflow import grammar, language, scenario, source
from itsm.workflow.actions import BUILTIN_ACTIONS, ENTRY_POINTS
from itsm.workflow.builtin import BUILTIN_FIELDS
from itsm.workflow.builtin_actions import RECIPIENTS
from itsm.workflow.case import Why
from itsm.workflow.check import check
from itsm.workflow.definition import RELATIONS, Category, Expression, FieldType, Position, Workflow
from itsm.workflow.engine import Process
from itsm.workflow.expression import Compiled, compile
from itsm.workflow.scope import FUNCTIONS, LINK_KINDS, Scope
from itsm.workflow.vocabulary import event_names, load_vocabulary
from tests.docs.pages import page

PAGE: Final = page("workflow-language.md")
VOCABULARY = replace(load_vocabulary(PROJECT_ROOT / "config", PROJECT_ROOT / "workflows")[0], webhooks=frozenset({"inventory"}))
SHIPPED, _ = language.load_directory(PROJECT_ROOT / "workflows", VOCABULARY)
WHOLE, *CHANGES = PAGE.blocks("yaml")


def _plain(text: str) -> dict[str, Any]:
    node, findings = source.parse(text, "example.yaml")
    assert isinstance(node, source.Mapping), findings
    value = source.plain(node)
    assert isinstance(value, dict)
    return value


def _changed(change: str) -> str:
    """The page's practice with the entries of an example; a list of actions is done when a loan is extended."""
    whole, other = _plain(WHOLE), _plain(change)
    if "do" in other:
        whole["transitions"]["extend"][0]["do"] = other["do"]
        return json.dumps(whole, default=str)
    for key, value in other.items():
        whole[key] = {**whole[key], **value} if isinstance(value, Mapping) else value
    return json.dumps(whole, default=str)


def _loaded(text: str) -> Workflow:
    workflow, findings = language.load(text, "example.yaml", VOCABULARY)
    assert workflow is not None, [str(finding) for finding in findings]
    return workflow


def _words(text: str) -> set[str]:
    return {word for row in text.splitlines() for word in row.split("`")[1::2]}


def test_the_practice_of_the_page_is_sound() -> None:
    workflow = _loaded(WHOLE)
    assert [(finding.code, finding.message) for finding in check({**SHIPPED, "loan": workflow}, VOCABULARY, only="loan")] == []
    assert all(outcome.passed for outcome in scenario.run_all(Process(workflow, VOCABULARY)))


@pytest.mark.parametrize("change", CHANGES, ids=[f"{number}: {text[:24].strip()}" for number, text in enumerate(CHANGES, 2)])
def test_every_other_example_is_sound_in_it(change: str) -> None:
    workflow = _loaded(_changed(change))
    findings = check({**SHIPPED, "loan": workflow}, VOCABULARY, only="loan")
    assert [(finding.code, finding.message) for finding in findings if finding.severity == "error"] == []


@pytest.mark.parametrize("text", PAGE.blocks("cel")[0].splitlines())
def test_every_expression_on_the_page_is_one(text: str) -> None:
    found = compile(Expression(text, Position("example.yaml", 1, 1)), Scope.of(_loaded(WHOLE), VOCABULARY))
    assert isinstance(found, Compiled), found


@pytest.mark.parametrize("action", BUILTIN_ACTIONS)
def test_every_action_has_a_section_with_its_arguments_and_an_example(action: str) -> None:
    section = PAGE.section(f"`{action}`")
    assert f"{action}:" in section
    spec = BUILTIN_ACTIONS[action]
    if spec.bare in ("values", "fields"):
        return  # what is written is the argument itself
    arguments = {entry.data_key or name for name, entry in spec.schema.load_fields.items()}
    assert arguments <= _words(section)


@pytest.mark.parametrize(
    ("heading", "form"),
    [
        ("How a file is read", grammar.WorkflowForm),
        ("Fields", grammar.FieldForm),
        ("States", grammar.StateForm),
        ("Transitions", grammar.BranchForm),
        ("Timers", grammar.TimerForm),
        ("Reactions", grammar.RuleForm),
        ("Scenarios", grammar.StepForm),
    ],
)
def test_every_key_is_described(heading: str, form: type[Schema]) -> None:
    keys = {entry.data_key or name for name, entry in form().load_fields.items()}
    assert keys <= _words(PAGE.section(heading))


def test_what_a_scenario_may_give_and_expect_is_described() -> None:
    words = _words(PAGE.section("Scenarios"))
    for key, form in (("given", grammar.GivenForm), ("expect", grammar.ExpectForm)):
        assert {f"{key}.{entry.data_key or name}" for name, entry in form().load_fields.items()} <= words


def test_types_and_categories_and_built_in_fields_are_described() -> None:
    assert set(FieldType) | set(BUILTIN_FIELDS) <= _words(PAGE.section("Fields"))
    assert set(Category) <= _words(PAGE.section("States"))


def test_everybody_whom_rules_and_messages_can_mean_is_described() -> None:
    assert RELATIONS | {"system"} <= _words(PAGE.section("Who: `by`, `edit`, `see`"))
    assert set(RECIPIENTS) <= _words(PAGE.section("Actions"))


def test_every_variable_and_function_of_expressions_is_described() -> None:
    words = _words(PAGE.section("Expressions"))
    declared = {f"ticket.{name}" for name in [*_loaded(WHOLE).fields, *BUILTIN_FIELDS]}
    links = {f"links.{kind}" for kind in LINK_KINDS}
    assert set(Scope.of(_loaded(WHOLE), VOCABULARY).variables) - declared - links <= words
    assert FUNCTIONS | set(LINK_KINDS) <= words


def test_every_event_is_described() -> None:
    assert event_names(["TYPE"]) <= _words(PAGE.section("Reactions"))


def test_every_reason_of_a_refusal_is_described() -> None:
    assert set(Why) <= _words(PAGE.section("What firing one means"))


def test_where_loops_are_cut_is_told_as_it_is() -> None:
    order = PAGE.section("Order")
    assert f"after **{moves.MOST_REACTIONS}** reactions" in order
    assert f"passed on **{cascades.MOST_HOPS}** times" in order


def test_how_actions_are_added_is_told() -> None:
    assert f"`{ENTRY_POINTS}`" in PAGE.section("Adding one")
