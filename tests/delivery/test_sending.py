"""What receivers answer that mean ill, or are broken: a call ends in time, and never with an error of ours."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

import pytest

from itsm.delivery.sending import MOST_ANSWER_BYTES, Outcome, send

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
HEAD = b"HTTP/1.1 200 OK\r\n"

Answer = Callable[[socket.socket, threading.Event], None]


@contextmanager
def answering(answer: Answer) -> Iterator[str]:
    """A server that answers one call so, as long as the other side listens; its address."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65_536)
                with suppress(OSError):  # hung up on
                    answer(connection, over)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/hook"
        finally:
            over.set()
            thread.join()


def drops(piece: bytes, before: bytes = b"") -> Answer:
    """An answer that never ends, a piece every fifth of a second."""

    def answer(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(before)
        while not over.wait(0.2):
            connection.sendall(piece)

    return answer


def says(text: bytes) -> Answer:
    return lambda connection, _: connection.sendall(text)


def called(answer: Answer, seconds: int = 1) -> Outcome:
    with answering(answer) as url:
        return send(url, b"{}", {}, seconds, NOW)


DRIPS = {
    "status line": drops(b"H"),
    "head": drops(b"X-More: a\r\n", HEAD),
    "one field": drops(b"a", HEAD + b"X-Long: "),
    "interim answers": drops(b"HTTP/1.1 100 Continue\r\n\r\n"),
}


@pytest.mark.parametrize("drip", DRIPS)
def test_who_answers_by_the_drop_is_hung_up_on_in_time_and_has_not_accepted(drip: str) -> None:
    began = time.monotonic()
    outcome = called(DRIPS[drip])
    assert time.monotonic() - began < 1.8
    assert not outcome.accepted
    assert "timed out" in outcome.why.lower()


def test_a_refusal_by_the_drop_and_one_without_end_are_read_as_far_as_they_are_told() -> None:
    began = time.monotonic()
    slow = called(drops(b"a", b"HTTP/1.1 500 Oh\r\nContent-Length: 100000\r\n\r\n"))
    assert time.monotonic() - began < 1.8
    assert slow.status == 500
    flood = called(says(b"HTTP/1.1 500 Oh\r\n\r\n" + b"a" * 1_000_000))
    assert len(flood.why) <= MOST_ANSWER_BYTES + 50


@pytest.mark.parametrize("head", ["many", "long", "no HTTP"])
def test_a_head_that_no_server_sends_is_a_failure_like_any_other(head: str) -> None:
    heads = {"many": HEAD + b"X: a\r\n" * 100_000, "long": HEAD[:-2] + b"x" * 1_000_000, "no HTTP": b"\x00\xff\n\n"}
    assert called(says(heads[head])).status is None


@pytest.mark.parametrize(
    "wait",
    [
        b"Mon, 01 Jan 99999999999999999999 00:00:00 GMT",
        b"Mon, 01 Jan 2026 00:00:00 +9999999999",
        b"9999999999",
        b"-1",
        b"\xff\xfe",
        b"1 Jan",
    ],
)
def test_a_time_to_come_again_that_is_none_is_none(wait: bytes) -> None:
    outcome = called(says(b"HTTP/1.1 503 Later\r\nRetry-After: " + wait + b"\r\nContent-Length: 0\r\n\r\n"))
    assert (outcome.status, outcome.retry_after) == (503, None)
