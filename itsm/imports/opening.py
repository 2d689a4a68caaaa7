"""From a path and a mapping to a log that is open for reading, or to every reason why not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from itsm.imports import mapping as mappings
from itsm.imports.grammar import Format
from itsm.imports.log import Log
from itsm.imports.mapping import LogMapping
from itsm.imports.stream import opened
from itsm.imports.table import TableLog
from itsm.imports.xes import XesLog
from itsm.platform.errors import DeskError, Kind
from itsm.workflow.definition import Workflow
from itsm.workflow.findings import Finding
from itsm.workflow.vocabulary import Vocabulary


class BadMappingError(DeskError):
    """A mapping that cannot be used; `findings` say all that is wrong with it, each with its place."""

    def __init__(self, findings: list[Finding]) -> None:
        words = "\n".join(f"{one.at}: error {one.code}: {one.message}" for one in findings)
        super().__init__(Kind.INVALID, "bad_mapping", words)
        self.findings = findings


def read_mapping(path: Path, workflows: Mapping[str, Workflow], vocabulary: Vocabulary) -> LogMapping:
    """The mapping of a file. Raises `BadMappingError`, or `DeskError` (`no_such_mapping`)."""
    try:
        found, findings = mappings.load_file(path, workflows, vocabulary)
    except OSError as error:
        raise DeskError(
            Kind.NOT_FOUND, "no_such_mapping", f"{path}: The mapping cannot be opened: {error.strerror}."
        ) from error
    if found is None:
        raise BadMappingError(findings)
    return found


@contextmanager
def opened_log(path: Path, mapping: LogMapping) -> Iterator[Log]:
    """A log as its mapping says it is written. Raises `BadMappingError` for columns that a table does not have."""
    reading = mapping.reading
    with opened(path) as stream:
        if reading.format is Format.XES:
            yield XesLog(stream, str(path), mapping.case, reading.unknown)
            return
        table = TableLog(stream, str(path), mapping.case, reading.unknown, reading.delimiter, reading.encoding)
        if findings := mappings.missing_columns(mapping, table.columns):
            raise BadMappingError(findings)
        yield table
