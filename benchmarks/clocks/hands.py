"""A clock whose hands can be moved while processes run: the machine's time, shifted by what a small file says.

Every process that reads the same file is on the same machine, as it were; one with a file of its own is another machine.
"""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from pathlib import Path

import orjson

from itsm.platform.time import SystemClock


class Hands:
    """The file that says how far a machine's clock is off: `shift` seconds, and up to `jitter` more at each reading."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.exists():
            self.put()

    def put(self, shift: float = 0, jitter: float = 0) -> None:
        """Set the hands, for every process at once."""
        fresh = self.path.with_suffix(".fresh")
        fresh.write_bytes(orjson.dumps([shift, jitter]))
        fresh.replace(self.path)

    def move(self, by: float) -> None:
        """Move the hands by so many seconds, forwards or backwards."""
        shift, jitter = self.read()
        self.put(shift + by, jitter)

    def read(self) -> tuple[float, float]:
        """Shift and jitter, in seconds."""
        shift, jitter = orjson.loads(self.path.read_bytes())
        return shift, jitter


class ShiftedClock:
    """The clock of a machine with such hands."""

    def __init__(self, hands: Hands) -> None:
        self._hands = hands
        self._system = SystemClock()

    def now(self) -> datetime:
        shift, jitter = self._hands.read()
        return self._system.now() + timedelta(seconds=shift + (random.uniform(-jitter, jitter) if jitter else 0))
