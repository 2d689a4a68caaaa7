"""One story on its way to being a ticket: each step is put to the workflow, and what comes of it is laid over the record.

Nothing is written here but what others must hang on: a comment, a link. The records are the caller's to save.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, TypeAlias

import sqlalchemy as sa

from itsm.platform.database import Prepared
from itsm.platform.errors import DeskError, Kind
from itsm.platform.schema import table
from itsm.tickets import births, guarding, moves, records, saving
from itsm.tickets.desk import Tx
from itsm.tickets.facts import INVERSE_KINDS
from itsm.tickets.judging import NO_MEANING, Judge, Ruling
from itsm.tickets.models import Link
from itsm.tickets.records import REFERENCE_COLUMNS, Record
from itsm.tickets.story import Fate, Opened, People, Step, Story, Told, Verdict
from itsm.workflow.case import Case, Change, Decision, Person, Refusal, Value
from itsm.workflow.definition import SAME_STATE
from itsm.workflow.engine import Process

Versions: TypeAlias = Callable[[Tx, str], tuple[int, Process]]
"""The current version of a workflow: row id and process."""

Pool: TypeAlias = Mapping[str, Iterator[tuple[int, str]]]

_NO_TASKS = {"open": 0, "total": 0, "failed": 0}

_LINKS = table(Link)
_INSERT_LINK = Prepared(
    sa.insert(_LINKS)
    .values({name: sa.bindparam(name) for name in ("source_id", "target_id", "kind", "at")})
    .returning(_LINKS.c.id)
)


class Telling:
    """A story being told. `pool` has the row ids and numbers that its tickets get."""

    record: Record

    def __init__(self, people: People, versions: Versions, judge: Judge, tx: Tx, story: Story, pool: Pool) -> None:
        self.people = people
        self.versions = versions
        self.judge = judge
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
            ruling, fate = self.judge.update(record, self._case(), person, step, self._guarded), Fate.UPDATED
        else:
            ruling, fate = self.judge.move(record, self._case(), person, step, step.target, self._guarded), Fate.MOVED
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
        record = births.newborn(tx, type_, version_id, process)
        self._lay(record, ruling.decision.changes)
        record.id, record.number = next(self.pool[type_])
        record.values["number"] = record.number
        records.enter(record, ruling.decision.target, ruling.decision.category, tx.now)
        records.append(tx, record, "created", {**births.told(tx, record), **_override(ruling), **imported})
        return record, ruling

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
        self._write(self.record)
        self._write(other)
        link = tx.session.one(_INSERT_LINK, source_id=self.record.id, target_id=other.id, kind=opened.link, at=step.at).id
        records.append(tx, self.record, "linked", {"link": link, "kind": opened.link, "number": other.number})
        backwards = {"link": link, "kind": INVERSE_KINDS[opened.link], "number": self.record.number}
        records.append(tx, other, "linked", backwards)
        self.opened[opened.link] = other
        return other.number

    def _write(self, record: Record) -> None:
        if record.is_new:
            births.save(self.tx, [record])
        else:
            saving.save(self.tx, record)

    def _kept(self, comment: str, visibility: str) -> tuple[int, str]:
        self._write(self.record)  # a comment can only hang on a ticket that is there
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

    def _guarded(self, verdict: Decision | Refusal, given: Mapping[str, Value]) -> Decision | Refusal:
        return guarding.judge(self.tx, self.record, verdict, given)

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
