"""YAML as text with places: the one door through which definitions and configuration come in.

The result is a tree of three plain things, each of which knows where it stood. A scalar is the text its author wrote and is
never guessed at: `no`, `on`, `12:30` and `1.10` stay what they are until a schema asks for a number or a truth value, and then
YAML 1.2's core schema answers (§10.3.2). Nothing is constructed from tags, nothing is shared by anchors, and a source that is
too large, too deep or too many is refused before it costs anything. This module knows nothing of workflows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, StringMark
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from itsm.workflow.definition import Position
from itsm.workflow.findings import Finding, Severity
from itsm.workflow.nodes import Mapping, Node, Scalar, Sequence, locate, plain, quoted

__all__ = [
    "Mapping", "Node", "Scalar", "Sequence", "locate", "plain", "quoted",
    "MAX_BYTES", "MAX_DEPTH", "MAX_FINDINGS", "MAX_NODES", "decode", "normalised", "parse", "parse_file", "read",
]  # fmt: skip

MAX_BYTES: Final = 256 * 1024
MAX_NODES: Final = 10_000
MAX_DEPTH: Final = 64
MAX_FINDINGS: Final = 100
"""Bounds of one source. A whole practice has some 20 KiB and a thousand values; the parser needs 2.5 µs for a character and
50 µs for a value, so that even a hostile source within the bounds is answered in about a second."""

_LONG_RUN: Final = re.compile(r"\S{5000,}")
"""In such a run the parser's search for the end of a tag takes quadratic time."""

_UNFIT: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
"""Characters that escapes such as "\\0" can smuggle in and that neither a database nor a log line may hold."""


def read(path: Path) -> tuple[str | None, list[Finding]]:
    """The text of a file, or why it cannot be had: too large, or not UTF-8. Raises `OSError` if it cannot be opened."""
    with path.open("rb") as stream:
        return decode(stream.read(MAX_BYTES + 1), str(path))


def decode(data: bytes, file: str) -> tuple[str | None, list[Finding]]:
    """The text of these bytes, or why they are none."""
    if len(data) > MAX_BYTES:
        return None, [_too_large(file)]
    try:
        return data.decode("utf-8-sig"), []
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8", "replace")
        at = _position_of(before, len(before), file)
        message = f"Byte 0x{data[error.start]:02x} is not UTF-8 text."
        return None, [_error("yaml-encoding", message, at, "Save the file as UTF-8.")]


def normalised(text: str) -> str:
    """The text with one kind of newline and no byte order mark: what a digest is taken of."""
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def parse(text: str, file: str) -> tuple[Node | None, list[Finding]]:
    """The tree of a YAML text, and every fault of its form.

    The tree is None when what was read cannot be trusted; a key that is given twice is a finding too, but leaves a tree
    (with the first value), so that the rest of the source can be judged with it.
    """
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        return None, [_too_large(file)]
    if any("!" in run for run in _LONG_RUN.findall(text)):
        return None, [_error("yaml-tag", "Tags are not taken, and none is as long as this.", Position(file, 1, 1))]
    reader = _Reader(normalised(text), file)
    try:
        tree = reader.tree()
    except _Stop as stop:
        return None, [*reader.findings, stop.finding]
    if any(finding.code != "duplicate-key" for finding in reader.findings):
        return None, reader.findings
    return tree, reader.findings


def parse_file(path: Path) -> tuple[Node | None, list[Finding]]:
    """`read` and `parse` in one."""
    text, findings = read(path)
    return (None, findings) if text is None else parse(text, str(path))


