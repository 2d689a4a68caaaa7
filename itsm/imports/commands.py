"""Importing a log: read, translate, tell, case by case. A case is on the desk as a whole, or not at all.

Cases share transactions, for a commit costs more than a case. Where one of them cannot be told, the batch is rolled back and
done again without it. What was imported is kept by its source and its id there, so doing it again adds nothing, and an import
that was broken off goes on where it was.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from itsm.imports import ledger
from itsm.imports.directory import Directory
from itsm.imports.log import Fault, Log
from itsm.imports.mapping import LogMapping
from itsm.imports.report import Report
from itsm.imports.translate import Translated, Translator
from itsm.people.access import SYSTEM, Channel
from itsm.platform.database import Prepared
from itsm.platform.errors import DeskError, not_found
from itsm.tickets import loading
from itsm.tickets.desk import Desk, Tx
from itsm.tickets.history import Historian, UntoldError
from itsm.tickets.models import WorkflowVersion
from itsm.tickets.story import Refused, Story, Told
from itsm.workflow.engine import Process

EVENTS_TOGETHER = 400
"""How many events share a transaction, about: some tenths of a second, in which nobody else can write to SQLite."""

_CURRENT = Prepared(
    sa.select(WorkflowVersion.id).where(WorkflowVersion.name == sa.bindparam("name"), WorkflowVersion.is_current)
)

Watch = Callable[[float, Report], None]
"""Told after each batch the share of the log that is done, from 0 to 1."""


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What became of a case: a ticket, a fault, or (neither) nothing, for it is here already."""

    told: Told | None = None
    fault: Fault | None = None


class Import:
    """One import of one log. `errors` is told whatever could not be imported."""

    def __init__(self, desk: Desk, mapping: LogMapping, refused: Refused, file: str, errors: Callable[[Fault], None]) -> None:
        self.desk = desk
        self.mapping = mapping
        self.report = Report(mapping.name, mapping.workflow, file, refused.value)
        self._errors = errors
        self._directory = Directory(desk.roles)
        self._historian = Historian(self._directory, self._version, refused)
        self._translator = Translator(mapping, desk.vocabulary, desk.clock.now())
        self._versions: dict[str, tuple[int, Process]] = {}
        self._mine: set[int] = set()
        driver = desk.database.dialect.dbapi
        assert driver is not None
        self._failures: tuple[type[Exception], ...] = (DeskError, driver.IntegrityError, driver.DataError)

    def run(self, log: Log, limit: int | None = None, watch: Watch | None = None) -> Report:
        """Import the first `limit` cases of a log, or all.

        Where the log cannot be read any further, what came before is imported, and the report says where it `stopped`.
        Raises `DeskError` when the database gives up; what was imported until then stays.
        """
        begun = time.monotonic()
        batch: list[Translated] = []
        events = 0
        for translated in self._translated(log, limit):
            batch.append(translated)
            events += len(translated.story.steps)
            if events >= EVENTS_TOGETHER:
                self._put_down(batch)
                batch, events = [], 0
                self.report.seconds = time.monotonic() - begun
                if watch is not None:
                    watch(log.progress, self.report)
        self._put_down(batch)
        self.report.seconds = time.monotonic() - begun
        return self.report

    def _translated(self, log: Log, limit: int | None) -> Iterator[Translated]:
        """The stories of the log; what is none is told to the report and to `errors`."""
        cases = log.cases()
        while limit is None or self.report.cases["read"] < limit:
            try:
                case = next(cases, None)
            except DeskError as error:
                self.report.stopped = error.detail
                return
            if case is None:
                return
            if isinstance(case, Fault):
                self._fail((case,))
                continue
            self.report.cases["read"] += 1
            translated = self._translator.translate(case)
            if isinstance(translated, Translated):
                yield translated
            else:
                self._fail(translated)

    def _put_down(self, batch: Sequence[Translated]) -> None:
        """Write a batch, and account for it once that is done."""
        if not batch:
            return
        for translated, outcome in zip(batch, self._written(batch), strict=True):
            if outcome.fault is not None:
                self._fail((outcome.fault,))
            elif outcome.told is not None:
                self.report.told(translated.story, outcome.told)
            else:
                self.report.cases["already_imported"] += 1
        self.report.made = self._directory.made

    def _written(self, batch: Sequence[Translated], *, again: bool = True) -> list[_Outcome]:
        """What became of each case. Which one the database does not take is found out by writing them one at a time.

        That one is tried once more, for somebody else may have added the same person or the same case in between. A batch that
        takes too long, on a machine with much to do, is written piece by piece, too.
        """
        try:
            outcomes = self.desk.database.retrying(lambda: self._together(batch))
        except self._failures as error:
            if isinstance(error, DeskError) and (error.code != "too_slow" or len(batch) == 1):
                raise
            if len(batch) > 1:
                return [outcome for translated in batch for outcome in self._written([translated])]
            if again:
                return self._written(batch, again=False)
            return [_Outcome(fault=_fault(batch[0].story, "database", f"The database does not take the case: {error}"))]
        pairs = zip(batch, outcomes, strict=True)
        self._mine.update(hash(translated.story.case) for translated, outcome in pairs if outcome.told)
        return outcomes

    def _together(self, batch: Sequence[Translated]) -> list[_Outcome]:
        """A batch in one transaction; once more without those that cannot be told, for half a case is none."""
        outcomes: dict[int, _Outcome] = {}
        while True:
            made = self._directory.made.copy()
            try:
                with self.desk.transaction(SYSTEM, Channel.IMPORT) as tx:
                    known = self._known(tx, batch)
                    places = [place for place in range(len(batch)) if place not in outcomes and place not in known]
                    self._directory.admit(tx, [batch[place].cast for place in places])
                    told = self._historian.tell(tx, [batch[place].story for place in places])
                    ledger.keep(
                        tx.session,
                        self.mapping.name,
                        [(batch[place].story.case, one.id) for place, one in zip(places, told, strict=True)],
                    )
            except UntoldError as untold:
                self._directory.forget(made)
                for index, error in untold.failed.items():
                    place = places[index]
                    outcomes[place] = _Outcome(fault=_fault(batch[place].story, error.code, error.detail))
                continue
            except BaseException:
                self._directory.forget(made)
                raise
            outcomes |= known | {place: _Outcome(one) for place, one in zip(places, told, strict=True)}
            return [outcomes[place] for place in range(len(batch))]

    def _known(self, tx: Tx, batch: Sequence[Translated]) -> dict[int, _Outcome]:
        """The cases that are here already: from an earlier import, or (a fault) from further up in this very log."""
        found = ledger.known(tx.session, self.mapping.name, [translated.story.case for translated in batch])
        outcomes = {}
        for place, translated in enumerate(batch):
            case = translated.story.case
            if case in found:
                twice = hash(case) in self._mine
                outcomes[place] = _Outcome(fault=_fault(translated.story, "double_case", _TWICE) if twice else None)
        return outcomes

    def _fail(self, faults: Iterable[Fault]) -> None:
        faults = tuple(faults)
        self.report.failed(faults)
        for fault in faults:
            self._errors(fault)

    def _version(self, tx: Tx, name: str) -> tuple[int, Process]:
        if name not in self._versions:
            row = tx.session.first(_CURRENT, name=name)
            if row is None:
                raise not_found("workflow", name)
            self._versions[name] = row.id, loading.process_of(tx, row.id)
        return self._versions[name]


_TWICE = "The log has this case twice; the first of the two was imported."


def _fault(story: Story, code: str, message: str) -> Fault:
    return Fault(story.steps[0].line, story.case, code, message, {"case": story.case, "events": len(story.steps)})
