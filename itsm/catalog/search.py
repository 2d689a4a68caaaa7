"""Finding items by what people call them: titles, keywords, synonyms, and the words of service and description. Pure.

A catalogue is small, so it is searched in memory: every word that is asked for must begin some word of the item, and what
stands in the title counts most.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from itsm.catalog.definition import Item

LONGEST = 200
"""Characters of a question at most."""

MOST_WORDS = 10

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Index:
    """Items in the order of the catalogue, and the words of each with their weights."""

    items: tuple[Item, ...]
    words: tuple[tuple[tuple[str, int], ...], ...]

    @classmethod
    def of(cls, items: Iterable[Item]) -> Index:
        """The index of these items, ordered by category and title."""
        ordered = tuple(sorted(items, key=lambda item: (item.category, item.title.casefold(), item.key)))
        return cls(ordered, tuple(_words_of(item) for item in ordered))

    def search(self, question: str) -> Sequence[Item]:
        """The items that fit, best first; all of them for no words at all."""
        wanted = words(question)[:MOST_WORDS]
        if not wanted:
            return self.items
        scored = [(_score(said, wanted), place) for place, said in enumerate(self.words)]
        return [self.items[place] for score, place in sorted(scored, key=lambda each: (-each[0], each[1])) if score]


def words(text: str) -> list[str]:
    """The words of a text, without case and accents."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    return _WORD.findall("".join(character for character in plain if not unicodedata.combining(character)))


def _words_of(item: Item) -> tuple[tuple[str, int], ...]:
    parts = (
        (5, item.title),
        (4, f"{' '.join(item.keywords)} {item.key.replace('-', ' ')}"),
        (3, " ".join(word for group in item.synonyms for word in group)),
        (2, f"{item.category} {item.service.title}"),
        (1, f"{item.description} {item.service.description}"),
    )
    found: dict[str, int] = {}
    for weight, text in parts:
        for word in words(text):
            found[word] = max(weight, found.get(word, 0))
    return tuple(found.items())


def _score(said: tuple[tuple[str, int], ...], wanted: list[str]) -> int:
    """How well an item fits; 0 if one of the words is nowhere in it. A whole word counts twice."""
    total = 0
    for word in wanted:
        best = max((weight * (2 if have == word else 1) for have, weight in said if have.startswith(word)), default=0)
        if not best:
            return 0
        total += best
    return total
