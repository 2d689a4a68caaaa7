"""Reading definitions from files for the commands: the files that are named, and the installation around them.

A file is checked as it would stand in the installation: among the workflows of `workflows/`, against the roles, templates,
calendars and matrices of `config/`. No database is needed for that. `ITSM_CONFIG` and `ITSM_WORKFLOWS` name other directories.
The promises of `config/sla.yaml` are checked against all of these together.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from itsm.approvals import check as approval_rules
from itsm.approvals.codes import MEANINGS as APPROVAL_MEANINGS
from itsm.approvals.reading import load_file as load_policies
from itsm.assignment import check as assignment_rules
from itsm.assignment.book import FILE as ASSIGNMENT
from itsm.assignment.codes import MEANINGS as ASSIGNMENT_MEANINGS
from itsm.catalog.codes import MEANINGS as CATALOG_MEANINGS
from itsm.catalog.reading import load_directory as load_catalog
from itsm.delivery.codes import MEANINGS as WEBHOOK_MEANINGS
from itsm.delivery.endpoints import FILE as WEBHOOKS
from itsm.delivery.reading import load_file as load_webhooks
from itsm.platform.errors import DeskError, Kind
from itsm.platform.settings import PROJECT_ROOT
from itsm.sla import check as promised
from itsm.sla import codes, escalation_reading
from itsm.sla.reading import load_agreement
from itsm.workflow import calendars, language, locations, source
from itsm.workflow.definition import Position, Workflow
from itsm.workflow.findings import Finding, Meanings, Severity
from itsm.workflow.findings import meanings as graded
from itsm.workflow.vocabulary import Vocabulary, load_vocabulary, workflow_names


@dataclass(frozen=True, slots=True)
class Definitions:
    """What was read: the workflows that were asked for, those around them, and what is wrong so far.

    `sources` has the text of every file that was asked for.
    """

    vocabulary: Vocabulary
    workflows: Mapping[str, Workflow]
    neighbours: Mapping[str, Workflow]
    findings: list[Finding] = field(default_factory=list)
    sources: Mapping[str, str] = field(default_factory=dict)


def config_directory() -> Path:
    """Where the configuration of this installation lies."""
    return _directory("ITSM_CONFIG", "config")


def workflows_directory() -> Path:
    """Where the workflows of this installation lie."""
    return _directory("ITSM_WORKFLOWS", "workflows")


def _directory(variable: str, name: str) -> Path:
    return Path(os.environ.get(variable) or PROJECT_ROOT / name)


def read(paths: Iterable[Path]) -> Definitions:
    """The definitions in these files and directories; without any, those of the installation.

    Raises `DeskError` for a path that does not exist, or for a directory without a definition.
    """
    named = list(paths) or [workflows_directory()]
    files = list(_files(named))
    around = workflows_directory()
    vocabulary, findings = load_vocabulary(config_directory(), around)
    names = frozenset[str]().union(*(workflow_names(directory) for directory in {file.parent for file in files}))
    vocabulary = replace(vocabulary, workflows=vocabulary.workflows | names)
    sources: dict[str, str] = {}
    workflows: dict[str, Workflow] = {}
    for file in files:
        workflow, faults = _load(file, vocabulary, sources)
        findings += faults
        if workflow is not None and (first := workflows.setdefault(workflow.name, workflow)) is not workflow:
            message = f"There is a workflow “{workflow.name}” already, in {first.at.file}."
            findings.append(Finding("duplicate-workflow", Severity.ERROR, message, workflow.at))
    neighbours = _neighbours(around, files, vocabulary)
    return Definitions(vocabulary, workflows, {**neighbours, **workflows}, findings, sources)


def is_configuration(path: Path) -> bool:
    """Whether a path is the directory of the configuration or something in it. Raises `DeskError` if there is nothing."""
    if not path.exists():
        raise DeskError(Kind.NOT_FOUND, "not_found", f"There is no file {path}.")
    return path.resolve().is_relative_to(config_directory().resolve())


def read_configured(definitions: Definitions) -> Definitions:
    """These definitions, and in their findings what is wrong with hours, places, promises, approvals, ladders, webhooks and
    catalogue.

    Promises are made about tickets of all workflows that were read, those around them included; so are those of the catalogue.
    """
    config = config_directory()
    hours, findings = calendars.load_file(Path(_shown(config / "calendars.yaml")))
    places, misplaced = locations.load_file(Path(_shown(config / "locations.yaml")), definitions.vocabulary.calendars)
    sources, unread = _texts(config / name for name in ("calendars.yaml", "locations.yaml", "sla.yaml"))
    findings = [*definitions.findings, *findings, *misplaced]
    shown = _shown(config / "sla.yaml")
    findings += unread.get(shown, [])
    if shown in sources:
        workflows, vocabulary = definitions.neighbours, definitions.vocabulary
        agreement, faults = load_agreement(sources[shown], shown, vocabulary, workflows, hours, places)
        findings += faults
        findings += promised.check(agreement, workflows, vocabulary) if agreement is not None else []
    approving = Path(_shown(config / "approvals.yaml"))
    sources |= _texts([approving, approving.with_name("cost-centres.yaml")])[0]
    policies, faults = load_policies(approving, definitions.vocabulary)
    findings += [*faults, *approval_rules.check(policies, definitions.neighbours, definitions.vocabulary)]
    ladders = Path(_shown(config / escalation_reading.FILE))
    sources |= _texts([ladders])[0]
    findings += escalation_reading.check(ladders, definitions.vocabulary, hours, definitions.neighbours)
    table = Path(_shown(config / ASSIGNMENT))
    sources |= _texts([table])[0]
    findings += assignment_rules.check(table, definitions.vocabulary, hours, definitions.neighbours)
    receivers = Path(_shown(config / WEBHOOKS))
    sources |= _texts([receivers])[0]
    findings += load_webhooks(receivers)[1]
    offered = Path(_shown(config / "catalog"))
    findings += load_catalog(offered, definitions.vocabulary, definitions.neighbours)[1]
    sources |= _texts(sorted(offered.glob("*.yaml")))[0]
    return replace(definitions, findings=findings, sources={**definitions.sources, **sources})


def meanings() -> Meanings:
    """What the codes mean that only promises and the catalogue can have."""
    proved = {rule.code: (rule.meaning, rule.severity) for rule in promised.RULES.values()}
    return {
        **codes.MEANINGS,
        **graded(CATALOG_MEANINGS),
        **APPROVAL_MEANINGS,
        **ASSIGNMENT_MEANINGS,
        **WEBHOOK_MEANINGS,
        **proved,
    }


def _texts(paths: Iterable[Path]) -> tuple[dict[str, str], dict[str, list[Finding]]]:
    """The texts of those of these files that are there, and why others cannot be read; both by name."""
    texts: dict[str, str] = {}
    unread: dict[str, list[Finding]] = {}
    for path in paths:
        if path.exists():
            name = _shown(path)
            text, faults = source.read(Path(name))
            if text is None:
                unread[name] = faults
            else:
                texts[name] = text
    return texts, unread


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            found = sorted(path.glob("*.yaml"))
            if not found:
                raise DeskError(Kind.NOT_FOUND, "not_found", f"There is no *.yaml file in {path}.")
            yield from found
        elif path.exists():
            yield path
        else:
            raise DeskError(Kind.NOT_FOUND, "not_found", f"There is no file {path}.")


def _load(file: Path, vocabulary: Vocabulary, sources: dict[str, str]) -> tuple[Workflow | None, list[Finding]]:
    shown = _shown(file)
    text, faults = source.read(file)
    if text is None:
        return None, [replace(fault, at=Position(shown, fault.at.line, fault.at.column)) for fault in faults]
    sources[shown] = text
    return language.load(text, shown, vocabulary)


def _shown(file: Path) -> str:
    """A file as it is named to people: from here, if it lies below."""
    absolute, here = file.absolute(), Path.cwd()
    return str(absolute.relative_to(here) if absolute.is_relative_to(here) else file)


def _neighbours(around: Path, files: Iterable[Path], vocabulary: Vocabulary) -> dict[str, Workflow]:
    """The workflows of the installation that were not asked for. What is wrong with them is not the question here."""
    asked = {file.resolve() for file in files}
    others = [file for file in sorted(around.glob("*.yaml")) if file.resolve() not in asked]
    loaded = (language.load_file(file, vocabulary)[0] for file in others)
    return {workflow.name: workflow for workflow in loaded if workflow is not None}
