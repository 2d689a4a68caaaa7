"""Reading a request before any transaction is opened: its form, its conditions, its idempotency key.

A fault found here is kept, not raised: who calls is settled first, so that strangers learn nothing.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, Final, cast

import orjson
from flask import Request
from werkzeug.datastructures import MultiDict

from itsm.api import conditions, forms, strict_json
from itsm.api.forms import Fault
from itsm.api.routing import Route
from itsm.platform.errors import DeskError, Kind

MOST_PARTS: Final = 8
FORM_BYTES: Final = 256 * 1024
"""What a multipart form may have beside its file. Werkzeug holds what it has read at once against it, 64 KiB of a file too."""

_KEY: Final = re.compile(r"[\x21-\x7e]{1,200}")


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that came in a multipart form."""

    filename: str
    stream: BinaryIO


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks for: the handler's arguments, or why they could not be made.

    `fingerprint` tells this request from any other made under the same idempotency key.
    """

    arguments: Mapping[str, Any]
    key: str | None = None
    fingerprint: bytes = b""
    fault: DeskError | None = None


def read(route: Route, request: Request, path: Mapping[str, Any], most_bytes: int) -> Asked:
    """What `request` asks of `route`. A body over `most_bytes` is refused by Flask (413) as it is read."""
    try:
        request.max_content_length = most_bytes
        arguments: dict[str, Any] = dict(path)
        _read_query(route, request, arguments)
        if route.if_match:
            arguments["versions"] = conditions.expected(request.headers.get("If-Match"))
        key = _key(request) if route.method == "POST" else None
        digest = _read_body(route, request, arguments, wants_digest=key is not None)
    except DeskError as fault:
        return Asked({}, fault=fault)
    told = f"{route.method} {request.path}\n".encode() + digest
    return Asked(arguments, key, hashlib.sha256(told).digest())


def _read_query(route: Route, request: Request, arguments: dict[str, Any]) -> None:
    given = request.args
    faults: dict[str, list[Fault]] = {}
    for name, values in given.lists():
        if len(values) > 1:
            faults[name] = [Fault("repeated", "This parameter may be given once; separate values by commas.")]
        elif "\x00" in values[0]:
            faults[name] = [Fault("invalid_value", "A text cannot have a NUL character.")]
        elif route.query is None:
            faults[name] = [Fault("unknown_parameter", "This route takes no such parameter.")]
    if faults:
        forms.refuse(faults)
    if route.query is not None:
        arguments["query"] = forms.read(route.query, {name: value for name, value in given.items() if value})


def _read_body(route: Route, request: Request, arguments: dict[str, Any], *, wants_digest: bool) -> bytes:
    """Put the body's value among the arguments; its digest, if wanted, whatever the order of its members or parts."""
    if route.body is None:
        return b""
    _refuse_encoding(request)
    if route.upload:
        return _read_upload(route, request, arguments, wants_digest=wants_digest)
    if request.mimetype != "application/json" or request.mimetype_params.get("charset", "utf-8").lower() != "utf-8":
        raise _unsupported("application/json in UTF-8")
    data = strict_json.loads(request.get_data(cache=False))
    arguments["body"] = forms.read(route.body, data)
    return hashlib.sha256(orjson.dumps(data, option=orjson.OPT_SORT_KEYS)).digest() if wants_digest else b""


def _read_upload(route: Route, request: Request, arguments: dict[str, Any], *, wants_digest: bool) -> bytes:
    if request.mimetype != "multipart/form-data":
        raise _unsupported("multipart/form-data")
    request.max_form_parts = MOST_PARTS
    request.max_form_memory_size = FORM_BYTES
    data: dict[str, Any] = {}
    digest = hashlib.sha256()
    for name, value in sorted(_once(request.form).items()):
        data[name] = value
        digest.update(f"{name}\0{value}\0".encode("utf-8", "replace"))
    for name, file in sorted(_once(request.files).items()):
        stream = cast(BinaryIO, file.stream)
        data[name] = Upload(file.filename or "", stream)
        if wants_digest:
            digest.update(f"{name}\0{file.filename}\0".encode("utf-8", "replace"))
            digest.update(hashlib.file_digest(stream, "sha256").digest())  # type: ignore[arg-type]
    assert route.body is not None
    arguments["body"] = forms.read(route.body, data)
    return digest.digest()


def _once(parts: MultiDict[str, Any]) -> dict[str, Any]:
    twice = {name: [Fault("repeated", "This part may be given once.")] for name, values in parts.lists() if len(values) > 1}
    if twice:
        forms.refuse(twice)
    return parts.to_dict()


def _refuse_encoding(request: Request) -> None:
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise _unsupported("a body without Content-Encoding")


def _unsupported(wanted: str) -> DeskError:
    return DeskError(Kind.UNSUPPORTED, "unsupported_media_type", f"This route takes {wanted}.")


def _key(request: Request) -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is not None and not _KEY.fullmatch(key):
        message = "An Idempotency-Key has 1 to 200 visible ASCII characters."
        raise DeskError(Kind.MALFORMED, "malformed_idempotency_key", message)
    return key
