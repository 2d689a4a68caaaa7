"""Words of a source become values: typed by their field, in the source's own way of writing instants."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itsm.imports.origin import Dates, Origin, Unfit, key_of
from itsm.workflow.builtin import BUILTIN_FIELDS
from itsm.workflow.definition import Field, FieldType, Position

HERE = Position("here", 1, 1)
BERLIN = Dates("%d-%m-%Y %H:%M", ZoneInfo("Europe/Berlin"))


def a_field(type_: FieldType, *choices: str) -> Field:
    return Field("it", type_, HERE, choices=choices)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("29-02-2016 01:16", datetime(2016, 2, 29, 0, 16, tzinfo=UTC)),
        ("27-03-2016 02:30", datetime(2016, 3, 27, 1, 30, tzinfo=UTC)),  # skipped in spring: forward by the gap
        ("30-10-2016 02:30", datetime(2016, 10, 30, 0, 30, tzinfo=UTC)),  # twice in autumn: the first
    ],
)
def test_local_time_is_read_in_the_zone_of_the_mapping(text: str, instant: datetime) -> None:
    assert BERLIN.instant(text) == instant


def test_an_offset_in_the_text_counts_more_than_the_zone() -> None:
    dates = Dates(None, ZoneInfo("Europe/Berlin"))
    assert dates.instant("2016-02-29T01:16:00-05:00") == datetime(2016, 2, 29, 6, 16, tzinfo=UTC)
    assert dates.instant("2016-02-29T01:16:00") == datetime(2016, 2, 29, 0, 16, tzinfo=UTC)


@pytest.mark.parametrize("text", ["30-02-2016 10:00", "29-02-2015 10:00", "2016-02-29", "", "soon", "29-02-2016 24:00"])
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(Unfit):
        BERLIN.instant(text)


def test_an_instant_without_offset_needs_a_zone() -> None:
    with pytest.raises(Unfit, match="zone"):
        Dates().instant("2016-02-29T01:16:00")


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_instants_beyond_all_time_are_refused(text: str) -> None:
    with pytest.raises(Unfit):
        Dates().instant(text)


@pytest.mark.parametrize(
    ("field", "word", "value"),
    [
        (a_field(FieldType.INTEGER), "42", 42),
        (a_field(FieldType.DECIMAL), "4.5", 4.5),
        (a_field(FieldType.BOOLEAN), "TRUE", True),
        (a_field(FieldType.BOOLEAN), "no", False),
        (a_field(FieldType.DATE), "29-02-2016 12:00", "2016-02-29"),
        (a_field(FieldType.DATETIME), "29-02-2016 12:00", datetime(2016, 2, 29, 11, tzinfo=UTC)),
        (a_field(FieldType.CHOICE, "red", "blue"), "red", "red"),
        (a_field(FieldType.MULTI_CHOICE, "red", "blue"), "blue, red", ["red", "blue"]),
        (a_field(FieldType.TEXT), "as it stands", "as it stands"),
    ],
)
def test_a_word_is_typed_by_its_field(field: Field, word: str, value: object) -> None:
    assert Origin(field, column="c").value({"c": word}, BERLIN) == value


@pytest.mark.parametrize(
    ("field", "word"),
    [
        (a_field(FieldType.INTEGER), "4.5"),
        (a_field(FieldType.DECIMAL), "nan"),
        (a_field(FieldType.BOOLEAN), "maybe"),
        (a_field(FieldType.DATE), "soon"),
        (a_field(FieldType.CHOICE, "red"), "green"),
    ],
)
def test_a_word_that_is_no_value_of_its_field_is_refused(field: Field, word: str) -> None:
    with pytest.raises(Unfit):
        Origin(field, column="c").value({"c": word}, BERLIN)


def test_a_table_of_words_says_what_they_mean_and_what_all_others_do() -> None:
    field = a_field(FieldType.CHOICE, "red", "blue")
    assert Origin(field, column="c", values={"rot": "red"}).value({"c": "rot"}, BERLIN) == "red"
    assert Origin(field, column="c", values={"rot": "red"}, otherwise="blue").value({"c": "grau"}, BERLIN) == "blue"
    with pytest.raises(Unfit, match="grau"):
        Origin(field, column="c", values={"rot": "red"}).value({"c": "grau"}, BERLIN)


def test_a_text_is_filled_from_columns_and_what_is_unknown_leaves_nothing() -> None:
    origin = Origin(a_field(FieldType.TEXT), template="{a} and {b}!")
    assert origin.value({"a": "one", "b": "two"}, BERLIN) == "one and two!"
    assert origin.value({"a": "{b}"}, BERLIN) == "{b} and !"


def test_a_title_that_is_too_long_is_cut() -> None:
    title = Origin(BUILTIN_FIELDS["title"], column="c").value({"c": "x" * 500}, BERLIN)
    assert isinstance(title, str)
    assert len(title) == 200
    assert title.endswith("…")


def test_keys_are_made_of_names() -> None:
    assert key_of("desk-{}", "Opened by  180") == "desk-opened-by-180"
    assert key_of("{}", "a.b@c.example") == "a.b@c.example"
    assert key_of("desk-{}", "???") == "desk-unknown"


def test_people_whose_names_differ_by_an_accent_stay_two() -> None:
    assert key_of("{}", "Göran") != key_of("{}", "Goran")
    assert key_of("{}", "Göran").startswith("goran-")
    assert key_of("{}", "志明") != key_of("{}", "小明")


@given(st.text(min_size=1))
def test_every_name_makes_a_key_that_an_account_may_have(name: str) -> None:
    key = key_of("x-{}", name)
    assert key.isascii()
    assert 2 < len(key) <= 70
    assert all(sign.isalnum() or sign in "._-@+" for sign in key)
