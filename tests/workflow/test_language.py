"""A practice is read whole or not at all, and whatever keeps it from being read is told at once, each fault at its place."""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from itsm.workflow import language, source
from itsm.workflow.codes import MEANINGS
from itsm.workflow.definition import SAME_STATE, Category, Comment, Derivation, Expression, Position, Workflow
from itsm.workflow.reading.form import Noun
from itsm.workflow.vocabulary import Vocabulary
from itsm.worktime.duration import Duration
from tests.workflow.practice import INCIDENT, SMALL, WORDS, changed, doing, finding_of, findings_of, loaded, marked

HOME = Path(language.__file__).parent
READERS = [
    *(HOME / f"{name}.py" for name in ("source", "grammar", "language", "action_spec", "builtin_actions", "vocabulary")),
    *(HOME / "reading").glob("*.py"),
]

# What is right


def test_the_example_of_the_language_is_read_without_a_fault() -> None:
    incident = loaded(INCIDENT)
    assert (incident.name, incident.title, incident.number, incident.initial) == ("incident", "Incident", "INC{:07d}", "new")
    assert list(incident.states) == ["new", "assigned", "in_progress", "on_hold", "resolved", "closed", "cancelled"]
    assert incident.category("on_hold") is Category.PENDING
    assert incident.states["resolved"].require == ("resolution_code", "resolution")
    assert incident.fields["priority"].derive == Derivation(matrix="priority")
    assert incident.fields["impact"].choices == ("extensive", "significant", "moderate", "minor")
    assert incident.fields["impact"].default == "moderate"


def test_a_branch_says_who_may_when_and_what_follows() -> None:
    (branch,) = loaded(INCIDENT).transitions["resolve"].branches
    assert (branch.sources, branch.target, branch.by) == (("assigned", "in_progress"), "resolved", ("assignee", "group"))
    assert branch.condition is not None
    assert branch.condition.text == "tasks.open == 0"
    assert [deed.name for deed in branch.do] == ["notify", "survey"]
    assert branch.do[0].arguments == {"to": ["requester"], "template": "resolved"}
    assert branch.comment is Comment.OPTIONAL


def test_timers_reactions_and_invariants_are_read() -> None:
    incident = loaded(INCIDENT)
    chase = incident.timers["chase"]
    assert (chase.states, chase.after, chase.every) == (("on_hold",), Duration(business_days=2), Duration(business_days=2))
    first, second = incident.reactions["requester_replied"].rules
    assert (first.states, first.fire, second.states, second.fire) == (("on_hold",), "resume", ("resolved",), "reopen")
    (invariant,) = incident.invariants
    assert (invariant.states, invariant.holds.text) == (("closed",), "ticket.resolution_code != null")


def test_scenarios_are_read_in_their_order() -> None:
    first, second = loaded(INCIDENT).scenarios
    assert (first.name, first.actor, first.fields) == (
        "the laptop is fixed at the first contact",
        "agent",
        {"impact": "minor", "urgency": "low"},
    )
    assert [step.fire for step in first.steps] == ["assign", "start", "resolve", None]
    assert first.steps[3].wait == Duration(business_days=5)
    assert first.expect["trail"] == ["new", "assigned", "in_progress", "resolved", "closed"]
    assert (second.state, second.steps[0].refused, second.expect) == ("in_progress", "not_allowed", {})


def test_what_is_left_out_has_a_sensible_value() -> None:
    small = loaded("workflow: access_request\nstates:\n  a: {category: new}\n  in_b: {category: closed}\ninitial: a\n")
    assert (small.title, small.number) == ("Access request", "ACC{:07d}")
    assert small.states["in_b"].title == "In b"
    assert (small.fields, small.transitions, small.timers, small.scenarios) == ({}, {}, {}, ())


def test_a_field_is_edited_by_agents_and_seen_by_whoever_sees_the_ticket_unless_said() -> None:
    note = loaded(SMALL).fields["note"]
    assert (note.edit, note.see) == (("agent",), None)
    note = loaded(changed("{type: text}", "{type: text, edit: requester, see: [agent, lead]}", SMALL)).fields["note"]
    assert (note.edit, note.see) == (("requester",), ("agent", "lead"))


