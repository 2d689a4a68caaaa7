"""Reading definitions from files for the commands: the files that are named, and the installation around them.

A file is checked as it would stand in the installation: among the workflows of `workflows/`, against the roles, templates,
calendars and matrices of `config/`. No database is needed for that. `ITSM_CONFIG` and `ITSM_WORKFLOWS` name other directories.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from itsm.platform.errors import DeskError, Kind
from itsm.platform.settings import PROJECT_ROOT
from itsm.workflow import language, source
from itsm.workflow.definition import Position, Workflow
from itsm.workflow.findings import Finding, Severity
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
