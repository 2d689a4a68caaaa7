"""Findings as people and programs read them: text with the source line and a caret, JSON, and SARIF for code review tools.

SARIF is the Static Analysis Results Interchange Format, version 2.1.0 (OASIS, 2020).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final
from unicodedata import combining, east_asian_width
from urllib.parse import quote

from itsm.workflow.check import RULES
from itsm.workflow.codes import MEANINGS
from itsm.workflow.findings import Finding, Meanings, Severity

_NO_OTHERS: Final[Meanings] = {}
_SARIF_SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
_WIDEST: Final = 160
_ELLIPSIS: Final = "…"


def as_text(findings: Iterable[Finding], sources: Mapping[str, str]) -> str:
    """`FILE:LINE:COL: error CODE: sentence. hint` for each, then its source line with a caret, and how many there are.

    `sources` has the texts by the name that findings give their file; without one, the line is left out.
    """
    listed = list(findings)
    lines = {name: text.splitlines() for name, text in sources.items()}
    blocks = [_block(finding, lines.get(finding.at.file, [])) for finding in listed]
    return "\n".join([*blocks, _tally(listed)])


def _block(finding: Finding, lines: list[str]) -> str:
    hint = f" {finding.hint}" if finding.hint else ""
    head = f"{finding.at}: {finding.severity} {finding.code}: {finding.message}{hint}"
    if not 0 < finding.at.line <= len(lines):
        return head
    line, column = _window(lines[finding.at.line - 1], finding.at.column)
    return f"{head}\n    {_visible(line)}\n    {_blank(line[: column - 1])}^"


def _window(line: str, column: int) -> tuple[str, int]:
    """As much of a line as fits, with its column in it."""
    if len(line) <= _WIDEST:
        return line, column
    begin = max(0, min(column - _WIDEST // 2, len(line) - _WIDEST))
    shown = line[begin : begin + _WIDEST]
    return (_ELLIPSIS + shown[1:] if begin else shown), column - begin


def _visible(line: str) -> str:
    """The line without what a terminal would obey."""
    return "".join(char if char.isprintable() or char == "\t" else "\ufffd" for char in line)


def _blank(text: str) -> str:
    """As much space as a text takes: tabs stay tabs, wide characters count double, combining ones not at all."""
    return "".join(
        "\t" if char == "\t" else "" if combining(char) else "  " if east_asian_width(char) in "WF" else " " for char in text
    )


def _tally(findings: list[Finding]) -> str:
    errors = sum(finding.severity is Severity.ERROR for finding in findings)
    warnings = len(findings) - errors
    if not findings:
        return "No findings."
    return f"{_counted(errors, 'error')}, {_counted(warnings, 'warning')}."


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def as_json(findings: Iterable[Finding]) -> str:
    """One document: `{"findings": [{code, severity, file, line, column, message, hint?}]}`."""
    return json.dumps({"findings": [plain(finding) for finding in findings]}, ensure_ascii=False, indent=2)


def plain(finding: Finding) -> dict[str, Any]:
    """A finding as JSON has it; `hint` only where there is one."""
    said: dict[str, Any] = {
        "code": finding.code,
        "severity": finding.severity.value,
        "file": finding.at.file,
        "line": finding.at.line,
        "column": finding.at.column,
        "message": finding.message,
    }
    return said | ({"hint": finding.hint} if finding.hint else {})


def as_sarif(findings: Iterable[Finding], also: Meanings = _NO_OTHERS) -> str:
    """A SARIF 2.1.0 log with one run; every rule that has found something is described in it.

    `also` has what the codes of capabilities mean, which this floor does not know.
    """
    listed = list(findings)
    codes = sorted({finding.code for finding in listed})
    driver = {"name": "itsm workflow check", "rules": [_sarif_rule(code, also) for code in codes]}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_sarif_result(finding, codes.index(finding.code)) for finding in listed],
    }
    return json.dumps({"$schema": _SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}, ensure_ascii=False, indent=2)


def _sarif_rule(code: str, also: Meanings) -> dict[str, Any]:
    rule = RULES.get(code)
    meaning, level = (rule.meaning, rule.severity) if rule else also.get(code, (MEANINGS.get(code), Severity.ERROR))
    if meaning is None:
        return {"id": code}
    return {
        "id": code,
        "shortDescription": {"text": meaning.partition("\n\n")[0]},
        "fullDescription": {"text": meaning},
        "defaultConfiguration": {"level": level.value},
    }


def _sarif_result(finding: Finding, index: int) -> dict[str, Any]:
    text = f"{finding.message} {finding.hint}" if finding.hint else finding.message
    place = {
        "artifactLocation": {"uri": _uri(finding.at.file)},
        "region": {"startLine": finding.at.line, "startColumn": finding.at.column},
    }
    return {
        "ruleId": finding.code,
        "ruleIndex": index,
        "level": finding.severity.value,
        "message": {"text": text},
        "locations": [{"physicalLocation": place}],
    }


def _uri(file: str) -> str:
    """A file's name as a URI reference (RFC 3986): relative as it is, absolute as `file:`."""
    path = quote(file.replace("\\", "/"), safe="/~+@=,()!$&'*;")
    return f"file://{path}" if path.startswith("/") else path
