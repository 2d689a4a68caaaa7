"""Actions: what a `do:` may ask for, how its arguments are checked, and how a package adds its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from marshmallow import Schema, fields

from itsm.platform.errors import DeskError, Kind
from itsm.workflow import actions
from itsm.workflow.actions import BUILTIN_ACTIONS, ActionSpec, combined
from itsm.workflow.definition import Action, Expression
from itsm.workflow.reading.entries import Name
from itsm.workflow.reading.form import Form, Noun
from itsm.workflow.vocabulary import Vocabulary
from tests.workflow.practice import WORDS, doing, finding_of, loaded, marked


def deed(text: str, words: Vocabulary = WORDS) -> Action:
    (action,) = loaded(doing(text), words).transitions["go"].branches[0].do
    return action


def said(value: object) -> object:
    """The text of an expression, marked as such, wherever it stands."""
    if isinstance(value, Expression):
        return f"CEL {value.text}"
    if isinstance(value, dict):
        return {key: said(below) for key, below in value.items()}
    return [said(below) for below in value] if isinstance(value, list) else value


def test_the_built_in_actions_are_those_of_the_language() -> None:
    assert set(BUILTIN_ACTIONS) == {
        *("set", "clear", "assign", "comment", "notify", "escalate", "route", "create_task"),
        *("fulfil_order", "request_approval", "spawn", "link", "fire", "survey", "webhook"),
    }


@pytest.mark.parametrize("name", sorted(BUILTIN_ACTIONS))
def test_every_built_in_action_says_what_it_does_with_an_example_that_is_right(name: str) -> None:
    text = BUILTIN_ACTIONS[name].describe
    example = text.split("`")[1]
    assert example.startswith(f"{name}: ")
    words = Vocabulary(**{key: getattr(WORDS, key) for key in ("roles", "templates", "workflows")})
    practice = doing("{" + example + "}").replace("note: {type: text}", "pending_reason: {type: text}")
    loaded(practice, words)


@pytest.mark.parametrize(
    ("written", "arguments"),
    [
        ("set: {note: fixed}", {"values": {"note": "fixed"}}),
        ("set: {note: ticket.title}", {"values": {"note": "CEL ticket.title"}}),
        ("set: {note: now}", {"values": {"note": "CEL now"}}),
        ("set: {note: now or never}", {"values": {"note": "now or never"}}),
        ("set: {note: \"= 'a' + 'b'\"}", {"values": {"note": "CEL 'a' + 'b'"}}),
        ("set: {note: ~}", {"values": {"note": None}}),
        ("clear: note", {"fields": ["note"]}),
        ("clear: [note, assignee]", {"fields": ["note", "assignee"]}),
        ("assign: {group: network, assignee: actor.id}", {"group": "network", "assignee": "CEL actor.id"}),
        ("comment: Waiting for parts", {"body": "Waiting for parts", "visibility": "internal"}),
        (
            "comment: {body: \"= 'For ' + ticket.title\", visibility: public}",
            {"body": "CEL 'For ' + ticket.title", "visibility": "public"},
        ),
        ("notify: {to: requester, template: csat}", {"to": ["requester"], "template": "csat"}),
        (
            "notify: {to: [group.lead, {role: lead}, {user: ada}, {group: network}], template: csat}",
            {"to": ["group.lead", {"role": "lead"}, {"user": "ada"}, {"group": "network"}], "template": "csat"},
        ),
        ("create_task: Order the parts", {"title": "Order the parts"}),
        (
            'create_task: {title: Order, group: "= ticket.group", fields: {cost: 5, of: ticket.title}}',
            {"title": "Order", "group": "CEL ticket.group", "fields": {"cost": 5, "of": "CEL ticket.title"}},
        ),
        ("request_approval: {from: approvers}", {"from": ["approvers"], "rule": "any", "exclude": ()}),
        (
            "request_approval: {from: [{role: lead}], rule: {at_least: 2}, exclude: [requester, assignee]}",
            {"from": [{"role": "lead"}], "rule": {"at_least": 2}, "exclude": ["requester", "assignee"]},
        ),
        ("spawn: {workflow: problem, link: caused_by}", {"workflow": "problem", "link": "caused_by"}),
        ("spawn: {workflow: x}", {"workflow": "x"}),
        ('link: {kind: duplicate_of, to: "= ticket.parent"}', {"kind": "duplicate_of", "to": "CEL ticket.parent"}),
        ("fire: {trigger: fix_deployed, on: fixes}", {"trigger": "fix_deployed", "on": "fixes"}),
        ("fire: {trigger: close, on: children}", {"trigger": "close", "on": "children"}),
        ("survey: csat", {"template": "csat"}),
        ("survey: {template: csat}", {"template": "csat"}),
        ("webhook: monitoring", {"name": "monitoring"}),
        (
            "webhook: {name: monitoring, payload: {number: ticket.number, level: 3, tags: [a, now]}}",
            {"name": "monitoring", "payload": {"number": "CEL ticket.number", "level": 3, "tags": ["a", "CEL now"]}},
        ),
    ],
)
def test_arguments_come_by_name_however_short_they_are_written(written: str, arguments: dict[str, object]) -> None:
    assert said(dict(deed("{" + written + "}").arguments)) == arguments


@pytest.mark.parametrize(
    ("written", "code", "hint"),
    [
        ("▸frobnicate", "unknown-action", None),
        ("▸[set, clear]", "wrong-type", None),
        ("▸{clear: [note], survey: csat}", "wrong-type", "Begin each action with a - of its own."),
        ("▸{}", "wrong-type", "Begin each action with a - of its own."),
        ("{set: {▸nte: a}}", "unknown-field", "Did you mean “note”?"),
        ("{set: ▸[note]}", "wrong-type", None),
        ("{clear: ▸[]}", "missing-key", None),
        ("{clear: [note, ▸nte]}", "unknown-field", "Did you mean “note”?"),
        ("{assign: ▸{}}", "missing-key", None),
        ("{assign: {▸gruop: network}}", "unknown-key", "Did you mean “group”?"),
        ("{comment: {body: Hello, visibility: ▸publc}}", "unknown-visibility", "Did you mean “public”?"),
        ("{notify: ▸{to: requester}}", "missing-key", None),
        ("{notify: {to: ▸[], template: csat}}", "missing-key", None),
        ("{notify: {to: ▸requestor, template: csat}}", "unknown-recipient", "Did you mean “requester”?"),
        ("{notify: {to: [{role: ▸leed}], template: csat}}", "unknown-role", "Did you mean “lead”?"),
        ("{notify: {to: [▸{rôle: lead}], template: csat}}", "unknown-recipient", "One of user, group, role."),
        ("{request_approval: {from: approvers, rule: ▸most}}", "unknown-rule", "Known: all, any."),
        ("{request_approval: {from: approvers, rule: {at_least: ▸0}}}", "wrong-type", None),
        ("{request_approval: {from: approvers, exclude: [▸requestor]}}", "unknown-relation", "Did you mean “requester”?"),
        ("{spawn: {workflow: ▸probelm}}", "unknown-workflow", "Did you mean “problem”?"),
        ("{link: {kind: ▸duplicates, to: INC1}}", "unknown-link", "Did you mean “duplicate_of”?"),
        ("{fire: {trigger: close, on: ▸childs}}", "unknown-link", "Did you mean “child”?"),
        ("{survey: ▸cast}", "unknown-template", "Did you mean “csat”?"),
        ("▸survey", "missing-key", None),
    ],
)
def test_a_fault_in_an_action_is_told_at_its_place(written: str, code: str, hint: str | None) -> None:
    text, place = marked(doing(written))
    finding = finding_of(text)
    assert (finding.code, str(finding.at)) == (code, f"x.yaml:{place}")
    assert hint is None or finding.hint == hint


def test_a_literal_that_its_field_cannot_have_is_told() -> None:
    text, place = marked(doing("{set: {note: ▸loww}}").replace("{type: text}", "{type: choice, choices: [low, high]}"))
    finding = finding_of(text)
    assert (finding.code, str(finding.at), finding.hint) == ("bad-value", f"x.yaml:{place}", "Did you mean “low”?")


# Added actions


class Page(Schema):
    """Stock marshmallow, as somebody writes it who has not read our own entries."""

    team = fields.String(required=True)
    times = fields.Integer(load_default=1)
    loud = fields.Boolean(allow_none=True)
    channels = fields.List(fields.String())


class Ask(Form):
    role = Name(Noun.ROLE, required=True)


PAGE = ActionSpec("page", Page(), "Rings somebody's telephone.", bare="team")
WITH_ADDED = Vocabulary(
    roles=WORDS.roles, actions=combined(BUILTIN_ACTIONS.values(), [PAGE, ActionSpec("ask", Ask(), "Asks.")])
)


@pytest.mark.parametrize(
    ("written", "arguments"),
    [
        ("{page: no}", {"team": "no", "times": 1}),
        (
            "{page: {team: 1.10, times: 3, loud: true, channels: [a, b]}}",
            {"team": "1.10", "times": 3, "loud": True, "channels": ["a", "b"]},
        ),
        ("{page: {team: a, loud: ~}}", {"team": "a", "times": 1, "loud": None}),
    ],
)
def test_an_added_action_is_read_with_its_own_marshmallow_schema(written: str, arguments: dict[str, object]) -> None:
    found = dict(deed(written, WITH_ADDED).arguments)
    assert found == arguments
    assert type(found["team"]) is str


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("{page: {team: a, times: ▸often}}", "invalid-value"),
        ("{page: {team: a, ▸tims: 3}}", "unknown-key"),
        ("{page: ▸{times: 3}}", "missing-key"),
        ("{page: {team: a, channels: [a, ▸{}]}}", "invalid-value"),
        ("{ask: {role: ▸leed}}", "unknown-role"),
        ("▸page", "missing-key"),
    ],
)
def test_an_added_action_is_checked_like_the_built_in_ones(written: str, code: str) -> None:
    text, place = marked(doing(written))
    finding = finding_of(text, WITH_ADDED)
    assert (finding.code, str(finding.at)) == (code, f"x.yaml:{place}")


def test_two_actions_cannot_bear_the_same_name() -> None:
    with pytest.raises(DeskError) as refusal:
        combined(BUILTIN_ACTIONS.values(), [ActionSpec("notify", Page(), "Another.")])
    assert (refusal.value.kind, refusal.value.code) == (Kind.SETUP, "double_action")


def installed(directory: Path, module: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Installs a package whose module has this source and whose entry point `page` is `value` of it."""
    (directory / f"{module}.py").write_text(
        "from marshmallow import Schema\n"
        "from itsm.workflow.actions import ActionSpec\n"
        "spec = ActionSpec('page', Schema(), 'Rings.')\n"
    )
    info = directory / f"{module}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{actions.ENTRY_POINTS}]\npage = {module}:{value}\n")
    monkeypatch.syspath_prepend(str(directory))
    actions.registry.cache_clear()


def test_a_package_adds_an_action_by_an_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(tmp_path, "paging_one", "spec", monkeypatch)
    try:
        assert set(actions.registry()) == {*BUILTIN_ACTIONS, "page"}
    finally:
        actions.registry.cache_clear()


def test_an_entry_point_that_is_no_action_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(tmp_path, "paging_two", "Schema", monkeypatch)
    try:
        with pytest.raises(DeskError) as refusal:
            actions.registry()
    finally:
        actions.registry.cache_clear()
    assert refusal.value.code == "bad_action"
