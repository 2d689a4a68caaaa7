"""`itsm import`: the history of another desk, replayed through this one's workflows."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click
import orjson

from itsm.cli import Wiring, print_json
from itsm.platform import migrate
from itsm.platform.errors import DeskError, Kind
from itsm.platform.settings import from_environment

if TYPE_CHECKING:
    from itsm.imports.log import Fault
    from itsm.imports.report import Report
    from itsm.tickets.desk import Desk
    from itsm.workflow.definition import Workflow
    from itsm.workflow.findings import Finding

_FILE = click.Path(path_type=Path, dir_okay=False)
_MOST_ROWS = 20
_WIDTH_OF_FILES = 140


@click.command(name="import")
@click.argument("file", type=_FILE)
@click.option("--mapping", required=True, type=_FILE, help="What the words of the log mean here, in YAML.")
@click.option(
    "--refused",
    type=click.Choice(["record", "refuse"]),
    default="record",
    show_default=True,
    help="A step that the workflow would refuse: record it, marked as an override, or leave the ticket where it is.",
)
@click.option("--errors", type=_FILE, help="Where to tell cases that fail, as JSON lines.")
@click.option("--limit", type=click.IntRange(min=1), help="Import the first so many cases only.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.pass_obj
def import_(
    wiring: Wiring, file: Path, mapping: Path, refused: str, errors: Path | None, limit: int | None, as_json: bool
) -> None:
    """Import the event log FILE (XES, also packed with gzip, or CSV) as history.

    Every case becomes a ticket that went the same way at the same times by the same people, each step asked of the workflow.
    Doing it again adds nothing. Exits with 1 if anything could not be imported. docs/importing.md describes mappings.
    """
    from itsm.imports.commands import Import
    from itsm.imports.opening import BadMappingError, opened_log, read_mapping
    from itsm.tickets.story import Refused

    desk: Desk = wiring.build(from_environment()).desk
    migrate.refuse_unless_current(desk.database)
    try:
        found = read_mapping(mapping, _Published(desk), desk.vocabulary)
        with opened_log(file, found) as log, _Errors(errors or Path(f"{file.name}.errors.jsonl")) as told:
            importing = Import(desk, found, Refused(refused), str(file), told.add)
            with _Progress(file.name, hidden=as_json) as progress:
                report = importing.run(log, limit, progress.show)
            report.errors_file = told.written
    except BadMappingError as error:
        _tell_findings(error.findings, mapping)
        sys.exit(1)
    if as_json:
        print_json(report.as_json())
    else:
        _print(report)
    sys.exit(0 if report.complete else 1)


class _Published(Mapping[str, "Workflow"]):
    """The workflows that new tickets are born with, each compiled when it is asked for."""

    def __init__(self, desk: Desk) -> None:
        from itsm.people.access import SYSTEM
        from itsm.tickets import publishing

        self._processes = desk.processes
        with desk.reading(SYSTEM) as tx:
            self._versions = {version.name: version for version in publishing.current(tx)}
        if not self._versions:
            raise DeskError(Kind.SETUP, "no_workflows", "No workflow has been published yet: run `itsm init`.")

    def __getitem__(self, name: str) -> Workflow:
        version = self._versions[name]
        return self._processes.get(version.id, partial(str, version.source)).workflow

    def __iter__(self) -> Iterator[str]:
        return iter(self._versions)

    def __len__(self) -> int:
        return len(self._versions)


class _Errors:
    """The error file: one JSON object on a line for each fault; made when there is a first one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: TextIO | None = None

    def __enter__(self) -> _Errors:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    @property
    def written(self) -> str | None:
        """The file's name, if there was anything to tell."""
        return None if self._file is None else str(self._path)

    def add(self, fault: Fault) -> None:
        """Tell one fault: line (from 1), case, code, reason, and what was written there."""
        if self._file is None:
            try:
                self._file = self._path.open("w", encoding="utf-8")
            except OSError as error:
                words = f"{self._path}: The error file cannot be written: {error.strerror}."
                raise DeskError(Kind.SETUP, "no_errors_file", words) from error
        told = {"line": fault.line, "case": fault.case, "code": fault.code, "reason": fault.message, "raw": fault.raw}
        self._file.write(orjson.dumps(told, default=str).decode() + "\n")


