"""`make bench`: what the desk costs, on both databases, beside what the driver and an empty route cost in the same run.

Server, database and clients share this machine. Absolute figures move with it; the ratios are what to read. Exits 1 when a
target is missed. `ARGS="--sizes 1000,100000,1000000"` asks for more tickets, `--only postgresql` for one database.
"""

from __future__ import annotations

import argparse
import itertools
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import fill, load
from benchmarks.load import Client, Figures
from benchmarks.raw import raw_rate
from itsm.people.access import Scope
from itsm.people.tokens import TokenKeeper
from itsm.platform import migrate
from itsm.platform.database import Database
from itsm.platform.time import SystemClock
from tests import service as world_of_people
from tests import world

EMPTY = "/healthz"


@dataclass
class Target:
    """A figure that must be reached."""

    what: str
    value: float
    least: float | None = None
    most: float | None = None

    @property
    def met(self) -> bool:
        return (self.least is None or self.value >= self.least) and (self.most is None or self.value <= self.most)

    def __str__(self) -> str:
        bound = f"≥ {self.least:g}" if self.least is not None else f"≤ {self.most:g}"
        return f"{'met   ' if self.met else 'MISSED'} {self.what}: {self.value:.2f} ({bound})"


def main() -> None:
    arguments = argparse.ArgumentParser(prog="make bench")
    arguments.add_argument("--sizes", default="1000,100000")
    arguments.add_argument("--only", choices=["sqlite", "postgresql"])
    arguments.add_argument("--seconds", type=float, default=4.0)
    told = arguments.parse_args()
    sizes = [int(size) for size in told.sizes.split(",")]
    started_here = world.begin_run()
    targets: list[Target] = []
    try:
        for kind in [told.only] if told.only else ["sqlite", "postgresql"]:
            targets += bench(kind, sizes, told.seconds)
    finally:
        if started_here:
            world.end_run()
    print("\nTargets")
    for target in targets:
        print(f"  {target}")
    sys.exit(any(not target.met for target in targets))


def bench(kind: str, sizes: list[int], seconds: float) -> list[Target]:
    """All the figures of one kind of database."""
    targets: list[Target] = []
    pages: dict[str, list[float]] = {}
    for size in sizes:
        with filled(kind, size) as (database, home):
            targets_of_size, latencies = _one_size(kind, size, database, home, seconds, last=size == sizes[-1])
            targets += targets_of_size
            for name, latency in latencies.items():
                pages.setdefault(name, []).append(latency)
    for name, latencies in pages.items():
        if len(latencies) > 1:
            targets.append(
                Target(f"{kind}: {name} at {sizes[-1]:,} tickets ÷ at {sizes[0]:,}", latencies[-1] / latencies[0], most=1.5)
            )
    return targets


def _one_size(
    kind: str, size: int, database: Database, home: Path, seconds: float, *, last: bool
) -> tuple[list[Target], dict[str, float]]:
    print(f"\n{kind}, {size:,} tickets")
    targets: list[Target] = []
    token = _token(database, home, "g1")
    raw = raw_rate(database, home, token)
    workers = 1 if kind == "sqlite" else 2
    with serving(database, home, workers) as (port, pid, started):
        numbers = itertools.count(1)
        deeds = _deeds(port, token, size, numbers)
        results: dict[tuple[str, int], Figures] = {}
        print(f"  {'':34}{'clients':>8}{'/s':>9}{'p50 ms':>9}{'p95':>8}{'p99':>8}")
        for (name, deed), clients in itertools.product(deeds.items(), (1, 8)):
            figures = results[name, clients] = load.run(port, token, clients, seconds, deed)
            failed = f"   {figures.failed} FAILED" if figures.failed else ""
            print(
                f"  {name:34}{clients:>8}{figures.rate:>9.0f}{figures.p50:>9.2f}{figures.p95:>8.2f}{figures.p99:>8.2f}{failed}"
            )
        memory = _memory(pid)
    print(f"  {'the same SQL by the driver':34}{1:>8}{raw.rate:>9.0f}   ({raw.statements:.1f} statements in a transition)")
    print(f"  start-up {started:.2f} s, memory {memory:.0f} MiB")
    if any(figures.failed for figures in results.values()):
        targets.append(Target(f"{kind}, {size:,}: failed requests", sum(f.failed for f in results.values()), most=0))
    mixed = results["mixed load", 8]
    if kind == "postgresql":
        best = max(results["transition", 1].rate, results["transition", 8].rate)
        targets.append(Target(f"{kind}, {size:,}: transition over HTTP ÷ raw SQL, %", 100 * best / raw.rate, least=25))
    targets.append(Target(f"{kind}, {size:,}: mixed load, requests/s", mixed.rate, least=250))
    targets.append(Target(f"{kind}, {size:,}: mixed load, p99 ÷ p50", mixed.p99 / mixed.p50, most=4))
    if last:
        targets.append(Target(f"{kind}: start-up, s", started, most=2))
        targets.append(Target(f"{kind}: memory of the service, MiB", memory, most=200))
    return targets, {name: results[name, 1].p50 for name in ("first page of a group's queue", "search for a rare word")}


