"""A mapping is checked as a whole before anything is imported, each fault with its place and, where there is one, a mend."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from itsm.imports import mapping
from itsm.imports.opening import BadMappingError, opened_log
from itsm.platform.errors import DeskError
from itsm.platform.settings import PROJECT_ROOT
from itsm.workflow.findings import Finding
from tests.imports.desk import SAMPLES, a_mapping, mapping_of
from tests.service import configuration, practices

SAMPLE = (SAMPLES / "incidents.yaml").read_text()


def findings(text: str) -> list[Finding]:
    found, faults = mapping.load(text, "m.yaml", practices(), configuration().vocabulary)
    assert (found is None) == bool(faults)
    return faults


def only(text: str) -> Finding:
    (fault,) = findings(text)
    return fault


def line_of(text: str, words: str) -> int:
    return text[: text.index(words)].count("\n") + 1


@pytest.mark.parametrize("path", sorted((PROJECT_ROOT / "config" / "imports").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_shipped_mappings_have_no_fault(path: Path) -> None:
    assert mapping_of(path).workflow in practices()


def test_a_mapping_says_which_columns_it_reads() -> None:
    found = mapping_of(SAMPLES / "incidents.yaml")
    assert set(found.columns) == set((SAMPLES / "incidents.csv").read_text().partition("\n")[0].split(";"))


@pytest.mark.parametrize(
    ("old", "new", "code", "hint"),
    [
        ("workflow: incident", "workflow: incidnet", "unknown-workflow", "incident"),
        ("to: resolved", "to: resolvd", "unknown-state", "resolved"),
        ("trigger: resolve", "trigger: resolv", "unknown-trigger", "resolve"),
        ("roles: agent", "roles: agnet", "unknown-role", "agent"),
        ("assignee: {from: owner}", "asignee: {from: owner}", "unknown-field", "assignee"),
        ("format: csv", "format: cvs", "unknown-format", "csv"),
        ("zone: Europe/Berlin", "zone: Europe/Belrin", "unknown-zone", "Europe/Berlin"),
        ('delimiter: ";"', 'delimitr: ";"', "unknown-key", "delimiter"),
        ('delimiter: ";"', 'delimiter: ";;"', "bad-delimiter", None),
        ('"%d-%m-%Y %H:%M"', '"%H:%M"', "bad-dates", "%d-%m-%Y %H:%M"),
        ('unknown: "?"', "encoding: utf-88", "unknown-encoding", "utf-8"),
        ('unknown: "?"', "encoding: base64", "unknown-encoding", None),
        ('login: "sample-{}"', "login: sample", "bad-pattern", "acme-{}"),
        ('login: "sample-{}"', 'login: "the sample {}"', "bad-pattern", None),
        ("1 - High: extensive", "1 - High: extensiv", "bad-value", "extensive"),
        ("{pending_reason: user}", "{pending_reason: usr}", "bad-value", "user"),
        ("otherwise: fixed", "otherwise: fixd", "bad-value", "fixed"),
        ('  title: "{what}"', '  title: "{what}"\n  priority: {from: priority}', "derived-field", "compare"),
        ('  title: "{what}"', '  title: "{what}"\n  organisation: {from: team}', "kept-field", "organisation"),
        ('  title: "{what}"', '  title: "{what}"\n  duplicate_of: {from: team}', "field-type", None),
        ('  title: "{what}"', '  title: "{what}"\n  updated_at: {from: changed}', "kept-field", None),
        (
            "impact: {from: impact, values",
            'escalation_level: "{impact}"\n  impact: {from: impact, values',
            "bad-template",
            None,
        ),
        ('groups: {key: "sample-{}"}\n', "", "missing-key", None),
        ("case: ticket\n", "", "missing-key", None),
        ("status: state", "status: []", "missing-key", None),
        ("key: sample, title", 'key: "sample-{}", title', "bad-pattern", None),
        ("Limbo: Nobody", "New: Nobody", "double-status", None),
        ("New: {to: new}", "New: {to: =, trigger: assign}", "misplaced-key", None),
        ("New: {to: new}", "New: {to: new, opens: {workflow: problem, title: x, link: causes}}", "unknown-link", "caused_by"),
        ("assignee: {from: owner}", "assignee: {from: owner, values: {Anna: a n n a}}", "bad-key", None),
        ("import: sample-desk", "import: Sample Desk", "bad-name", None),
    ],
)
def test_a_fault_is_told_with_its_place_and_a_mend(old: str, new: str, code: str, hint: str | None) -> None:
    assert old in SAMPLE
    fault = only(SAMPLE.replace(old, new))
    assert fault.code == code
    assert fault.at.file == "m.yaml"
    if hint is not None:
        assert hint in (fault.hint or "")


def test_the_place_of_a_fault_is_that_of_the_word_at_fault() -> None:
    text = SAMPLE.replace("to: resolved", "to: resolvd")
    fault = only(text)
    assert (fault.at.line, fault.at.column) == (line_of(text, "resolvd"), 9)


def test_all_faults_are_told_at_once_in_the_order_of_the_file() -> None:
    text = SAMPLE.replace("Europe/Berlin", "Nowhere").replace("to: on_hold", "to: on_hlod").replace("by: by", "buy: by")
    told = findings(text)
    assert {fault.code for fault in told} == {"unknown-zone", "missing-key", "unknown-key", "unknown-state"}
    assert all(one.at.line <= other.at.line for one, other in pairwise(told))


def test_text_that_is_no_yaml_is_a_fault_too() -> None:
    assert only("import: [").code.startswith("yaml-")
    assert only("- a\n- b\n").code == "wrong-type"


def test_columns_that_a_table_lacks_are_told_where_the_mapping_names_them(tmp_path: Path) -> None:
    found = a_mapping(tmp_path / "m.yaml", SAMPLE.replace("from: owner", "from: ownr").replace('"{what}"', '"{wat}"'))
    with pytest.raises(BadMappingError) as refused, opened_log(SAMPLES / "incidents.csv", found):
        pass
    told = {fault.message: fault for fault in refused.value.findings}
    assert set(told) == {"The log has no column “ownr”.", "The log has no column “wat”."}
    owner = told["The log has no column “ownr”."]
    assert owner.hint == "Did you mean “owner”?"
    assert (owner.at.line, owner.at.column) == (line_of(SAMPLE, "assignee: {from"), 20)


def test_a_mapping_that_is_not_there_is_said_to_be_not_there(tmp_path: Path) -> None:
    with pytest.raises(DeskError) as refused:
        mapping_of(tmp_path / "none.yaml")
    assert refused.value.code == "no_such_mapping"
