"""Keeping the list of services and configuration items that tickets can point at."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from itsm.people.models import Group
from itsm.platform.database import Prepared, Session
from itsm.platform.errors import not_found
from itsm.platform.schema import table
from itsm.services.models import ConfigurationItem, Service

_SERVICES, _ITEMS = table(Service), table(ConfigurationItem)
_KEY: sa.BindParameter[Any] = sa.bindparam("key")

_GROUP = Prepared(sa.select(Group.id).where(Group.key == _KEY))
_SERVICE = Prepared(sa.select(Service.id).where(Service.key == _KEY))
_ITEM = Prepared(sa.select(ConfigurationItem.id).where(ConfigurationItem.key == _KEY))
_INSERT_SERVICE = Prepared(
    sa.insert(_SERVICES).values(key=_KEY, name=sa.bindparam("name"), group_id=sa.bindparam("group")).returning(_SERVICES.c.id)
)
_INSERT_ITEM = Prepared(
    sa.insert(_ITEMS).values(key=_KEY, name=sa.bindparam("name"), kind=sa.bindparam("kind")).returning(_ITEMS.c.id)
)


def ensure_service(session: Session, key: str, name: str, group: str | None) -> int:
    """The service with this key, made if it is not there yet; `group` is the key of the group that supports it.

    Raises `not_found` for a group that does not exist.
    """
    row = session.first(_SERVICE, key=key)
    if row is not None:
        return int(row.id)
    supporter = session.first(_GROUP, key=group) if group is not None else None
    if group is not None and supporter is None:
        raise not_found("group", group)
    return int(session.one(_INSERT_SERVICE, key=key, name=name, group=supporter.id if supporter else None).id)


def ensure_item(session: Session, key: str, name: str, kind: str) -> int:
    """The configuration item with this key, made if it is not there yet."""
    row = session.first(_ITEM, key=key)
    return int(row.id if row else session.one(_INSERT_ITEM, key=key, name=name, kind=kind).id)
