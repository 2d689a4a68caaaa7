"""What is said about `config/webhooks.yaml` alone, by code: the meaning of each.

docs/webhooks.md has them beside those that every file can have.
"""

from __future__ import annotations

from typing import Final

from itsm.workflow.findings import meanings

MEANINGS: Final = meanings(
    {
        "bad-url": "This is no address of a receiver.",
        "plain-http": "What is sent by http can be read on its way.",
        "too-many": "A number is larger than it may be here.",
    }
)
"""By code."""