class _Stop(Exception):
    """The source cannot be read beyond this finding. No error of the program: it never leaves this module."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.message)
        self.finding = finding


class _Reader:
    """Turns the parser's events into a tree, without recursion and without believing anything."""

    def __init__(self, text: str, file: str) -> None:
        self.text = text
        self.file = file
        self.findings: list[Finding] = []
        self.root: Node | None = None
        self.open: list[Sequence | Mapping] = []
        self.key: list[Scalar | None] = []  # for each open mapping the key whose value comes next
        self.nodes = 0
        self.here = Position(file, 1, 1)  # where the last event began

    def tree(self) -> Node:
        """Reads all. Raises `_Stop`."""
        documents = 0
        for event in self._events():
            mark: StringMark = event.start_mark
            self.here = Position(self.file, mark.line + 1, mark.column + 1)
            if len(self.findings) >= MAX_FINDINGS:
                raise _Stop(_error("too-many-faults", "There are too many faults to go on.", self.here))
            if isinstance(event, DocumentStartEvent):
                documents += 1
                self._document(event, documents)
            elif isinstance(event, AliasEvent):
                hint = "Write the value out."
                raise _Stop(_error("yaml-alias", f"{quoted('*' + event.anchor)} refers to another place.", self.here, hint))
            elif isinstance(event, ScalarEvent):
                self._refuse_tag(event)
                self._take(self._scalar(event))
            elif isinstance(event, MappingStartEvent):
                self._refuse_tag(event)
                self._enter(Mapping((), self.here))
            elif isinstance(event, SequenceStartEvent):
                self._refuse_tag(event)
                self._enter(Sequence((), self.here))
            elif isinstance(event, (MappingEndEvent, SequenceEndEvent)):
                self.open.pop()
                self.key.pop()
        if self.root is None or (isinstance(self.root, Scalar) and self.root.is_null and not self.findings):
            raise _Stop(_error("yaml-empty", "There is nothing in this source.", Position(self.file, 1, 1)))
        return self.root

    def _events(self) -> Iterator[Event]:
        """ruamel's events; its ways to fail become findings."""
        try:
            yield from YAML(typ="safe", pure=True).parse(self.text)
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            at = Position(self.file, mark.line + 1, mark.column + 1) if mark else Position(self.file, 1, 1)
            words = ", ".join(str(part) for part in (error.context, error.problem) if part)
            raise _Stop(_error("yaml-syntax", f"This is not YAML: {words}.", at)) from error
        except ReaderError as error:
            at = _position_of(self.text, error.position, self.file)
            raise _Stop(_error("yaml-character", f"Character U+{error.character:04X} may not stand in YAML.", at)) from error
        except ValueError as error:  # an escape such as "\\U00110000", beyond Unicode
            raise _Stop(_error("yaml-syntax", f"This is not YAML: {error}.", self.here)) from error

    def _document(self, event: DocumentStartEvent, count: int) -> None:
        if count > 1:
            raise _Stop(_error("yaml-documents", "A second document begins here.", self.here, "One file, one document."))
        if event.version or event.tags:
            raise _Stop(_error("yaml-directive", "Directives such as %YAML or %TAG are not taken.", self.here, "Leave it out."))

    def _refuse_tag(self, event: ScalarEvent | MappingStartEvent | SequenceStartEvent) -> None:
        if event.ctag is not None:
            hint = "Leave the tag out; the schema knows the type."
            self.findings.append(_error("yaml-tag", f"The tag {quoted(event.ctag)} is not taken.", self.here, hint))
        if event.anchor is not None:
            hint = "Write the value out where it is needed."
            self.findings.append(
                _error("yaml-alias", f"The anchor {quoted('&' + event.anchor)} is not taken.", self.here, hint)
            )

    def _scalar(self, event: ScalarEvent) -> Scalar:
        at, text = self.here, str(event.value)
        if not text and event.style is None and self.key and (key := self.key[-1]):
            at = key.at  # nothing stands nowhere: it is told of its key
        if unfit := _UNFIT.search(text):
            character = f"U+{ord(unfit.group()):04X}"
            self.findings.append(_error("yaml-character", f"Character {character} may not stand in a value.", at))
        return Scalar(text, at, self._begins(event, at), quoted=event.style is not None)

    def _begins(self, event: ScalarEvent, at: Position) -> Position:
        """Where the first character of the text stands."""
        if event.style in ("'", '"'):
            return Position(self.file, at.line, at.column + 1)
        if event.style in ("|", ">"):
            body = self.text[event.start_mark.index : event.end_mark.index].partition("\n")[2]
            for offset, line in enumerate(body.split("\n")):
                if line.strip():
                    return Position(self.file, at.line + 1 + offset, len(line) - len(line.lstrip(" ")) + 1)
        return at

    def _enter(self, node: Sequence | Mapping) -> None:
        self._take(node)
        self.open.append(node)
        self.key.append(None)
        if len(self.open) > MAX_DEPTH:
            raise _Stop(_error("yaml-depth", f"This is nested more than {MAX_DEPTH} levels deep.", node.at))

    def _take(self, node: Node) -> None:
        """Puts a node where it belongs: at the root, at the end of a list, as a key or as a key's value."""
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise _Stop(_error("yaml-size", f"This source has more than {MAX_NODES} values.", node.at))
        if not self.open:
            self.root = node
            return
        parent, key = self.open[-1], self.key[-1]
        if isinstance(parent, Sequence):
            parent.append(node)
        elif key is not None:
            self._entry(parent, key, node)
            self.key[-1] = None
        elif isinstance(node, Scalar):
            self.key[-1] = node
        else:
            raise _Stop(_error("yaml-key", "A key must be a plain word, not a list or a mapping.", node.at))

    def _entry(self, parent: Mapping, key: Scalar, value: Node) -> None:
        if str(key) in parent:
            first = parent.keys_at[str(key)]
            hint = f"It stands already in line {first.line}; remove one."
            self.findings.append(_error("duplicate-key", f"{quoted(key)} is given twice.", key.at, hint))
            return
        parent[str(key)] = value
        parent.keys_at[str(key)] = key.at


def _error(code: str, message: str, at: Position, hint: str | None = None) -> Finding:
    return Finding(code, Severity.ERROR, message, at, hint)


def _too_large(file: str) -> Finding:
    return _error("yaml-size", f"This source is larger than {MAX_BYTES // 1024} KiB.", Position(file, 1, 1), "Split it.")


def _position_of(text: str, index: int, file: str) -> Position:
    line = text.count("\n", 0, index)
    return Position(file, line + 1, index - (text.rfind("\n", 0, index) + 1) + 1)
