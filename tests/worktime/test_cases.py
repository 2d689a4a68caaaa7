"""The neutral form of working time questions: `itsm calendar eval`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from itsm.cli.calendar import calendar as command
from itsm.platform.errors import DeskError
from itsm.worktime.cases import CaseError, evaluate

OFFICE = {"tz": "Europe/Berlin", "weekly": {"mon-fri": [["09:00", "17:00"]]}, "holidays": ["--12-25", {"country": "DE"}]}


def result(case: dict[str, object], calendar: object = OFFICE) -> object:
    return answered(case, calendar)["result"]


def answered(case: dict[str, object], calendar: object = OFFICE) -> dict[str, object]:
    (group,) = evaluate([{"calendar": calendar, "cases": [case]}])
    (answer,) = group["cases"]  # type: ignore[attr-defined]
    return answer


@pytest.mark.parametrize(
    ("case", "answer"),
    [
        ({"kind": "add", "start": "2026-03-02T08:00:00Z", "duration_s": 3600}, "2026-03-02T09:00:00Z"),
        ({"kind": "add", "start": "2026-03-02T08:00:00Z", "duration_s": 0.5}, "2026-03-02T08:00:00.500000Z"),
        ({"kind": "add", "start": "2026-03-02T08:00:00Z", "duration_s": -3600}, "2026-02-27T15:00:00Z"),
        ({"kind": "add", "start": "2026-03-01T08:00:00Z", "duration_s": 0}, "2026-03-01T08:00:00Z"),
        ({"kind": "add", "start": "2026-03-02T09:00:00+01:00", "duration": "2 business days"}, "2026-03-03T16:00:00Z"),
        ({"kind": "add", "start": "2026-03-02T08:00:00Z", "duration": "end of business day"}, "2026-03-02T16:00:00Z"),
        ({"kind": "sub", "start": "2026-03-02T10:00:00Z", "duration_s": 3600}, "2026-03-02T09:00:00Z"),
        ({"kind": "elapsed", "start": "2026-03-02T08:00:00Z", "end": "2026-03-03T08:00:00Z"}, 28_800),
        ({"kind": "elapsed", "start": "2026-03-02T08:00:00Z", "end": "2026-03-02T08:00:00.25Z"}, 0.25),
        ({"kind": "elapsed", "start": "2026-03-03T08:00:00Z", "end": "2026-03-02T08:00:00Z"}, -28_800),
        ({"kind": "is_open", "at": "2026-03-02T08:00:00Z"}, True),
        ({"kind": "is_open", "at": "2026-12-25T10:00:00Z"}, False),
        ({"kind": "is_open", "at": "2026-10-03T10:00:00Z"}, False),
        ({"kind": "add_days", "start": "2026-03-06T10:00:00Z", "days": 1}, "2026-03-09T10:00:00Z"),
        ({"kind": "add_days", "start": "2026-03-06T17:00:00Z", "days": 1}, "2026-03-10T08:00:00Z"),
        ({"kind": "sub_days", "start": "2026-03-09T07:00:00Z", "days": 1}, "2026-03-05T16:00:00Z"),
        ({"kind": "add_days", "start": "2026-03-07T10:00:00Z", "days": 0}, "2026-03-07T10:00:00Z"),
        ({"kind": "normalise_local", "tz": "Europe/Berlin", "local": "2026-03-29T02:30:00"}, "2026-03-29T03:30:00"),
        ({"kind": "parse_local", "tz": "Europe/Berlin", "local": "2026-03-29 02:30"}, "2026-03-29T01:30:00Z"),
    ],
)
def test_each_kind_of_case_has_its_result(case: dict[str, object], answer: object) -> None:
    assert result(case) == answer


EARLIEST, LATEST = "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999999-14:00"


@pytest.mark.parametrize("at", [EARLIEST, "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", LATEST])
@pytest.mark.parametrize("zone", ["Europe/Berlin", "Pacific/Kiritimati", "Etc/GMT+12"])
@pytest.mark.parametrize(
    "case",
    [
        {"kind": "is_open"},
        {"kind": "elapsed", "end": "2026-03-02T08:00:00Z"},
        *({"kind": kind, "duration_s": seconds} for kind in ("add", "sub") for seconds in (0, 3600, 1e13)),
        *(
            {"kind": "add", "duration": text}
            for text in ("1 business day", "end of next business day", "end of 99th business day")
        ),
        *({"kind": kind, "days": days} for kind in ("add_days", "sub_days") for days in (0, 1, 10_000)),
    ],
)
def test_where_time_itself_ends_a_case_has_no_result(case: dict[str, object], zone: str, at: str) -> None:
    told = answered({**case, "start": at, "at": at}, {**OFFICE, "tz": zone})
    assert (told["result"], told["error"]["code"]) == (None, "beyond_calendar")  # type: ignore[index]


def test_elapsed_time_leads_to_the_end_of_the_years_and_not_beyond() -> None:
    began = {"kind": "add", "start": "9999-12-31T00:00:00Z"}
    assert result({**began, "duration": "23 hours"}) == "9999-12-31T23:00:00Z"
    assert answered({**began, "duration": "24 hours"})["error"]["code"] == "beyond_calendar"  # type: ignore[index]
    assert answered({**began, "start": EARLIEST, "duration": "1 hour"})["error"]["code"] == "beyond_calendar"  # type: ignore[index]


@pytest.mark.parametrize("kind", ["parse_local", "normalise_local"])
@pytest.mark.parametrize(("zone", "local"), [("Asia/Tokyo", "0001-01-01T00:00"), ("Etc/GMT+12", "9999-12-31T23:59:59")])
def test_a_reading_that_no_instant_answers_to_is_refused(kind: str, zone: str, local: str) -> None:
    told = answered({"kind": kind, "tz": zone, "local": local})
    assert (told["result"], told["error"]["code"]) == (None, "invalid_local_time")  # type: ignore[index]


@pytest.mark.parametrize(
    ("case", "code"),
    [
        ({"kind": "parse_local", "tz": "Europe/Berlin", "local": "2026-02-30 12:00"}, "invalid_local_time"),
        ({"kind": "add", "start": "2026-03-02T08:00:00Z", "duration": "1 fortnight"}, "invalid_duration"),
        ({"kind": "add", "start": "2026-03-02T08:00:00Z"}, "invalid_case"),
        ({"kind": "add", "start": "2026-03-02T08:00:00Z", "duration_s": True}, "invalid_case"),
        ({"kind": "add", "start": "2026-03-02T08:00:00Z", "duration_s": 1e300}, "invalid_case"),
        ({"kind": "add", "start": "2026-03-02T08:00:00Z", "duration_s": 1e10}, "beyond_calendar"),
        ({"kind": "add", "start": "2026-03-02T08:00:00", "duration_s": 60}, "invalid_case"),
        ({"kind": "add", "start": "now", "duration_s": 60}, "invalid_case"),
        ({"kind": "add_days", "start": "2026-03-02T08:00:00Z", "days": -1}, "invalid_case"),
        ({"kind": "multiply"}, "invalid_case"),
        ({}, "invalid_case"),
    ],
)
def test_a_case_that_has_no_answer_has_the_reason(case: dict[str, object], code: str) -> None:
    answer = answered(case)
    assert answer["result"] is None
    assert answer["error"]["code"] == code  # type: ignore[index]


@pytest.mark.parametrize(
    ("calendar", "code"),
    [
        ({**OFFICE, "tz": "Europe/Berln"}, "unknown_zone"),
        ({**OFFICE, "weekly": {"mon": [["9", "17"]]}}, "invalid_interval"),
        ({**OFFICE, "weekly": {"someday": []}}, "invalid_interval"),
        ({**OFFICE, "holidays": ["christmas"]}, "invalid_holidays"),
        ({**OFFICE, "overrides": {"2026-13-01": []}}, "invalid_holidays"),
        ({**OFFICE, "weekly": {}}, "empty_calendar"),
        ({"weekly": {}}, "invalid_case"),
        (None, "invalid_case"),
        ("office", "invalid_case"),
    ],
)
def test_a_calendar_that_is_none_is_told_in_every_case(calendar: object, code: str) -> None:
    answer = answered({"kind": "add", "start": "2026-03-02T08:00:00Z", "duration_s": 60}, calendar)
    assert answer["error"]["code"] == code  # type: ignore[index]


@pytest.mark.parametrize("document", [None, {}, "cases", [1], [{}], [{"cases": [1]}]])
def test_a_document_of_another_form_is_refused(document: object) -> None:
    with pytest.raises(CaseError):
        evaluate(document)


def test_overrides_and_breaks_are_hours_by_date() -> None:
    calendar = {**OFFICE, "overrides": {"2026-12-25": [["10:00", "12:00"]]}, "breaks": {"2026-12-25": [["11:00", "11:30"]]}}
    case = {"kind": "elapsed", "start": "2026-12-25T00:00:00Z", "end": "2026-12-26T00:00:00Z"}
    assert result(case, calendar) == 5400


def test_the_command_prints_the_document_with_results(tmp_path: Path) -> None:
    case: dict[str, object] = {"kind": "is_open", "at": "2026-03-02T08:00:00Z", "expect": True}
    document = [{"source": "us", "calendar": OFFICE, "cases": [case]}]
    file = tmp_path / "cases.json"
    file.write_text(json.dumps(document))
    case["result"] = True
    for options in ([], ["--json"]):
        ran = CliRunner().invoke(command, ["eval", str(file), *options])
        assert ran.exit_code == 0
        assert json.loads(ran.stdout) == document


def test_the_command_refuses_what_is_not_json(tmp_path: Path) -> None:
    file = tmp_path / "cases.json"
    file.write_text("[")
    ran = CliRunner().invoke(command, ["eval", str(file)])
    assert isinstance(ran.exception, DeskError)
    assert ran.exception.code == "invalid_json"