def test_a_star_in_from_is_every_state_that_is_not_closed() -> None:
    (branch,) = (
        loaded(changed("{from: [new, assigned], to: cancelled", '{from: "*", to: cancelled')).transitions["cancel"].branches
    )
    assert branch.sources == ("new", "assigned", "in_progress", "on_hold", "resolved")


def test_an_equals_sign_in_to_stays_in_the_state() -> None:
    (branch,) = loaded(changed("to: b", "to: =", SMALL)).transitions["go"].branches
    assert branch.target == SAME_STATE
    assert branch.lands_in("a") == "a"


def test_one_thing_is_taken_where_a_list_may_stand() -> None:
    small = loaded(
        changed("[{from: a, to: b, by: [agent]}]", "{from: a, to: b, by: agent, require: note, do: {clear: note}}", SMALL)
    )
    (branch,) = small.transitions["go"].branches
    assert (branch.sources, branch.by, branch.require) == (("a",), ("agent",), ("note",))
    assert branch.do[0].arguments == {"fields": ["note"]}


def test_a_section_without_anything_in_it_is_an_empty_one() -> None:
    assert loaded(SMALL + "timers:\nreactions: {}\ninvariants: []\n").timers == {}


def test_a_transition_may_have_a_title_of_its_own() -> None:
    small = loaded(
        changed("[{from: a, to: b, by: [agent]}]", "{title: Put away, branches: [{from: a, to: b, by: [agent]}]}", SMALL)
    )
    assert small.transitions["go"].title == "Put away"
    assert loaded(SMALL).transitions["go"].title == "Go"


def test_a_star_in_readonly_is_every_field_that_a_person_could_edit() -> None:
    readonly = loaded(changed("b: {category: closed}", 'b: {category: closed, readonly: "*"}', SMALL)).states["b"].readonly
    assert {"note", "title", "description", "group", "assignee", "service", "ci"} <= set(readonly)
    assert not {"created_at", "organisation", "parent"} & set(readonly)


@pytest.mark.parametrize(
    ("type_", "written", "meant"),
    [
        ("text", "no", "no"),
        ("text", "1.10", "1.10"),
        ("text", "12:30", "12:30"),
        ("integer", "42", 42),
        ("decimal", "1.10", 1.1),
        ("boolean", "true", True),
        ("date", "2026-12-24", "2026-12-24"),
        ("datetime", "2026-12-24T12:00:00+01:00", "2026-12-24T12:00:00+01:00"),
        ("duration", "PT1H", "PT1H"),
        ("money", '{amount: "12.50", currency: EUR}', {"amount": "12.50", "currency": "EUR"}),
        ("group", "desktop", "desktop"),
        ("choice, choices: [on, off]", "on", "on"),
        ("multi_choice, choices: [1, 2, no]", "[1, no]", ["1", "no"]),
        ("multi_choice, choices: [1, 2, no]", "no", ["no"]),
        ("text", "~", None),
    ],
)
def test_a_value_is_read_by_the_type_of_its_field(type_: str, written: str, meant: object) -> None:
    text = changed("{type: text}", f"{{type: {type_}, default: {written}}}", SMALL)
    text += f"scenarios:\n  it:\n    given: {{actor: agent, fields: {{note: {written}}}}}\n"
    small = loaded(text)
    assert small.fields["note"].default == meant
    assert small.scenarios[0].fields["note"] == meant
    assert type(small.fields["note"].default) is type(meant)


def test_a_scenario_may_state_facts_and_give_wrong_values_on_purpose() -> None:
    text = changed("{type: text}", "{type: integer}", SMALL) + (
        "scenarios:\n  it:\n    given: {actor: agent, tasks: {open: 1}}\n    steps:\n"
        "      - {fire: go, as: lead, with: {note: many}, comment: Why not, refused: invalid_value}\n"
        "      - {event: approved, facts: {approvals: {approved: 2}, links: {causes: 1}}}\n"
        "      - {edit: {note: 3}}\n"
    )
    (scenario,) = loaded(text).scenarios
    fire, event, edit = scenario.steps
    assert scenario.facts == {"tasks": {"open": 1}}
    assert (fire.actor, fire.inputs, fire.comment, fire.refused) == ("lead", {"note": "many"}, "Why not", "invalid_value")
    assert (event.event, event.facts) == ("approved", {"approvals": {"approved": 2}, "links": {"causes": 1}})
    assert edit.edit == {"note": 3}


