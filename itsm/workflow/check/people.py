"""Who may do what, as far as it can be said without knowing anyone: by the words of `by` and `edit`.

A relation says more than itself: whoever is the assignee of a ticket, or a member of its group, is an agent. The requester, a
watcher and an approver may be anyone, so nothing follows from these.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from itsm.workflow.builtin import FILLED_AT_CREATION, KEPT_BY_THE_DESK
from itsm.workflow.definition import SYSTEM, Field
from itsm.workflow.vocabulary import AGENT, Vocabulary

DOERS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "created": frozenset(),
        "requester_replied": frozenset({"requester"}),
        "agent_replied": frozenset({AGENT, "assignee", "group"}),
        "approved": frozenset({"approver"}),
        "rejected": frozenset({"approver"}),
        "tasks_done": frozenset(),
        "task_failed": frozenset(),
        "order_held": frozenset(),
        "order_resumed": frozenset(),
        "called_off": frozenset(),
    }
)
"""Events behind which there is a person, with the words for that person as far as they are known."""

_ANYONE: Final = frozenset({"requester", "watcher", "approver"})
_AGENTS: Final = frozenset({AGENT, "assignee", "group"})


def words_of(word: str, vocabulary: Vocabulary) -> frozenset[str]:
    """Every word of `edit` that may well be true of someone of whom `word` is true."""
    if word in _ANYONE:
        return frozenset({word})
    if word in _AGENTS:
        return _AGENTS
    roles = vocabulary.roles_of(word)
    agents = AGENT in roles or word not in vocabulary.includes
    return roles | _AGENTS if agents else roles


def may_write(word: str, field: Field, vocabulary: Vocabulary) -> bool:
    """Whether someone of whom `word` is true may fill this field when making a transition. The desk may fill any."""
    if field.derive is not None or field.name in KEPT_BY_THE_DESK:
        return False
    return word == SYSTEM or not words_of(word, vocabulary).isdisjoint(field.edit)


def some_person_may_write(field: Field) -> bool:
    """Whether anyone but the desk itself may ever fill this field by hand."""
    return field.derive is None and (field.name in FILLED_AT_CREATION or any(word != SYSTEM for word in field.edit))


def people_among(words: Iterable[str]) -> tuple[str, ...]:
    """The words that mean people, without the desk itself."""
    return tuple(word for word in words if word != SYSTEM)
