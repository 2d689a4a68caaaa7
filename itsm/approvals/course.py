"""A round of approval as values: the policy it follows, its questions, and how each stage stands by their answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from itsm.approvals.policy import Group, Policy
from itsm.approvals.rules import Node, Outcome, standing

APPROVE, REJECT, VOID = "approve", "reject", "void"
SAID: Final = {APPROVE: Outcome.APPROVED, REJECT: Outcome.REJECTED}

Place = tuple[int, ...]
"""The way to a group in the tree of a stage."""


class End(StrEnum):
    """How a round can end."""

    APPROVED = "approved"
    REJECTED = "rejected"
    VOID = "void"
    WITHDRAWN = "withdrawn"


@dataclass(slots=True)
class Question:
    """A row of `approvals`, with the login and root of whoever was asked and of whoever answered."""

    id: int
    approver_id: int
    approver: str
    root: int
    stage: int
    place: Place
    seat: int
    needed: int
    decision: str | None
    requested_at: datetime
    decided_at: datetime | None
    comment: str | None
    because: str | None
    instead_of: str | None
    decided_by: str | None
    decided_by_root: int | None

    @property
    def is_open(self) -> bool:
        """Whether it still awaits an answer."""
        return self.decision is None


@dataclass(slots=True)
class Round:
    """A round and its questions, the oldest first."""

    id: int
    round: int
    policy_name: str | None
    policy: Policy
    state: str
    stage: int
    material: Mapping[str, Any]
    opened_at: datetime
    ruling: str | None
    outcome: End | None
    closed_at: datetime | None
    questions: list[Question] = field(default_factory=list)

    @property
    def is_open(self) -> bool:
        """Whether it is not decided yet."""
        return self.outcome is None

    def of_stage(self, stage: int) -> list[Question]:
        """The questions of a stage."""
        return [question for question in self.questions if question.stage == stage]

    def group_of(self, question: Question) -> Group:
        """The group of the policy that a question was put for."""
        group = self.policy.stages[question.stage].group
        for index in question.place:
            group = group.groups[index]
        return group

    def holders(self, stage: int) -> dict[int, Question]:
        """Who holds each seat of a stage, or held it last."""
        return {question.seat: question for question in self.of_stage(stage)}

    def tree(self, stage: int) -> Node[int]:
        """The tree of a stage by seats, as it was when it was opened."""
        places = {question.seat: question.place for question in self.of_stage(stage)}
        return _tree(self.policy.stages[stage].group, places, ())

    def answers(self, stage: int) -> dict[int, Outcome]:
        """What was said from each seat of a stage."""
        return {seat: SAID[held.decision] for seat, held in self.holders(stage).items() if held.decision in SAID}

    def standing(self, stage: int) -> Outcome:
        """How a stage stands by its answers; one whose questions have not been asked is open."""
        return standing(self.tree(stage), self.answers(stage)) if self.of_stage(stage) else Outcome.OPEN

    def awaited(self) -> list[Question]:
        """Whose answer is awaited now."""
        return [question for question in self.of_stage(self.stage) if question.is_open] if self.is_open else []


def _tree(group: Group, places: Mapping[int, Place], path: Place) -> Node[int]:
    seats = tuple(seat for seat, place in places.items() if place == path)
    return Node(group.quorum, seats, tuple(_tree(each, places, (*path, index)) for index, each in enumerate(group.groups)))
