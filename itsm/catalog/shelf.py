"""The published catalogue in memory. A version never changes, so each is read once a process, and known by its digest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import sqlalchemy as sa

from itsm.catalog.definition import Item
from itsm.catalog.models import CatalogVersion
from itsm.catalog.reading import published
from itsm.catalog.search import Index
from itsm.platform.database import Prepared
from itsm.tickets.desk import Tx

_ITEM: sa.BindParameter[Any] = sa.bindparam("item")
_CURRENT = Prepared(
    sa.select(CatalogVersion.id, CatalogVersion.item, CatalogVersion.digest)
    .where(CatalogVersion.is_current)
    .order_by(CatalogVersion.item)
)
_CURRENT_OF = Prepared(
    sa.select(CatalogVersion.id, CatalogVersion.digest).where(CatalogVersion.item == _ITEM, CatalogVersion.is_current)
)
_SOURCES = Prepared(sa.select(CatalogVersion.digest, CatalogVersion.source).where(CatalogVersion.is_current))
_SOURCE = Prepared(sa.select(CatalogVersion.source).where(CatalogVersion.id == sa.bindparam("id")))

_known: Final[dict[str, Item]] = {}
"""Items by digest: content that has this digest never is another, in whichever database it stands."""


@dataclass(frozen=True, slots=True)
class Version:
    """A published version of an item."""

    id: int
    digest: str
    item: Item


def current(tx: Tx) -> Index:
    """The catalogue as it is offered now, ready to be searched. Costs one statement, and one more when something is new."""
    return _index(tuple(row.digest for row in _read(tx)))


def _read(tx: Tx) -> list[Any]:
    """The rows of all current versions, each of them known by its digest after this."""
    rows = tx.session.all(_CURRENT)
    if any(row.digest not in _known for row in rows):
        for each in tx.session.all(_SOURCES):
            if each.digest not in _known:
                _known[each.digest] = published(each.source)
    return rows


def current_of(tx: Tx, key: str) -> Version | None:
    """The version of an item that is offered now, if it is."""
    row = tx.session.first(_CURRENT_OF, item=key)
    return None if row is None else version(tx, row.id, row.digest)


class _Everything(dict[str, Version]):
    """All that is offered, as one transaction has found it."""


def everything(tx: Tx) -> Mapping[str, Version]:
    """The versions of all items that are offered now, by key. Costs as much as `current`, once a transaction."""
    known = tx.cache.get(_Everything)
    if known is None:
        rows = _read(tx)
        known = tx.cache[_Everything] = _Everything({row.item: Version(row.id, row.digest, _known[row.digest]) for row in rows})
    assert isinstance(known, _Everything)
    return known


def version(tx: Tx, version_id: int, digest: str) -> Version:
    """A version of an item, offered still or not."""
    if digest not in _known:
        _known[digest] = published(tx.session.one(_SOURCE, id=version_id).source)
    return Version(version_id, digest, _known[digest])


@lru_cache(maxsize=8)
def _index(digests: tuple[str, ...]) -> Index:
    return Index.of([_known[digest] for digest in digests])
