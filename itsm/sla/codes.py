"""What the reader of `config/sla.yaml` says beyond the codes of every file, by code: the meaning of each."""

from __future__ import annotations

from typing import Final

from itsm.workflow.findings import meanings

_ERRORS: Final = {
    "absurd-target": "A target is negative, has no length, or is longer than two years.",
    "bad-cap": "So many messages in one window that they are no cap.",
    "bad-threshold": "The point of a threshold is no share of the target and no length of time before or after its end.",
    "bad-underpinning": "What a promise underpins cannot be held up by it: itself, a supplier's, or round in a circle.",
    "double-fire": "A threshold fires two transitions of its ticket.",
    "duplicate-policy": "Two policies have the same name.",
    "duplicate-threshold": "Two thresholds of a policy lie at the same point.",
    "missing-calendar": "A target counts business time, and neither it nor its policy names a calendar.",
    "too-many-steps": "A ladder has more steps than anybody climbs.",
    "unknown-change-rule": "What becomes of the time spent is none of keep_elapsed, restart and prorate.",
    "unknown-happening": "Nothing of this name happens to a ticket as far as clocks are concerned.",
    "unknown-kind": "A policy is an sla, an ola or a uc.",
    "unknown-place": "Nobody near a ticket of this name has a calendar or a time zone.",
    "unknown-promise": "There is no promise of this name in the file.",
    "unknown-return": "What a clock per group does when the ticket comes back is accumulate or restart.",
}
_WARNINGS: Final = {
    "ambiguous-field": "A field that a condition names is of one type in one workflow and of another in the next.",
}

MEANINGS: Final = meanings(_ERRORS, _WARNINGS)
"""By code."""
