"""From the text of a practice to its definition: every fault of form and every name that does not exist, with its place."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeVar

from itsm.workflow import source
from itsm.workflow.action_spec import describe_actions
from itsm.workflow.actions import registry
from itsm.workflow.builtin import BUILTIN_FIELDS
from itsm.workflow.definition import (
    ANY_STATE,
    SYSTEM,
    Branch,
    Category,
    Derivation,
    Field,
    FieldType,
    Invariant,
    Reaction,
    Rule,
    Scenario,
    State,
    Step,
    Timer,
    Transition,
    Workflow,
)
from itsm.workflow.findings import Finding, Severity
from itsm.workflow.grammar import ALL_FIELDS, WORKFLOW
from itsm.workflow.reading.compounds import Keyed, describe, typed
from itsm.workflow.reading.entries import Json
from itsm.workflow.reading.form import Names, Noun, in_order, read, within
from itsm.workflow.vocabulary import Vocabulary, event_names

DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"

T = TypeVar("T")


def load(text: str, file: str, vocabulary: Vocabulary) -> tuple[Workflow | None, list[Finding]]:
    """The workflow that a text defines, or None and everything that keeps it from being one, in the order of the text."""
    tree, findings = source.parse(text, file)
    if tree is None:
        return None, findings
    data, faults = read(WORKFLOW, tree, names_of(tree, vocabulary))
    findings = in_order([*findings, *faults])
    return (None if findings else _Maker(data, source.normalised(text)).workflow()), findings


def load_file(path: Path, vocabulary: Vocabulary) -> tuple[Workflow | None, list[Finding]]:
    """The workflow that a file defines. Raises `OSError` if the file cannot be opened."""
    text, findings = source.read(path)
    return (None, findings) if text is None else load(text, str(path), vocabulary)


def load_directory(directory: Path, vocabulary: Vocabulary) -> tuple[dict[str, Workflow], list[Finding]]:
    """All workflows of a directory's `*.yaml` files by name; of two with the same name, the second is a finding."""
    found: dict[str, Workflow] = {}
    findings: list[Finding] = []
    for path in sorted(directory.glob("*.yaml")):
        workflow, faults = load_file(path, vocabulary)
        findings += faults
        if workflow is not None and (first := found.setdefault(workflow.name, workflow)) is not workflow:
            message = f"There is a workflow “{workflow.name}” already, in {first.at.file}."
            findings.append(Finding("duplicate-workflow", Severity.ERROR, message, workflow.at))
    return found, findings


def json_schema(vocabulary: Vocabulary | None = None) -> Json:
    """The form of a workflow file as JSON Schema (draft 2020-12), for editors; with the words of a vocabulary, if given.

    It proposes and warns; the loader, which knows the file's own names too, has the last word.
    """
    specs = vocabulary.actions if vocabulary else registry()
    with within(Names(known_names(vocabulary) if vocabulary else {})):
        form, actions = describe(WORKFLOW), describe_actions(specs.values())
    return {
        "$schema": DRAFT,
        "title": "ITSM workflow",
        **form,
        "$defs": {"action": actions},
    }


def names_of(tree: source.Node, vocabulary: Vocabulary) -> Names:
    """All names that a file may use: its own as far as they can be made out, and those of the vocabulary."""
    name = tree.get("workflow") if isinstance(tree, source.Mapping) else None
    own = frozenset({str(name)} if isinstance(name, source.Scalar) else ())
    fields = {**BUILTIN_FIELDS, **{name: field for name, node in _section(tree, "fields") if (field := _outlined(name, node))}}
    known = {
        **known_names(vocabulary, own),
        Noun.STATE: frozenset(name for name, _ in _section(tree, "states")),
        Noun.FIELD: frozenset(name for name, _ in _section(tree, "fields")) | BUILTIN_FIELDS.keys(),
        Noun.TRIGGER: frozenset(name for name, _ in _section(tree, "transitions")),
    }
    return Names(known, fields, vocabulary.actions)


def known_names(vocabulary: Vocabulary, own: frozenset[str] = frozenset()) -> dict[Noun, frozenset[str]]:
    """The names of a vocabulary, and of the workflow itself."""
    workflows = vocabulary.workflows | own
    return {
        Noun.ROLE: vocabulary.actors,
        Noun.ACTION: frozenset(vocabulary.actions),
        Noun.EVENT: event_names(workflows),
        Noun.TEMPLATE: vocabulary.templates,
        Noun.CALENDAR: vocabulary.calendars,
        Noun.MATRIX: frozenset(vocabulary.matrices),
        Noun.WORKFLOW: workflows,
        **({Noun.GROUP: vocabulary.groups} if vocabulary.groups is not None else {}),
        **({Noun.POLICY: vocabulary.policies} if vocabulary.policies is not None else {}),
        **({Noun.LADDER: vocabulary.ladders} if vocabulary.ladders is not None else {}),
        **({Noun.WEBHOOK: vocabulary.webhooks} if vocabulary.webhooks is not None else {}),
    }


def _section(tree: source.Node, key: str) -> Iterable[tuple[str, source.Node]]:
    section = tree.get(key) if isinstance(tree, source.Mapping) else None
    return section.items() if isinstance(section, source.Mapping) else ()


