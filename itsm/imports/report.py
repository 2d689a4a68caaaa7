"""What an import came to: every case and every event accounted for, and every refusal with an example."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from itsm.imports.log import Fault
from itsm.tickets.story import Fate, Story, Told, Verdict
from itsm.workflow.definition import SAME_STATE

NOTHING = "(nothing)"
"""Where a ticket comes from when it is created."""


@dataclass
class Arrow:
    """A step between two states, of which the workflow refused some. `case` and `line` are those of the first."""

    source: str
    target: str
    code: str
    trigger: str | None
    message: str
    case: str
    line: int
    count: int = 0


@dataclass
class Difference:
    """A value that is not as the source says; the first example of it."""

    field: str
    there: str
    here: str
    case: str
    line: int
    count: int = 0


@dataclass
class Report:
    """The account of one import, added up case by case.

    Of the events that were imported, each has one fate. `moves` counts how often steps between states were asked for and
    allowed, by arrow; `arrows` holds what was refused, whether it was then recorded as an override or left out.
    """

    source: str
    workflow: str
    file: str
    refused: str
    cases: Counter[str] = field(default_factory=Counter)
    fates: Counter[str] = field(default_factory=Counter)
    allowed: Counter[tuple[str, str]] = field(default_factory=Counter)
    arrows: dict[tuple[str, str, str], Arrow] = field(default_factory=dict)
    filled: Counter[str] = field(default_factory=Counter)
    dropped: dict[tuple[str, str], Difference] = field(default_factory=dict)
    compared: Counter[str] = field(default_factory=Counter)
    differs: dict[tuple[str, str, str], Difference] = field(default_factory=dict)
    opened: int = 0
    made: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    stopped: str | None = None
    errors_file: str | None = None
    seconds: float = 0.0

    # Adding up

    def told(self, story: Story, told: Told) -> None:
        """A case has been imported."""
        self.cases["imported"] += 1
        for verdict in told.verdicts:
            step = verdict.step
            self.fates[verdict.fate] += 1
            self.filled.update(verdict.filled)
            self.opened += verdict.opened is not None
            if verdict.code is not None:
                self._refused(verdict, story.case)
            elif verdict.fate is Fate.MOVED:
                self.allowed[verdict.source or NOTHING, verdict.target] += 1
            for reason in verdict.dropped:
                key = (reason.field or "", reason.code.value)
                seen = self.dropped.setdefault(key, Difference(key[0], key[1], reason.message, story.case, step.line))
                seen.count += 1
            self.compared.update(step.compare.keys())
            for name, (there, here) in verdict.differs.items():
                difference = (name, str(there), str(here))
                self.differs.setdefault(difference, Difference(*difference, story.case, step.line)).count += 1

    def _refused(self, verdict: Verdict, case: str) -> None:
        key = (verdict.source or NOTHING, verdict.target, verdict.code or "")
        if key not in self.arrows:
            self.arrows[key] = Arrow(*key, verdict.trigger, verdict.message, case, verdict.step.line)
        self.arrows[key].count += 1

    def failed(self, faults: Iterable[Fault]) -> None:
        """A case, or a piece of the log that belongs to none, could not be imported."""
        faults = list(faults)
        self.faults.update(fault.code for fault in faults)
        if any(fault.case is not None for fault in faults):
            self.cases["failed"] += 1

    # Figures

    @property
    def events(self) -> int:
        """How many events were imported, whatever became of them."""
        return self.fates.total()

    @property
    def moves(self) -> tuple[int, int]:
        """Steps that were to change the state: how many were allowed, and how many there were."""
        allowed = self.allowed.total()
        return allowed, allowed + sum(
            arrow.count for arrow in self.arrows.values() if arrow.target not in {arrow.source, SAME_STATE}
        )

    @property
    def accepted(self) -> float:
        """The share of all events that the workflow took as they came."""
        taken = sum(self.fates[fate] for fate in (Fate.CREATED, Fate.MOVED, Fate.UPDATED))
        return taken / self.events if self.events else 1.0

    @property
    def events_per_second(self) -> float:
        return self.events / self.seconds if self.seconds else 0.0

    @property
    def complete(self) -> bool:
        """Whether every case of the log is on the desk now."""
        return not self.faults and self.stopped is None

    def refused_arrows(self) -> list[Arrow]:
        """What was refused, the most frequent first."""
        return sorted(self.arrows.values(), key=lambda arrow: (-arrow.count, arrow.source, arrow.target))

    def as_json(self) -> dict[str, Any]:
        """The report for programs."""
        allowed, asked = self.moves
        return {
            "source": self.source,
            "file": self.file,
            "workflow": self.workflow,
            "refused_are": "recorded as overrides" if self.refused == "record" else "left out",
            "cases": {name: self.cases[name] for name in ("read", "imported", "already_imported", "failed")},
            "events": {"imported": self.events, **{fate.value: self.fates[fate] for fate in Fate}},
            "accepted_share": round(self.accepted, 4),
            "moves": {"asked": asked, "allowed": allowed, "accepted_share": round(allowed / asked, 4) if asked else 1.0},
            "allowed": [{"from": key[0], "to": key[1], "count": count} for key, count in self.allowed.most_common()],
            "refused": [
                {
                    "from": arrow.source,
                    "to": arrow.target,
                    "count": arrow.count,
                    "code": arrow.code,
                    "trigger": arrow.trigger,
                    "message": arrow.message,
                    "example": {"case": arrow.case, "line": arrow.line},
                }
                for arrow in self.refused_arrows()
            ],
            "filled": dict(self.filled.most_common()),
            "values_not_taken": [vars(one) for one in self.dropped.values()],
            "compared": dict(self.compared),
            "differences": [vars(one) for one in sorted(self.differs.values(), key=lambda one: -one.count)],
            "tickets_opened_besides": self.opened,
            "made": dict(self.made),
            "faults": dict(self.faults.most_common()),
            "errors_file": self.errors_file,
            "stopped": self.stopped,
            "seconds": round(self.seconds, 2),
            "events_per_second": round(self.events_per_second),
        }
