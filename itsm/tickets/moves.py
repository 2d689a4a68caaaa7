"""How a decision becomes a fact: the steps that every change of a ticket takes, in their one order.

1. references are resolved; 2. values and state change, with the event that tells it; 3. the comment is kept; 4. timers are
disarmed and armed; 5. the decision's effects run, as written; 6. subscribers answer; 7. the neighbours are told. `settle`
then lets the workflow react to what happened, one reaction after the other in the order of the happenings, and cuts what does
not come to rest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from itsm.people.access import Channel
from itsm.platform.database import Prepared
from itsm.platform.schema import table
from itsm.tickets import cascades, clockwork, facts, guarding, records, references, saving
from itsm.tickets.desk import Happened, Tx
from itsm.tickets.models import Comment
from itsm.tickets.records import Record
from itsm.tickets.refusals import as_error
from itsm.workflow.case import Change, Decision, Effect, Refusal, Response, Value
from itsm.workflow.definition import FieldType

MOST_REACTIONS = 8
"""How many reactions one command may set off before the rest is cut and reported in the ticket's log."""

_REFERENCES = frozenset({FieldType.USER, FieldType.GROUP, FieldType.SERVICE, FieldType.CI, FieldType.TICKET})

_COMMENTS = table(Comment)
_INSERT_COMMENT = Prepared(
    sa.insert(_COMMENTS)
    .values({name: sa.bindparam(name) for name in ("ticket_id", "seq", "author", "visibility", "body", "at")})
    .returning(_COMMENTS.c.id)
)


def decide(tx: Tx, record: Record, trigger: str, inputs: Mapping[str, Value], comment: str | None) -> Decision | Refusal:
    """Ask the engine whether the actor may fire the trigger now, with just the facts it needs."""
    process = record.process
    case = record.case(**facts.gather(tx, record, process.needs(trigger)))
    verdict = process.fire(case, tx.actor.person(), trigger, inputs, comment, tx.now)
    return guarding.judge(tx, record, verdict, inputs)


def fire(
    tx: Tx,
    record: Record,
    trigger: str,
    inputs: Mapping[str, Value],
    comment: str | None,
    because: Mapping[str, Any] | None = None,
) -> None:
    """Fire a trigger and apply what follows. Raises `DeskError` naming every reason if the workflow refuses."""
    verdict = decide(tx, record, trigger, inputs, comment)
    if isinstance(verdict, Refusal):
        raise as_error(verdict)
    apply(tx, record, verdict, because)


def apply(tx: Tx, record: Record, decision: Decision, because: Mapping[str, Any] | None = None) -> None:
    """Make a decision's target, changes and effects real. `because` is what set it off, for the log."""
    source, category_before = record.state, record.category
    take_changes(tx, record, decision.changes)
    payload: dict[str, Any] = {
        "trigger": decision.trigger,
        "from": source,
        "to": decision.target,
        "category": decision.category.value,
        "changes": told(decision.changes),
        **(because or {}),
    }
    if decision.effects:
        payload["effects"] = told_effects(decision.effects)
    records.enter(record, decision.target, decision.category, tx.now)
    if decision.comment:
        payload["comment"], payload["sha256"] = keep_comment(tx, record, decision.comment, "public")
    records.append(tx, record, "moved", payload)
    clockwork.rearm(tx, record, source)
    run_effects(tx, record, decision.effects)
    for subscriber in tx.desk.subscribers:
        subscriber(tx, Happened("moved", record, source))
    if record.category != category_before:
        cascades.announce(tx, record)


def take_changes(tx: Tx, record: Record, changes: Mapping[str, Change]) -> None:
    """Lay changes over the record's values, resolving the keys among them to row ids."""
    fields = record.process.fields
    kinds = {name: fields[name].type for name in changes if name in fields and fields[name].type in _REFERENCES}
    if kinds:
        ids = references.resolve(tx, changes, kinds)
        record.ids.update({name: row_id for name, row_id in ids.items() if name in records.REFERENCE_COLUMNS})
    for name, change in changes.items():
        record.values[name] = change.new


def told(changes: Mapping[str, Change]) -> dict[str, list[Value]]:
    """The changes as the log tells them: old and new, by field."""
    return {name: [change.old, change.new] for name, change in changes.items()}


def keep_comment(tx: Tx, record: Record, body: str, visibility: str) -> tuple[int, str]:
    """Keep what was written; the row id and the digest that the event about it carries."""
    row = tx.session.one(
        _INSERT_COMMENT,
        ticket_id=record.id,
        seq=record.version + 1,
        author=tx.actor.login,
        visibility=visibility,
        body=body,
        at=tx.now,
    )
    return row.id, hashlib.sha256(body.encode()).hexdigest()


def run_effects(tx: Tx, record: Record, effects: tuple[Effect, ...]) -> None:
    """Run effects in their written order, each by the handler registered for its action."""
    for effect in effects:
        tx.desk.effects[effect.action](tx, record, effect)


def settle(tx: Tx, record: Record) -> None:
    """Let the workflow answer everything that has happened, then write the record."""
    come_to_rest(tx, record)
    saving.save(tx, record)


def come_to_rest(tx: Tx, record: Record) -> None:
    """Let the workflow answer everything that has happened. Reactions act as the desk itself."""
    if not record.happenings:
        return
    desk = tx.as_system(Channel.REACTION)
    reactions = 0
    while record.happenings:
        event = record.happenings.popleft()
        process = record.process
        if not process.hears(event):
            continue
        case = record.case(**facts.gather(tx, record, process.needs_event(event)))
        response = process.react(event, case, tx.now)
        if response is None:
            continue
        if reactions == MOST_REACTIONS:
            records.append(desk, record, "reactions_cut", {"event": event, "after": reactions}, internal=True)
            record.happenings.clear()
            break
        reactions += 1
        respond(desk, record, response, {"reaction": event})


def respond(tx: Tx, record: Record, response: Response, because: dict[str, Any]) -> None:
    """Do what a timer or reaction calls for: its changes, its effects, its trigger.

    What is refused leaves a note in the log and changes nothing: the cause is real even where the answer is not possible.
    """
    refusal = response.refusal or guarding.against_changes(tx, record, response.changes)
    if refusal is not None:
        note_refusal(tx, record, refusal, because)
        return
    if response.changes or response.effects:
        take_changes(tx, record, response.changes)
        acted = {**because, "changes": told(response.changes), "effects": told_effects(response.effects)}
        records.append(tx, record, "acted", acted, internal=not response.changes)
        run_effects(tx, record, response.effects)
        if response.changes:
            for subscriber in tx.desk.subscribers:
                subscriber(tx, Happened("acted", record, record.state))
    if response.fire is None:
        return
    verdict = decide(tx, record, response.fire, {}, None)
    if isinstance(verdict, Refusal):
        note_refusal(tx, record, verdict, because)
    else:
        apply(tx, record, verdict, because)


def note_refusal(tx: Tx, record: Record, refusal: Refusal, because: dict[str, Any]) -> None:
    """Say in the ticket's log what was refused, and why."""
    reasons = [reason.message for reason in refusal.reasons]
    payload = {**because, "trigger": refusal.trigger, "code": refusal.code.value, "reasons": reasons}
    records.append(tx, record, "refused", payload, internal=True)


def told_effects(effects: Iterable[Effect]) -> list[dict[str, Any]]:
    """Effects as the log tells them."""
    return [{"do": effect.action, **effect.arguments} for effect in effects]