def test_a_version_is_named_by_the_hash_of_its_text_whatever_its_newlines() -> None:
    unix, windows = loaded(SMALL), loaded("\ufeff" + SMALL.replace("\n", "\r\n"))
    assert unix.digest == windows.digest == sha256(SMALL.encode()).hexdigest()
    assert unix.source == windows.source == SMALL
    assert loaded(SMALL + "# a word\n").digest != unix.digest


@pytest.mark.parametrize(
    ("what", "old", "new"),
    [
        (lambda incident: incident.states["resolved"], "  resolved:     {", "  ▸resolved:     {"),
        (lambda incident: incident.fields["impact"], "  impact:  ", "  ▸impact:  "),
        (lambda incident: incident.transitions["resolve"], "  resolve:\n", "  ▸resolve:\n"),
        (lambda incident: incident.transitions["close"].branches[0], "close:   [{", "close:   [▸{"),
        (lambda incident: incident.transitions["resolve"].branches[0].do[1], "- survey:", "- ▸survey:"),
        (lambda incident: incident.transitions["resolve"].branches[0].condition, '"tasks.open', '"▸tasks.open'),
        (lambda incident: incident.timers["auto_close"], "  auto_close:", "  ▸auto_close:"),
        (lambda incident: incident.reactions["requester_replied"].rules[1], ", {in: resolved,", ", ▸{in: resolved,"),
        (lambda incident: incident.scenarios[0].steps[1], "- {fire: start}", "- ▸{fire: start}"),
    ],
)
def test_definitions_know_their_places(what: Callable[[Workflow], Any], old: str, new: str) -> None:
    text, place = marked(changed(old, new))
    assert str(what(loaded(text)).at) == f"x.yaml:{place}"


# What is wrong


def test_the_smallest_file_with_a_wrong_state_is_told_its_line() -> None:
    text = (
        "workflow: x\nstates:\n  a: {category: new}\n  b: {category: closed}\ninitial: a\n"
        "transitions:\n  go: [{from: a, to: nowhere, by: [agent]}]\n"
    )
    finding = finding_of(text)
    assert (finding.code, str(finding.at), finding.hint) == ("unknown-state", "x.yaml:7:22", "Known: a, b.")


