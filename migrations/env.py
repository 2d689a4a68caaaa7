"""Alembic's entry: it runs on the connection and in the transaction that `itsm/platform/migrate.py` opened.

Every `itsm/*/models.py` is part of the schema; a new capability's tables are found by being there.
"""

from __future__ import annotations

import importlib
from pathlib import Path

from alembic import context

import itsm
from itsm.platform import work  # noqa: F401  (its tables)
from itsm.platform.schema import Base

SEARCH = ("ticket_search", "comment_search")
"""Full-text tables (with their shadows), columns and indexes live in the database alone: no model knows them."""

for models in sorted(Path(itsm.__path__[0]).glob("*/models.py")):
    importlib.import_module(f"itsm.{models.parent.name}.models")


def is_modelled(_item: object, name: str | None, kind: str, reflected: bool, _counterpart: object) -> bool:
    """Whether autogenerate compares this: all but what full-text search keeps."""
    if not reflected or name is None:
        return True
    if kind == "table":
        return not name.startswith(SEARCH)
    return not (kind == "column" and name == "search") and name not in {"ix_tickets_search", "ix_comments_search"}


connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    include_object=is_modelled,
    render_as_batch=connection.dialect.name == "sqlite",
    transactional_ddl=True,
)
context.run_migrations()
