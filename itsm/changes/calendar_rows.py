"""The rows of the change calendar, as the forward schedule and the search for conflicts read them."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from itsm.changes.models import ChangeSchedule
from itsm.people.models import User
from itsm.platform.schema import Instant
from itsm.services.models import ConfigurationItem, Service

_BEGIN: sa.BindParameter[Any] = sa.bindparam("begin", type_=Instant)
_FINISH: sa.BindParameter[Any] = sa.bindparam("finish", type_=Instant)
IN_PERIOD = sa.and_(ChangeSchedule.end_at > _BEGIN, ChangeSchedule.start_at < _FINISH)
"""The window of a change shares an instant with the period from `begin` to `finish`."""

_IMPLEMENTER = aliased(User)
_ROW = (
    ChangeSchedule.ticket_id,
    ChangeSchedule.start_at,
    ChangeSchedule.end_at,
    ChangeSchedule.standing,
    _IMPLEMENTER.login.label("implementer"),
    Service.key.label("service"),
    ConfigurationItem.key.label("item"),
)


def in_period(*columns: Any) -> Any:
    """A statement of the changes of which `IN_PERIOD` holds: their ids, windows and standings, who and what, and `columns`."""
    return (
        sa.select(*_ROW, *columns)
        .outerjoin(_IMPLEMENTER, _IMPLEMENTER.id == ChangeSchedule.implementer_id)
        .outerjoin(Service, Service.id == ChangeSchedule.service_id)
        .outerjoin(ConfigurationItem, ConfigurationItem.id == ChangeSchedule.item_id)
        .where(IN_PERIOD)
    )
