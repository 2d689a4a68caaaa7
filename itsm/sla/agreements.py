"""The versions of all promises, as published: kept with every text they were read from, compiled once in each process.

A ticket keeps the agreement it was born with until another is applied to it. An agreement is read against the calendars, the
places and the workflows' fields that it was published with, so what is read again years later is what was read then.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256

import orjson
import sqlalchemy as sa

from itsm.platform.database import Database, Prepared, Session
from itsm.platform.schema import Instant, table
from itsm.sla.judging import Judge
from itsm.sla.models import SlaVersion
from itsm.sla.policy import Agreement

_VERSIONS = table(SlaVersion)
_CURRENT = Prepared(sa.select(SlaVersion.id).where(SlaVersion.is_current))
_SOURCE = Prepared(sa.select(SlaVersion.source).where(SlaVersion.id == sa.bindparam("id")))
_DIGEST = Prepared(sa.select(SlaVersion.id, SlaVersion.digest).where(SlaVersion.is_current))
_RETIRE = Prepared(sa.update(_VERSIONS).where(_VERSIONS.c.is_current).values(is_current=False))
_PUBLISH = Prepared(
    sa.insert(_VERSIONS)
    .values(
        {name: sa.bindparam(name) for name in ("digest", "source", "published_by", "reason")}
        | {"published_at": sa.bindparam("published_at", type_=Instant), "is_current": True}
    )
    .returning(_VERSIONS.c.id)
)


@dataclass(frozen=True, slots=True)
class Source:
    """Everything an agreement is made of: the texts of files by their name below `config/`, outlines of workflows by theirs."""

    files: Mapping[str, str]
    workflows: Mapping[str, str]

    def text(self) -> str:
        """As it is kept."""
        return orjson.dumps({"files": self.files, "workflows": self.workflows}, option=orjson.OPT_SORT_KEYS).decode()

    @classmethod
    def of(cls, text: str) -> Source:
        """What `text` kept."""
        data = orjson.loads(text)
        return cls(data["files"], data["workflows"])

    @property
    def digest(self) -> str:
        """Names this exact content."""
        return sha256(self.text().encode()).hexdigest()


Read = Callable[[Source], Agreement]
"""Reads an agreement. Raises `DeskError` for one that is unsound."""


class Agreements:
    """The agreements of a desk by version. Safe to share among threads: a version never changes."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._known: dict[int, tuple[Agreement, Judge]] = {}
        self._lock = threading.Lock()

    def current(self, session: Session) -> tuple[Agreement, Judge] | None:
        """The agreement that new tickets are born with; None before the first was published."""
        row = session.first(_CURRENT)
        return None if row is None else self.get(session, row.id)

    def get(self, session: Session, version: int) -> tuple[Agreement, Judge]:
        """The agreement of a version. Raises `KeyError` for one that does not exist."""
        found = self._known.get(version)
        if found is None:
            with self._lock:
                found = self._known.get(version) or self._load(session, version)
                self._known[version] = found
        return found

    def finder(self, session: Session) -> Callable[[int], tuple[Agreement, Judge]]:
        """`get` with this session, as `replay.derive` wants it."""
        return lambda version: self.get(session, version)

    def finder_in(self, database: Database) -> Callable[[int], tuple[Agreement, Judge]]:
        """The same with short sessions of its own, for whoever thinks long and holds none."""

        def find(version: int) -> tuple[Agreement, Judge]:
            found = self._known.get(version)
            if found is None:
                with database.session(write=False) as session:
                    found = self.get(session, version)
            return found

        return find

    def read(self, source: Source) -> Agreement:
        """An agreement that need not be published. Raises `DeskError`."""
        return self._read(source)

    def _load(self, session: Session, version: int) -> tuple[Agreement, Judge]:
        row = session.first(_SOURCE, id=version)
        if row is None:
            raise KeyError(version)
        return replace(self._read(Source.of(row.source)), id=version), Judge()


def publish(session: Session, source: Source, by: str, reason: str, now: datetime) -> tuple[int, bool]:
    """Make an agreement the current one; its version, and whether it is new. New tickets are born with it from here on."""
    current = session.first(_DIGEST)
    if current is not None and current.digest == source.digest:
        return int(current.id), False
    session.run(_RETIRE)
    row = session.one(_PUBLISH, digest=source.digest, source=source.text(), published_by=by, reason=reason, published_at=now)
    return int(row.id), True
