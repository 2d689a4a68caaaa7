"""A ticket told from another system's records: the same engine, the original times, the original people.

Each step is put to the workflow as the person who took it then (`judging.py`). What the workflow takes is a fact like any
other; what it refuses is either left out, with a note in the ticket's log, or recorded as an override, as the caller chooses.
The past is told, not lived again: no effect runs, nobody is notified, no reaction answers, no other ticket is moved, and timers
are armed only for what is still open in the end, so that a log of years sets off no storm.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from itsm.platform import timers
from itsm.platform.errors import DeskError
from itsm.platform.timers import NewTimer
from itsm.tickets import births, clockwork, saving
from itsm.tickets.desk import Tx
from itsm.tickets.judging import Judge
from itsm.tickets.records import Record
from itsm.tickets.story import People, Refused, Story, Told
from itsm.tickets.telling import Telling, Versions
from itsm.workflow.definition import Category


class UntoldError(Exception):
    """Stories, by their place among those that were to be told, that are none to the workflow; nothing may be committed."""

    def __init__(self, failed: Mapping[int, DeskError]) -> None:
        super().__init__(f"{len(failed)} stories")
        self.failed = failed


class Historian:
    """Tells stories, in transactions of the caller's. One is good for a whole import."""

    def __init__(self, people: People, versions: Versions, refused: Refused) -> None:
        self.people = people
        self.versions = versions
        self.judge = Judge(refused)

    def tell(self, tx: Tx, stories: Sequence[Story]) -> list[Told]:
        """Make tickets of stories, in their order.

        Raises `UntoldError` for those that the workflow does not take at all: the caller is to roll back, and leave them out.
        """
        numbers = births.allot(tx, self._wanted(tx, stories))
        pool = {type_: iter(allotted) for type_, allotted in numbers.items()}
        tellings: list[Telling] = []
        failed: dict[int, DeskError] = {}
        for place, story in enumerate(stories):
            telling = Telling(self.people, self.versions, self.judge, tx, story, pool)
            try:
                for step in telling.begin():
                    telling.take(step)
            except DeskError as error:
                failed[place] = error
            tellings.append(telling)
        if failed:
            raise UntoldError(failed)
        written = [record for telling in tellings for record in telling.records()]
        births.save(tx, [record for record in written if record.is_new])
        for record in written:
            saving.save(tx, record)
        timers.arm(tx.session, [timer for record in written for timer in _timers(tx, record)])
        return [telling.told() for telling in tellings]

    def _wanted(self, tx: Tx, stories: Sequence[Story]) -> dict[str, tuple[str, int]]:
        """How many numbers of each type the stories need, besides the pattern of the numbers."""
        types = Counter(story.type for story in stories)
        for story in stories:
            types.update({step.opens.link: step.opens.type for step in story.steps if step.opens}.values())
        return {type_: (self.versions(tx, type_)[1].workflow.number, count) for type_, count in types.items()}


def _timers(tx: Tx, record: Record) -> Iterator[NewTimer]:
    """The timers of a ticket that is still open, from its entry into its state.

    One that would have run out by now begins anew with the import: what was let lie for years is not answered in one night by
    a thousand reminders and closures.
    """
    if record.category == Category.CLOSED:
        return
    for timer in record.process.workflow.timers.values():
        if record.state in timer.states:
            due = clockwork.due(tx, timer, record.entered_state_at, timer.after)
            if due <= tx.recorded_at:
                due = clockwork.due(tx, timer, tx.recorded_at, timer.after)
            yield NewTimer(record.id, clockwork.KIND, timer.name, due, cycle=record.version)
