"""What is proved of the table and the rotas before anybody relies on them.

Every row can be reached and names what there is; conditions fit the tickets they are about; every layer has somebody in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from itsm.assignment.book import Book, Rule
from itsm.assignment.reading import load_file
from itsm.assignment.scope import scope_of
from itsm.workflow import expression
from itsm.workflow.definition import Expression, Position, Workflow
from itsm.workflow.findings import Finding, Severity
from itsm.workflow.reading.form import in_order
from itsm.workflow.scope import Scope
from itsm.workflow.vocabulary import Vocabulary
from itsm.worktime.calendar import Calendar


def check(
    path: Path, vocabulary: Vocabulary, calendars: Mapping[str, Calendar], workflows: Mapping[str, Workflow]
) -> list[Finding]:
    """Everything that is wrong with a file: form, names, and conditions over the tickets of these workflows."""
    book, findings = load_file(path, vocabulary, calendars)
    return findings or [*examine(book), *in_order(conditions(book, workflows, vocabulary))]


def examine(book: Book) -> list[Finding]:
    """What is wrong with the table and the rotas by themselves."""
    return in_order([*_of_order(book), *_of_skills(book), *_of_rotas(book)])


def _error(code: str, message: str, at: Position, hint: str | None = None) -> Finding:
    return Finding(code, Severity.ERROR, message, at, hint)


def _warning(code: str, message: str, at: Position, hint: str | None = None) -> Finding:
    return Finding(code, Severity.WARNING, message, at, hint)


def _of_order(book: Book) -> Iterator[Finding]:
    for number, rule in enumerate(book.rules):
        before = book.rules[:number]
        if any(rule.name == other.name for other in before):
            yield _error("routing-double-rule", f"There is a rule “{rule.name}” already.", rule.at, "Names tell rules apart.")
        shadow = next((other for other in before if _covers(other, rule)), None)
        if shadow is not None:
            message = f"“{rule.name}” is never looked at: wherever it could hold, “{shadow.name}” does."
            yield _error("routing-rule-shadowed", message, rule.at, "Put it first.")
    if book.rules and (book.rules[-1].condition is not None or book.rules[-1].workflows):
        message = "Nothing is said of tickets for which no rule holds."
        hint = "End with a rule without `if` and `for`; without a `group` it leaves a ticket where it is."
        yield _warning("routing-no-default", message, book.rules[-1].at, hint)


def _covers(one: Rule, other: Rule) -> bool:
    """Whether the first holds wherever the second does, as far as their words tell."""
    if one.workflows and not (other.workflows and set(other.workflows) <= set(one.workflows)):
        return False
    return one.condition is None or (other.condition is not None and one.condition.text == other.condition.text)


def _of_skills(book: Book) -> Iterator[Finding]:
    for rule in book.rules:
        for need in rule.needs:
            if need.skill not in book.skills:
                yield _error("unknown-skill", f"There is no skill “{need.skill}”.", rule.at, "List it under `skills`.")
            elif not any(person.skills.get(need.skill, 0) >= need.level for person in book.staff.values()):
                message = f"Nobody has the skill “{need.skill}” at level {need.level}."
                yield _warning("skill-nobody-has", message, rule.at, "Then the ticket stays with the group.")
    for person in book.staff.values():
        for skill in sorted(set(person.skills) - book.skills):
            yield _error("unknown-skill", f"There is no skill “{skill}”, which {person.login} has.", person.at)


def _of_rotas(book: Book) -> Iterator[Finding]:
    for layers in book.on_call.values():
        for number, layer in enumerate(layers):
            if not layer.people:
                yield _error("on-call-nobody", f"Nobody is in the layer “{layer.name}”.", layer.at, "Name somebody.")
            if any(layer.name == other.name for other in layers[:number]):
                yield _error("on-call-double-layer", f"There is a layer “{layer.name}” already.", layer.at)


def conditions(book: Book, workflows: Mapping[str, Workflow], vocabulary: Vocabulary) -> Iterator[Finding]:
    """Conditions must fit every workflow that their rule is for; those of a rule for all must fit at least one."""
    scopes = {name: scope_of(workflow, vocabulary) for name, workflow in workflows.items()}
    for rule in book.rules:
        named = [name for name in rule.workflows if name in scopes]
        for condition in (rule.condition, *(need.condition for need in rule.needs)):
            if condition is not None:
                faults = {name: _faults(condition, scopes[name]) for name in named or scopes}
                if faults and (named or all(faults.values())):
                    yield from next((told for told in faults.values() if told), ())


def _faults(condition: Expression, scope: Scope) -> tuple[Finding, ...]:
    compiled = expression.compile(condition, scope)
    return compiled if isinstance(compiled, tuple) else ()