def _deeds(port: int, token: str, size: int, numbers: Iterator[int]) -> dict[str, load.Request]:
    """What clients do, by name."""
    probe = Client(port, token)
    known = [f"INC{number:07d}" for number in range(1, min(size, 5000) + 1)]
    turn = itertools.count()

    def create(client: Client, _number: int) -> int:
        body = {"type": "incident", "title": f"Screen stays black {next(numbers)}", "description": "Since this morning."}
        return client.call("POST", "/api/v1/tickets", body, Idempotency_Key=str(uuid.uuid4()))[0]

    versions: dict[str, str] = {}
    held: dict[str, bool] = {}

    def transition(client: Client, number: int) -> int:
        """Each client has a ticket of its own, puts it on hold and takes it up again, and knows its version from the last
        answer.
        """
        mine = own[number]
        if held[mine]:
            body: dict[str, object] = {"trigger": "resume"}
        else:
            body = {"trigger": "hold", "fields": {"pending_reason": "vendor"}}
        headers = {"If_Match": versions[mine], "Idempotency_Key": str(uuid.uuid4())}
        status, _, answered = client.call("POST", f"/api/v1/tickets/{mine}/transitions", body, **headers)
        versions[mine] = answered.get("ETag", versions[mine])
        held[mine] = held[mine] != (status == 200)
        return status

    def read(client: Client, _number: int) -> int:
        ticket = known[next(turn) % len(known)]
        first = client.call("GET", f"/api/v1/tickets/{ticket}")[0]
        return max(first, client.call("GET", f"/api/v1/tickets/{ticket}/timeline")[0])

    def queue(client: Client, _number: int) -> int:
        return client.call("GET", "/api/v1/tickets?group=network&category=open&sort=-priority,updated_at")[0]

    def search(client: Client, _number: int) -> int:
        return client.call("GET", f"/api/v1/tickets?q={fill.RARE}")[0]

    def empty(client: Client, _number: int) -> int:
        return client.call("GET", EMPTY)[0]

    own: list[str] = []
    for _ in range(8):
        status, made, _ = probe.call(
            "POST", "/api/v1/tickets", {"type": "incident", "title": "Passed around", "description": "-"}
        )
        assert status == 201, made
        own.append(made["number"])
        etag = probe.call("GET", f"/api/v1/tickets/{own[-1]}")[2]["ETag"]
        for trigger, fields in (("assign", {"group": "network"}), ("start", {})):
            status, answer, headers = probe.call(
                "POST", f"/api/v1/tickets/{own[-1]}/transitions", {"trigger": trigger, "fields": fields}, If_Match=etag
            )
            assert status == 200, answer
            etag = headers["ETag"]
        versions[own[-1]], held[own[-1]] = etag, False
    blend: list[load.Request] = [read, queue, transition, queue, read, create, search, queue, read, transition]

    def mixed(client: Client, number: int) -> int:
        return blend[next(turn) % len(blend)](client, number)

    return {
        "an empty route": empty,
        "create": create,
        "transition": transition,
        "read with timeline (2 requests)": read,
        "first page of a group's queue": queue,
        "search for a rare word": search,
        "mixed load": mixed,
    }


@contextmanager
def filled(kind: str, size: int) -> Iterator[tuple[Database, Path]]:
    """A database of this kind with so many tickets, and a home beside it. Kept for the length of the block."""
    home = Path(tempfile.mkdtemp(prefix="itsm-bench-"))
    if kind == "sqlite":
        url = f"sqlite:///{home / 'bench.db'}"
    else:
        url = world.create_database(f"bench_{size}")
    database = Database(url, statement_timeout=3600)
    try:
        migrate.upgrade(database)
        begun = time.perf_counter()
        fill.fill(database, size)
        print(f"\n({kind}: {size:,} tickets made in {time.perf_counter() - begun:.0f} s)")
        yield database, home
    finally:
        database.dispose()
        shutil.rmtree(home)


@contextmanager
def serving(database: Database, home: Path, workers: int) -> Iterator[tuple[int, int, float]]:
    """`itsm serve` over a database: its port, its process, and the seconds it took to answer."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        **os.environ,
        "ITSM_HOME": str(home),
        "ITSM_DATABASE_URL": database.url,
        "ITSM_SECRET": world_of_people.SECRET.decode(),
        "PORT": str(port),
    }
    begun = time.perf_counter()
    server = subprocess.Popen([str(Path(sys.executable).parent / "itsm"), "serve", "--workers", str(workers)], env=environment)
    try:
        while True:
            try:
                with socket.create_connection(("127.0.0.1", port), 0.2):
                    if Client(port, "").call("GET", "/readyz")[0] == 200:
                        break
            except OSError:
                time.sleep(0.02)
            if time.perf_counter() - begun > 30 or server.poll() is not None:
                raise RuntimeError("the server did not start")
        yield port, server.pid, time.perf_counter() - begun
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(40)


def _token(database: Database, home: Path, login: str) -> str:
    settings = world_of_people.settings(database.url, home)
    keeper = TokenKeeper(settings.key("tokens"), world_of_people.configuration().roles)
    with database.session() as session:
        return keeper.create(session, login, frozenset(Scope), SystemClock().now(), None, "bench")


def _memory(pid: int) -> float:
    """The proportional set size of a process and its children, in MiB: what the service really takes."""
    pids = [pid, *(int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]
    total = 0
    for each in pids:
        rollup = Path(f"/proc/{each}/smaps_rollup").read_text()
        found = re.search(r"^Pss:\s+(\d+)", rollup, re.MULTILINE)
        total += int(found.group(1)) if found else 0
    return total / 1024


if __name__ == "__main__":
    main()
