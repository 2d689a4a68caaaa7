"""Reads `config/approvals.yaml` and `config/cost-centres.yaml`, with every fault at its FILE:LINE:COL.

What the keys mean is told in docs/approvals.md; whether a policy can come to an end is told by `check.py`. `frozen` reads the
text that a round of approval has kept of its policy, and `inline` makes a policy of what an action says by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson

from itsm.approvals.grammar import BookForm, CostCentreForm, PolicyForm, group_of
from itsm.approvals.policy import (
    Book,
    Delegating,
    Escalation,
    Policy,
    Reminder,
    Row,
    Rule,
    Stage,
    TimeOut,
)
from itsm.workflow import source
from itsm.workflow.findings import Finding
from itsm.workflow.reading.compounds import Keyed, Named, Part
from itsm.workflow.reading.entries import Text
from itsm.workflow.reading.form import NOWHERE, Names, Noun, load, read
from itsm.workflow.vocabulary import Vocabulary


def load_file(path: Path, vocabulary: Vocabulary) -> tuple[Book, list[Finding]]:
    """What a file says of approvals, and every fault of its form; an absent file says nothing.

    The owners of cost centres are looked for beside it, in `cost-centres.yaml`.
    """
    centres, findings = _cost_centres(path.with_name("cost-centres.yaml"))
    if not path.exists():
        return Book(cost_centres=centres), findings
    tree, told = source.parse_file(path)
    return (Book(cost_centres=centres), findings + told) if tree is None else _book(tree, findings + told, vocabulary, centres)


def load_policies(text: str, file: str, vocabulary: Vocabulary) -> tuple[Book, list[Finding]]:
    """What a text says of approvals, and every fault of its form. `file` is the name that findings bear."""
    tree, findings = source.parse(text, file)
    return (Book(), findings) if tree is None else _book(tree, findings, vocabulary, {})


@lru_cache(maxsize=512)
def frozen(name: str, text: str) -> Policy:
    """The policy that a round has kept. What it names may be gone by now; then nobody is found by that name."""
    data: dict[str, Any] = load(PolicyForm(), orjson.loads(text))
    return _policy(name, Keyed(NOWHERE, data), text)


def inline(arguments: Mapping[str, object]) -> Policy:
    """The policy of a `request_approval` that says by itself whom to ask."""
    data = {"stages": [{"of": arguments["from"], "rule": arguments.get("rule") or Rule.ANY.value}]}
    return frozen("", orjson.dumps(data, option=orjson.OPT_SORT_KEYS, default=_plain).decode())


def excluding(policy: Policy, relations: Iterable[object]) -> Policy:
    """The same policy, which does not ask whoever stands in one of these relations to the ticket either."""
    more = [str(relation) for relation in relations if str(relation) not in policy.exclude]
    if not more:
        return policy
    data = {**orjson.loads(policy.source), "exclude": [*policy.exclude, *more]}
    return frozen(policy.name, orjson.dumps(data, option=orjson.OPT_SORT_KEYS).decode())


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} names nobody")


def _book(
    tree: source.Node, findings: list[Finding], vocabulary: Vocabulary, centres: Mapping[str, str]
) -> tuple[Book, list[Finding]]:
    known = {
        Noun.ROLE: vocabulary.roles,
        Noun.CALENDAR: vocabulary.calendars,
        Noun.WORKFLOW: vocabulary.workflows,
    } | ({Noun.GROUP: vocabulary.groups} if vocabulary.groups is not None else {})
    data, faults = read(BookForm(), tree, Names(known))
    findings = [*findings, *faults]
    if findings:
        return Book(cost_centres=centres), findings
    texts = tree["policies"] if isinstance(tree, source.Mapping) and "policies" in tree else None
    policies = {name: _policy(name, one, _text_of(texts, name)) for name, one in data["policies"].items()}
    return Book(policies, Delegating(**data["delegation"]), centres), []


def _text_of(policies: source.Node | None, name: str) -> str:
    """A policy's own text as JSON, for rounds to keep."""
    assert isinstance(policies, source.Mapping)
    return orjson.dumps(source.plain(policies[name]), option=orjson.OPT_SORT_KEYS).decode()


def _cost_centres(path: Path) -> tuple[dict[str, str], list[Finding]]:
    tree, findings = source.parse_file(path) if path.exists() else (None, [])
    if tree is None:
        return {}, findings
    found, faults = read(Named(Text(), Part(CostCentreForm()), "cost centres"), tree)
    return {key: str(one.value["owner"]) for key, one in (found or {}).items()}, [*findings, *faults]


def _policy(name: str, one: Keyed[dict[str, Any]], text: str) -> Policy:
    data = one.value
    return Policy(
        name=name,
        stages=tuple(_stage(number, stage) for number, stage in enumerate(data["stages"], 1)),
        at=one.at,
        source=text,
        title=data["title"] or name,
        workflows=tuple(data["workflows"]),
        table=tuple(
            Row(row["name"] or f"row {number}", row["then"], row["at"], row["condition"])
            for number, row in enumerate(data["decide"], 1)
        ),
        separate=frozenset(data["separate"]),
        exclude=tuple(dict.fromkeys(data["exclude"])),
        material=tuple(dict.fromkeys(data["material"])),
    )


def _stage(number: int, data: Mapping[str, Any]) -> Stage:
    remind, escalate, timeout = data["remind"], data["escalate"], data["timeout"]
    return Stage(
        name=data["name"] or f"stage {number}",
        group=group_of(data),
        at=data["at"],
        calendar=data["calendar"],
        remind=Reminder(**remind) if remind else None,
        escalate=Escalation(**escalate) if escalate else None,
        timeout=TimeOut(**timeout) if timeout else None,
    )