@pytest.mark.parametrize(
    ("old", "new", "code", "meant"),
    [
        ("initial: new", "initial: ▸nw", "unknown-state", "new"),
        ("to: on_hold", "to: ▸onhold", "unknown-state", "on_hold"),
        ("from: on_hold, to", "from: ▸On_Hold, to", "unknown-state", "on_hold"),
        ("{in: resolved, after", "{in: ▸resolvd, after", "unknown-state", "resolved"),
        ("trail: [new, assigned", "trail: [new, ▸asigned", "unknown-state", "assigned"),
        ("require: [group]", "require: [▸groop]", "unknown-field", "group"),
        ("require: [pending_reason]", "require: [▸pending_raeson]", "unknown-field", "pending_reason"),
        ("{clear: [pending_reason]}", "{clear: [▸pendingreason]}", "unknown-field", "pending_reason"),
        ("{set: {assignee: actor.id}}", "{set: {▸asignee: actor.id}}", "unknown-field", "assignee"),
        ("with: {group: desktop}", "with: {▸grup: desktop}", "unknown-field", "group"),
        ("by: [requester, system]", "by: [▸requestor, system]", "unknown-role", "requester"),
        ("given: {actor: agent,", "given: {actor: ▸agnet,", "unknown-role", "agent"),
        ("- survey:", "- ▸suvrey:", "unknown-action", "survey"),
        ("template: csat", "template: ▸cast", "unknown-template", "csat"),
        ("matrix: priority", "matrix: ▸prioity", "unknown-matrix", "priority"),
        ("days, fire: close}", "days, fire: ▸clsoe}", "unknown-trigger", "close"),
        ("fire: start}", "fire: ▸strat}", "unknown-trigger", "start"),
        ("  linked_problem_resolved:", "  ▸linked_problem_resolvd:", "unknown-event", "linked_problem_resolved"),
        ("days, fire: close}", "days, fire: close, calendar: ▸office_hours}", "unknown-calendar", "office-hours"),
        ("category: pending", "category: ▸pendng", "unknown-category", "pending"),
        ("resolution:      {type: markdown", "resolution:      {type: ▸markdwon", "unknown-type", "markdown"),
        ("comment: required", "comment: ▸requird", "unknown-comment", "required"),
        ("refused: not_allowed", "refused: ▸not_alowed", "unknown-refusal", "not_allowed"),
        ("  resolution:      {type", "  resolution:      {▸tpye", "unknown-key", "type"),
        ("timers:", "▸timer:", "unknown-key", "timers"),
    ],
)
def test_a_misspelt_name_is_told_at_its_place_with_the_name_that_was_meant(old: str, new: str, code: str, meant: str) -> None:
    text, place = marked(changed(old, new))
    finding = next(finding for finding in findings_of(text) if finding.code == code)
    assert str(finding.at) == f"x.yaml:{place}"
    assert finding.hint == f"Did you mean “{meant}”?"


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("{from: a, to: b, by: [agent]}", "▸{from: a, to: b}", "missing-by"),
        ("by: [agent]", "by: ▸[]", "missing-by"),
        ("by: [agent]", "▸by: ", "missing-by"),
        ("{from: a, to: b, by: [agent]}", "▸{to: b, by: [agent]}", "missing-key"),
        ("{from: a, to: b, by: [agent]}", "▸{from: a, by: [agent]}", "missing-key"),
        ("from: a", "from: ▸[]", "missing-key"),
        ("[{from: a, to: b, by: [agent]}]", "▸[]", "missing-key"),
        ("workflow: x", "▸title: X", "missing-key"),
        ("{category: new}", "▸{title: A}", "missing-key"),
        ("{category: new}", "▸new", "wrong-type"),
        ("{category: new}", "{category: ▸[new]}", "wrong-type"),
        ("{type: text}", "▸[text]", "wrong-type"),
        ("  note: {type: text}", "  ▸note:", "wrong-type"),
        ("{type: text}", "▸{type: choice}", "missing-key"),
        ("{type: text}", "{type: text, ▸choices: [a]}", "misplaced-key"),
        ("{type: text}", "{type: integer, default: ▸many}", "bad-value"),
        ("{type: text}", '{type: integer, default: ▸"5"}', "bad-value"),
        ("{type: text}", "{type: integer, default: ▸0o17}", "bad-value"),
        ("{type: text}", "{type: decimal, default: ▸.nan}", "bad-value"),
        ("{type: text}", "{type: boolean, default: ▸yes}", "bad-value"),
        ("{type: text}", "{type: date, default: ▸24.12.2026}", "bad-value"),
        ("{type: text}", "{type: choice, choices: [low, high], default: ▸hgih}", "bad-value"),
        ("{type: text}", "{type: text, derive: ▸{}}", "bad-derivation"),
        ("note:", "▸Note:", "bad-name"),
        ("note:", "▸title:", "bad-name"),
        ("note:", "▸state:", "bad-name"),
        ("note:", "▸in:", "bad-name"),
        ("workflow: x", "workflow: ▸My Process", "bad-name"),
        ("workflow: x", "workflow: x\nnumber: ▸'{}'", "bad-number"),
        ("workflow: x", "workflow: x\nnumber: ▸INC{:07d}{:07d}", "bad-number"),
        ("workflow: x", "workflow: x\nnumber: ▸INC{0.__class__}", "bad-number"),
        ("workflow: x", "workflow: x\n▸workflow: y", "duplicate-key"),
    ],
)
def test_a_fault_of_form_is_told_at_its_place(old: str, new: str, code: str) -> None:
    text, place = marked(changed(old, new, SMALL))
    finding = finding_of(text)
    assert (finding.code, str(finding.at)) == (code, f"x.yaml:{place}")


