"""People, tickets and practices to test the engine with.

`ERRAND` is a practice with a bit of everything the language has, so that laws about "every state, trigger and person" say
something. `a_ticket` and `a_person` read like the sentence that a test is about.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final

from itsm.workflow import expression, language
from itsm.workflow.case import Case, Decision, Person, Reason, Refusal, Value, Why
from itsm.workflow.definition import Expression, Position
from itsm.workflow.engine import Process
from itsm.workflow.expression import Compiled
from itsm.workflow.findings import Finding
from itsm.workflow.scope import Scope
from itsm.workflow.vocabulary import Matrix, Vocabulary
from tests.workflow.practice import INCIDENT

NOW: Final = datetime(2026, 1, 5, 9, tzinfo=UTC)

_IMPACTS = ("extensive", "significant", "moderate", "minor")
_URGENCIES = ("critical", "high", "medium", "low")

WORDS: Final = Vocabulary(
    roles=frozenset({"requester", "agent", "lead", "auditor"}),
    templates=frozenset({"resolved", "csat", "reminder", "assigned"}),
    calendars=frozenset({"office-hours"}),
    matrices={
        "priority": Matrix(
            "priority",
            ("impact", "urgency"),
            {
                (impact, urgency): f"p{max(1, min(4, (row + column) // 2 + 1))}"
                for row, impact in enumerate(_IMPACTS)
                for column, urgency in enumerate(_URGENCIES)
            },
        )
    },
    workflows=frozenset({"incident", "problem", "errand"}),
    includes={"lead": frozenset({"agent", "requester"}), "agent": frozenset({"requester"})},
)

ERRAND: Final = """\
workflow: errand
fields:
  impact:   {type: choice, choices: [extensive, significant, moderate, minor], default: moderate}
  urgency:  {type: choice, choices: [critical, high, medium, low], edit: [requester, agent]}
  priority: {type: choice, choices: [p1, p2, p3, p4], derive: {matrix: priority}}
  rush:     {type: boolean, derive: {expression: "ticket.priority == 'p1'"}}
  tags:     {type: multi_choice, choices: [red, green, blue]}
  count:    {type: integer, default: 0, edit: [system]}
  weight:   {type: decimal}
  price:    {type: money, see: [agent, approver]}
  due:      {type: date}
  ends:     {type: datetime}
  effort:   {type: duration}
  answer:   {type: markdown}
  secret:   {type: text, see: [lead], edit: [lead]}
  helper:   {type: user, edit: [assignee, watcher]}

states:
  new:     {category: new}
  open:    {category: open, hidden: [answer]}
  waiting: {category: pending, require: [due]}
  done:    {category: resolved, require: [answer], readonly: [impact, urgency]}
  closed:  {category: closed, readonly: "*"}
initial: new

transitions:
  take:
    - from: [new, open]
      to: open
      by: [agent]
      do: [{set: {assignee: actor.id, count: "= ticket.count + 1"}}, {notify: {to: requester, template: assigned}}]
  park:    [{from: open, to: waiting, by: [assignee, group], comment: required}]
  wake:
    - {from: waiting, to: open, by: [assignee, system], if: "ticket.due != null && ticket.due <= now", do: [{clear: [due]}]}
    - {from: waiting, to: open, by: [lead]}
  finish:
    - {from: open, to: closed, by: [lead], if: "comment == 'as agreed'"}
    - {from: open, to: done, by: [assignee, group], if: "tasks.open == 0", require: [tags]}
  confirm: [{from: done, to: closed, by: [requester, approver, system]}]
  shout:   [{from: "*", to: =, by: [requester, watcher], comment: required, do: [{set: {rush_note: "= comment"}}]}]
  panic:   [{from: [new, done], to: open, by: [lead], do: [{set: {impact: extensive, rush_note: "= 'from ' + ticket.state"}}]}]
  argue:   [{from: done, to: open, by: [requester], if: "ticket.answer.contains('?')", do: [{clear: [answer]}]}]