def _outlined(name: str, node: source.Node) -> Field | None:
    """A declared field as far as its values are concerned, if its type can be made out."""
    type_ = node.get("type") if isinstance(node, source.Mapping) else None
    if not isinstance(node, source.Mapping) or not isinstance(type_, source.Scalar) or str(type_) not in set(FieldType):
        return None
    choices = node.get("choices", ())
    words = choices if isinstance(choices, source.Sequence) else [choices]
    return Field(name, FieldType(type_), node.at, choices=tuple(str(word) for word in words))


class _Maker:
    """Makes definitions of data whose form is right."""

    def __init__(self, data: Mapping[str, Any], text: str) -> None:
        self.data = data
        self.text = text
        self.open_states = tuple(name for name, one in data["states"].items() if one.value["category"] is not Category.CLOSED)
        editable = (name for name, field in BUILTIN_FIELDS.items() if field.edit != (SYSTEM,))
        self.fields = (*data["fields"], *editable)

    def workflow(self) -> Workflow:
        data = self.data
        name = data["workflow"]
        return Workflow(
            name=name,
            title=data.get("title", _title(name)),
            number=data.get("number", f"{re.sub('[^a-z]', '', name)[:3].upper()}{{:07d}}"),
            description=data["description"],
            fields=_each(data["fields"], _field),
            states=_each(data["states"], self._state),
            initial=data["initial"],
            transitions=_each(data["transitions"], self._transition),
            timers=_each(data["timers"], self._timer),
            reactions=_each(data["reactions"], self._reaction),
            invariants=tuple(Invariant(one["holds"], one["at"], self._states(one)) for one in data["invariants"]),
            scenarios=tuple(_scenario(name, one) for name, one in data["scenarios"].items()),
            source=self.text,
            digest=sha256(self.text.encode()).hexdigest(),
            at=data["at"],
        )

    def _state(self, name: str, one: Keyed[Any]) -> State:
        data = one.value
        readonly = [field for word in data["readonly"] for field in (self.fields if word == ALL_FIELDS else (word,))]
        return State(
            name,
            data["category"],
            one.at,
            data.get("title", _title(name)),
            require=_once(data["require"]),
            readonly=_once(readonly),
            hidden=_once(data["hidden"]),
        )

    def _transition(self, name: str, one: Keyed[Any]) -> Transition:
        branches = tuple(self._branch(name, index, data) for index, data in enumerate(one.value["branches"]))
        return Transition(name, branches, one.at, one.value.get("title", _title(name)))

    def _branch(self, trigger: str, index: int, data: Mapping[str, Any]) -> Branch:
        return Branch(
            trigger=trigger,
            index=index,
            sources=self._states(data) or (),
            target=data["to"],
            by=_once(data["by"]),
            at=data["at"],
            condition=data.get("condition"),
            require=_once(data["require"]),
            comment=data["comment"],
            do=tuple(data["do"]),
        )

    def _timer(self, name: str, one: Keyed[Any]) -> Timer:
        data = one.value
        return Timer(
            name=name,
            states=self._states(data) or (),
            after=data["after"],
            at=one.at,
            every=data.get("every"),
            calendar=data.get("calendar"),
            condition=data.get("condition"),
            fire=data.get("fire"),
            do=tuple(data["do"]),
        )

    def _reaction(self, event: str, one: Keyed[Any]) -> Reaction:
        return Reaction(event, tuple(self._rule(data) for data in one.value), one.at)

    def _rule(self, data: Mapping[str, Any]) -> Rule:
        return Rule(data["at"], self._states(data), data.get("condition"), data.get("fire"), tuple(data["do"]))

    def _states(self, data: Mapping[str, Any]) -> tuple[str, ...] | None:
        """The states that are named, `*` being every one that is not closed."""
        if "sources" not in data:
            return None
        return _once(state for word in data["sources"] for state in (self.open_states if word == ANY_STATE else (word,)))


def _field(name: str, one: Keyed[Any]) -> Field:
    data = one.value
    derive = data.get("derive")
    return Field(
        name=name,
        type=data["type"],
        at=one.at,
        title=data.get("title", _title(name)),
        choices=_once(data["choices"]),
        default=typed(data["default"], data["type"]) if "default" in data else None,
        derive=Derivation(derive.get("matrix"), derive.get("expression")) if derive else None,
        edit=_once(data["edit"]) if "edit" in data else ("agent",),
        see=_once(data["see"]) if "see" in data else None,
    )


def _scenario(name: str, one: Keyed[Any]) -> Scenario:
    given, expect = one.value["given"], one.value.get("expect", {})
    return Scenario(
        name=name,
        at=one.at,
        actor=given["actor"],
        steps=tuple(_step(data) for data in one.value["steps"]),
        state=given.get("state"),
        fields=given["fields"],
        facts=_facts(given),
        expect={key: value for key, value in expect.items() if key != "at"},
        expect_at=expect.get("at"),
    )


def _step(data: Mapping[str, Any]) -> Step:
    return Step(**{**data, "facts": _facts(data["facts"])})


def _facts(data: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    facts = {fact: data[fact] for fact in ("tasks", "approvals", "links") if fact in data}
    return {fact: {name: one.value for name, one in counts.items()} for fact, counts in facts.items()}


def _each(data: Mapping[str, Keyed[Any]], make: Callable[[str, Keyed[Any]], T]) -> Mapping[str, T]:
    return MappingProxyType({name: make(name, one) for name, one in data.items()})


def _once(words: Iterable[str]) -> tuple[str, ...]:
    """The words in their order, each once."""
    return tuple(dict.fromkeys(words))


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()
