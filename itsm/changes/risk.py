"""How risky a change is: by rules, by weighted answers to questions, and by how changes like it have ended. Pure.

Three judges, each with a level and its reason; the gravest level counts. What nobody can say (no answers yet, too few changes
to learn from) is no judge at all, so that silence makes nothing less risky than it was found by the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from itsm.platform.errors import FieldError
from itsm.workflow.definition import Expression


class Level(StrEnum):
    """How risky, the least first."""

    LOW = "low"
    MODERATE = "moderate"
    HIGH = "high"


_RANK: Final = {level: rank for rank, level in enumerate(Level)}


@dataclass(frozen=True, slots=True)
class Rule:
    """A row of the decision table: the first whose condition holds gives its level."""

    name: str
    condition: Expression
    level: Level


@dataclass(frozen=True, slots=True)
class Question:
    """A question: what is asked, the points of each answer, and how much it weighs."""

    name: str
    ask: str
    points: Mapping[str, int]
    weight: int = 1


@dataclass(frozen=True, slots=True)
class History:
    """What is learnt from past changes: of the last `reach`, if there are at least `least`; shares of failures in percent."""

    reach: timedelta = timedelta(days=365)
    least: int = 5
    moderate: int = 10
    high: int = 25


@dataclass(frozen=True, slots=True)
class Guide:
    """How risk is judged. `moderate` and `high` are the scores from which on answers mean as much."""

    rules: tuple[Rule, ...] = ()
    questions: tuple[Question, ...] = ()
    moderate: int = 1
    high: int = 1
    history: History = History()


@dataclass(frozen=True, slots=True)
class Past:
    """How many changes like this one have ended, and how many of them failed or caused an incident."""

    ended: int
    failed: int


@dataclass(frozen=True, slots=True)
class Reason:
    """A judge's word: which (`rule`, `answers`, `history`), the level, and why in a sentence."""

    judge: str
    level: Level
    why: str


@dataclass(frozen=True, slots=True)
class Assessment:
    """What came out: the gravest level, the score of the answers, and every judge's reason."""

    level: Level
    score: int
    reasons: tuple[Reason, ...]


def faults(guide: Guide, answers: Mapping[str, str]) -> list[FieldError]:
    """What is wrong with answers: every question must be answered, by one of its answers, and no other."""
    known = {question.name: question for question in guide.questions}
    found = [
        FieldError(f"/answers/{name}", "unknown_member", f"There is no question “{name}”.")
        for name in answers
        if name not in known
    ]
    for name, question in known.items():
        if name not in answers:
            found.append(FieldError(f"/answers/{name}", "required", f"“{question.ask}” must be answered."))
        elif answers[name] not in question.points:
            choices = ", ".join(question.points)
            found.append(FieldError(f"/answers/{name}", "invalid_value", f"The answer must be one of: {choices}."))
    return found


def score(guide: Guide, answers: Mapping[str, str]) -> int:
    """The weighted points of sound answers."""
    return sum(question.weight * question.points[answers[question.name]] for question in guide.questions)


def assess(guide: Guide, held: Rule | None, answers: Mapping[str, str], past: Past) -> Assessment:
    """The risk of a change: `held` is the rule that holds for it, if one does."""
    total = score(guide, answers) if answers else 0
    reasons = [*_by_rule(held), *_by_answers(guide, total, answers), *_by_history(guide.history, past)]
    return Assessment(gravest(reason.level for reason in reasons), total, tuple(reasons))


def gravest(levels: Iterable[Level]) -> Level:
    """The gravest of some levels; low, if there is none."""
    return max(levels, key=_RANK.__getitem__, default=Level.LOW)


def _by_rule(held: Rule | None) -> Iterable[Reason]:
    if held is not None:
        yield Reason("rule", held.level, f"The rule “{held.name}” holds.")


def _by_answers(guide: Guide, total: int, answers: Mapping[str, str]) -> Iterable[Reason]:
    if not answers:
        return
    level = Level.HIGH if total >= guide.high else Level.MODERATE if total >= guide.moderate else Level.LOW
    yield Reason("answers", level, f"The answers score {total}: moderate from {guide.moderate} on, high from {guide.high} on.")


def _by_history(history: History, past: Past) -> Iterable[Reason]:
    if past.ended < history.least:
        return
    share = 100 * past.failed / past.ended
    level = Level.HIGH if share >= history.high else Level.MODERATE if share >= history.moderate else Level.LOW
    yield Reason(
        "history", level, f"Of {past.ended} changes like it, {past.failed} failed or caused an incident ({share:.0f} %)."
    )
