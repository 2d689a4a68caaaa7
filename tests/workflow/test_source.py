"""YAML comes in as text with places, and nothing else comes in."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from itsm.workflow import source
from itsm.workflow.findings import Finding

YAMLISH = st.text(st.sampled_from("ab:-?[]{},'\"|>&*!%#@~\\/x0UN \n\t\r\0\ufeff\u2028é"), max_size=60)


def tree(text: str) -> source.Node:
    node, findings = source.parse(text, "a.yaml")
    assert node is not None, findings
    assert not findings
    return node


def refusal(text: str) -> Finding:
    node, findings = source.parse(text, "a.yaml")
    assert node is None
    (finding,) = findings
    return finding


def mapping(text: str) -> source.Mapping:
    node = tree(text)
    assert isinstance(node, source.Mapping)
    return node


@pytest.mark.parametrize(
    "word", ["on", "no", "Yes", "12:30", "1.10", "0o17", "017", "0x1F", ".nan", ".inf", "2026-12-24", "1e999", "="]
)
def test_a_scalar_stays_what_its_author_wrote(word: str) -> None:
    value = mapping(f"key: {word}")["key"]
    assert value == word
    assert isinstance(value, source.Scalar)
    assert not value.quoted


def test_a_key_is_never_a_truth_value() -> None:
    assert list(mapping("on: 1\nyes: 2\n1.0: 3")) == ["on", "yes", "1.0"]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("null", None),
        ("", None),
        ("42", 42),
        ("-7", -7),
        ("+0", 0),
        ("1.10", 1.1),
        (".5", 0.5),
        ("6.02e23", 6.02e23),
    ],
)
def test_the_core_schema_of_yaml_1_2_answers_when_it_is_asked(written: str, meant: object) -> None:
    value = mapping(f"key: {written}")["key"]
    assert isinstance(value, source.Scalar)
    assert value.core == meant
    assert type(value.core) is type(meant)


@pytest.mark.parametrize(
    "written", ["yes", "no", "on", "0o17", "0x1F", "017", ".nan", "-.inf", "1e999", "2026-12-24", "12:30", "9" * 5000]
)
def test_what_looks_like_a_number_or_a_date_to_other_readers_stays_text(written: str) -> None:
    value = mapping(f"key: {written}")["key"]
    assert isinstance(value, source.Scalar)
    assert value.core == written


@pytest.mark.parametrize("written", ["'true'", '"12"', "'~'", "''", "|\n  true"])
def test_what_is_quoted_is_text(written: str) -> None:
    value = mapping(f"key: {written}")["key"]
    assert isinstance(value, source.Scalar)
    assert isinstance(value.core, str)
    assert not value.is_null


def test_plain_values_are_what_json_would_hold() -> None:
    assert source.plain(tree("a: [1, x, ~, true]\nb: {c: '1'}")) == {"a": [1, "x", None, True], "b": {"c": "1"}}


def test_every_value_and_every_key_knows_its_place() -> None:
    node = mapping("first: 1\nsecond:\n  - a\n  - {b: c}\n")
    assert str(node.keys_at["second"]) == "a.yaml:2:1"
    assert str(source.locate(node, ["second"], key=True)) == "a.yaml:2:1"
    assert str(source.locate(node, ["second", 0])) == "a.yaml:3:5"
    assert str(source.locate(node, ["second", 1, "b"], key=True)) == "a.yaml:4:6"
    assert str(source.locate(node, ["second", 1, "b"])) == "a.yaml:4:9"


def test_a_path_that_leads_nowhere_ends_at_the_last_place_on_the_way() -> None:
    node = tree("a:\n  b: {c: 1}\n")
    assert str(source.locate(node, ["a", "b", "missing"])) == "a.yaml:2:6"
    assert str(source.locate(node, ["a", "b", "c", 3])) == "a.yaml:2:10"


@pytest.mark.parametrize(
    ("text", "begins"),
    [
        ("k: x == 1", "a.yaml:1:4"),
        ("k: 'x == 1'", "a.yaml:1:5"),
        ('k: "x == 1"', "a.yaml:1:5"),
        ("k: |\n    x == 1", "a.yaml:2:5"),
        ("k: >-\n\n  x == 1", "a.yaml:3:3"),
    ],
)
def test_a_scalar_knows_where_its_text_begins(text: str, begins: str) -> None:
    value = mapping(text)["k"]
    assert isinstance(value, source.Scalar)
    assert str(value.begins) == begins


def test_newlines_of_all_systems_and_a_byte_order_mark_make_no_difference() -> None:
    node = mapping("\ufeffa: 1\r\nb: 2\rc: 3")
    assert node == {"a": "1", "b": "2", "c": "3"}
    assert node.keys_at["c"].line == 3
    assert source.normalised("\ufeffa\r\nb\rc\n") == "a\nb\nc\n"


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("a: [1, 2", "yaml-syntax", "1:9"),
        ("a:\n\t- b", "yaml-syntax", "2:1"),
        ("a: b: c", "yaml-syntax", "1:5"),
        ('a: "\\U00110000"', "yaml-syntax", "1:1"),
        ("a: !!python/object/apply:os.system [ls]", "yaml-tag", "1:4"),
        ("a: ! b", "yaml-tag", "1:4"),
        ("- !!str 1", "yaml-tag", "1:3"),
        ("a: &x [1]", "yaml-alias", "1:4"),
        ("a: 1\nb: *x", "yaml-alias", "2:4"),
        ("%YAML 1.1\n---\na: no", "yaml-directive", "2:1"),
        ("a: 1\n---\nb: 2", "yaml-documents", "2:1"),
        ("? [a, b]\n: c", "yaml-key", "1:3"),
        ("a: \x07", "yaml-character", "1:4"),
        ('a: "\\0"', "yaml-character", "1:4"),
        ('a: "\\ud800"', "yaml-character", "1:4"),
        ("", "yaml-empty", "1:1"),
        ("# nothing but a comment\n", "yaml-empty", "1:1"),
    ],
)
def test_what_cannot_be_trusted_is_refused_at_its_place(text: str, code: str, place: str) -> None:
    finding = refusal(text)
    assert (finding.code, str(finding.at)) == (code, f"a.yaml:{place}")


def test_a_key_given_twice_is_told_and_the_first_value_kept() -> None:
    node, (finding,) = source.parse("a: 1\nb: 2\na: 3\n", "a.yaml")
    assert node == {"a": "1", "b": "2"}
    assert (finding.code, str(finding.at)) == ("duplicate-key", "a.yaml:3:1")
    assert finding.hint is not None
    assert "line 1" in finding.hint


def test_all_faults_of_form_are_told_at_once() -> None:
    _, findings = source.parse("a: !x 1\nb: 1\nb: 2\nc: &d 4\n", "a.yaml")
    assert [finding.code for finding in findings] == ["yaml-tag", "duplicate-key", "yaml-alias"]


@pytest.mark.parametrize("deep", ["[" * 3000, "- " * 3000, "{a: " * 3000, "".join(f"{' ' * n}a:\n" for n in range(3000))])
def test_depth_3000_is_refused_within_a_second(deep: str) -> None:
    began = time.process_time()
    finding = refusal(deep)
    assert finding.code in {"yaml-depth", "yaml-size"}  # the last of them is larger than a source may be
    assert time.process_time() - began < 2  # a second on an idle processor


@pytest.mark.parametrize(
    "text",
    [
        "!" * 200_000,
        "'" + "''" * 100_000 + "'",
        "#\n" * 130_000,
        "- a\n" * 60_000,
        "{a, " * 50_000,
        "a " * 130_000,
        "k" * 200_000 + ":",
    ],
    ids=["tags", "quotes", "comments", "items", "braces", "words", "a long key"],
)
def test_no_text_within_the_bounds_takes_long(text: str) -> None:
    began = time.process_time()
    source.parse(text, "a.yaml")
    assert time.process_time() - began < 3  # a second on an idle processor


def test_an_alias_bomb_does_not_go_off() -> None:
    bomb = "a: &a [x, x]\n" + "".join(
        f"{new}: &{new} [*{old}, *{old}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
    )
    node, findings = source.parse(bomb, "a.yaml")
    assert node is None
    assert {finding.code for finding in findings} == {"yaml-alias"}


def test_a_file_of_10_mb_is_refused_unread(tmp_path: Path) -> None:
    (tmp_path / "big.yaml").write_bytes(b"a: b\n" * 2_000_000)
    probe = (
        "import resource, sys, time\nfrom pathlib import Path\nfrom itsm.workflow import source\n"
        "before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()\n"
        "tree, findings = source.parse_file(Path(sys.argv[1]))\n"
        "print(tree, findings[0].code, time.process_time() - began < 1,"
        " resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024)"
    )
    run = subprocess.run([sys.executable, "-c", probe, str(tmp_path / "big.yaml")], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["None", "yaml-size", "True", "True"]


def test_a_text_of_too_many_values_is_refused() -> None:
    assert refusal("[" + "1," * source.MAX_NODES + "]").code == "yaml-size"


def test_a_file_that_is_not_utf_8_is_refused_at_the_byte(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"a: 1\nb: gr\xfc\xdfe\n")
    node, (finding,) = source.parse_file(tmp_path / "latin.yaml")
    assert node is None
    assert (finding.code, finding.at.line, finding.at.column) == ("yaml-encoding", 2, 6)


@given(YAMLISH)
@settings(deadline=None)
def test_whatever_is_written_is_a_tree_or_findings_within_the_text(text: str) -> None:
    node, findings = source.parse(text, "a.yaml")
    assert (node is not None) or findings
    lines = source.normalised(text).count("\n") + text.count("\u2028") + 1
    assert all(1 <= finding.at.line <= lines and finding.at.column >= 1 for finding in findings)
