"""Pages of a list: how many at a time, and the cursor that says where the next begins.

A cursor holds the keys of the last row and is signed together with the question it belongs to. So nobody can make one up, and
one that is sent with other filters, another order or another caller's token is refused instead of giving a wrong page.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NoBase64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlencode

import orjson
from flask import Request
from marshmallow import fields

from itsm.api import forms
from itsm.api.forms import Form, Text, WholeNumber
from itsm.api.shapes import text
from itsm.platform.time import from_micros, to_micros
from itsm.tickets.desk import Tx

DEFAULT: Final = 25
MOST: Final = 100
_MARK_BYTES: Final = 16

_Row = TypeVar("_Row")


def limit_field(default: int = DEFAULT) -> WholeNumber:
    """How many entries a page has."""
    return WholeNumber("How many at a time.", 1, MOST, in_query=True, load_default=default)


def cursor_field() -> Text:
    """Where a page begins."""
    return Text("The `next` of the page before, with the same question.", 2_000, load_default=None)


def next_field() -> fields.String:
    """The cursor in an answer."""
    return text("The cursor of the next page; null on the last.", optional=True)


@dataclass(frozen=True, slots=True)
class PageQuery:
    """Which page of a list that nothing filters."""

    limit: int
    cursor: str | None


class PageForm(Form):
    """Which page of a list that nothing filters."""

    makes = PageQuery

    limit = limit_field(default=MOST)
    cursor = cursor_field()


def cut(
    tx: Tx, question: object, found: Sequence[_Row], limit: int, place: Callable[[_Row], Any]
) -> tuple[Sequence[_Row], str | None]:
    """A page out of rows of which one more was read than it holds, and the cursor of the page after it.

    `place` is what the rows are in order of.
    """
    page = found[:limit]
    return page, seal(tx, question, (place(page[-1]),)) if len(found) > limit else None


def after(tx: Tx, question: object, query: PageQuery, beginning: Any) -> Any:
    """What the page comes after: `beginning` for the first. Raises `DeskError` (`invalid_input`) for a foreign cursor."""
    return beginning if query.cursor is None else unseal(tx, question, query.cursor)[0]


def seal(tx: Tx, question: object, place: tuple[Any, ...]) -> str:
    """The cursor for a place in the answer to a question."""
    told = orjson.dumps([{"t": to_micros(each)} if isinstance(each, datetime) else each for each in place])
    return urlsafe_b64encode(_mark(tx, question, told) + told).decode().rstrip("=")


def unseal(tx: Tx, question: object, cursor: str) -> tuple[Any, ...]:
    """The place that a cursor of this question stands for. Raises `DeskError` (`invalid_input`)."""
    try:
        raw = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    except (NoBase64, ValueError):
        raw = b""
    mark, told = raw[:_MARK_BYTES], raw[_MARK_BYTES:]
    if not hmac.compare_digest(mark, _mark(tx, question, told)):
        message = "This cursor is not from a page of this very list. Begin again without it."
        raise forms.refusal("/cursor", "invalid_cursor", message)
    return tuple(from_micros(each["t"]) if isinstance(each, dict) else each for each in orjson.loads(told))


def next_link(request: Request, cursor: str | None) -> dict[str, str]:
    """The `Link` header to the page after that of this request (RFC 8288), if there is one."""
    if cursor is None:
        return {}
    given = {name: value for name, value in request.args.items() if value}
    return {"Link": f'<{quote(request.path)}?{urlencode({**given, "cursor": cursor})}>; rel="next"'}


def _mark(tx: Tx, question: object, told: bytes) -> bytes:
    context = orjson.dumps([tx.actor.id, question], option=orjson.OPT_SORT_KEYS)
    digest = hmac.digest(tx.desk.settings.key("cursor"), context + b"\n" + told, hashlib.sha256)
    return digest[:_MARK_BYTES]
