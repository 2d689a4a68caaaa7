"""CSV is read row by row and given back case by case; a bad row fails its own case and no other."""

from __future__ import annotations

import gzip
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from itsm.imports import table
from itsm.imports.log import Fault, SourceCase
from itsm.imports.stream import opened
from itsm.imports.table import TableLog
from itsm.platform.errors import DeskError


def read(
    tmp_path: Path, text: str | bytes, *, unknown: str = "?", delimiter: str = ",", encoding: str = "utf-8"
) -> list[SourceCase | Fault]:
    path = tmp_path / "log.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with opened(path) as stream:
        return list(TableLog(stream, "log.csv", "case", frozenset({unknown}), delimiter, encoding).cases())


def cases_of(found: list[SourceCase | Fault]) -> dict[str, SourceCase]:
    return {case.id: case for case in found if isinstance(case, SourceCase)}


def refusal(tmp_path: Path, text: str | bytes) -> DeskError:
    with pytest.raises(DeskError) as refused:
        read(tmp_path, text)
    return refused.value


def test_rows_of_a_case_need_not_stand_together(tmp_path: Path) -> None:
    found = cases_of(read(tmp_path, "case,state\nB,new\nA,new\nB,done\nA,done\n"))
    assert list(found) == ["B", "A"]
    assert [event.values["state"] for event in found["B"].events] == ["new", "done"]
    assert [event.line for event in found["B"].events] == [2, 4]


def test_unknown_and_empty_cells_leave_no_value(tmp_path: Path) -> None:
    found = cases_of(read(tmp_path, "case,state,who\nA,?,\n"))
    assert found["A"].events[0].values == {"case": "A"}


def test_a_cell_may_hold_the_delimiter_quotes_and_lines(tmp_path: Path) -> None:
    found = cases_of(read(tmp_path, 'case,note\nA,"one, ""two""\nthree"\nB,x\n'))
    assert found["A"].events[0].values["note"] == 'one, "two"\nthree'
    assert found["B"].events[0].line == 4


def test_other_delimiters_and_encodings_are_read(tmp_path: Path) -> None:
    found = cases_of(read(tmp_path, "case;who\nA;Göran\n".encode("latin-1"), delimiter=";", encoding="latin-1"))
    assert found["A"].events[0].values["who"] == "Göran"
    marked = cases_of(read(tmp_path, "\ufeffcase,who\nA,Göran\n"))
    assert list(marked) == ["A"]


def test_a_row_with_too_few_or_too_many_cells_fails_its_case_and_no_other(tmp_path: Path) -> None:
    found = cases_of(read(tmp_path, "case,state\nA,new\nA\nB,new,more\nC,new\n"))
    assert [(fault.line, fault.code) for fault in found["A"].faults] == [(3, "wrong_columns")]
    assert [(fault.line, fault.code) for fault in found["B"].faults] == [(4, "wrong_columns")]
    assert found["C"].faults == ()


def test_a_row_without_a_case_is_a_fault_of_its_own(tmp_path: Path) -> None:
    found = read(tmp_path, "case,state\n?,new\n,done\nA,new\n")
    assert [(one.line, one.code, one.case) for one in found if isinstance(one, Fault)] == [
        (2, "missing_case", None),
        (3, "missing_case", None),
    ]
    assert list(cases_of(found)) == ["A"]


def test_a_quotation_mark_that_is_never_closed_swallows_only_its_own_line(tmp_path: Path) -> None:
    rows = "".join(f"{name},new\n{name},done\n" for name in "BCD")
    found = cases_of(read(tmp_path, f'case,state\nA,"new\nA,done\n{rows}'))
    assert [(fault.line, fault.code) for fault in found["A"].faults] == [(2, "bad_csv")]
    assert {name: len(found[name].events) for name in "BCD"} == {"B": 2, "C": 2, "D": 2}


def test_a_quotation_mark_closed_by_a_later_one_swallows_no_row_either(tmp_path: Path) -> None:
    found = cases_of(read(tmp_path, 'case,state\nA,"new\nB,new\nC",new\nD,new\n'))
    assert found["A"].faults != ()
    assert {name: len(found[name].events) for name in "BD"} == {"B": 1, "D": 1}


def test_bytes_that_are_no_text_fail_their_case(tmp_path: Path) -> None:
    found = cases_of(read(tmp_path, b"case,who\nA,G\xf6ran\nB,Eva\n"))
    assert [fault.code for fault in found["A"].faults] == ["bad_csv"]
    assert found["B"].faults == ()


def test_nul_characters_fail_their_case(tmp_path: Path) -> None:
    found = cases_of(read(tmp_path, b"case,who\nA,x\x00y\nB,Eva\n"))
    assert [fault.code for fault in found["A"].faults] == ["nul"]


@pytest.mark.parametrize(
    ("text", "code"),
    [("", "no_header"), ("\n", "no_header"), ("case,case,state\n", "double_column"), ('case,"state\n', "bad_csv")],
)
def test_a_file_without_a_proper_first_row_is_refused(tmp_path: Path, text: str, code: str) -> None:
    assert refusal(tmp_path, text).code == code


def test_a_line_without_end_is_refused_before_it_is_held(tmp_path: Path) -> None:
    packed = gzip.compress(b"case,state\nA," + b"x" * 20_000_000)
    tracemalloc.start()
    refused = refusal(tmp_path, packed)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert refused.code == "line_too_long"
    assert refused.detail.startswith("log.csv:2:")
    assert peak < 10_000_000


def test_a_case_of_too_many_rows_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "MOST_EVENTS", 2)
    found = cases_of(read(tmp_path, "case,state\nA,a\nA,b\nA,c\nB,a\n"))
    assert [fault.code for fault in found["A"].faults] == ["too_many_events"]
    assert found["B"].faults == ()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from("ABC"), st.text(st.characters(exclude_characters="\x00", codec="utf-8"), max_size=8)),
        max_size=12,
    )
)
def test_whatever_a_csv_writer_writes_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]
) -> None:
    import csv
    import io

    written = io.StringIO()
    csv.writer(written).writerows([("case", "note"), *rows])
    found = read(tmp_path_factory.mktemp("csv"), written.getvalue(), unknown="never")
    told = {name: [note for case, note in rows if case == name] for name, _ in rows}
    assert {case.id: [event.values.get("note", "") for event in case.events] for case in cases_of(found).values()} == told
    assert not [one for one in found if isinstance(one, Fault)]
