"""What people write where something is to be said: whether there is anything in it to read."""

from __future__ import annotations

from typing import Final
from unicodedata import category

from itsm.platform.errors import FieldError, invalid

_READABLE: Final = frozenset("LNPS")
"""Unicode's classes of letters, numbers, punctuation and symbols (The Unicode Standard, 4.5): what shows by itself."""

_EMPTY_GLYPHS: Final = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and a symbol by their class, and yet blank: the fillers of Hangul, and the Braille pattern without a dot."""


def says_something(text: str) -> bool:
    """Whether a text has anything to read: more than blanks, controls and invisible marks such as U+200B and U+202E."""
    return any(category(character)[0] in _READABLE and character not in _EMPTY_GLYPHS for character in text)


def spoken(text: str | None) -> str | None:
    """A text without the blanks around it; None if it says nothing."""
    return text.strip() if text and says_something(text) else None


def reasoned(text: str, most: int) -> str:
    """The reason that somebody gives, of at most `most` characters, without the blanks around it.

    Raises `DeskError` (`invalid_input`, `reason_required` at `/reason`).
    """
    words = spoken(text)
    if words is None or len(words) > most:
        message = f"A reason is needed, of at most {most} characters."
        raise invalid(FieldError("/reason", "reason_required", message), detail=message)
    return words
