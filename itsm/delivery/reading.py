"""Reads `config/webhooks.yaml`, with every fault of its form at its FILE:LINE:COL. docs/webhooks.md describes the file."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

from marshmallow import ValidationError, post_load, validates_schema

from itsm.delivery.endpoints import ANSWER_WITHIN, LONGEST_TIMEOUT_SECONDS, TIMEOUT_SECONDS, TRIES, Endpoint
from itsm.workflow import source
from itsm.workflow.findings import Finding
from itsm.workflow.reading.compounds import Keyed, Named, Part
from itsm.workflow.reading.entries import Entry, Matching, NewName, Span, Text, Whole, Word
from itsm.workflow.reading.form import NOWHERE, Fault, Form, Names, fault, read

_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_MOST_TRIES: Final = 20


def load_file(path: Path) -> tuple[Mapping[str, Endpoint], list[Finding]]:
    """The receivers that a file names, and every fault of its form; an absent file names none."""
    if not path.exists():
        return {}, []
    tree, findings = source.parse_file(path)
    return ({}, findings) if tree is None else _endpoints(tree, findings)


def load_text(text: str, file: str) -> tuple[Mapping[str, Endpoint], list[Finding]]:
    """The receivers that a text names, and every fault of its form. `file` is the name that findings bear."""
    tree, findings = source.parse(text, file)
    return ({}, findings) if tree is None else _endpoints(tree, findings)


def _endpoints(tree: source.Node, findings: list[Finding]) -> tuple[Mapping[str, Endpoint], list[Finding]]:
    data, faults = read(_FileForm(), tree, Names())
    if findings or faults:
        return {}, [*findings, *faults]
    found: dict[str, Keyed[Any]] = data["webhooks"]
    return MappingProxyType({name: Endpoint(name=name, **one.value) for name, one in found.items()}), []


class _Url(Entry[str]):
    """Where a receiver listens."""

    def take(self, value: Any) -> str:
        text = Text().take(value)
        try:
            parts = urlsplit(text)
            sound = bool(parts.hostname) and parts.port != 0
        except ValueError:
            sound = False
        if not sound or parts.scheme not in ("http", "https") or not text.isascii() or any(char.isspace() for char in text):
            raise fault("bad-url", f"{source.quoted(text)} is no address of a receiver.", "Such as https://example.com/hook.")
        if parts.username is not None or parts.fragment:
            raise fault("bad-url", "An address has neither a password nor a fragment.", "The secret signs; it is never sent.")
        return text


class _Elapsed(Entry[timedelta]):
    """A span of time that needs no calendar."""

    def take(self, value: Any) -> timedelta:
        span = Span().take(value)
        if span.needs_calendar:
            raise fault("bad-duration", f"“{span}” counts business time; programs have no hours.", "Such as “30 minutes”.")
        return span.exact


class _Few(Whole):
    """A whole number of at most `most`."""

    def __init__(self, most: int, **kwargs: Any) -> None:
        super().__init__(1, **kwargs)
        self.most = most

    def take(self, value: Any) -> int:
        number = super().take(value)
        if number > self.most:
            raise fault("too-many", f"{number} is too many here; {self.most} is the most.")
        return number


class _EndpointForm(Form):
    """A receiver."""

    url = _Url(required=True)
    secret_env = Matching("[A-Z][A-Z0-9_]{0,99}", "bad-name", "the name of an environment variable", required=True)
    timeout = _Few(LONGEST_TIMEOUT_SECONDS, load_default=TIMEOUT_SECONDS)
    answer_within = _Elapsed(load_default=ANSWER_WITHIN)
    tries = _Few(_MOST_TRIES, load_default=TRIES)
    plain_http = Word(("refused", "allowed"), "word", load_default="refused")

    @validates_schema
    def secret_on_the_way(self, data: dict[str, Any], **_: object) -> None:
        """What is sent can be read on the way unless it is encrypted, or never leaves the machine."""
        parts = urlsplit(data.get("url", ""))
        if parts.scheme == "http" and parts.hostname not in _LOCAL and data.get("plain_http") != "allowed":
            wrong = Fault("plain-http", "What is sent by http can be read on its way.", "Use https, or plain_http: allowed.")
            raise ValidationError({"url": [wrong]})

    @post_load(pass_original=True)
    def place(self, data: dict[str, Any], original: object, **_: object) -> dict[str, Any]:
        """Adds the place; whether plain HTTP was allowed has been asked already."""
        data = {name: value for name, value in data.items() if name != "plain_http"}
        return {**data, "at": original.at if isinstance(original, source.Mapping) else NOWHERE}


class _FileForm(Form):
    """The whole file."""

    webhooks = Named(NewName("webhook"), Part(_EndpointForm()), "webhooks", load_default={})
