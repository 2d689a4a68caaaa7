"""What is said about `config/assignment.yaml`, by code: the meaning of each and how grave it is.

docs/assignment.md has an example of each, and the mend.
"""

from __future__ import annotations

from typing import Final

from itsm.workflow.findings import meanings

_ERRORS: Final = {
    "routing-rule-shadowed": "A rule stands after one that holds wherever it does.",
    "routing-double-rule": "Two rules have the same name.",
    "unknown-skill": "There is no skill of this name.",
    "unknown-strategy": "Somebody is found by none, round_robin or least_loaded.",
    "on-call-nobody": "A layer of a rota has nobody in it.",
    "on-call-double-layer": "Two layers of a rota have the same name.",
    "bad-time": "This is no time of day.",
    "bad-turn": "A turn of a rota is longer than a year.",
}
_WARNINGS: Final = {
    "routing-no-default": "The last rule of the table does not always hold.",
    "skill-nobody-has": "A rule needs a level of a skill that nobody has.",
}

MEANINGS: Final = meanings(_ERRORS, _WARNINGS)
"""By code."""
