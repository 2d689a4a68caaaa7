"""docs/importing.md tells every key of a mapping and every code; what it does not tell fails here."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from marshmallow import Schema, fields

from itsm.imports import grammar, mapping
from itsm.imports.grammar import MappingForm
from itsm.platform.settings import PROJECT_ROOT
from itsm.tickets import judging
from itsm.workflow.reading.compounds import Named, Part
from tests.service import configuration, practices

PAGE = (PROJECT_ROOT / "docs" / "importing.md").read_text()
MAKERS = {"Fault", "fault", "Finding", "error", "unreadable", "DeskError", "_refused", "_fault", "_CaseError", "Matching"}
SOURCES = [*(PROJECT_ROOT / "itsm" / "imports").glob("*.py"), PROJECT_ROOT / "itsm" / "tickets" / "telling.py"]


def keys(form: Schema) -> set[str]:
    found = set()
    for name, entry in form.load_fields.items():
        found.add(entry.data_key or name)
        found |= inner(entry)
    return found


def inner(entry: fields.Field[object]) -> set[str]:
    if isinstance(entry, Part):
        return keys(entry.form)
    if isinstance(entry, Named):
        return inner(entry.entry)
    return set()


@pytest.mark.parametrize("key", sorted(keys(MappingForm()) | set(grammar.FromColumnForm().load_fields) - {"column"}))
def test_every_key_of_a_mapping_is_told(key: str) -> None:
    assert re.search(rf"[`{{ ]{key}[`:]", PAGE)


def codes(path: Path) -> set[str]:
    """What is given as a code somewhere: a word among the arguments of a call that makes a fault, or the first of a pair."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and called(node) in MAKERS:
            found |= {word for argument in node.args for word in words(argument)}
        elif isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple):
            found |= words(node.value.elts[0])
    return found


def called(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else call.func.attr if isinstance(call.func, ast.Attribute) else ""


def words(node: ast.expr) -> set[str]:
    return {
        part.value
        for part in ast.walk(node)
        if isinstance(part, ast.Constant)
        and isinstance(part.value, str)
        and re.fullmatch("[a-z]+([_-][a-z]+)+|nul", part.value)
    }


def test_every_code_of_a_fault_is_told() -> None:
    told = set(re.findall(r"`([a-z_-]+)`", PAGE))
    used = set().union(*map(codes, SOURCES))
    assert len(used) > 35
    assert used <= told


@pytest.mark.parametrize("code", [judging.NO_MEANING, judging.NO_WAY, judging.ELSEWHERE])
def test_every_code_of_a_refusal_of_its_own_is_told(code: str) -> None:
    assert f"`{code}`" in PAGE


def test_the_example_is_sound(tmp_path: Path) -> None:
    (example,) = [block for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if block.startswith("import:")]
    found, findings = mapping.load(example, "page", practices(), configuration().vocabulary)
    assert found is not None, findings
