"""XES (IEEE 1849-2016): the log of a process as XML, read as a stream of traces.

Only what a case needs is kept: the attributes that stand directly in a trace or an event. Lists, nested attributes, globals and
classifiers are passed over. A document type is refused, and with it every entity; nothing outside the file is ever fetched.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from xml.sax import SAXParseException
from xml.sax.handler import ContentHandler

from defusedxml.common import DefusedXmlException
from defusedxml.expatreader import DefusedExpatParser

from itsm.imports.log import MOST_CHARACTERS, MOST_EVENTS, MOST_WEIGHT, Fault, SourceCase, SourceEvent, unreadable
from itsm.imports.stream import Stream
from itsm.platform.errors import DeskError

_CHUNK = 64 * 1024
_MOST_BETWEEN = 4 << 20
"""How many bytes may pass without a tag coming to its end: the XML parser would keep all of them."""
_MOST_DEPTH = 32
_IN_EVENT = 3
"""How deep an attribute of an event lies: log, trace, event."""
_VALUES = frozenset({"string", "date", "int", "float", "boolean", "id"})


class XesLog:
    """A log in XES. `case` names the attribute of a trace that holds the case's id; `unknown` values count as not given."""

    def __init__(self, stream: Stream, file: str, case: str, unknown: frozenset[str]) -> None:
        self._stream = stream
        self._file = file
        self._traces = _Traces(case, unknown)
        self._parser = DefusedExpatParser(forbid_dtd=True)
        self._parser.setContentHandler(self._traces)
        self._traces.parser = self._parser
        self._silent = 0

    @property
    def progress(self) -> float:
        return self._stream.progress

    def cases(self) -> Iterator[SourceCase | Fault]:
        """Every trace as a case. Raises `DeskError` at the line and column where the file ceases to be XES."""
        while chunk := self._stream.read(_CHUNK):
            yield from self._parsed(chunk)
        yield from self._parsed(None)
        if not self._traces.is_log:
            raise self._refused("not_xes", "There is no <log> in this file.")

    def _parsed(self, chunk: bytes | None) -> Iterator[SourceCase | Fault]:
        """The traces that end within a chunk; those before a fault are given out before it is told."""
        tags, trouble = self._traces.tags, None
        try:
            self._parse(chunk)
        except DeskError as error:
            trouble = error
        yield from self._traces.take()
        if trouble:
            raise trouble
        self._silent = 0 if self._traces.tags > tags else self._silent + len(chunk or b"")
        if self._silent > _MOST_BETWEEN:
            raise self._refused("xml_token_too_large", f"More than {_MOST_BETWEEN >> 20} MiB pass here without a tag.")

    def _parse(self, chunk: bytes | None) -> None:
        try:
            if chunk is None:
                self._parser.close()
            else:
                self._parser.feed(chunk)
        except SAXParseException as error:
            place = f"{self._file}:{error.getLineNumber()}:{(error.getColumnNumber() or 0) + 1}"
            raise unreadable(place, "bad_xml", f"This is not XML: {error.getMessage()}.") from error
        except DefusedXmlException as error:
            raise self._refused("xml_doctype", "A document type is not taken, nor are entities.") from error
        except _NotXesError as error:
            raise self._refused("not_xes", str(error)) from error

    def _refused(self, code: str, sentence: str) -> DeskError:
        line, column = self._parser.getLineNumber() or 1, (self._parser.getColumnNumber() or 0) + 1
        return unreadable(f"{self._file}:{line}:{column}", code, sentence)


class _NotXesError(Exception):
    """The XML is well formed, and no log."""


class _Traces(ContentHandler):
    """Puts traces together out of the parser's events. `tags` counts what has come, so that silence is noticed.

    Nearly every tag is an attribute of an event, so that way is short.
    """

    def __init__(self, case: str, unknown: frozenset[str]) -> None:
        super().__init__()
        self.parser: Any = None
        self.tags = 0
        self.is_log = False
        self._case = case
        self._unknown = unknown
        self._done: list[SourceCase | Fault] = []
        self._depth = 0
        self._in_trace = self._in_event = False
        self._trace: dict[str, str] = {}
        self._events: list[SourceEvent] = []
        self._faults: dict[str, Fault] = {}
        self._weight = 0
        self._event: dict[str, str] = {}
        self._trace_line = self._event_line = 0

    def take(self) -> list[SourceCase | Fault]:
        """The cases that have become complete."""
        done, self._done = self._done, []
        return done

    def startElement(self, name: str, attrs: Any) -> None:  # noqa: N802 — the name is SAX's
        self.tags += 1
        depth = self._depth
        self._depth = depth + 1
        if depth == _IN_EVENT:
            if self._in_event and (name in _VALUES or _local(name) in _VALUES):
                self._keep(self._event, attrs)
        elif depth < _IN_EVENT or depth >= _MOST_DEPTH:
            self._begin(depth, _local(name), attrs)

    def _begin(self, depth: int, name: str, attrs: Any) -> None:
        """A tag above an event's attributes, or one that lies too deep."""
        if depth >= _MOST_DEPTH:
            raise _NotXesError(f"Elements are nested more than {_MOST_DEPTH} levels deep.")
        if depth == 0:
            if name != "log":
                raise _NotXesError(f"The root is <{name}>, not <log>.")
            self.is_log = True
        elif depth == 1:
            self._in_trace = name == "trace"
            if self._in_trace:
                self._trace, self._events, self._faults, self._weight = {}, [], {}, 0
                self._trace_line = self.parser.getLineNumber()
        elif self._in_trace:
            self._in_event = name == "event"
            if self._in_event:
                self._event, self._event_line = {}, self.parser.getLineNumber()
            elif name in _VALUES:
                self._keep(self._trace, attrs)

    def endElement(self, name: str) -> None:  # noqa: N802
        self.tags += 1
        self._depth -= 1
        if self._depth == _IN_EVENT - 1 and self._in_event:
            self._in_event = False
            self._end_event()
        elif self._depth == 1 and self._in_trace:
            self._in_trace = False
            self._end_trace()

    def _keep(self, values: dict[str, str], attrs: Any) -> None:
        key, value = attrs.get("key"), attrs.get("value")
        if key is None or value is None or value in self._unknown:
            return
        self._weight += len(key) + len(value)
        if len(value) > MOST_CHARACTERS:
            self._fault("too_long", f"“{key[:200]}” has more than {MOST_CHARACTERS:,} characters.", value[:200])
        elif self._weight > MOST_WEIGHT:
            self._fault("too_large", f"The case has more than {MOST_WEIGHT:,} characters.", key[:200])
        else:
            values[key] = value

    def _fault(self, code: str, message: str, raw: object) -> None:
        """Notes a fault of the case, each kind of fault once."""
        if code not in self._faults:
            self._faults[code] = Fault(self.parser.getLineNumber(), None, code, message, raw)

    def _end_event(self) -> None:
        if len(self._events) < MOST_EVENTS:
            self._events.append(SourceEvent(self._event_line, self._event))
        else:
            self._fault("too_many_events", f"The case has more than {MOST_EVENTS:,} events.", self._event)

    def _end_trace(self) -> None:
        case = self._trace.get(self._case)
        if case is None:
            message = f"The trace has no attribute “{self._case}”, so it has no id."
            self._done.append(Fault(self._trace_line, None, "missing_case", message, self._trace))
        else:
            faults = tuple(replace(fault, case=case) for fault in self._faults.values())
            self._done.append(SourceCase(case, self._trace_line, self._trace, tuple(self._events), faults))


def _local(name: str) -> str:
    return name.rpartition(":")[2]
