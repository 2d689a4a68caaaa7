"""A mapping: what the words of another desk's log mean on this one. Read from YAML, every fault told with its place.

A mapping never moves a ticket by itself. It names the state that a status of the source stands for; which transition leads
there, and whether that is allowed, is the workflow's to say.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from itsm.imports.grammar import Format, MappingForm
from itsm.imports.origin import KEYED, Dates, Origin, placeholders
from itsm.tickets.facts import INVERSE_KINDS
from itsm.workflow import source
from itsm.workflow.builtin import BUILTIN_FIELDS
from itsm.workflow.case import Value
from itsm.workflow.definition import SAME_STATE, Position, Workflow
from itsm.workflow.findings import Finding, Severity
from itsm.workflow.reading.form import Names, Noun, in_order, read, suggestion
from itsm.workflow.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class Reading:
    """How the file is written. `unknown` are the words that mean “not known”."""

    format: Format
    dates: Dates
    unknown: frozenset[str]
    delimiter: str
    encoding: str


@dataclass(frozen=True, slots=True)
class Organisation:
    """An organisation by its key, or a pattern and the `column` whose words fill it."""

    key: str
    title: str | None = None
    column: str | None = None


@dataclass(frozen=True, slots=True)
class Opening:
    """A ticket of another workflow that a status opens, linked by a kind of link read from the first ticket."""

    workflow: str
    title: str
    link: str


@dataclass(frozen=True, slots=True)
class Status:
    """What one status of the source means. `to` is a state, `=` for any step that leaves the ticket where it is."""

    to: str
    trigger: str | None = None
    roles: tuple[str, ...] = ()
    origins: Mapping[str, Origin] = field(default_factory=dict)
    fill: Mapping[str, Value] = field(default_factory=dict)
    clear: tuple[str, ...] = ()
    comment_from: str | None = None
    comment_fill: str | None = None
    opens: Opening | None = None


@dataclass(frozen=True, slots=True)
class LogMapping:
    """A whole mapping. `columns` says where each column that it reads is named first."""

    name: str
    title: str
    workflow: str
    reading: Reading
    case: str
    at: str
    status: tuple[str, ...]
    by: str
    opened_at: str | None
    opened_by: str | None
    login: str
    roles: tuple[str, ...]
    employer: Organisation | None
    organisation: Organisation | None
    patterns: Mapping[str, str]
    origins: Mapping[str, Origin]
    keep: tuple[str, ...]
    compare: Mapping[str, Origin]
    statuses: Mapping[str, Status]
    refuse: Mapping[str, str]
    columns: Mapping[str, Position]


def load(
    text: str, file: str, workflows: Mapping[str, Workflow], vocabulary: Vocabulary
) -> tuple[LogMapping | None, list[Finding]]:
    """The mapping that a text defines, or None and everything that keeps it from being one, in the order of the text."""
    tree, findings = source.parse(text, file)
    if tree is None:
        return None, findings
    data, faults = read(MappingForm(), tree, _names(tree, workflows, vocabulary))
    if data is None:
        return None, in_order([*findings, *faults])
    findings += _judged(data, tree)
    return (None if findings else _mapping(data)), in_order(findings)


def load_file(path: Path, workflows: Mapping[str, Workflow], vocabulary: Vocabulary) -> tuple[LogMapping | None, list[Finding]]:
    """The mapping of a file. Raises `OSError` if the file cannot be opened."""
    text, findings = source.read(path)
    return (None, findings) if text is None else load(text, str(path), workflows, vocabulary)


def missing_columns(mapping: LogMapping, columns: list[str]) -> list[Finding]:
    """The columns that a mapping reads and a table does not have."""
    return [
        Finding("unknown-column", Severity.ERROR, f"The log has no column “{name}”.", at, suggestion(name, columns)())
        for name, at in mapping.columns.items()
        if name not in columns
    ]


def _names(tree: source.Node, workflows: Mapping[str, Workflow], vocabulary: Vocabulary) -> Names:
    """What a mapping may speak of. Names within a workflow can only be looked up once it is clear which it is."""
    known = {Noun.WORKFLOW: frozenset(workflows), Noun.ROLE: vocabulary.roles | {"system"}}
    named = tree.get("workflow") if isinstance(tree, source.Mapping) else None
    workflow = workflows.get(str(named))
    if workflow is None:
        return Names(known, {})
    fields = {**BUILTIN_FIELDS, **workflow.fields}
    known |= {
        Noun.STATE: frozenset(workflow.states),
        Noun.TRIGGER: frozenset(workflow.transitions),
        Noun.FIELD: frozenset(fields),
    }
    return Names(known, fields)


def _judged(data: Mapping[str, Any], tree: source.Node) -> Iterator[Finding]:
    """What only the whole mapping shows."""

    def error(code: str, message: str, path: list[str], hint: str | None = None) -> Finding:
        return Finding(code, Severity.ERROR, message, source.locate(tree, path, key=True), hint)

    for path, origin in _all_origins(data):
        part = KEYED.get(origin.field.type, "people")
        if part != "people" and part not in data and origin.column is not None:
            message = f"“{path[-1]}” is filled from a column, and there is no `{part}:` that says how its keys are made."
            yield error("missing-key", message, path)
    for name in data["statuses"].keys() & data["refuse"].keys():
        yield error("double-status", f"“{name}” is among the `statuses:`, too.", ["refuse", name])
    for name, keyed in data["statuses"].items():
        opens = keyed.value.get("opens")
        if opens and opens["link"] not in INVERSE_KINDS:
            message, hint = f"There is no link “{opens['link']}”.", suggestion(opens["link"], INVERSE_KINDS)()
            yield error("unknown-link", message, ["statuses", name, "opens", "link"], hint)
        if keyed.value["to"] == SAME_STATE and "trigger" in keyed.value:
            message = "A status that leaves the ticket where it is has no trigger."
            yield error("misplaced-key", message, ["statuses", name, "trigger"])
    organisation = data.get("organisation")
    if organisation and ("column" in organisation) != ("{}" in organisation["key"]):
        message = "The key has {} in it just when there is a column to fill it `from`."
        yield error("bad-pattern", message, ["organisation", "key"])


def _all_origins(data: Mapping[str, Any]) -> Iterator[tuple[list[str], Origin]]:
    """Every field that is filled, with its path in the file."""
    yield from ((["fields", name], origin) for name, origin in data["origins"].items())
    for status, keyed in data["statuses"].items():
        yield from ((["statuses", status, "fields", name], origin) for name, origin in keyed.value["origins"].items())


def _mapping(data: Mapping[str, Any]) -> LogMapping:
    reading, people = data["reading"], data["people"]
    return LogMapping(
        name=data["name"],
        title=data.get("title", data["name"]),
        workflow=data["workflow"],
        reading=Reading(
            reading["format"],
            Dates(reading.get("dates"), reading.get("zone")),
            frozenset(reading["unknown_words"]),
            reading["delimiter"],
            reading["encoding"],
        ),
        case=str(data["case"]),
        at=str(data["instant"]),
        status=tuple(map(str, data["status"])),
        by=str(data["by"]),
        opened_at=_text(data["opened"].get("at")),
        opened_by=_text(data["opened"].get("by")),
        login=people["login"],
        roles=tuple(people["roles"]),
        employer=_organisation(people.get("organisation")),
        organisation=_organisation(data.get("organisation")),
        patterns={part: data[part]["key"] for part in ("groups", "services", "cis") if data.get(part)},
        origins=data["origins"],
        keep=tuple(map(str, data["keep"])),
        compare=data["compare"],
        statuses={name: _status(keyed.value) for name, keyed in data["statuses"].items()},
        refuse={name: keyed.value for name, keyed in data["refuse"].items()},
        columns=_columns(data),
    )


def _status(data: Mapping[str, Any]) -> Status:
    comment, opens = data.get("comment", {}), data.get("opens")
    return Status(
        to=data["to"],
        trigger=data.get("trigger"),
        roles=tuple(data["roles"]),
        origins=data["origins"],
        fill=data["fill"],
        clear=tuple(data["clear"]),
        comment_from=_text(comment.get("column")),
        comment_fill=comment.get("fill"),
        opens=Opening(opens["workflow"], opens["title"], opens["link"]) if opens else None,
    )


def _organisation(data: Mapping[str, Any] | None) -> Organisation | None:
    return None if data is None else Organisation(data["key"], data.get("title"), _text(data.get("column")))


def _text(column: str | None) -> str | None:
    return None if column is None else str(column)


def _columns(data: Mapping[str, Any]) -> dict[str, Position]:
    """Every column that is read in each row, with the place where the mapping names it first."""
    named = [data["case"], data["instant"], *data["status"], data["by"], data["opened"].get("at"), data["opened"].get("by")]
    named += [(data.get(part) or {}).get("column") for part in ("organisation",)]
    named += data["keep"]
    origins = [*data["origins"].values(), *data["compare"].values()]
    for keyed in data["statuses"].values():
        named.append(keyed.value.get("comment", {}).get("column"))
        origins += keyed.value["origins"].values()
    named += [origin.column for origin in origins]
    places = {str(name): name.at for name in reversed(named) if isinstance(name, source.Scalar)}
    for template in (origin.template for origin in origins):
        if isinstance(template, source.Scalar):
            for name in placeholders(template):
                places.setdefault(name, template.begins)
    return places
