"""A receiver of webhooks: a real HTTP server on this machine, which notes what it gets and answers as it is told."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()


def sign(message: str, seconds: int, body: bytes, key: bytes = KEY) -> str:
    """A signature as Standard Webhooks writes it, worked out here and not by the product."""
    digest = hmac.new(key, f"{message}.{seconds}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


@dataclass
class Seen:
    """A call as it came in."""

    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def is_signed(self) -> bool:
        seconds = int(self.headers["webhook-timestamp"])
        return sign(self.id, seconds, self.body) in self.headers["webhook-signature"].split()


@dataclass
class Receiver:
    """What came in, and what is answered: a status, with headers. `hold` delays every answer until it is set."""

    url: str = ""
    seen: list[Seen] = field(default_factory=list)
    status: int = 202
    headers: Mapping[str, str] = field(default_factory=dict)
    answer: bytes = b""
    hold: threading.Event | None = None
    came: threading.Event = field(default_factory=threading.Event)


@contextmanager
def listening(receiver: Receiver | None = None) -> Iterator[Receiver]:
    told = receiver or Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            told.seen.append(Seen({name.lower(): value for name, value in self.headers.items()}, body))
            told.came.set()
            if told.hold is not None:
                told.hold.wait(10)
            self.send_response(told.status)
            for name, value in told.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(told.answer)))
            self.end_headers()
            self.wfile.write(told.answer)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    told.url = f"http://127.0.0.1:{server.server_port}/hook"
    try:
        yield told
    finally:
        if told.hold is not None:
            told.hold.set()
        server.shutdown()
        thread.join()
        server.server_close()