class _Progress:
    """A progress bar on standard error, where that is a terminal."""

    def __init__(self, title: str, *, hidden: bool) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=console, disable=hidden or not console.is_terminal, transient=True)
        self._task = self._bar.add_task(title, total=1.0)
        self._title = title

    def __enter__(self) -> _Progress:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def show(self, share: float, report: Report) -> None:
        """Show how far it is."""
        told = f"{self._title}: {report.cases['imported']:,} cases, {report.events:,} events"
        self._bar.update(self._task, completed=share, description=told)


def _tell_findings(findings: list[Finding], mapping: Path) -> None:
    """What is wrong with a mapping, each fault with its line."""
    from itsm.workflow import source
    from itsm.workflow.report import as_text

    text, _ = source.read(mapping)
    click.echo(as_text(findings, {str(mapping): text or ""}), err=True)


def _print(report: Report) -> None:
    """The report for people."""
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_WIDTH_OF_FILES)
    console.print(_summary(report).rich)
    if report.arrows:
        console.print(_refused(report).rich)
    if report.differs or report.dropped:
        console.print(_differences(report).rich)
    if report.stopped:
        console.print(f"The log could not be read to its end. {report.stopped}", style="bold red", markup=False)
    if report.errors_file:
        console.print(f"What could not be imported is told in {report.errors_file}", markup=False)


class _Table:
    """A table of plain words: what a log says is never taken for markup."""

    def __init__(self, title: str, *columns: str) -> None:
        from rich.table import Table
        from rich.text import Text

        self.rich = Table(title=Text(title), title_justify="left", header_style="bold")
        self._text = Text
        for name in columns:
            self.rich.add_column(name, justify="right" if name in {"count", "figure"} else "left", overflow="fold")

    def row(self, *cells: str) -> None:
        """Add a row."""
        self.rich.add_row(*(self._text(cell) for cell in cells))


def _summary(report: Report) -> _Table:
    allowed, asked = report.moves
    table = _Table(f"{report.file} → {report.workflow}", "what", "figure")
    for what, figure in {
        "cases read": report.cases["read"],
        "imported": report.cases["imported"],
        "already imported": report.cases["already_imported"],
        "failed": report.cases["failed"],
        "events imported": report.events,
    }.items():
        table.row(what, f"{figure:,}")
    for fate in ("created", "moved", "updated", "overridden", "refused"):
        table.row(f"  {fate}", f"{report.fates[fate]:,}")
    table.row("events accepted by the workflow", f"{report.accepted:.1%}")
    table.row("steps between states accepted", f"{allowed / asked if asked else 1:.1%} of {asked:,}")
    for name, count in report.compared.items():
        differing = sum(one.count for one in report.differs.values() if one.field == name)
        table.row(f"{name} as in the log", f"{count - differing:,} of {count:,}")
    for name, count in report.filled.most_common():
        table.row(f"{name} filled by the mapping", f"{count:,}")
    for kind, count in report.made.items():
        table.row(f"made: {kind}", f"{count:,}")
    if report.opened:
        table.row("tickets opened besides", f"{report.opened:,}")
    table.row("events a second", f"{report.events_per_second:,.0f}")
    return table


def _refused(report: Report) -> _Table:
    what = "recorded as overrides (but for what has no meaning)" if report.refused == "record" else "left out"
    arrows = report.refused_arrows()
    shown = f", the {_MOST_ROWS} most frequent of {len(arrows)} kinds" if len(arrows) > _MOST_ROWS else ""
    table = _Table(f"Refused by the workflow and {what}{shown}", "from", "to", "count", "code", "why", "example")
    for one in arrows[:_MOST_ROWS]:
        table.row(one.source, one.target, f"{one.count:,}", one.code, one.message, f"{one.case}, line {one.line}")
    return table


def _differences(report: Report) -> _Table:
    table = _Table("Values that are not as the log says", "field", "log", "here", "count", "example")
    for one in sorted(report.differs.values(), key=lambda one: -one.count)[:_MOST_ROWS]:
        table.row(one.field, one.there, one.here, f"{one.count:,}", f"{one.case}, line {one.line}")
    for one in report.dropped.values():
        table.row(one.field, one.there, one.here, f"{one.count:,}", f"{one.case}, line {one.line}")
    return table
