"""Clients: so many of them at once, each on its own connection, for so long; what came back and how fast."""

from __future__ import annotations

import http.client
import json
import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Client:
    """One keep-alive connection with a bearer token."""

    port: int
    token: str
    connection: http.client.HTTPConnection = field(init=False)

    def __post_init__(self) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any, dict[str, str]]:
        """Status, decoded body and headers of one request."""
        told = {"Authorization": f"Bearer {self.token}", **{name.replace("_", "-"): value for name, value in headers.items()}}
        data = None
        if body is not None:
            data, told["Content-Type"] = json.dumps(body), "application/json"
        self.connection.request(method, path, data, told)
        answer = self.connection.getresponse()
        text = answer.read()
        return answer.status, json.loads(text) if text else None, dict(answer.getheaders())


@dataclass(frozen=True)
class Figures:
    """Requests per second and latencies in milliseconds of one run."""

    rate: float
    p50: float
    p95: float
    p99: float
    requests: int
    failed: int


Request = Callable[[Client, int], int]
"""One request by the client of this number; its status."""


def run(port: int, token: str, clients: int, seconds: float, request: Request) -> Figures:
    """Let the clients ask, each as fast as it is answered, for so many seconds."""
    latencies: list[list[float]] = [[] for _ in range(clients)]
    failed = [0] * clients
    start = threading.Barrier(clients + 1)

    def work(number: int) -> None:
        client = Client(port, token)
        request(client, number)
        start.wait()
        end = time.perf_counter() + seconds
        while (begun := time.perf_counter()) < end:
            status = request(client, number)
            latencies[number].append(time.perf_counter() - begun)
            failed[number] += status >= 400

    threads = [threading.Thread(target=work, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    start.wait()
    begun = time.perf_counter()
    for thread in threads:
        thread.join()
    elapsed = time.perf_counter() - begun
    every = sorted(1000 * latency for each in latencies for latency in each)
    cuts = statistics.quantiles(every, n=100)
    return Figures(len(every) / elapsed, cuts[49], cuts[94], cuts[98], len(every), sum(failed))
