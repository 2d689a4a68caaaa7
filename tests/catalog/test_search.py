"""Finding items by what people call them."""

from __future__ import annotations

import pytest

from itsm.catalog.search import Index
from tests.catalog.world import SHOP, read

INDEX = Index.of(read(SHOP).items.values())


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("", ["laptop", "fault", "acme-only"]),
        ("laptop", ["laptop"]),
        ("Läptóp", ["laptop"]),
        ("lap", ["laptop"]),
        ("notebook", ["laptop"]),
        ("portable computer", ["laptop"]),
        ("laptop fault", []),
        ("workplace", ["laptop", "fault", "acme-only"]),
        ("thing acme", ["acme-only"]),
        ("a", ["laptop", "fault", "acme-only"]),
        ("xyz", []),
        ("%", ["laptop", "fault", "acme-only"]),
    ],
)
def test_every_word_must_begin_some_word_of_the_item(words: str, found: list[str]) -> None:
    assert sorted(item.key for item in INDEX.search(words)) == sorted(found)


def test_what_stands_in_the_title_comes_first() -> None:
    text = SHOP.replace("title: Report a fault", "title: Report a fault of a computer")
    keys = [item.key for item in Index.of(read(text).items.values()).search("computer")]
    assert keys[0] == "fault"
