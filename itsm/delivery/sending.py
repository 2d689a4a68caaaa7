"""One signed POST, and what came of it. No database is open meanwhile, and no redirect is followed."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final, TypeAlias

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

MOST_ANSWER_BYTES: Final = 2048
"""How much of a refusal is read, to be told to the operator. The rest of an answer is nobody's business."""

_PIECE: Final = 512
_DIGITS: Final = 9


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an attempt: the status, if there was an answer, or why there was none; and when to come again."""

    status: int | None
    why: str = ""
    retry_after: float | None = None

    @property
    def accepted(self) -> bool:
        """Whether the receiver has taken it: any 2xx."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def gone(self) -> bool:
        """Whether the receiver wants no more of these, as Standard Webhooks has it."""
        return self.status == HTTPStatus.GONE


Send: TypeAlias = Callable[[str, bytes, Mapping[str, str], int, datetime], Outcome]
"""Posts a body with headers to an address, within so many seconds, at this moment."""


class _InTime(HTTPConnection):
    """A connection whose answer must have begun in time, head and all.

    A socket's timeout is for each wait by itself: a receiver that sends a byte now and then, or one interim answer after the
    other, could hold its caller for hours. So the connection is cut when the time is over.
    """

    def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override]
        late = threading.Event()

        def cut() -> None:
            late.set()
            with suppress(OSError, TypeError):  # it is closed already
                # Not the one of `ssl`, which takes the encryption away under whoever reads.
                socket.socket.shutdown(self.sock, socket.SHUT_RDWR)

        assert isinstance(self.timeout, float | int)
        timer = threading.Timer(self.timeout, cut)
        timer.daemon = True
        timer.start()
        try:
            response = super().getresponse()
        except Exception as error:
            raise (TimeoutError("timed out") if late.is_set() else error) from error
        finally:
            timer.cancel()
        if late.is_set():  # what came may be half a head
            raise TimeoutError("timed out")
        return response


class _InTimeSecurely(_InTime, HTTPSConnection):
    """The same over TLS."""


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _InTime


class _SecurePool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _InTimeSecurely


_pool: Final = urllib3.PoolManager(num_pools=32, maxsize=2, retries=False)
_pool.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}


def send(url: str, body: bytes, headers: Mapping[str, str], seconds: int, now: datetime) -> Outcome:
    """Post a body. `seconds` limits it up to the beginning of an answer, and the reading of a refusal; never raises."""
    ends = time.monotonic() + seconds
    told = {"Content-Type": "application/json", "User-Agent": "itsm-webhooks/1", **headers}
    try:
        response = _pool.request(
            "POST",
            url,
            body=body,
            headers=told,
            redirect=False,
            preload_content=False,
            decode_content=False,
            timeout=urllib3.Timeout(total=seconds),
        )
    except (urllib3.exceptions.HTTPError, ValueError, OSError) as error:
        return Outcome(None, f"{type(error).__name__}: {error}")
    try:
        status, wait = response.status, _retry_after(response.headers.get("Retry-After"), now)
        if 200 <= status < 300:
            return Outcome(status)
        return Outcome(status, f"answered {status}: {_beginning(response, ends)}".rstrip(": "), wait)
    finally:
        response.close()


def _beginning(response: urllib3.BaseHTTPResponse, ends: float) -> str:
    """The first of an answer, as far as it comes in time."""
    read = bytearray()
    try:
        while len(read) < MOST_ANSWER_BYTES and time.monotonic() < ends and (piece := response.read1(_PIECE)):
            read += piece
    except (urllib3.exceptions.HTTPError, OSError):
        pass
    text = bytes(read[:MOST_ANSWER_BYTES]).decode("utf-8", "replace")
    return "".join(char if char.isprintable() else " " for char in text)


def _retry_after(header: str | None, now: datetime) -> float | None:
    """The seconds to wait, as RFC 9110 section 10.2.3 writes them: a number, or a date."""
    if header is None:
        return None
    if header.isascii() and header.isdigit() and len(header) <= _DIGITS:
        return float(header)
    try:
        return max(0.0, (parsedate_to_datetime(header) - now).total_seconds())
    except (TypeError, ValueError, OverflowError):
        return None
