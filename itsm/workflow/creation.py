"""How a ticket begins: what it has before anyone speaks, what its creator may say, and what must be said."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from itsm.workflow import sentences
from itsm.workflow.builtin import KEPT_BY_THE_DESK, REQUIRED_AT_CREATION
from itsm.workflow.case import Case, Person, Value
from itsm.workflow.definition import SYSTEM
from itsm.workflow.draft import Draft, Occasion
from itsm.workflow.rules import Rulebook

_REQUESTER: Final = "requester"


def created(
    book: Rulebook, person: Person, inputs: Mapping[str, object], now: datetime, overrides: Mapping[str, object]
) -> Draft:
    """A new ticket in the making. Its creator stands to it as the requester does, if that is who he is."""
    initial = book.workflow.states[book.workflow.initial]
    draft = Draft(book, Case(initial.name, {}), person, now, born=_born(book, person, inputs.get(_REQUESTER), now))
    draft.take({name: raw for name, raw in inputs.items() if name != _REQUESTER}, Occasion.CREATION)
    _name_requester(draft, inputs.get(_REQUESTER))
    override(draft, overrides)
    draft.arrive(initial.name)
    draft.require(REQUIRED_AT_CREATION + initial.require)
    draft.hold()
    return draft


def override(draft: Draft, given: Mapping[str, object]) -> None:
    """Lay values over a ticket by no one's right: typed, without asking `edit` or `readonly`. Derived fields stay derived."""
    for name, raw in given.items():
        field = draft.book.fields.get(name)
        if field is None:
            draft.reasons.append(sentences.unknown_field(name, draft.book.workflow.name, draft.book.fields))
        elif field.derive is None:
            draft.lay(field, raw)


def _born(book: Rulebook, person: Person, requester: object, now: datetime) -> dict[str, Value]:
    """Defaults; the creator as requester, with his organisation, unless he names someone else; the instant."""
    born: dict[str, Value] = dict(book.defaults)
    if SYSTEM not in person.roles and requester in (None, person.login):
        born |= {_REQUESTER: person.login, "organisation": person.organisation}
    return born | dict.fromkeys(KEPT_BY_THE_DESK, now)


def _name_requester(draft: Draft, raw: object) -> None:
    """An agent may name someone else; anyone else is the requester himself."""
    if raw is None or raw == draft.situation.person.login:
        return
    field = draft.book.fields[_REQUESTER]
    if draft.words.isdisjoint((*field.edit, SYSTEM)):
        draft.reasons.append(sentences.not_editable(field, "is whoever creates the ticket, unless an agent does"))
    else:
        draft.lay(field, raw)
