"""When somebody can decide no longer, or is found to be the same person as another: the rounds that await him are looked at as
soon as the clock comes by, and not at their next hour.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import sqlalchemy as sa

from itsm.approvals import stages
from itsm.approvals.asking import ROOT
from itsm.approvals.models import Approval, ApprovalRound
from itsm.people.models import User
from itsm.platform.database import Prepared
from itsm.platform.timers import NewTimer
from itsm.tickets import alarms
from itsm.tickets.desk import Tx

_CONCERNED: Final = frozenset({"deactivated", "roles_set", "accounts_linked"})
"""The events about people after which a question may be in the wrong hands. `login` is whom they are about."""

_PERSON = sa.select(ROOT).where(User.login == sa.bindparam("login")).scalar_subquery()
_ACCOUNTS = sa.select(User.id).where(ROOT == _PERSON)
_AWAITING = Prepared(
    sa.select(ApprovalRound.ticket_id, ApprovalRound.round, ApprovalRound.stage)
    .distinct()
    .join_from(
        Approval, ApprovalRound, sa.and_(ApprovalRound.ticket_id == Approval.ticket_id, ApprovalRound.round == Approval.round)
    )
    .where(Approval.approver_id.in_(_ACCOUNTS), Approval.decision.is_(None), ApprovalRound.outcome.is_(None))
    .order_by(ApprovalRound.ticket_id)
)


def heard(tx: Tx, kind: str, told: Mapping[str, Any]) -> None:
    """Have the rounds looked at that await somebody about whom this was said."""
    if kind not in _CONCERNED:
        return
    for row in tx.session.all(_AWAITING, login=told["login"]):
        alarms.disarm(tx, row.ticket_id, stages.KIND, (stages.LOOK,))
        payload = {"round": row.round, "stage": row.stage}
        alarms.arm(tx, [NewTimer(row.ticket_id, stages.KIND, stages.LOOK, tx.now, payload)])
