"""A client as lean as it can be, for it shares the machine with the server that it measures: one keep-alive connection,
HTTP/1.1 with `Content-Length`, nothing else.
"""

from __future__ import annotations

import json
import socket
from typing import Any, NamedTuple


class Answer(NamedTuple):
    """What came back. Header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)


class Client:
    """One connection with a bearer token. It connects at the first call, and again after a fault."""

    def __init__(self, port: int, token: str, timeout: float = 30) -> None:
        self._port = port
        self._token = token
        self._timeout = timeout
        self._socket: socket.socket | None = None
        self._rest = b""

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """One request. Raises `OSError` when the connection fails; nobody then knows whether it was carried out."""
        content = b"" if body is None else json.dumps(body).encode()
        lines = [f"{method} {path} HTTP/1.1", "Host: desk", f"Content-Length: {len(content)}"]
        if self._token:
            lines.append(f"Authorization: Bearer {self._token}")
        if body is not None:
            lines.append("Content-Type: application/json")
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        try:
            self._connected().sendall(("\r\n".join(lines) + "\r\n\r\n").encode() + content)
            return self._answer()
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """Hang up."""
        if self._socket is not None:
            self._socket.close()
        self._socket, self._rest = None, b""

    def _connected(self) -> socket.socket:
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), self._timeout)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._socket

    def _answer(self) -> Answer:
        while b"\r\n\r\n" not in self._rest:
            self._receive()
        head, _, self._rest = self._rest.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", "0"))
        while len(self._rest) < length:
            self._receive()
        body, self._rest = self._rest[:length], self._rest[length:]
        if headers.get("connection", "").lower() == "close":
            self.close()
        return Answer(int(first.split()[1]), headers, body)

    def _receive(self) -> None:
        assert self._socket is not None
        data = self._socket.recv(65536)
        if not data:
            raise ConnectionResetError("the server hung up")
        self._rest += data
