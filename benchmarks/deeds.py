"""What clients do to a desk while it is measured: requests as people and programs make them, each by name."""

from __future__ import annotations

import itertools
import uuid

from benchmarks import fill
from benchmarks.client import Client
from benchmarks.load import Request

CLIENTS = 8
QUEUE = "/api/v1/tickets?group=network&category=open&sort=-priority,updated_at"
SEARCH = f"/api/v1/tickets?q={fill.RARE}"
KNOWN = 5000
"""Reads go round so many tickets, more than any cache of ours holds."""


class Deeds:
    """The requests, over one service with so many tickets."""

    def __init__(self, port: int, token: str, size: int) -> None:
        self._known = [f"INC{number:07d}" for number in range(1, min(size, KNOWN) + 1)]
        self._turn = itertools.count()
        self._versions: dict[str, str] = {}
        self._held: set[str] = set()
        probe = Client(port, token)
        self._own = [self._a_ticket_in_work(probe) for _ in range(CLIENTS)]
        probe.close()
        self.by_name: dict[str, list[Request]] = {
            "an empty route": [self.empty],
            "create": [self.create],
            "transition": [self.transition],
            "read with timeline": [self.read, self.timeline],
            "first page of a group's queue": [self.queue],
            "search for a rare word": [self.search],
            "mixed load": [
                *(self.read, self.timeline, self.queue, self.transition, self.queue, self.read, self.timeline),
                *(self.create, self.search, self.read, self.queue, self.transition, self.timeline),
            ],
        }

    def empty(self, client: Client, _number: int) -> int:
        return client.call("GET", "/healthz").status

    def create(self, client: Client, _number: int) -> int:
        body = {"type": "incident", "title": f"Screen stays black {uuid.uuid4()}", "description": "Since this morning."}
        return client.call("POST", "/api/v1/tickets", body, Idempotency_Key=str(uuid.uuid4())).status

    def transition(self, client: Client, number: int) -> int:
        """Each client has a ticket of its own, puts it on hold and takes it up again, and knows its version from the last
        answer.
        """
        mine = self._own[number]
        hold = mine not in self._held
        body = {"trigger": "hold", "fields": {"pending_reason": "vendor"}} if hold else {"trigger": "resume"}
        headers = {"If_Match": self._versions[mine], "Idempotency_Key": str(uuid.uuid4())}
        answer = client.call("POST", f"/api/v1/tickets/{mine}/transitions", body, **headers)
        if answer.status == 200:
            self._versions[mine] = answer.headers["etag"]
            (self._held.add if hold else self._held.remove)(mine)
        return answer.status

    def read(self, client: Client, _number: int) -> int:
        return client.call("GET", f"/api/v1/tickets/{self._some()}").status

    def timeline(self, client: Client, _number: int) -> int:
        return client.call("GET", f"/api/v1/tickets/{self._some()}/timeline").status

    def queue(self, client: Client, _number: int) -> int:
        return client.call("GET", QUEUE).status

    def search(self, client: Client, _number: int) -> int:
        return client.call("GET", SEARCH).status

    def _some(self) -> str:
        return self._known[next(self._turn) * 7919 % len(self._known)]

    def _a_ticket_in_work(self, probe: Client) -> str:
        made = probe.call("POST", "/api/v1/tickets", {"type": "incident", "title": "Passed around", "description": "-"})
        assert made.status == 201, made.body
        number, etag = str(made.json()["number"]), made.headers["etag"]
        for trigger, fields in (("assign", {"group": "network"}), ("start", {})):
            body = {"trigger": trigger, "fields": fields}
            answer = probe.call("POST", f"/api/v1/tickets/{number}/transitions", body, If_Match=etag)
            assert answer.status == 200, answer.body
            etag = answer.headers["etag"]
        self._versions[number] = etag
        return number
