"""What is said about policies of approval, by code: the meaning of each and how grave it is. docs/approvals.md has examples."""

from __future__ import annotations

from typing import Final

from itsm.workflow.findings import meanings

_ERRORS: Final = {
    "approval-quorum-impossible": "More must approve than there can be.",
    "approval-empty-stage": "A policy has no stage, or a group names nobody.",
    "approval-double-stage": "Two stages of a policy have the same name.",
    "approval-rule-shadowed": "A row of the decision table without a condition is not the last.",
    "bad-percentage": "A percentage is more than a hundred.",
    "delegation-too-deep": "Decisions are passed on more often than the desk allows.",
    "unknown-approver": "Nobody is named like this.",
    "unknown-verdict": "A row of the decision table approves, rejects or asks.",
    "unknown-party": "Only requester, approver and implementer are kept apart.",
    "unknown-timeout": "A stage whose time is out approves, rejects or escalates.",
    "unknown-escalation": "Questions pass on to the manager or to the lead.",
}
_WARNINGS: Final = {
    "approval-no-timeout-nor-escalation": "A stage waits for people alone, perhaps for ever.",
    "approval-escalates-twice": "A stage passes its questions on twice.",
    "approval-quorum-all": "A quorum is all of those who are named.",
    "approval-never-asked": "A row of the decision table always decides, so nobody is ever asked.",
}

MEANINGS: Final = meanings(_ERRORS, _WARNINGS)
"""By code."""
