"""Entity tags and what callers send back of them (RFC 9110 §8.8.3, §13.1)."""

from __future__ import annotations

import pytest

from itsm.api.conditions import UNSEEN, expected, known, tag
from itsm.platform.errors import DeskError


def test_the_tag_of_a_version_is_its_number_in_quotes() -> None:
    assert tag(7) == '"7"'


@pytest.mark.parametrize(
    ("header", "versions"),
    [
        ('"7"', {7}),
        ('"7", "8"', {7, 8}),
        (' ,"7",, "8" , ', {7, 8}),
        ('W/"7"', {UNSEEN}),
        ('"seven"', {UNSEEN}),
        ('""', {UNSEEN}),
        ('"7,8"', {UNSEEN}),
        ("*", None),
        (" * ", None),
    ],
)
def test_if_match_names_the_versions_that_may_be_changed(header: str, versions: set[int] | None) -> None:
    assert expected(header) == versions


@pytest.mark.parametrize(
    "header", ["", " ", "7", '"7', '7"', '"7" "8"', "*, *", '"a"b"', "W/7", '"7"' * 999, "\t," * 900 + "x"]
)
def test_a_header_that_is_no_list_of_tags_cannot_be_read(header: str) -> None:
    with pytest.raises(DeskError) as refusal:
        expected(header)
    assert refusal.value.code == "malformed_if_match"


def test_who_sends_no_if_match_is_asked_for_it() -> None:
    with pytest.raises(DeskError) as refusal:
        expected(None)
    assert refusal.value.code == "if_match_required"


@pytest.mark.parametrize(
    ("header", "is_known"),
    [('"7"', True), ('W/"7"', True), ('"6", "7"', True), ("*", True), ('"8"', False), ("7", False), (None, False)],
)
def test_if_none_match_compares_weakly(header: str | None, is_known: bool) -> None:
    assert known(header, 7) is is_known
