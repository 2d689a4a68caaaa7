"""Processes as they are published: what each version says, as JSON, as source, as a picture; and checking a new one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from itsm.api.auth import may
from itsm.api.forms import Form, Text
from itsm.api.routing import PREFIX, Answer, Media, Resource
from itsm.api.shapes import Shape, addresses, category, flag, instant, many, now_and_then, open_object, text, texts, whole
from itsm.people.access import Permission
from itsm.platform.errors import not_found
from itsm.tickets import loading, publishing
from itsm.tickets.desk import Tx
from itsm.tickets.publishing import Version
from itsm.workflow import language, values
from itsm.workflow.check import check
from itsm.workflow.definition import Field, State, Transition
from itsm.workflow.diagram.svg import svg
from itsm.workflow.engine import Process
from itsm.workflow.findings import Finding

workflows = Resource("Workflows", "Processes: what is published, and whether a new definition is sound.")

READERS = may(Permission.READ_WORKFLOWS)
CHECKERS = may(Permission.CHECK_WORKFLOWS)
PICTURE = "image/svg+xml"
PICTURE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
SOURCE = "source"
"""The name of the file in findings about a text that came without one."""


class VersionShape(Shape):
    """A published version of a workflow."""

    name = text("The workflow's name: the type of its tickets.", example="incident")
    title = text("The same for people.")
    version = text("The digest of its content.")
    current = flag("Whether new tickets are born with it.")
    published_at = instant("When it was published.")
    published_by = text("By whom.")
    links = addresses()


class VersionsShape(Shape):
    """Versions of workflows."""

    items = many(VersionShape)


class StateShape(Shape):
    """A state of a workflow."""

    name = text("Its name.", example="in_progress")
    title = text("The same for people.")
    category = category()
    require = texts("Fields that must be filled in it.")
    readonly = texts("Fields that nobody changes in it.")
    hidden = texts("Fields that nobody sees in it.")


class BranchShape(Shape):
    """One way a transition can go; the first that fits is taken."""

    from_ = texts("The states it begins in.", data_key="from")
    to = text("The state it leads to; `=` stays where it is.")
    by = texts("Who may make it: relations to the ticket, and roles.")
    condition = text("What must hold, in CEL.", optional=True)
    require = texts("Fields that must be filled.")
    comment_required = flag("Whether it must be explained.")


class TransitionShape(Shape):
    """A transition of a workflow."""

    trigger = text("What fires it.", example="resolve")
    title = text("The same for people.")
    branches = many(BranchShape)


class FieldShape(Shape):
    """A field that tickets of a workflow have besides those that all have."""

    name = text("Its name.", example="impact")
    title = text("The same for people.")
    type = text("Its type, as the workflow language names it.", example="choice")
    derived = flag("Whether it follows from other fields.")
    edit = texts("Who may write it: relations and roles.")
    see = texts("Who may see it; null for everyone who sees the ticket.", optional=True)
    schema = open_object("Its values, as JSON Schema.")


class DefinitionShape(VersionShape):
    """What a version of a workflow says."""

    description = text("What the practice is for.")
    initial = text("The state that tickets are born in.")
    states = many(StateShape)
    transitions = many(TransitionShape)
    fields_ = many(FieldShape, data_key="fields")
    source = text("The definition as it was written.")


class FindingShape(Shape):
    """A fault of a definition."""

    code = text("For programs.", example="unknown-state")
    severity = text("`error` keeps it from being published, `warning` does not.")
    line = whole("From 1.")
    column = whole("From 1.")
    message = text("For people.")
    hint = now_and_then("What would mend it, where that can be said.")


class FindingsShape(Shape):
    """Everything that can be said against a definition; nothing if it is sound."""

    findings = many(FindingShape)


@dataclass(frozen=True, slots=True)
class Draft:
    """A definition to be checked."""

    source: str


class DraftForm(Form):
    """A definition to be checked."""

    makes = Draft

    source = Text("The definition, in YAML.", 1 << 20, required=True, least=0)


@workflows.get("/workflows", policy=READERS, answers={200: VersionsShape()})
def find(tx: Tx) -> Answer:
    """List what is published: the current version of every workflow."""
    return Answer({"items": [_version(version) for version in publishing.current(tx)]})


@workflows.get("/workflows/{name}", policy=READERS, answers={200: DefinitionShape()})
def read(tx: Tx, name: str) -> Answer:
    """Read the current version of a workflow."""
    return Answer(_definition(tx, _one(tx, name, None)))


@workflows.get("/workflows/{name}/diagram.svg", policy=READERS, answers={200: Media(PICTURE)})
def picture(tx: Tx, name: str) -> Answer:
    """See the current version of a workflow as a picture."""
    return _picture(tx, _one(tx, name, None))


@workflows.get("/workflows/{name}/versions", policy=READERS, answers={200: VersionsShape()})
def find_versions(tx: Tx, name: str) -> Answer:
    """List every version of a workflow, the current one first."""
    return Answer({"items": [_version(version) for version in publishing.versions(tx, name)]})


@workflows.get("/workflows/{name}/versions/{version}", policy=READERS, answers={200: DefinitionShape()})
def read_version(tx: Tx, name: str, version: str) -> Answer:
    """Read one version of a workflow."""
    return Answer(_definition(tx, _one(tx, name, version)))


@workflows.get("/workflows/{name}/versions/{version}/diagram.svg", policy=READERS, answers={200: Media(PICTURE)})
def picture_version(tx: Tx, name: str, version: str) -> Answer:
    """See one version of a workflow as a picture."""
    return _picture(tx, _one(tx, name, version))


@workflows.post("/workflows/check", policy=CHECKERS, body=DraftForm(), answers={200: FindingsShape()}, changes=False)
def examine(tx: Tx, body: Draft) -> Answer:
    """Check a definition without publishing it, as it would stand among those that are published."""
    vocabulary = tx.desk.vocabulary
    workflow, findings = language.load(body.source, SOURCE, vocabulary)
    if workflow is not None:
        others = {version.name: loading.process_of(tx, version.id).workflow for version in publishing.current(tx)}
        findings = [*findings, *check({**others, workflow.name: workflow}, vocabulary, only=workflow.name)]
    return Answer({"findings": [_finding(finding) for finding in findings]})


def _one(tx: Tx, name: str, digest: str | None) -> Version:
    """A version by its digest; without one, the current version. Raises `not_found`."""
    versions = publishing.versions(tx, name)
    found = next((version for version in versions if digest is None or version.digest == digest), None)
    if found is None:
        raise not_found("version", f"{name}/{digest}")
    return found


def _picture(tx: Tx, version: Version) -> Answer:
    drawn = _drawn(loading.process_of(tx, version.id))
    return Answer(drawn, headers={"Content-Security-Policy": PICTURE_POLICY}, media_type=PICTURE)


@lru_cache(maxsize=64)
def _drawn(process: Process) -> bytes:
    """The picture of a version; drawing takes a hundred times as long as sending."""
    return svg(process.workflow).encode()


def _version(version: Version) -> dict[str, Any]:
    here = f"{PREFIX}/workflows/{version.name}/versions/{version.digest}"
    return {
        "name": version.name,
        "title": version.title,
        "version": version.digest,
        "current": version.is_current,
        "published_at": version.published_at,
        "published_by": version.published_by,
        "links": {"self": here, "diagram": f"{here}/diagram.svg"},
    }


def _definition(tx: Tx, version: Version) -> dict[str, Any]:
    workflow = loading.process_of(tx, version.id).workflow
    return {
        **_version(version),
        "description": workflow.description,
        "initial": workflow.initial,
        "states": [_state(state) for state in workflow.states.values()],
        "transitions": [_transition(transition) for transition in workflow.transitions.values()],
        "fields": [_field(each) for each in workflow.fields.values() if not each.builtin],
        "source": version.source,
    }


def _state(state: State) -> dict[str, Any]:
    return {
        "name": state.name,
        "title": state.title,
        "category": state.category.value,
        "require": state.require,
        "readonly": state.readonly,
        "hidden": state.hidden,
    }


def _transition(transition: Transition) -> dict[str, Any]:
    branches = [
        {
            "from": branch.sources,
            "to": branch.target,
            "by": branch.by,
            "condition": None if branch.condition is None else branch.condition.text,
            "require": branch.require,
            "comment_required": branch.comment == "required",
        }
        for branch in transition.branches
    ]
    return {"trigger": transition.name, "title": transition.title, "branches": branches}


def _field(each: Field) -> dict[str, Any]:
    return {
        "name": each.name,
        "title": each.title,
        "type": each.type.value,
        "derived": each.derive is not None,
        "edit": each.edit,
        "see": each.see,
        "schema": values.json_schema(each),
    }


def _finding(finding: Finding) -> dict[str, Any]:
    told = {
        "code": finding.code,
        "severity": finding.severity.value,
        "line": finding.at.line,
        "column": finding.at.column,
        "message": finding.message,
    }
    return told if finding.hint is None else {**told, "hint": finding.hint}
