"""The tree of a source: scalars, sequences and mappings that know where they stood."""

from __future__ import annotations

import re
from collections.abc import Iterable
from math import isfinite
from typing import Final, TypeAlias

from itsm.workflow.definition import Position

_INTEGER: Final = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_DECIMAL: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,3})?")
_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
_TRUTHS: Final = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}


class Scalar(str):
    """One value as its author wrote it: the text, where it began, and whether it was quoted (or a block of text).

    `at` is where the value stands; `begins` is the place of the text's first character, after a quote or a block's `|`.
    """

    __slots__ = ("at", "begins", "quoted")

    at: Position
    begins: Position
    quoted: bool

    def __new__(cls, text: str, at: Position, begins: Position | None = None, *, quoted: bool = False) -> Scalar:
        self = super().__new__(cls, text)
        self.at = at
        self.begins = begins or at
        self.quoted = quoted
        return self

    @property
    def is_null(self) -> bool:
        """Whether this is YAML's null: nothing, `~` or `null`, unquoted."""
        return not self.quoted and self in _NULLS

    @property
    def core(self) -> str | int | float | bool | None:
        """The value by YAML 1.2's core schema, without its traps: octal, hexadecimal, infinite and NaN forms stay text."""
        if self.quoted:
            return str(self)
        if self in _NULLS:
            return None
        if self in _TRUTHS:
            return _TRUTHS[self]
        if _INTEGER.fullmatch(self):
            return int(self)
        if _DECIMAL.fullmatch(self) and not re.fullmatch("[-+]?[0-9]+", self) and isfinite(number := float(self)):
            return number
        return str(self)


class Sequence(list["Node"]):
    """A list and where it began."""

    __slots__ = ("at",)

    def __init__(self, items: Iterable[Node], at: Position) -> None:
        super().__init__(items)
        self.at = at


class Mapping(dict[str, "Node"]):
    """Names and their values in written order, where it began, and where each key stands."""

    __slots__ = ("at", "keys_at")

    def __init__(self, entries: Iterable[tuple[Scalar, Node]], at: Position) -> None:
        super().__init__()
        self.at = at
        self.keys_at: dict[str, Position] = {}
        for key, value in entries:
            self[str(key)] = value
            self.keys_at[str(key)] = key.at


Node: TypeAlias = "Scalar | Sequence | Mapping"


def plain(node: Node) -> object:
    """The same values without their places, scalars resolved by YAML's core schema: what `json.dumps` would take."""
    if isinstance(node, Scalar):
        return node.core
    if isinstance(node, Sequence):
        return [plain(item) for item in node]
    return {key: plain(value) for key, value in node.items()}


def locate(root: Node, path: Iterable[str | int], *, key: bool = False) -> Position:
    """Where the value at `path` stands, or its key if `key`; of a path that leads nowhere, the last place on the way."""
    here = root.at
    node: Node | None = root
    for step in path:
        if isinstance(node, Mapping) and isinstance(step, str) and step in node:
            here, node = (node.keys_at[step] if key else node[step].at), node[step]
        elif isinstance(node, Sequence) and isinstance(step, int) and 0 <= step < len(node):
            node = node[step]
            here = node.at
        else:
            return here if node is None else node.at
    return here


def quoted(text: object) -> str:
    """A text in quotes, cut where it would make a message unreadable."""
    words = str(text)
    return f"“{words}”" if len(words) <= 80 else f"“{words[:79]}…”"
