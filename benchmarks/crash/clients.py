"""Clients that keep a journal: what they are about to ask for, and what they were answered, each line on the disk before the
next step. Whatever breaks in between, they ask again under the same Idempotency-Key until they know.
"""

from __future__ import annotations

import hashlib
import os
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from benchmarks.client import Answer, Client

REFUSALS = frozenset({403, 404, 409, 412, 422, 428})
"""Definite answers that say nothing was done."""
ASK_AGAIN = frozenset({502, 503, 504})
PATIENCE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing asked for: `text`, the same as its key, goes into what it writes, so that it can be told apart there."""

    key: str
    kind: str
    path: str
    body: dict[str, Any]
    version: str | None = None


class Journal:
    """Lines of JSON, each on the disk when `write` returns."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write(self, **line: Any) -> None:
        """Add a line, for good."""
        os.write(self._file, orjson.dumps(line) + b"\n")
        os.fsync(self._file)

    def close(self) -> None:
        os.close(self._file)


def read(folder: Path) -> Iterator[dict[str, Any]]:
    """Every line of every journal in a folder."""
    for path in sorted(folder.glob("*.journal")):
        yield from (orjson.loads(line) for line in path.read_bytes().splitlines())


class Worker(threading.Thread):
    """One client: creates, comments and arms, without a pause, until it is told to stop."""

    def __init__(self, number: int, port: int, token: str, tickets: list[str], folder: Path, seed: int) -> None:
        super().__init__(name=f"client-{number}", daemon=True)
        self._client = Client(port, token, timeout=10)
        self._tickets = tickets
        self._chance = random.Random(f"{seed}/{number}")
        self._journal = Journal(folder / f"{number}.journal")
        self._number = number
        self._count = 0
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Finish the deed at hand, and no more."""
        self._stopped.set()

    def run(self) -> None:
        while not self._stopped.is_set():
            deed = self._next()
            if deed is not None:
                self.do(deed)
        self._client.close()
        self._journal.close()

    def do(self, deed: Deed) -> Answer | None:
        """Ask for a deed until the answer is known; None when it cannot be had in a minute."""
        self._journal.write(what="intent", key=deed.key, kind=deed.kind, path=deed.path)
        headers = {"Idempotency_Key": deed.key} | ({"If_Match": deed.version} if deed.version else {})
        begun, asked = time.monotonic(), 0
        while time.monotonic() - begun < PATIENCE_SECONDS:
            asked += 1
            try:
                answer = self._client.call("POST", deed.path, deed.body, **headers)
            except OSError:
                time.sleep(0.02)
                continue
            if answer.status in ASK_AGAIN or (answer.status == 409 and answer.json().get("code") == "in_progress"):
                time.sleep(0.05)
                continue
            self._tell(deed, answer, asked)
            return answer
        self._journal.write(what="unanswered", key=deed.key, kind=deed.kind)
        return None

    def _tell(self, deed: Deed, answer: Answer, asked: int) -> None:
        told: dict[str, Any] = {"key": deed.key, "kind": deed.kind, "status": answer.status, "asked": asked}
        if answer.status < 300:
            body = answer.json()
            replayed = "idempotency-replayed" in answer.headers
            digest = hashlib.sha256(answer.body).hexdigest()
            ids = {name: body[name] for name in ("number", "ticket", "id", "version") if name in body}
            self._journal.write(what="ack", **told, replayed=replayed, sha256=digest, **ids)
        elif answer.status in REFUSALS:
            self._journal.write(what="refused", **told)
        else:
            self._journal.write(what="fault", **told, body=answer.body.decode(errors="replace")[:500])

    def _next(self) -> Deed | None:
        self._count += 1
        key = f"deed-{self._number}-{self._count}"
        kind = self._chance.choices(("create", "comment", "arm"), (15, 40, 45))[0]
        if kind == "create":
            return creation(key)
        ticket = self._chance.choice(self._tickets)
        if kind == "comment":
            return Deed(key, kind, f"/api/v1/tickets/{ticket}/comments", {"body": key, "visibility": "public"})
        seen = self._look(ticket)
        if seen is None or seen.json()["state"] != "ready":
            return None
        body = {"trigger": "arm", "comment": key}
        return Deed(key, kind, f"/api/v1/tickets/{ticket}/transitions", body, seen.headers["etag"])

    def _look(self, ticket: str) -> Answer | None:
        try:
            answer = self._client.call("GET", f"/api/v1/tickets/{ticket}")
        except OSError:
            time.sleep(0.02)
            return None
        return answer if answer.status == 200 else None


def creation(key: str) -> Deed:
    """A new ticket, with the key for its title."""
    return Deed(key, "create", "/api/v1/tickets", {"type": "drill", "title": key, "description": "-"})
