"""An installation to measure or to kill: a database, a home, and the real processes of `itsm` over them."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.client import Client
from itsm.people.access import Scope
from itsm.people.tokens import TokenKeeper
from itsm.platform.database import Database
from itsm.platform.time import SystemClock
from tests import service as people

ITSM = Path(sys.executable).parent / "itsm"
PATIENCE_SECONDS = 60.0


@dataclass
class Site:
    """Where the processes of one campaign find their database, and on which port they answer."""

    database_url: str
    home: Path
    port: int = field(default_factory=lambda: _free_port())

    def serve(self, workers: int) -> subprocess.Popen[bytes]:
        """Start `itsm serve`; it answers once `wait` returns."""
        return self._start("serve", "--workers", str(workers))

    def clock(self) -> subprocess.Popen[bytes]:
        """Start `itsm clock`."""
        return self._start("clock")

    def run(self, *arguments: str) -> str:
        """Run a command of `itsm` to its end; what it printed."""
        done = subprocess.run([ITSM, *arguments], env=self.environment(), capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"itsm {' '.join(arguments)}: {done.stderr or done.stdout}")
        return done.stdout

    def wait(self, server: subprocess.Popen[bytes] | None = None) -> float:
        """Wait until the service is ready; the seconds it took. A `server` that ends meanwhile is not waited for."""
        begun = time.perf_counter()
        while time.perf_counter() - begun < PATIENCE_SECONDS:
            if server is not None and server.poll() is not None:
                break
            try:
                if Client(self.port, "", timeout=2).call("GET", "/readyz").status == 200:
                    return time.perf_counter() - begun
            except OSError:
                time.sleep(0.01)
        log = (self.home / "serve.log").read_text(errors="replace")
        raise RuntimeError(f"the server is not ready; it says: {log[-2000:]}")

    def token(self, login: str) -> str:
        """A bearer token of one of the people in `tests/service.py`."""
        database = Database(self.database_url)
        settings = people.settings(self.database_url, self.home)
        keeper = TokenKeeper(settings.key("tokens"), people.configuration().roles)
        with database.session() as session:
            token = keeper.create(session, login, frozenset(Scope), SystemClock().now(), None, "benchmarks")
        database.dispose()
        return token

    def environment(self) -> dict[str, str]:
        """The environment of the processes. Byte code is kept, as in every installation that starts more than once."""
        return {
            **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
            "ITSM_HOME": str(self.home),
            "ITSM_DATABASE_URL": self.database_url,
            "ITSM_SECRET": people.SECRET.decode(),
            "PORT": str(self.port),
        }

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        with (self.home / f"{arguments[0]}.log").open("ab") as log:
            return subprocess.Popen([ITSM, *arguments], env=self.environment(), stdout=log, stderr=log)


def stop(*processes: subprocess.Popen[bytes]) -> None:
    """Ask processes to end, and wait until they have."""
    for process in processes:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
    for process in processes:
        try:
            process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def children(pid: int) -> list[int]:
    """The processes that a process has started and that are still there."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def memory(*pids: int) -> float:
    """What processes and their children take, in MiB: each its proportional share (PSS), so that nothing is counted twice."""
    every = [each for pid in pids for each in (pid, *children(pid))]
    found = [re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE) for pid in every]
    return sum(int(each.group(1)) for each in found if each) / 1024


def processor_seconds(*pids: int) -> float:
    """The processor time that processes and their children have taken so far; what their neighbours take is not in it."""
    ticks = 0
    for each in (each for pid in pids for each in (pid, *children(pid))):
        fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
