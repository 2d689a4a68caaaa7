"""What an answer may be. The law: for a form without expressions, its JSON Schema and the desk take the very same answers."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from itsm.catalog import rules, schema
from itsm.catalog.definition import QuestionType
from tests.catalog.world import NOW, a_person, an_item

FORM = an_item(
    """
text: {type: text, min: 2, max: 12}
formed: {type: text, pattern: "[a-c]+[0-9]?"}
long_text: {type: long_text, require: true}
choice: {type: choice, choices: [red, green]}
multi_choice: {type: multi_choice, choices: [red, green, blue], min: 1, max: 2}
integer: {type: integer, min: -3, max: 1000}
decimal: {type: decimal, min: 0.5}
money: {type: money}
boolean: {type: boolean}
date: {type: date}
datetime: {type: datetime}
duration: {type: duration}
user: {type: user}
group: {type: group}
service: {type: service}
ci: {type: ci}
ticket: {type: ticket}
file: {type: file}
email: {type: email}
hostname: {type: hostname}
ip: {type: ip}
url: {type: url}
"""
)
NAMES = [question.name for question in FORM.questions]
PERSON = a_person()
VALIDATOR = Draft202012Validator(schema.json_schema(FORM, PERSON, NOW), format_checker=Draft202012Validator.FORMAT_CHECKER)

SAMPLES: list[Any] = [
    *("a", "ab", "abc1", "c", "c9\n", "red", "green", " ", "", "\n", "two\nlines", "x" * 13, "\u00a0", "\x00", "a\x00", "ä b"),
    *("2026-03-02", "2026-02-30", "20260302", "1026-13-01", "2026-03-02T10:00:00Z", "2026-03-02T10:00:00.5+02:00"),
    *("2026-03-02T24:00:00Z", "2026-03-02 10:00:00Z", "2026-03-02T10:00Z", "2026-03-02T10:00:60Z"),
    *("PT1H", "P1D", "P", "PT", "P1Y", "P2W3DT4H5M6S", "-PT1H", "pt1h", "PT1.5H", "P999W9999DT99999H9999999M99999999S"),
    *("mara@example.org", "mara@example", "@example.org", "a b@example.org", "mara@example.org\n", "m@-x.org"),
    *("db1", "db1.example.org", "-db", "db_1", "a" * 64, "a." * 127, "db."),
    *("192.0.2.7", "2001:db8::7", "fe80::1%eth0", "192.0.2.300", "192.0.2.7/24", "::"),
    *(
        "https://example.org",
        "http://example.org:80/a?b#c",
        "ftp://example.org",
        "https://example.org/ a",
        "https://u@example.org",
    ),
    *(0, 1, -3, -4, 3.0, 3.5, 0.5, 0.49, 1000, 1001, 2**53, -(2**60), 1e300, True, False, None),
    *([], ["red"], ["red", "red"], ["red", "green", "blue"], ["black"], [1], {"red": 1}),
    {"amount": "12.50", "currency": "EUR"},
    {"amount": "-1", "currency": "EUR"},
    {"amount": "12.50", "currency": "USD"},
    {"amount": "1\n", "currency": "EUR"},
    {"amount": 12, "currency": "EUR"},
    {"amount": "1", "currency": "EUR", "more": 1},
]
anything = st.one_of(
    st.sampled_from(SAMPLES),
    st.text(max_size=15),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.dates(date(1000, 1, 1), date(2999, 12, 31)).map(str),
    st.from_regex(r"[a-c]{0,3}[0-9]?\n?", fullmatch=True),
    st.lists(st.sampled_from(["red", "green", "blue", "black"]), max_size=4),
    st.ip_addresses().map(str),
    st.emails(),
)
"""Answers of every kind, right and wrong."""


@settings(max_examples=600, deadline=None)
@given(st.dictionaries(st.sampled_from([*NAMES, "unknown"]), anything, max_size=6))
def test_schema_and_desk_take_and_refuse_the_same_answers(answers: dict[str, Any]) -> None:
    answers = {"long_text": "words", **answers}
    refused = {error.pointer.removeprefix("/answers/") for error in rules.fill(FORM, PERSON, answers, NOW).errors}
    faults = {error.path[0] if error.path else "unknown" for error in VALIDATOR.iter_errors(answers)}
    assert refused == faults


@pytest.mark.parametrize("name", NAMES)
def test_each_sample_is_judged_alike_for_each_type(name: str) -> None:
    for sample in SAMPLES:
        answers = {"long_text": "words", name: sample}
        accepted = not rules.fill(FORM, PERSON, answers, NOW).errors
        assert accepted == VALIDATOR.is_valid(answers), sample


def test_what_is_required_is_missed_by_both() -> None:
    assert [error.code for error in rules.fill(FORM, PERSON, {}, NOW).errors] == ["required"]
    assert [error.validator for error in VALIDATOR.iter_errors({})] == ["required"]


def test_every_type_is_asked_here() -> None:
    assert {question.type for question in FORM.questions} == set(QuestionType)


@pytest.mark.parametrize(
    ("question", "raw", "kept"),
    [
        ("integer", 3.0, 3),
        ("multi_choice", ["blue", "red"], ["red", "blue"]),
        ("ip", "2001:DB8:0::7", "2001:db8::7"),
        ("duration", "PT90M", "PT1H30M"),
        ("money", {"amount": "012.50", "currency": "EUR"}, {"amount": "12.50", "currency": "EUR"}),
    ],
)
def test_an_answer_is_kept_in_one_form(question: str, raw: object, kept: object) -> None:
    filled = rules.fill(FORM, PERSON, {"long_text": "words", question: raw}, NOW)
    assert not filled.errors
    assert filled.answers[question] == kept


def test_a_date_of_today_is_still_today_as_long_as_it_is_so_anywhere() -> None:
    form = an_item("day: {type: date, min: today, max: 2026-12-31}")
    for day, right in (("2026-03-01", True), ("2026-02-28", False), ("2026-12-31", True), ("2027-01-01", False)):
        assert (not rules.fill(form, PERSON, {"day": day}, NOW).errors) is right, day
    later = NOW + timedelta(hours=4)
    assert rules.fill(form, PERSON, {"day": "2026-03-01"}, later).errors


def test_amounts_keep_to_their_bounds_and_currency() -> None:
    form = an_item("cost: {type: money, min: 10, max: 20, currency: CHF}")
    for amount, currency, right in (("10", "CHF", True), ("9.99", "CHF", False), ("20.01", "CHF", False), ("15", "EUR", False)):
        answers = {"cost": {"amount": amount, "currency": currency}}
        assert (not rules.fill(form, PERSON, answers, NOW).errors) is right, (amount, currency)


def test_a_pattern_takes_no_time_however_it_is_written() -> None:
    form = an_item('name: {type: text, pattern: "(a*)*b"}')
    answers = {"name": "a" * 3_000}
    assert rules.fill(form, PERSON, answers, NOW).errors[0].code == "invalid_value"
