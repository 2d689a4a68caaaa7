"""How the checker puts things into words."""

from __future__ import annotations

from collections.abc import Iterable

from itsm.workflow.definition import Expression


def listed(names: Iterable[str], word: str = "and") -> str:
    """Names as people list them: a, b and c."""
    *front, last = list(names) or ["nothing"]
    return f"{', '.join(front)} {word} {last}" if front else last


def quoted(expression: Expression) -> str:
    """An expression in a sentence: on one line and not too long."""
    text = " ".join(expression.text.split())
    return f"“{text if len(text) <= 100 else text[:99] + '…'}”"
