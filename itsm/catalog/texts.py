"""Answers that are texts: lines, long texts, and texts of one form such as addresses. Reader and JSON Schema of each."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from itsm.catalog.definition import Question, QuestionType
from itsm.workflow import values
from itsm.workflow.case import Value
from itsm.workflow.values import MARKDOWN_MAX, TEXT_MAX, Fault

Json: TypeAlias = dict[str, Any]

END: Final = r"(?![\s\S])"
"""The end of a text, in every dialect of regular expressions."""

_DURATION: Final = (
    r"^P(?=[0-9T])(?:[0-9]{1,3}W)?(?:[0-9]{1,4}D)?"
    rf"(?:T(?=[0-9])(?:[0-9]{{1,5}}H)?(?:[0-9]{{1,7}}M)?(?:[0-9]{{1,8}}S)?)?{END}"
)
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOSTNAME: Final = rf"^{_LABEL}(?:\.{_LABEL})*{END}"
_EMAIL: Final = rf"^[A-Za-z0-9.!#$%&'*+/=?^_`{{|}}~-]{{1,64}}@{_LABEL}(?:\.{_LABEL})+{END}"
_URL: Final = rf"^https?://{_LABEL}(?:\.{_LABEL})*(?::[0-9]{{1,5}})?(?:[/?#][^\s\x00]*)?{END}"

LONGEST: Final[Mapping[QuestionType, int]] = {
    QuestionType.TEXT: TEXT_MAX,
    QuestionType.LONG_TEXT: MARKDOWN_MAX,
    QuestionType.EMAIL: 254,
    QuestionType.HOSTNAME: 253,
    QuestionType.IP: 45,
    QuestionType.URL: 2_000,
}
"""Characters at most; keys of other things have `values.KEY_MAX`. RFC 5321 §4.5.3.1, RFC 1123 §2.1."""


def line(question: Question, raw: object) -> Value | Fault:
    """A text without line breaks."""
    if isinstance(raw, str) and re.search("[\r\n]", raw):
        return Fault("must be a single line")
    return block(question, raw)


def block(question: Question, raw: object) -> Value | Fault:
    """A text of many lines."""
    if not isinstance(raw, str):
        return Fault("must be text")
    if re.search("[\x00\ud800-\udfff]", raw):
        return Fault("must be text without NUL characters and unpaired surrogates")
    if not re.search(r"\S", raw):
        return Fault("must hold a visible character; leave the answer out instead")
    if not shortest(question) <= len(raw) <= longest(question):
        return Fault(f"must have {shortest(question):,} to {longest(question):,} characters; it has {len(raw):,}")
    if question.matches is not None and question.matches.evaluate({f"answers.{question.name}": raw}) is not True:
        return Fault(f"must be of the form {question.pattern}")
    return raw


def line_schema(question: Question) -> Json:
    """A line, in JSON Schema."""
    return _text_schema(question, r"[\u0000\r\n]")


def block_schema(question: Question) -> Json:
    """A text, in JSON Schema."""
    return _text_schema(question, r"\u0000")


def _text_schema(question: Question, refused: str) -> Json:
    schema: Json = {
        "type": "string",
        "minLength": shortest(question),
        "maxLength": longest(question),
        "pattern": r"\S",
        "not": {"pattern": refused},
    }
    return schema | {"allOf": [{"pattern": f"^(?:{question.pattern}){END}"}]} if question.pattern else schema


def _formed(pattern: str, example: str) -> tuple[Callable[[Question, object], Value | Fault], Callable[[Question], Json]]:
    """Reader and schema of a text that has one form."""
    found = re.compile(pattern, re.ASCII)

    def take(question: Question, raw: object) -> Value | Fault:
        if not isinstance(raw, str) or len(raw) > longest(question) or not found.search(raw):
            return Fault(f"must be like {example}")
        return raw

    def describe(question: Question) -> Json:
        return {"type": "string", "maxLength": longest(question), "pattern": pattern, "examples": [example]}

    return take, describe


email, email_schema = _formed(_EMAIL, "mara@example.org")
hostname, hostname_schema = _formed(_HOSTNAME, "db1.example.org")
url, url_schema = _formed(_URL, "https://example.org/page")
iso_duration, duration_schema = _formed(_DURATION, "PT1H30M")


def duration(question: Question, raw: object) -> Value | Fault:
    """A length of time in ISO 8601, in its shortest form."""
    found = iso_duration(question, raw)
    return found if isinstance(found, Fault) else values.duration_text(values.exact_duration(str(found)))


def ip(_question: Question, raw: object) -> Value | Fault:
    """An address of either version, in its usual form (RFC 5952)."""
    wrong = Fault("must be an IP address such as 192.0.2.7 or 2001:db8::7")
    if not isinstance(raw, str) or "%" in raw:
        return wrong
    try:
        return str(ipaddress.ip_address(raw))
    except ValueError:
        return wrong


def ip_schema(_question: Question) -> Json:
    """The same in JSON Schema."""
    return {"type": "string", "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}], "examples": ["192.0.2.7"]}


def longest(question: Question) -> int:
    """How many characters a text may have."""
    return int(question.high) if isinstance(question.high, int) else LONGEST.get(question.type, values.KEY_MAX)


def shortest(question: Question) -> int:
    """How many characters a text must have."""
    return max(1, int(question.low)) if isinstance(question.low, int) else 1