timers:
  nag:  {in: waiting, after: 1 day, every: 1 day, do: [{notify: {to: [assignee, group], template: reminder}}]}
  lift: {in: waiting, after: 2 days, if: "ticket.due <= now", fire: wake}
  over: {in: done, after: 3 business days, fire: confirm}

reactions:
  requester_replied:
    - {in: waiting, if: "ticket.count > 2", fire: wake}
    - {in: done, do: [{set: {count: "= ticket.count + 10"}}, {create_task: {title: "= 'Read: ' + ticket.title"}}]}

invariants:
  - {in: closed, holds: "ticket.assignee != null"}
  - {in: done, holds: "ticket.answer != null"}
  - {holds: "ticket.count < 100"}
""".replace("  helper:", "  rush_note: {type: text, edit: [system]}\n  helper:")


@cache
def a_process(text: str = ERRAND) -> Process:
    """A practice that loads without a finding, ready to decide."""
    workflow, findings = language.load(text, "x.yaml", WORDS)
    assert workflow is not None, findings
    return Process(workflow, WORDS)


def incident() -> Process:
    """The example of the language's description."""
    return a_process(INCIDENT)


def a_person(login: str = "ann", *roles: str, groups: Iterable[str] = ()) -> Person:
    """Somebody with these roles and no others."""
    return Person(login, frozenset(roles), frozenset(groups), organisation="acme")


AGENT: Final = a_person("ann", "agent", "requester", groups=["desktop"])
OTHER_AGENT: Final = a_person("oto", "agent", "requester")
USER: Final = a_person("uma", "requester")
STRANGER: Final = a_person("sam", "requester")
LEAD: Final = a_person("lea", "lead", "agent", "requester")


def a_ticket(state: str = "new", /, **values: Value) -> Case:
    """A ticket of uma's in this state, with these fields and whatever else its state needs to be plausible."""
    known: dict[str, Value] = {"title": "It broke", "requester": "uma", "impact": "moderate", "urgency": "low"}
    known |= {"priority": "p3", "count": 0, "rush": False, "number": "ERR0000042"}
    return Case(state, known | values, tasks={"open": 0, "total": 0, "failed": 0}, approvers=frozenset({"abe"}))


def later(**length: float) -> datetime:
    """So long after `NOW`."""
    return NOW + timedelta(**length)


def fired(
    case: Case,
    person: Person,
    trigger: str,
    inputs: Mapping[str, object] | None = None,
    comment: str | None = None,
    process: Process | None = None,
) -> Decision | Refusal:
    """What comes of a transition, now."""
    return (process or a_process()).fire(case, person, trigger, inputs or {}, comment, NOW)


def decided(outcome: Decision | Refusal) -> Decision:
    """The decision that this must be."""
    assert isinstance(outcome, Decision), outcome
    return outcome


def refused(outcome: Decision | Refusal) -> tuple[Reason, ...]:
    """The reasons of the refusal that this must be."""
    assert isinstance(outcome, Refusal), outcome
    return outcome.reasons


def codes(outcome: Decision | Refusal) -> list[Why]:
    """The codes of a refusal's reasons, in order."""
    return [reason.code for reason in refused(outcome)]


def after(case: Case, decision: Decision) -> dict[str, Value]:
    """The fields of a ticket once a decision has been applied."""
    return {**case.values, **{name: change.new for name, change in decision.changes.items()}}


def an_expression(text: str) -> Expression:
    """CEL text that stands at the beginning of a file."""
    return Expression(text, Position("x.yaml", 1, 1))


def the_scope() -> Scope:
    """The names of `ERRAND`, without its source: places then count in the expression's own text."""
    return Scope(Scope.of(a_process().workflow, WORDS).variables)


def compiled(text: str) -> Compiled:
    """A condition that compiles."""
    result = expression.compile(an_expression(text), the_scope())
    assert isinstance(result, Compiled), result
    return result


def findings(text: str) -> tuple[Finding, ...]:
    """What is wrong with a condition that does not compile."""
    result = expression.compile(an_expression(text), the_scope())
    assert isinstance(result, tuple), f"{text} compiles"
    return result


def finding(text: str) -> Finding:
    """The one thing that is wrong with a condition."""
    (only,) = findings(text)
    return only
