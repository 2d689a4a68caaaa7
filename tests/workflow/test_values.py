"""Values of fields: nothing is bent into shape, and whatever is taken has one form."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import jsonschema  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st

from itsm.workflow import values
from itsm.workflow.builtin import BUILTIN_FIELDS
from itsm.workflow.definition import Field, FieldType, Position
from itsm.workflow.values import Fault

HERE = Position("x.yaml", 1, 1)

INVISIBLE = [
    "",
    " \n",
    "\t\r\u00a0\u3000",
    "\u200b",
    "\u202e\u202c",
    "\ufeff",
    "\u00ad",
    "\u2063",
    "\u3164",
    "\u2800",
    "\ufe0f",
    "\U000e0061",
]


def a_field(type_: str) -> Field:
    choices = ("red", "green", "blue") if "choice" in type_ else ()
    return Field("f", FieldType(type_), HERE, choices=choices)


@pytest.mark.parametrize(
    ("type_", "given", "kept"),
    [
        ("text", "two\nlines", "two\nlines"),
        ("text", "   ", None),
        ("text", None, None),
        ("text", "x" * 4_000, "x" * 4_000),
        ("markdown", "# ü", "# ü"),
        ("choice", "red", "red"),
        ("multi_choice", ["blue", "red", "blue"], ["red", "blue"]),
        ("multi_choice", [], None),
        ("integer", 0, 0),
        ("integer", -(2**53) + 1, -(2**53) + 1),
        ("decimal", 3, 3.0),
        ("decimal", 0.5, 0.5),
        ("boolean", False, False),
        ("money", {"amount": "012.50", "currency": "EUR"}, {"amount": "12.50", "currency": "EUR"}),
        ("date", "2026-03-31", "2026-03-31"),
        ("datetime", "2026-03-31T16:00:00+02:00", datetime(2026, 3, 31, 14, tzinfo=UTC)),
        ("datetime", "2026-03-31T16:00:00Z", datetime(2026, 3, 31, 16, tzinfo=UTC)),
        ("duration", "PT90M", "PT1H30M"),
        ("duration", "P1W", "P7D"),
        ("duration", "-PT30S", "-PT30S"),
        ("user", "ann", "ann"),
    ],
)
def test_a_value_of_its_type_is_taken_in_one_form(type_: str, given: object, kept: object) -> None:
    assert values.accept(a_field(type_), given) == kept


@pytest.mark.parametrize(
    ("type_", "given"),
    [
        ("text", 3),
        ("text", True),
        ("text", ["x"]),
        ("text", "nul\x00"),
        ("text", "half \ud83d"),
        ("text", "x" * 4_001),
        ("markdown", "x" * 64_001),
        ("user", "x" * 201),
        ("choice", "pink"),
        ("choice", ["red"]),
        ("multi_choice", "red"),
        ("multi_choice", ["red", "pink"]),
        ("multi_choice", [1]),
        ("integer", True),
        ("integer", 1.0),
        ("integer", "1"),
        ("integer", 2**53),
        ("decimal", "1.5"),
        ("decimal", True),
        ("decimal", float("nan")),
        ("decimal", float("inf")),
        ("decimal", 10**400),
        ("boolean", 1),
        ("boolean", "true"),
        ("money", 12.5),
        ("money", {"amount": 12.5, "currency": "EUR"}),
        ("money", {"amount": "12,50", "currency": "EUR"}),
        ("money", {"amount": "١٢", "currency": "EUR"}),
        ("money", {"amount": "1", "currency": "eur"}),
        ("money", {"amount": "1", "currency": "EUR", "vat": "0"}),
        ("date", "31.03.2026"),
        ("date", "2026-02-30"),
        ("date", 20260331),
        ("datetime", "2026-03-31T16:00:00"),
        ("datetime", "9999-12-31T23:59:59-12:00"),
        ("datetime", 1774965600),
        ("duration", "90 minutes"),
        ("duration", "P1M"),
        ("duration", "P"),
        ("duration", "PT"),
        ("duration", "P5300W"),
    ],
)
def test_a_value_of_another_type_is_refused_and_told_what_is_wanted(type_: str, given: object) -> None:
    fault = values.accept(a_field(type_), given)
    assert isinstance(fault, Fault)
    assert fault.must.startswith("must ")


def test_built_in_fields_may_be_shorter_than_their_type() -> None:
    assert isinstance(values.accept(BUILTIN_FIELDS["title"], "x" * 201), Fault)
    assert isinstance(values.accept(BUILTIN_FIELDS["description"], "x" * 20_001), Fault)
    assert values.accept(BUILTIN_FIELDS["description"], "x" * 20_000)


def test_false_and_nought_are_answers_and_blanks_are_none() -> None:
    assert not any([values.is_empty(False), values.is_empty(0), values.is_empty(0.0), values.is_empty("x")])
    assert all([values.is_empty(None), values.is_empty(""), values.is_empty(" \n"), values.is_empty([])])


@pytest.mark.parametrize("nothing", INVISIBLE)
def test_text_in_which_nothing_can_be_read_is_none(nothing: str) -> None:
    assert values.is_empty(nothing)
    assert values.accept(BUILTIN_FIELDS["title"], nothing) is None


@pytest.mark.parametrize("something", ["?", "7", "…", "☎", "語", "\u200bword\u202e", "👍🏽"])
def test_text_with_anything_to_read_is_kept_as_it_was_written(something: str) -> None:
    assert values.accept(BUILTIN_FIELDS["title"], something) == something


def test_references_are_the_values_that_are_keys_of_something() -> None:
    fields = {**BUILTIN_FIELDS, "f": a_field("ticket")}
    given = {"title": "x", "assignee": "ann", "group": None, "f": "INC1", "unknown": "y"}
    assert values.references(fields, given) == [
        ("assignee", FieldType.USER, "ann"),
        ("f", FieldType.TICKET, "INC1"),
    ]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["red", "PT1H", "2026-01-01"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["amount", "currency"]), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(list(FieldType)), JSON)
def test_whatever_is_taken_is_taken_again_as_it_is(type_: FieldType, raw: object) -> None:
    value = values.accept(a_field(type_), raw)
    if not isinstance(value, Fault):
        assert values.accept(a_field(type_), value) == value


@given(st.sampled_from(list(FieldType)), JSON)
def test_whatever_is_taken_is_valid_by_the_fields_json_schema(type_: FieldType, raw: object) -> None:
    value = values.accept(a_field(type_), raw)
    if not isinstance(value, Fault) and value is not None:
        shown = value.isoformat() if isinstance(value, datetime) else value
        jsonschema.validate(shown, values.json_schema(a_field(type_)))


@given(st.timedeltas(min_value=-values.DURATION_MAX, max_value=values.DURATION_MAX))
def test_a_length_of_time_survives_its_text(length: timedelta) -> None:
    assert values.exact_duration(values.duration_text(length)) == length
