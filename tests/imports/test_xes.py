"""XES is read as a stream: what a case needs is kept, and what is no log is refused where it stands."""

from __future__ import annotations

import gzip
import tracemalloc
from collections.abc import Iterable
from pathlib import Path

import pytest

from itsm.imports import log, xes
from itsm.imports.log import Fault, SourceCase
from itsm.imports.stream import opened
from itsm.imports.xes import XesLog
from itsm.platform.errors import DeskError

EVENT = '<event><string key="concept:name" value="{}"/><date key="time:timestamp" value="2020-01-01T10:00:00Z"/></event>'


def a_trace(case: str, *activities: str) -> str:
    events = "\n".join(EVENT.format(activity) for activity in activities)
    return f'<trace>\n<string key="concept:name" value="{case}"/>\n{events}\n</trace>\n'


def a_log(*traces: str) -> str:
    return f'<?xml version="1.0"?>\n<log xmlns="http://www.xes-standard.org/">\n{"".join(traces)}</log>\n'


def read(path: Path, unknown: Iterable[str] = ()) -> list[SourceCase | Fault]:
    with opened(path) as stream:
        return list(XesLog(stream, "log.xes", "concept:name", frozenset(unknown)).cases())


def read_text(tmp_path: Path, text: str | bytes, unknown: Iterable[str] = ()) -> list[SourceCase | Fault]:
    path = tmp_path / "log.xes"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read(path, unknown)


def refusal(tmp_path: Path, text: str | bytes) -> DeskError:
    with pytest.raises(DeskError) as refused:
        read_text(tmp_path, text)
    return refused.value


def test_a_case_has_its_own_attributes_and_its_events_in_the_order_of_the_file(tmp_path: Path) -> None:
    (case,) = read_text(tmp_path, a_log(a_trace("7", "open", "close")))
    assert isinstance(case, SourceCase)
    assert (case.id, case.line, case.values) == ("7", 3, {"concept:name": "7"})
    assert [event.values["concept:name"] for event in case.events] == ["open", "close"]
    assert [event.line for event in case.events] == [5, 6]


def test_a_log_packed_with_gzip_is_read_whatever_its_name(tmp_path: Path) -> None:
    cases = read_text(tmp_path, gzip.compress(a_log(a_trace("1", "a"), a_trace("2", "b")).encode()))
    assert [case.id for case in cases if isinstance(case, SourceCase)] == ["1", "2"]


def test_words_for_unknown_leave_no_value(tmp_path: Path) -> None:
    (case,) = read_text(tmp_path, a_log(a_trace("7", "UNKNOWN")), unknown=["UNKNOWN"])
    assert isinstance(case, SourceCase)
    assert "concept:name" not in case.events[0].values


def test_nested_attributes_globals_and_classifiers_are_passed_over(tmp_path: Path) -> None:
    text = """<log xes.version="1.0">
      <global scope="event"><string key="concept:name" value="nothing"/></global>
      <classifier name="Activity" keys="concept:name"/>
      <trace><string key="concept:name" value="7"><string key="concept:name" value="deeper"/></string>
        <event><string key="concept:name" value="open"><int key="concept:name" value="3"/></string>
          <list key="who"><string key="org:resource" value="anna"/></list></event></trace></log>"""
    (case,) = read_text(tmp_path, text)
    assert isinstance(case, SourceCase)
    assert case.id == "7"
    assert case.events[0].values == {"concept:name": "open"}


def test_a_trace_without_an_id_is_a_fault_of_its_own_and_the_others_are_read(tmp_path: Path) -> None:
    fault, case = read_text(tmp_path, a_log("<trace></trace>\n", a_trace("2", "a")))
    assert isinstance(fault, Fault)
    assert isinstance(case, SourceCase)
    assert (fault.line, fault.case, fault.code) == (3, None, "missing_case")


def test_what_stands_before_broken_xml_is_read_and_the_fault_has_its_place(tmp_path: Path) -> None:
    path = tmp_path / "log.xes"
    path.write_text(a_log(a_trace("1", "a")).replace("</log>", "<trace><event></trace>\n</log>"))
    with opened(path) as stream:
        cases = XesLog(stream, "log.xes", "concept:name", frozenset()).cases()
        first = next(cases)
        assert isinstance(first, SourceCase)
        with pytest.raises(DeskError) as refused:
            next(cases)
    assert refused.value.code == "bad_xml"
    assert refused.value.detail.startswith("log.xes:7:")


@pytest.mark.parametrize(
    "prolog",
    [
        '<!DOCTYPE log [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>',
        '<!DOCTYPE log [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE log SYSTEM "http://localhost/log.dtd">',
    ],
)
def test_a_document_type_is_refused_and_with_it_every_entity(tmp_path: Path, prolog: str) -> None:
    text = f'{prolog}<log><trace><string key="concept:name" value="&a;"/></trace></log>'
    assert refusal(tmp_path, text).code == "xml_doctype"


@pytest.mark.parametrize("text", ["", "<html></html>", "<trace></trace>"])
def test_xml_that_is_no_log_is_refused(tmp_path: Path, text: str) -> None:
    assert refusal(tmp_path, text).code == "not_xes"


@pytest.mark.parametrize("text", ["not xml at all", "<log>"])
def test_what_is_no_xml_is_refused(tmp_path: Path, text: str) -> None:
    assert refusal(tmp_path, text).code == "bad_xml"


def test_elements_nested_without_end_are_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, "<log>" + "<x>" * 50_000).code == "not_xes"


def test_a_tag_of_many_megabytes_is_refused_before_it_is_held(tmp_path: Path) -> None:
    packed = gzip.compress(b'<log><trace><string key="concept:name" value="' + b"x" * 30_000_000)
    tracemalloc.start()
    refused = refusal(tmp_path, packed)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert refused.code == "xml_token_too_large"
    assert peak < 20_000_000


def test_a_value_that_is_too_long_fails_its_case_only(tmp_path: Path) -> None:
    long, short = read_text(tmp_path, a_log(a_trace("1", "x" * (log.MOST_CHARACTERS + 1)), a_trace("2", "a")))
    assert isinstance(long, SourceCase)
    assert isinstance(short, SourceCase)
    assert [fault.code for fault in long.faults] == ["too_long"]
    assert long.faults[0].case == "1"
    assert short.faults == ()


def test_a_case_of_too_many_events_fails_and_keeps_no_more_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xes, "MOST_EVENTS", 3)
    (case,) = read_text(tmp_path, a_log(a_trace("1", *"abcdefg")))
    assert isinstance(case, SourceCase)
    assert len(case.events) == 3
    assert [fault.code for fault in case.faults] == ["too_many_events"]


def test_a_case_that_is_too_large_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xes, "MOST_WEIGHT", 200)
    (case,) = read_text(tmp_path, a_log(a_trace("1", *"abcdefg")))
    assert isinstance(case, SourceCase)
    assert [fault.code for fault in case.faults] == ["too_large"]


def test_reading_a_long_log_takes_no_more_memory_than_reading_a_short_one(tmp_path: Path) -> None:
    path = tmp_path / "long.xes"
    with path.open("w") as file:
        file.write("<log>")
        for number in range(20_000):
            file.write(a_trace(str(number), "a", "b", "c"))
        file.write("</log>")
    tracemalloc.start()
    with opened(path) as stream:
        count = sum(1 for _ in XesLog(stream, "log.xes", "concept:name", frozenset()).cases())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 20_000
    assert peak < 4_000_000
    assert path.stat().st_size > 7_000_000
