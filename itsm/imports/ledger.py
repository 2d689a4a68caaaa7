"""Which cases of which source are on the desk already."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from itsm.imports.models import ImportedCase
from itsm.platform.database import Prepared, Session
from itsm.platform.schema import table

_CASES = table(ImportedCase)
_OF_SOURCE = sa.select(ImportedCase.case_id).where(ImportedCase.source == sa.bindparam("source"))
_ANY_OF: sa.BindParameter[Any] = sa.bindparam("cases", type_=postgresql.ARRAY(sa.Text))
_LISTED: sa.BindParameter[str] = sa.bindparam("cases", type_=sa.Text)
_KNOWN_POSTGRESQL = Prepared(_OF_SOURCE.where(ImportedCase.case_id == sa.any_(_ANY_OF)))
_KNOWN_SQLITE = Prepared(
    _OF_SOURCE.where(ImportedCase.case_id.in_(sa.select(sa.column("value")).select_from(sa.func.json_each(_LISTED))))
)
_KEEP = Prepared(sa.insert(_CASES).values({name: sa.bindparam(name) for name in ("source", "case_id", "ticket_id")}))


def known(session: Session, source: str, cases: Sequence[str]) -> frozenset[str]:
    """Those of these cases that are tickets already."""
    if session.is_postgresql:
        rows = session.all(_KNOWN_POSTGRESQL, source=source, cases=list(cases))
    else:
        rows = session.all(_KNOWN_SQLITE, source=source, cases=orjson.dumps(list(cases)).decode())
    return frozenset(row.case_id for row in rows)


def keep(session: Session, source: str, tickets: Iterable[tuple[str, int]]) -> None:
    """Remember which case each ticket is. A case that is kept already breaks the transaction."""
    session.run_many(_KEEP, [{"source": source, "case_id": case, "ticket_id": ticket} for case, ticket in tickets])