@pytest.mark.parametrize(
    ("section", "code"),
    [
        ("timers: {t: {in: a, after: ▸soon, fire: go}}", "bad-duration"),
        ("timers: {t: {in: a, after: ▸2 months, fire: go}}", "bad-duration"),
        ("timers: {t: ▸{in: a, after: 2 days}}", "missing-key"),
        ("timers: {t: ▸{after: 2 days, fire: go}}", "missing-key"),
        ("timers: ▸[t]", "wrong-type"),
        ("reactions: {created: [▸{in: a}]}", "missing-key"),
        ("invariants: [▸{in: a}]", "missing-key"),
        ("scenarios: {s: ▸{steps: []}}", "missing-key"),
        ("scenarios: {s: {given: {actor: agent}, steps: [▸{fire: go, wait: 1 day}]}}", "bad-step"),
        ("scenarios: {s: {given: {actor: agent}, steps: [▸{as: agent}]}}", "bad-step"),
        ("scenarios: {s: {given: {actor: agent, tasks: {open: ▸few}}}}", "wrong-type"),
    ],
)
def test_a_fault_of_a_section_is_told_at_its_place(section: str, code: str) -> None:
    text, place = marked(f"{SMALL}{section}\n")
    finding = finding_of(text)
    assert (finding.code, str(finding.at)) == (code, f"x.yaml:{place}")


def test_all_faults_of_a_file_are_told_at_once_in_the_order_of_the_text() -> None:
    text = (
        "workflow: x\nnumbr: X{:07d}\nfields:\n  a: {type: txt}\n  a: {type: text}\n"
        "states:\n  new: {category: new, require: [b]}\n  done: {categry: closed}\ninitial: nwe\n"
        "transitions:\n  go:\n    - {from: new, to: dnoe}\n    - {from: nwe, to: done, by: [agnet]}\n"
        "timers:\n  t: {in: done, after: soon}\n"
    )
    assert [(finding.code, finding.at.line) for finding in findings_of(text)] == [
        ("unknown-key", 2),
        ("unknown-type", 4),
        ("duplicate-key", 5),
        ("unknown-field", 7),
        ("missing-key", 8),
        ("unknown-key", 8),
        ("unknown-state", 9),
        ("missing-by", 12),
        ("unknown-state", 12),
        ("unknown-state", 13),
        ("unknown-role", 13),
        ("bad-duration", 15),
    ]


def test_a_source_that_is_no_mapping_is_told_so() -> None:
    assert finding_of("- workflow: x").code == "wrong-type"
    assert finding_of("workflow").code == "wrong-type"


def test_a_long_word_does_not_make_a_long_message() -> None:
    finding = finding_of(changed("to: b", f"to: {'b' * 5000}", SMALL))
    assert len(finding.message) < 200


def test_a_file_of_nothing_but_faults_is_answered_soon_with_the_first_hundred() -> None:
    fields = "".join(f"  field_number_{n}: {{type: text}}\n" for n in range(1500))
    words = ", ".join(f"feild_nmuber_{n}" for n in range(3500))
    text = changed("  note: {type: text}\n", fields, SMALL).replace("new}", f"new, require: [{words}]}}")
    began = time.process_time()
    findings = findings_of(text)
    assert time.process_time() - began < 5  # two seconds on an idle processor
    assert [finding.code for finding in findings] == ["unknown-field"] * 100 + ["too-many-faults"]
    assert findings[0].hint == "Did you mean “field_number_0”?"
    assert findings[-1].message == "There are 3400 more faults from here on."


@given(st.integers(0, 2**32))
@settings(max_examples=30, deadline=None)
def test_a_damaged_file_is_never_more_than_findings_within_it(seed: int) -> None:
    dice = random.Random(seed)
    lines = INCIDENT.splitlines(keepends=True)
    for _ in range(dice.randint(1, 3)):
        line = dice.randrange(len(lines))
        cut = dice.randrange(len(lines[line]) + 1)
        lines[line] = lines[line][:cut] + dice.choice(["", "[", "}", ":", "x: ", "~", "\n", "- ", "'"]) + lines[line][cut + 1 :]
    text = "".join(lines)
    workflow, findings = language.load(text, "x.yaml", WORDS)
    assert (workflow is None) == bool(findings)
    assert all(1 <= finding.at.line <= text.count("\n") + 1 for finding in findings)


