"""Where a character of an expression stands in the YAML that holds it.

An expression is a YAML scalar: plain, quoted, or a block over several lines. Its text and its spelling differ by quotes,
escapes, indentation and folding; this module walks the two side by side, so that a fault in character 17 of a guard can be
shown under the very character that its author typed.
"""

from __future__ import annotations

from typing import Final

from itsm.workflow.definition import Position

_SPACE: Final = " \t\r\n"
_LONG_ESCAPES: Final = {"x": 4, "u": 6, "U": 10}


def locate(source: str, at: Position, text: str, offset: int) -> Position:
    """The place of `text[offset]` in `source`, where the scalar that means `text` begins at `at`.

    `at` may point at the scalar's opening quote, its block indicator or its first character. Falls back to `at` moved along
    `text` when the spelling cannot be followed.
    """
    start = _index(source, at)
    if start is None:
        return _moved(at, text, offset)
    found = _follow(source, start, text, offset)
    return _moved(at, text, offset) if found is None else _position(source, found, at.file)


def _index(source: str, at: Position) -> int | None:
    begin = 0
    for _ in range(at.line - 1):
        begin = source.find("\n", begin) + 1
        if begin == 0:
            return None
    index = begin + at.column - 1
    return index if index < len(source) else None


def _position(source: str, index: int, file: str) -> Position:
    return Position(file, source.count("\n", 0, index) + 1, index - source.rfind("\n", 0, index))


def _moved(at: Position, text: str, offset: int) -> Position:
    """Without a source: as if the scalar were spelt as it reads."""
    before = text[:offset]
    lines = before.count("\n")
    column = len(before) - before.rfind("\n") if lines else at.column + len(before)
    return Position(at.file, at.line + lines, column)


def _follow(source: str, index: int, text: str, offset: int) -> int | None:
    """The index in `source` of `text[offset]`, or None when the two part."""
    quote = source[index] if source[index] in "\"'" and not text.startswith(source[index]) else ""
    if quote:
        index += 1
    elif source[index] in "|>":
        index = source.find("\n", index)
        if index < 0:
            return None
    elif source[index - 1] in "\"'" and index and source[index] == text[:1]:
        quote = source[index - 1]
    for character in text[:offset]:
        following = _step(source, index, character, quote)
        if following is None:
            return None
        index = following
    return _begin(source, index, text[offset : offset + 1])


def _begin(source: str, index: int, character: str) -> int:
    """Past the folded white space that stands before the next character."""
    if character and character not in _SPACE:
        while index < len(source) and source[index] in _SPACE:
            index += 1
    return min(index, max(len(source) - 1, 0))


def _step(source: str, index: int, character: str, quote: str) -> int | None:
    """The index after the spelling of one character."""
    if index >= len(source):
        return None
    if character in _SPACE:
        return _over_white_space(source, index, character)
    index = _begin(source, index, character)
    here = source[index]
    if quote == '"' and here == "\\" and index + 1 < len(source):
        return index + _LONG_ESCAPES.get(source[index + 1], 2)
    if quote == "'" and here == character == "'":
        return index + 2
    return index + 1 if here == character else None


def _over_white_space(source: str, index: int, character: str) -> int:
    """A space is a space, or a folded end of line with the indentation after it."""
    if source[index] == character and character != "\n":
        return index + 1
    if source[index] == "\\":
        return index + 2
    while index < len(source) and source[index] in _SPACE:
        index += 1
    return index
