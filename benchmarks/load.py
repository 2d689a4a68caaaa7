"""Clients: so many of them at once, each on its own connection, for so long; what came back and how fast.

`run` asks as fast as it is answered, and finds out how much can be answered. `paced` asks so often, as people do who work on
their tickets whether or not the desk is slow today, and finds out how long they wait.
"""

from __future__ import annotations

import itertools
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.client import Client

Request = Callable[[Client, int], int]
"""One request by the client of this number; its status."""


@dataclass(frozen=True)
class Figures:
    """Requests per second and latencies in milliseconds of one run, and the processor time of the service for each request."""

    rate: float
    p50: float
    p95: float
    p99: float
    requests: int
    failed: int
    processor_ms: float

    def __str__(self) -> str:
        failed = f"   {self.failed} FAILED" if self.failed else ""
        return f"{self.rate:>9.0f}{self.p50:>9.2f}{self.p95:>9.2f}{self.p99:>9.2f}{self.processor_ms:>9.2f}{failed}"


def run(
    port: int, token: str, clients: int, seconds: float, requests: Sequence[Request], processor: Callable[[], float]
) -> Figures:
    """Let the clients ask, each as fast as it is answered, for so many seconds; each makes the requests in turn.

    `processor` tells the seconds of processor time that the service has taken so far.
    """
    latencies: list[list[float]] = [[] for _ in range(clients)]
    failed = [0] * clients
    start, done = threading.Barrier(clients + 1), threading.Barrier(clients + 1)

    def work(number: int) -> None:
        client = Client(port, token)
        turn = number * 3  # not all the same at the same time
        requests[0](client, number)
        start.wait()
        end = time.perf_counter() + seconds
        while (begun := time.perf_counter()) < end:
            status = requests[turn % len(requests)](client, number)
            latencies[number].append(time.perf_counter() - begun)
            failed[number] += status >= 400
            turn += 1
        done.wait()
        client.close()

    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(clients)]
    for thread in threads:
        thread.start()
    start.wait()
    begun, before = time.perf_counter(), processor()
    done.wait()
    elapsed, taken = time.perf_counter() - begun, processor() - before
    for thread in threads:
        thread.join()
    return _figures(latencies, sum(failed), elapsed, taken)


def paced(port: int, token: str, clients: int, per_second: float, seconds: float, requests: Sequence[Request]) -> Figures:
    """Ask so often, each request in turn, at even distances; a request that has to wait for a client counts as asked when it
    was due, so that a desk which stands still is not spared the questions of that time. The processor time is not told.
    """
    latencies: list[list[float]] = [[] for _ in range(clients)]
    failed = [0] * clients
    turns, start = itertools.count(), threading.Barrier(clients + 1)
    begun = [0.0]

    def work(number: int) -> None:
        client = Client(port, token)
        requests[0](client, number)
        start.wait()
        start.wait()
        while (due := (turn := next(turns)) / per_second) < seconds:
            time.sleep(max(0.0, begun[0] + due - time.perf_counter()))
            status = requests[turn % len(requests)](client, number)
            latencies[number].append(time.perf_counter() - begun[0] - due)
            failed[number] += status >= 400
        client.close()

    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(clients)]
    for thread in threads:
        thread.start()
    start.wait()
    begun[0] = time.perf_counter()
    start.wait()
    for thread in threads:
        thread.join()
    return _figures(latencies, sum(failed), time.perf_counter() - begun[0], 0.0)


def _figures(latencies: Sequence[Sequence[float]], failed: int, elapsed: float, taken: float) -> Figures:
    every = sorted(1000 * latency for each in latencies for latency in each)
    cuts = statistics.quantiles(every, n=100)
    return Figures(len(every) / elapsed, cuts[49], cuts[94], cuts[98], len(every), failed, 1000 * taken / len(every))
