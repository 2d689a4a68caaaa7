"""`itsm workflow`: checking, trying out and drawing definitions, without a database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import click

from itsm.cli import Wiring, print_json
from itsm.cli.definitions import Definitions, is_configuration, meanings, read, read_configured
from itsm.platform.errors import DeskError, Kind
from itsm.workflow import diff, language, report
from itsm.workflow.check import check
from itsm.workflow.definition import Workflow
from itsm.workflow.diagram import dot, mermaid, svg
from itsm.workflow.engine import FaultyWorkflowError, Process
from itsm.workflow.findings import Finding, Severity
from itsm.workflow.scenario import Outcome, run_all

_PATHS: Final = click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
_JSON: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_DRAWINGS: Final = {"svg": svg, "mermaid": mermaid, "dot": dot}


@click.group()
def workflow() -> None:
    """Workflow definitions: check, test, draw, compare."""


@workflow.command(name="check")
@_PATHS
@click.option("--format", "form", type=click.Choice(["text", "json", "sarif"]), default="text", show_default=True)
@_JSON
def check_(paths: tuple[Path, ...], form: str, as_json: bool) -> None:
    """Prove definitions sound, and say where they are not.

    PATH is a file or a directory; without one, the installation's workflows are checked, and its promises (config/sla.yaml)
    with the calendars and locations they rest on. A PATH in config/ asks for these alone. Exits with 1 if there are errors.
    docs/findings.md explains every code.
    """
    definitions = _asked_for(paths)
    findings = [*definitions.findings, *_found(definitions)]
    match "json" if as_json else form:
        case "json":
            click.echo(report.as_json(findings))
        case "sarif":
            click.echo(report.as_sarif(findings, meanings()))
        case _:
            click.echo(report.as_text(findings, definitions.sources))
    _exit_on_errors(findings)


def _asked_for(paths: tuple[Path, ...]) -> Definitions:
    """The definitions that are to be checked; what `config/` promises is, if nothing or something in there was named."""
    practices = [path for path in paths if not is_configuration(path)]
    definitions = read(practices)
    if paths and not practices:
        definitions = replace(definitions, workflows={})
    return definitions if paths and len(practices) == len(paths) else read_configured(definitions)


def _found(definitions: Definitions) -> list[Finding]:
    return [
        finding
        for name in definitions.workflows
        for finding in check(definitions.neighbours, definitions.vocabulary, only=name)
    ]


@workflow.command()
@_PATHS
@_JSON
def test(paths: tuple[Path, ...], as_json: bool) -> None:
    """Play the scenarios of definitions, and tell how each goes.

    Their working time is Monday to Friday from 9 to 17, whatever calendars there are, so that a story goes alike everywhere.
    Exits with 1 if a scenario fails or a definition cannot be read.
    """
    definitions = read(paths)
    findings = list(definitions.findings)
    outcomes: dict[str, list[Outcome]] = {}
    for name, definition in definitions.workflows.items():
        try:
            outcomes[name] = run_all(Process(definition, definitions.vocabulary))
        except FaultyWorkflowError as faulty:
            findings += faulty.findings
    findings += [failure for several in outcomes.values() for outcome in several for failure in outcome.failures]
    if as_json:
        print_json({"scenarios": [_told(name, outcome) for name, several in outcomes.items() for outcome in several]})
    else:
        _tell(outcomes, findings, definitions.sources)
    _exit_on_errors(findings)


def _told(name: str, outcome: Outcome) -> dict[str, object]:
    failures = [report.plain(failure) for failure in outcome.failures]
    return {"workflow": name, "scenario": outcome.name, "passed": outcome.passed, "trail": outcome.trail, "failures": failures}


def _tell(outcomes: Mapping[str, list[Outcome]], findings: list[Finding], sources: Mapping[str, str]) -> None:
    for name, several in outcomes.items():
        click.echo(f"{name}:")
        for outcome in several:
            click.echo(f"  {'passed' if outcome.passed else 'FAILED'}  {outcome.name}")
    if findings:
        click.echo(report.as_text(findings, sources))
    passed = sum(outcome.passed for several in outcomes.values() for outcome in several)
    total = sum(map(len, outcomes.values()))
    click.echo(f"{passed} of {total} scenarios passed.")


@workflow.command()
@click.argument("name")
@click.option("--format", "form", type=click.Choice(list(_DRAWINGS)), default="svg", show_default=True)
def diagram(name: str, form: str) -> None:
    """Draw a life cycle. NAME is a workflow of the installation, or a file."""
    click.echo(_DRAWINGS[form](_one(name)), nl=False)


@workflow.command()
def schema() -> None:
    """Print the JSON Schema of workflow files, for editors that complete and check while one writes."""
    print_json(language.json_schema())


@workflow.command(name="diff")
@click.argument("old")
@click.argument("new")
@_JSON
def diff_(old: str, new: str, as_json: bool) -> None:
    """Tell what is different in NEW. Each is a workflow of the installation, or a file."""
    differences = diff.compare(_one(old), _one(new))
    if as_json:
        told = [{"kind": each.kind.value, "what": each.what, "how": each.how} for each in differences]
        print_json({"differences": told})
    else:
        for difference in differences:
            click.echo(str(difference))
        if not differences:
            click.echo("No differences.")


@workflow.command()
@_PATHS
@click.pass_obj
def publish(wiring: Wiring, paths: tuple[Path, ...]) -> None:
    """Make definitions current: new tickets are born with them, all others stay on their version.

    PATH is a file or a directory; without one, the installation's workflows are published. What is unsound is told as `check`
    tells it, and the versions that run go on.
    """
    from itsm.cli import published  # needs the database, which the other commands do not

    published.publish(wiring, paths)


@workflow.command()
@click.argument("ticket")
@click.argument("trigger", required=False)
@click.option("--as", "login", help="For whom; without it, for the desk itself.")
@_JSON
@click.pass_obj
def explain(wiring: Wiring, ticket: str, trigger: str | None, login: str | None, as_json: bool) -> None:
    """Tell what somebody may do with a TICKET now, and what is in the way of the rest, or of one TRIGGER."""
    from itsm.cli import published

    published.explain(wiring, ticket, trigger, login, as_json=as_json)


def _one(name: str) -> Workflow:
    """A workflow by its file or its name. Raises `DeskError` if there is none, or if it cannot be read."""
    is_file = Path(name).suffix in (".yaml", ".yml") or Path(name).is_file()
    definitions = read([Path(name)] if is_file else [])
    found = next(iter(definitions.workflows.values()), None) if is_file else definitions.workflows.get(name)
    if found is not None:
        return found
    if definitions.findings:
        raise DeskError(Kind.INVALID, "faulty_workflow", report.as_text(definitions.findings, definitions.sources))
    known = ", ".join(sorted(definitions.workflows))
    raise DeskError(Kind.NOT_FOUND, "not_found", f"There is no workflow “{name}”. There are: {known}.")


def _exit_on_errors(findings: list[Finding]) -> None:
    if any(finding.severity is Severity.ERROR for finding in findings):
        raise SystemExit(1)
