"""Reading an agreement from where its texts lie: the files of an installation, or what a published version has kept.

Besides the promises, an agreement rests on calendars (and the iCalendar files they name), locations, and the outlines of the
workflows. All of them are kept with it as they were.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path

from itsm.platform.errors import DeskError, Kind
from itsm.sla.agreements import Source
from itsm.sla.check import check
from itsm.sla.outlines import outline, outlined
from itsm.sla.policy import Agreement
from itsm.sla.reading import load_agreement
from itsm.workflow import calendars, locations
from itsm.workflow.definition import Workflow
from itsm.workflow.findings import Finding, Severity
from itsm.workflow.source import normalised
from itsm.workflow.vocabulary import Vocabulary

PROMISES, HOURS, PLACES = "sla.yaml", "calendars.yaml", "locations.yaml"
_MOST_READ = 32


class Unsound(DeskError):
    """Promises with errors: `findings` say which and where."""

    def __init__(self, findings: list[Finding]) -> None:
        errors = [finding for finding in findings if finding.severity is Severity.ERROR]
        words = "; ".join(f"{finding.at}: {finding.message}" for finding in errors[:5])
        super().__init__(Kind.INVALID, "agreement_unsound", f"The promises have {len(errors)} error(s): {words}")
        self.findings = findings


def gather(config: Path, workflows: Path) -> Source:
    """What an installation has: the files by which it promises, and the iCalendar files that its calendars name.

    Files that are absent are left out. Raises `DeskError` (`bad_configuration`) for one that is not UTF-8 (RFC 5545, 3.1.4).
    """
    files = {name: _text(path.read_bytes(), path) for name in (PROMISES, HOURS, PLACES) if (path := config / name).exists()}

    def take(name: str) -> bytes:
        found = calendars.beside(config / HOURS, name)
        files[name] = _text(found, config / name)
        return found

    calendars.load_calendars(files.get(HOURS, "{}"), HOURS, take)
    told = (outline(_text(path.read_bytes(), path)) for path in sorted(workflows.glob("*.yaml")))
    return Source(files, dict(one for one in told if one is not None))


def _text(data: bytes, path: Path) -> str:
    try:
        return normalised(data.decode())
    except UnicodeDecodeError as error:
        words = f"{path} is not UTF-8 text: byte 0x{data[error.start]:02x}. Save it as UTF-8."
        raise DeskError(Kind.SETUP, "bad_configuration", words) from error


def reader(vocabulary: Vocabulary) -> Callable[[Source], Agreement]:
    """Reads sources against the vocabulary of this installation; what was read is remembered by its content."""

    @lru_cache(maxsize=_MOST_READ)
    def read_text(text: str) -> Agreement:
        return read(Source.of(text), vocabulary)

    return lambda source: read_text(source.text())


def read(source: Source, vocabulary: Vocabulary) -> Agreement:
    """The agreement that these texts make. Raises `Unsound` with every fault."""
    agreement, findings = load(source, vocabulary)
    if agreement is None or any(finding.severity is Severity.ERROR for finding in findings):
        raise Unsound(findings)
    return agreement


def prove(source: Source, workflows: Mapping[str, Workflow], vocabulary: Vocabulary) -> None:
    """See that an agreement is sound for the tickets of these workflows. Raises `Unsound` with every finding."""
    agreement, findings = load(source, vocabulary)
    if agreement is not None:
        findings += check(agreement, workflows, vocabulary)
    if any(finding.severity is Severity.ERROR for finding in findings):
        raise Unsound(findings)


def load(source: Source, vocabulary: Vocabulary) -> tuple[Agreement | None, list[Finding]]:
    """The agreement that these texts make, or None, and everything that is wrong with them."""

    def read_file(name: str) -> bytes:
        try:
            return source.files[name].encode()
        except KeyError:
            raise FileNotFoundError(name) from None

    hours, findings = calendars.load_calendars(source.files.get(HOURS, "{}"), HOURS, read_file)
    where, misplaced = locations.load_locations(source.files.get(PLACES, "{}"), PLACES, hours)
    practices = outlined(source.workflows)
    agreement, wrong = load_agreement(source.files.get(PROMISES, "[]"), PROMISES, vocabulary, practices, hours, where)
    return agreement, [*findings, *misplaced, *wrong]