# Files, and what editors are told


def test_a_directory_gives_its_workflows_by_name(tmp_path: Path) -> None:
    (tmp_path / "incident.yaml").write_text(INCIDENT)
    (tmp_path / "small.yaml").write_text(SMALL)
    (tmp_path / "notes.txt").write_text("not read")
    workflows, findings = language.load_directory(tmp_path, WORDS)
    assert not findings
    assert list(workflows) == ["incident", "x"]
    assert workflows["x"].at.file == str(tmp_path / "small.yaml")


def test_two_files_cannot_define_the_same_workflow(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(SMALL)
    (tmp_path / "b.yaml").write_text(SMALL)
    workflows, (finding,) = language.load_directory(tmp_path, WORDS)
    assert list(workflows) == ["x"]
    assert (finding.code, finding.at.file) == ("duplicate-workflow", str(tmp_path / "b.yaml"))


def test_a_faulty_file_does_not_keep_the_others_from_being_read(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("workflow: [")
    (tmp_path / "b.yaml").write_text(SMALL)
    workflows, findings = language.load_directory(tmp_path, WORDS)
    assert list(workflows) == ["x"]
    assert [finding.code for finding in findings] == ["yaml-syntax"]


@pytest.mark.parametrize("words", [None, WORDS], ids=["any words", "our words"])
@pytest.mark.parametrize("text", [INCIDENT, SMALL, doing("{assign: {group: desktop}}"), doing("{survey: csat}")])
def test_the_schema_for_editors_accepts_what_the_loader_accepts(words: Vocabulary | None, text: str) -> None:
    schema = json.loads(json.dumps(language.json_schema(words)))
    jsonschema.Draft202012Validator.check_schema(schema)
    loaded(text)
    node, _ = source.parse(text, "x.yaml")
    assert node is not None
    jsonschema.validate(source.plain(node), schema)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("title: Incident", "titel: Incident"),
        ("category: pending", "category: waiting"),
        (", by: [requester, system]}", "}"),
        ("type: markdown", "type: markup"),
        ("- survey:", "- poll:"),
        ("by: [requester, system]", "by: [caller]"),
    ],
)
def test_the_schema_for_editors_refuses_what_it_can_see(old: str, new: str) -> None:
    node, _ = source.parse(changed(old, new), "x.yaml")
    assert node is not None
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(source.plain(node), language.json_schema(WORDS))


def test_a_timer_without_business_time_is_exact() -> None:
    timer = loaded(SMALL + "timers: {t: {in: a, after: PT90M, fire: go}}\n").timers["t"]
    assert timer.after == Duration(exact=timedelta(minutes=90))


def test_computed_values_are_expressions_with_the_place_of_their_text() -> None:
    text, place = marked(doing('{set: {note: "= ▸ticket.title", title: now is the hour}}'))
    (deed,) = loaded(text).transitions["go"].branches[0].do
    line, column = (int(number) for number in place.split(":"))
    expression = Expression("ticket.title", Position("x.yaml", line, column))
    assert deed.arguments["values"] == {"note": expression, "title": "now is the hour"}


def test_every_code_of_the_reader_has_a_meaning_and_every_meaning_a_code() -> None:
    written = "".join(path.read_text() for path in READERS)
    codes = set(re.findall(r'"((?:yaml|unknown|missing|bad|duplicate|matrix|wrong|misplaced|invalid|too)-[a-z-]+)"', written))
    nouns = set(re.findall(r'(?:OneOf|Word|OrOne)\((?:\w+|sorted\(\w+\)|\([^)]*\)), "([a-z]+)"', written)) | set(Noun)
    assert codes | {f"unknown-{noun}" for noun in nouns} == set(MEANINGS)
