"""Moves as far as they concern the fields looked at: what must hold, what is asked for, what is written; found out once."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass

from itsm.workflow.builtin import MOVED_BY_TRANSITIONS
from itsm.workflow.check.logic import Condition
from itsm.workflow.check.people import may_write, people_among
from itsm.workflow.check.subject import Move, Subject
from itsm.workflow.definition import Action


@dataclass(frozen=True, slots=True)
class Rival:
    """An earlier branch of the same transition: for whom it is, and on what condition (None: always)."""

    by: frozenset[str]
    condition: Condition | None


@dataclass(frozen=True, slots=True)
class Passage:
    """A move, prepared for being tried from many stations.

    `asked` are the required fields that the branch does not write itself; `handed` are group and assignee where they can be
    handed over without being required; `free` are those of both that people may fill. `names` is what its condition looks at.
    """

    move: Move
    conditions: list[Condition]
    rivals: tuple[Rival, ...]
    required: tuple[str, ...]
    asked: tuple[str, ...]
    handed: tuple[str, ...]
    free: frozenset[str]
    writes: tuple[tuple[str, object], ...]
    names: frozenset[str]


def prepared(subject: Subject, move: Move, looked_at: Mapping[str, object]) -> Passage:
    """A move, as far as it concerns these fields."""
    branch = move.branch
    written = subject.written_by(branch)
    required = tuple(name for name in subject.required(move) if name in looked_at)
    asked = tuple(name for name in required if name not in written and subject.fields[name].derive is None)
    handed = tuple(sorted(MOVED_BY_TRANSITIONS & looked_at.keys() - {*asked, *written}))
    people = people_among(subject.open_to(branch, move.source))
    readonly = subject.workflow.states[move.source].readonly
    conditions = subject.conditions(branch.condition)
    return Passage(
        move=move,
        conditions=conditions,
        rivals=_rivals(subject, move),
        required=required,
        asked=asked,
        handed=handed,
        free=frozenset(name for name in (*asked, *handed) if may_be_written(subject, name, people, readonly)),
        writes=writes_among(subject, branch.do, looked_at),
        names=frozenset[str]().union(*(condition.names for condition in conditions)),
    )


def _rivals(subject: Subject, move: Move) -> tuple[Rival, ...]:
    """The earlier branches that start here; one whose condition does not compile can be no rival."""
    earlier = subject.workflow.transitions[move.branch.trigger].branches[: move.branch.index]
    found = []
    for other in earlier:
        condition = subject.judged(other.condition) if other.condition else None
        if move.source in other.sources and (condition or other.condition is None):
            found.append(Rival(frozenset(other.by), condition))
    return tuple(found)


def may_be_written(subject: Subject, name: str, words: Iterable[str], shut: Container[str]) -> bool:
    """Whether people of whom one of these words is true may fill a field, if it is not shut."""
    return name not in shut and any(may_write(word, subject.fields[name], subject.vocabulary) for word in words)


def writes_among(subject: Subject, do: Iterable[Action], looked_at: Container[str]) -> tuple[tuple[str, object], ...]:
    """What actions write into the fields looked at, in order."""
    return tuple((name, raw) for action in do for name, raw in subject.writes(action) if name in looked_at)
