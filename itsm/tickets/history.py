"""A ticket told from another system's records: the same engine, the original times, the original people.

Each step is put to the workflow as the person who took it then (`judging.py`). What the workflow takes is a fact like any
other; what it refuses is either left out, with a note in the ticket's log, or recorded as an override, as the caller chooses.
The past is told, not lived again: no effect runs, nobody is notified, no reaction answers, no other ticket is moved, and timers
are armed only for what is still open in the end, so that a log of years sets off no storm.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias

import sqlalchemy as sa

from itsm.platform import timers
from itsm.platform.database import Prepared
from itsm.platform.errors import DeskError, Kind
from itsm.platform.schema import table
from itsm.platform.timers import NewTimer
from itsm.tickets import births, clockwork, moves, records
from itsm.tickets.desk import Tx
from itsm.tickets.facts import INVERSE_KINDS
from itsm.tickets.judging import NO_MEANING, Judge, Ruling
from itsm.tickets.models import Link
from itsm.tickets.records import REFERENCE_COLUMNS, Record
from itsm.tickets.story import Fate, Opened, People, Refused, Step, Story, Told, Verdict
from itsm.workflow.case import Case, Change, Decision, Person, Value
from itsm.workflow.definition import SAME_STATE, Category
from itsm.workflow.engine import Process

Versions: TypeAlias = Callable[[Tx, str], tuple[int, Process]]
"""The current version of a workflow: row id and process."""

_NO_TASKS = {"open": 0, "total": 0, "failed": 0}

_LINKS = table(Link)
_INSERT_LINK = Prepared(
    sa.insert(_LINKS)
    .values({name: sa.bindparam(name) for name in ("source_id", "target_id", "kind", "at")})
    .returning(_LINKS.c.id)
)


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
        tellings: list[_Telling] = []
        failed: dict[int, DeskError] = {}
        for place, story in enumerate(stories):
            telling = _Telling(self, tx, story, pool)
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
            records.save(tx, record)
        timers.arm(tx.session, [timer for record in written for timer in _timers(tx, record)])
        return [telling.told() for telling in tellings]

    def _wanted(self, tx: Tx, stories: Sequence[Story]) -> dict[str, tuple[str, int]]:
        """How many numbers of each type the stories need, besides the pattern of the numbers."""
        types = Counter(story.type for story in stories)
        for story in stories:
            types.update({step.opens.link: step.opens.type for step in story.steps if step.opens}.values())
        return {type_: (self.versions(tx, type_)[1].workflow.number, count) for type_, count in types.items()}


class _Telling:
    """One story on its way to being a ticket."""

    record: Record

    def __init__(self, historian: Historian, tx: Tx, story: Story, pool: Mapping[str, Iterator[tuple[int, str]]]) -> None:
        self.people = historian.people
        self.versions = historian.versions
        self.judge = historian.judge
        self.tx = tx
        self.story = story
        self.pool = pool
        self.verdicts: list[Verdict] = []
        self.opened: dict[str, Record] = {}
        self.born_against: str | None = None

    def begin(self) -> tuple[Step, ...]:
        """Create the ticket; the steps that are left. The first is the creation itself, unless somebody opened it before."""
        story, first = self.story, self.story.steps[0]
        self._at(story.opened_at, story.opened_by)
        given = {name: value for name, value in first.values.items() if value is not None}
        self.record, ruling = self._born(story.type, given, _imported(first))
        self.born_against = ruling.code
        opened_before = (story.opened_at, story.opened_by) != (first.at, first.by)
        if opened_before or first.target not in {SAME_STATE, self.record.state}:
            return story.steps
        self._conclude(first, ruling, None, Fate.CREATED)
        return story.steps[1:]

    def take(self, step: Step) -> None:
        """Put one step to the workflow, and write down what comes of it."""
        self._at(step.at, step.by)
        record, source = self.record, self.record.state
        person = self._person(step.roles, record)
        if step.target is None:
            ruling, fate = Ruling(None, NO_MEANING, (step.why_refused,)), Fate.REFUSED
        elif step.target in {SAME_STATE, source}:
            ruling, fate = self.judge.update(record, self._case(), person, step), Fate.UPDATED
        else:
            ruling, fate = self.judge.move(record, self._case(), person, step, step.target), Fate.MOVED
        if ruling.decision is None:
            asked = {"status": step.status, "target": step.target}
            payload = {"trigger": ruling.trigger, "code": ruling.code, "reasons": list(ruling.reasons), "asked": asked}
            records.append(self.tx, record, "refused", {**payload, **_imported(step)}, internal=True)
        elif fate is Fate.MOVED:
            self._write_move(step, ruling, ruling.decision)
        else:
            self._write_update(step, ruling, ruling.decision)
        self._conclude(step, ruling, source, fate)

    def records(self) -> tuple[Record, ...]:
        """The ticket, and those that it opened."""
        return (self.record, *self.opened.values())

    def told(self) -> Told:
        """The account of it."""
        return Told(self.record.id, self.record.number, self.born_against, tuple(self.verdicts))

    # Creation

    def _born(self, type_: str, given: Mapping[str, Value], imported: dict[str, Any]) -> tuple[Record, Ruling]:
        """A new ticket, not written yet, and what the workflow said to it."""
        tx, story = self.tx, self.story
        version_id, process = self.versions(tx, type_)
        own = {"requester": story.requester, "organisation": story.organisation}
        own = {name: value for name, value in own.items() if value is not None}
        person = self._person(story.roles, None)
        initial = process.workflow.initial
        ruling = self.judge.birth(
            lambda values: process.create(person, values, tx.now, own),
            lambda values: process.force(Case(initial, {}), initial, {**values, **own}, tx.now),
            given,
        )
        if ruling.decision is None:
            raise DeskError(Kind.INVALID, "not_created", f"The workflow takes no such ticket: {' '.join(ruling.reasons)}")
        record = self._newborn(type_, version_id, process)
        self._lay(record, ruling.decision.changes)
        record.id, record.number = next(self.pool[type_])
        record.values["number"] = record.number
        records.enter(record, ruling.decision.target, ruling.decision.category, tx.now)
        born = {
            "type": type_,
            "number": record.number,
            "workflow": process.workflow.digest,
            "to": record.state,
            "category": record.category,
            "opened_by": tx.actor.login,
            "changes": {name: [None, value] for name, value in record.values.items() if value is not None},
        }
        records.append(tx, record, "created", {**born, **_override(ruling), **imported})
        return record, ruling

    def _newborn(self, type_: str, version_id: int, process: Process) -> Record:
        now, initial = self.tx.now, process.workflow.initial
        return Record(
            id=0,
            number="",
            type=type_,
            process=process,
            workflow_version_id=version_id,
            state=initial,
            category=process.workflow.category(initial).value,
            values={"created_at": now, "updated_at": now},
            ids={},
            entered_state_at=now,
            resolved_at=None,
            closed_at=None,
            work_minutes=0,
            event_count=0,
            chain=b"",
            opened_by_id=self.tx.actor.id,
            is_new=True,
        )

    # Writing down

    def _write_move(self, step: Step, ruling: Ruling, decision: Decision) -> None:
        record = self.record
        payload: dict[str, Any] = {
            "trigger": ruling.trigger,
            "from": record.state,
            "to": decision.target,
            "category": decision.category.value,
            "changes": moves.told(decision.changes),
            **_override(ruling),
            **_imported(step, ruling),
        }
        self._lay(record, decision.changes)
        records.enter(record, decision.target, decision.category, step.at)
        if step.comment:
            payload["comment"], payload["sha256"] = self._kept(step.comment, "public")
        records.append(self.tx, record, "moved", payload)

    def _write_update(self, step: Step, ruling: Ruling, decision: Decision) -> None:
        """Changed values are an edit like any other; a record that says nothing new is kept as a note of what was told."""
        record = self.record
        if decision.changes:
            self._lay(record, decision.changes)
            payload = {"changes": moves.told(decision.changes), **_override(ruling), **_imported(step, ruling)}
            records.append(self.tx, record, "edited", payload)
        else:
            records.append(self.tx, record, "noted", _imported(step, ruling), internal=True)
        if step.comment:
            comment, digest = self._kept(step.comment, "internal")
            payload = {"comment": comment, "sha256": digest, "visibility": "internal"}
            records.append(self.tx, record, "commented", payload, internal=True)

    def _conclude(self, step: Step, ruling: Ruling, source: str | None, fate: Fate) -> None:
        """Open what the step opened, compare what is to be compared, and keep the verdict."""
        number = None
        if step.opens is not None and step.opens.link not in self.opened:
            number = self._open(step, step.opens)
        if ruling.decision is None:
            fate = Fate.REFUSED
        elif ruling.overridden:
            fate = Fate.OVERRIDDEN
        values = self.record.values
        self.verdicts.append(
            Verdict(
                step=step,
                fate=fate,
                source=source,
                target=step.status if step.target is None else step.target,
                trigger=ruling.trigger,
                code=ruling.code,
                message=" ".join(ruling.reasons),
                filled=ruling.filled,
                dropped=ruling.dropped,
                differs={name: (told, values.get(name)) for name, told in step.compare.items() if values.get(name) != told},
                opened=number,
            )
        )

    def _open(self, step: Step, opened: Opened) -> str:
        """A ticket of another workflow, linked to this one; its number."""
        tx = self.tx
        other, _ = self._born(opened.type, {"title": opened.title}, _imported(step))
        records.save(tx, self.record)
        records.save(tx, other)
        link = tx.session.one(_INSERT_LINK, source_id=self.record.id, target_id=other.id, kind=opened.link, at=step.at).id
        records.append(tx, self.record, "linked", {"link": link, "kind": opened.link, "number": other.number})
        backwards = {"link": link, "kind": INVERSE_KINDS[opened.link], "number": self.record.number}
        records.append(tx, other, "linked", backwards)
        self.opened[opened.link] = other
        return other.number

    def _kept(self, comment: str, visibility: str) -> tuple[int, str]:
        records.save(self.tx, self.record)  # a comment can only hang on a ticket that is there
        return moves.keep_comment(self.tx, self.record, comment, visibility)

    def _lay(self, record: Record, changes: Mapping[str, Change]) -> None:
        for name, change in changes.items():
            record.values[name] = change.new
            if name in REFERENCE_COLUMNS:
                record.ids[name] = self.people.id_of(name, change.new) if isinstance(change.new, str) else None

    # Who and when

    def _at(self, instant: datetime, login: str) -> None:
        self.tx.now, self.tx.actor = instant, self.people.actor(login)

    def _person(self, roles: frozenset[str], record: Record | None) -> Person:
        """Whoever acts, with the roles that the mapping gives him, and a member of the group that the ticket lies with."""
        group = record.values.get("group") if record else None
        groups = frozenset({group}) if isinstance(group, str) else frozenset()
        return Person(self.tx.actor.login, roles, groups, self.tx.actor.organisation)

    def _case(self) -> Case:
        return self.record.case(tasks=_NO_TASKS, links=dict.fromkeys(self.opened, 1))


def _imported(step: Step, ruling: Ruling | None = None) -> dict[str, Any]:
    """What the event keeps of the source: its own word for the step, and what is not the source's."""
    told: dict[str, Any] = {"status": step.status}
    if step.told:
        told["told"] = dict(step.told)
    if ruling is not None and ruling.filled:
        told["filled"] = list(ruling.filled)
    if ruling is not None and ruling.as_told:
        told["as_told"] = list(ruling.as_told)
    if ruling is not None and ruling.dropped:
        told["dropped"] = [reason.field for reason in ruling.dropped]
    return {"imported": told}


def _override(ruling: Ruling) -> dict[str, Any]:
    if not ruling.overridden:
        return {}
    return {"override": True, "code": ruling.code, "reasons": list(ruling.reasons)}


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
