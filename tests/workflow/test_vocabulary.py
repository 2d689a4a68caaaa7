"""The vocabulary: what the files of an installation give a practice to talk about."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from itsm.workflow.findings import Finding
from itsm.workflow.vocabulary import Matrix, Vocabulary, event_names, load_vocabulary, workflow_names
from tests.workflow.practice import INCIDENT, SMALL, marked

HERE = Path(__file__).parents[2]


def installation(directory: Path, config: Mapping[str, str]) -> tuple[Vocabulary, list[Finding]]:
    """What is read of a directory with these files."""
    (directory / "config").mkdir()
    (directory / "workflows").mkdir()
    for name, text in config.items():
        (directory / "config" / name).write_text(text)
    return load_vocabulary(directory / "config", directory / "workflows")


def fault(directory: Path, name: str, text: str) -> tuple[str, str]:
    """Code and place of the only finding of one file."""
    _, (finding,) = installation(directory, {name: text})
    assert finding.at.file == str(directory / "config" / name)
    return finding.code, f"{finding.at.line}:{finding.at.column}"


def test_an_installation_without_files_has_the_words_of_the_language_alone(tmp_path: Path) -> None:
    words, findings = installation(tmp_path, {})
    assert not findings
    assert words.actors == {"requester", "assignee", "group", "approver", "watcher", "agent", "system"}
    assert "set" in words.actions
    assert words.groups is None


def test_roles_hold_what_they_include_however_far(tmp_path: Path) -> None:
    text = "requester: {}\nagent: {includes: requester}\nlead: {title: Team lead, includes: [agent], may: [ticket.work]}\n"
    words, findings = installation(tmp_path, {"roles.yaml": text})
    assert not findings
    assert words.roles_of("lead") == {"lead", "agent", "requester"}
    assert words.roles_of("requester") == {"requester"}
    assert words.roles_of("unheard_of") == {"unheard_of"}


def test_roles_that_include_each_other_end_somewhere(tmp_path: Path) -> None:
    words, _ = installation(tmp_path, {"roles.yaml": "a: {includes: [b]}\nb: {includes: [a]}\n"})
    assert words.roles_of("a") == words.roles_of("b") == {"a", "b"}


def test_a_matrix_has_a_value_for_each_pair(tmp_path: Path) -> None:
    text = "priority: {rows: impact, columns: urgency, cells: {wide: {soon: p1, later: p2}, small: {soon: p2, later: no}}}"
    words, findings = installation(tmp_path, {"priority.yaml": text})
    assert not findings
    cells = {("wide", "soon"): "p1", ("wide", "later"): "p2", ("small", "soon"): "p2", ("small", "later"): "no"}
    assert words.matrices == {"priority": Matrix("priority", ("impact", "urgency"), cells)}


def test_templates_and_calendars_are_known_by_name(tmp_path: Path) -> None:
    templates = 'resolved-at-last: {subject: "[{ticket.number}]", body: "Hello {recipient.name}"}\ncsat: {body: How was it?}\n'
    calendars = "office-hours: {zone: Europe/Berlin, anything: else}\n"
    words, findings = installation(tmp_path, {"templates.yaml": templates, "calendars.yaml": calendars})
    assert not findings
    assert words.templates == {"resolved-at-last", "csat"}
    assert words.calendars == {"office-hours"}


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("roles.yaml", "▸- agent", "wrong-type"),
        ("roles.yaml", "lead: {includes: [▸agnet]}\nagent: {}", "unknown-role"),
        ("roles.yaml", "lead: {▸include: [agent]}", "unknown-key"),
        ("roles.yaml", "▸Team lead: {}", "bad-name"),
        ("roles.yaml", "lead: {}\n▸lead: {}", "duplicate-key"),
        ("priority.yaml", "p: {rows: a, columns: b, cells: {x: {one: 1, two: 2}, y: ▸{one: 1}}}", "matrix-gap"),
        ("priority.yaml", "p: ▸{rows: a, cells: {x: {one: 1}}}", "missing-key"),
        ("priority.yaml", "p: {rows: a, columns: b, cells: {x: {one: ▸[1]}}}", "wrong-type"),
        ("templates.yaml", "t: ▸{subject: Hello}", "missing-key"),
        ("templates.yaml", 't: {body: ▸"Hello {name}"}', "unknown-placeholder"),
        ("templates.yaml", 't: {body: ▸"{recipient.__class__}"}', "unknown-placeholder"),
        ("calendars.yaml", "▸Bürozeit: {}", "bad-name"),
        ("calendars.yaml", "office: ▸!!python/none x", "yaml-tag"),
    ],
)
def test_a_fault_in_a_file_is_told_at_its_place(tmp_path: Path, name: str, text: str, code: str) -> None:
    text, place = marked(text)
    assert fault(tmp_path, name, text) == (code, place)


def test_a_misspelt_placeholder_is_told_with_the_one_that_was_meant(tmp_path: Path) -> None:
    _, (finding,) = installation(tmp_path, {"templates.yaml": 't: {body: "{ticket.nummer}"}'})
    assert finding.hint == "Did you mean “ticket.number”?"


def test_a_faulty_file_takes_nothing_from_the_others(tmp_path: Path) -> None:
    words, findings = installation(tmp_path, {"roles.yaml": "[", "calendars.yaml": "office-hours: {}\n"})
    assert [finding.code for finding in findings] == ["yaml-syntax"]
    assert words.calendars == {"office-hours"}


def test_the_workflows_of_a_directory_are_known_by_what_they_declare(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text("# workflow: not this\n" + INCIDENT)
    (tmp_path / "two.yaml").write_text(SMALL.replace("workflow: x", 'title: "X"\nworkflow: "x"'))
    (tmp_path / "broken.yaml").write_text("workflow: half_done\nstates: [")
    (tmp_path / "empty.yaml").write_text("")
    assert workflow_names(tmp_path) == {"incident", "x", "half_done"}


def test_events_are_named_after_what_stands_near_the_ticket() -> None:
    events = event_names({"problem"})
    assert {"created", "requester_replied", "approved", "tasks_done"} <= events
    assert {"parent_closed", "parent_resolved", "child_resolved", "linked_problem_resolved"} <= events
    assert "linked_change_closed" not in events
    assert not any(event.endswith("_new") for event in events)


def test_the_configuration_that_is_delivered_has_no_fault() -> None:
    words, findings = load_vocabulary(HERE / "config", HERE / "workflows")
    assert not findings
    assert words.workflows
    assert words.matrices["priority"].axes == ("impact", "urgency")
