"""A practice to test with: the incident of the language's description, a vocabulary for it, and ways to change single lines."""

from __future__ import annotations

from typing import Final

from itsm.workflow import language
from itsm.workflow.definition import Workflow
from itsm.workflow.findings import Finding
from itsm.workflow.vocabulary import Matrix, Vocabulary

WORDS: Final = Vocabulary(
    roles=frozenset({"requester", "agent", "lead", "change_manager"}),
    templates=frozenset({"resolved", "csat", "reminder"}),
    calendars=frozenset({"office-hours"}),
    matrices={"priority": Matrix("priority", ("impact", "urgency"), {})},
    workflows=frozenset({"incident", "problem"}),
)

INCIDENT: Final = """\
workflow: incident                  # the ticket type; unique
title: Incident
number: INC{:07d}                   # INC0000042

fields:                             # typed; common ones (title, description, requester, group, …) are built in
  impact:          {type: choice, choices: [extensive, significant, moderate, minor], default: moderate}
  urgency:         {type: choice, choices: [critical, high, medium, low], default: medium}
  priority:        {type: choice, choices: [p1, p2, p3, p4], derive: {matrix: priority}}   # config/priority.yaml
  pending_reason:  {type: choice, choices: [user, vendor, change, problem]}
  resolution_code: {type: choice, choices: [fixed, workaround, duplicate, not_reproducible, user_error]}
  resolution:      {type: markdown}

states:
  new:          {category: new}
  assigned:     {category: open}
  in_progress:  {category: open}
  on_hold:      {category: pending,  require: [pending_reason]}
  resolved:     {category: resolved, require: [resolution_code, resolution]}
  closed:       {category: closed}
  cancelled:    {category: closed}
initial: new

transitions:
  assign:
    - {from: [new, assigned, in_progress], to: assigned, by: [agent], require: [group]}
  start:
    - from: [new, assigned]
      to: in_progress
      by: [agent]
      do: [{set: {assignee: actor.id}}]
  hold:    [{from: [assigned, in_progress], to: on_hold, by: [assignee, group]}]
  resume:  [{from: on_hold, to: in_progress, by: [assignee, group, system], do: [{clear: [pending_reason]}]}]
  resolve:
    - from: [assigned, in_progress]
      to: resolved
      by: [assignee, group]
      if: "tasks.open == 0"
      do:
        - notify: {to: requester, template: resolved}
        - survey: {template: csat}
  reopen:
    - {from: resolved, to: in_progress, by: [requester, agent], do: [{clear: [resolution_code]}]}
  close:   [{from: resolved, to: closed, by: [requester, system]}]
  cancel:  [{from: [new, assigned], to: cancelled, by: [requester, agent], comment: required}]

timers:                             # durable; survive restarts; business time where a calendar is named
  auto_close: {in: resolved, after: 5 business days, fire: close}
  chase:      {in: on_hold, after: 2 business days, every: 2 business days, do: [{notify: {to: requester, template: reminder}}]}

reactions:                          # something happened to the ticket or near it
  requester_replied: [{in: on_hold, if: "ticket.pending_reason == 'user'", fire: resume}, {in: resolved, fire: reopen}]
  linked_problem_resolved: [{in: [on_hold], fire: resume}]

invariants:                         # must hold in every reachable state; checked statically and on every commit
  - {in: closed, holds: "ticket.resolution_code != null"}

scenarios:                          # executable documentation; run without a database
  the laptop is fixed at the first contact:
    given: {actor: agent, fields: {impact: minor, urgency: low}}
    steps:
      - {fire: assign, with: {group: desktop}}
      - {fire: start}
      - {fire: resolve, with: {resolution_code: fixed, resolution: Replaced the charger}}
      - {wait: 5 business days}
    expect: {state: closed, trail: [new, assigned, in_progress, resolved, closed], notified: [requester]}
  an end user cannot resolve:
    given: {actor: requester, state: in_progress}
    steps: [{fire: resolve, refused: not_allowed}]
"""
"""The example of docs/workflow-language.md, word for word."""

SMALL: Final = """\
workflow: x
fields:
  note: {type: text}
states:
  a: {category: new}
  b: {category: closed}
initial: a
transitions:
  go: [{from: a, to: b, by: [agent]}]
"""
"""The least that lives and dies, with one field to play with."""


def loaded(text: str, words: Vocabulary = WORDS) -> Workflow:
    """The workflow of a text without a fault."""
    workflow, findings = language.load(text, "x.yaml", words)
    assert workflow is not None, findings
    assert not findings
    return workflow


def findings_of(text: str, words: Vocabulary = WORDS) -> list[Finding]:
    """All findings of a text that has some."""
    workflow, findings = language.load(text, "x.yaml", words)
    assert workflow is None
    assert findings
    return findings


def finding_of(text: str, words: Vocabulary = WORDS) -> Finding:
    """The only finding of a text."""
    (finding,) = findings_of(text, words)
    return finding


def changed(old: str, new: str, text: str = INCIDENT) -> str:
    """The text with one passage replaced."""
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in the text"
    return text.replace(old, new)


def marked(text: str) -> tuple[str, str]:
    """A text without its mark ▸, and the place (line:column) where the mark stood."""
    before, mark, after = text.partition("▸")
    assert mark, "there is no mark"
    return before + after, f"{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"


def doing(deed: str) -> str:
    """The small practice with one entry in the `do:` of its only branch."""
    return changed("by: [agent]}", f"by: [agent], do: [{deed}]}}", SMALL)
