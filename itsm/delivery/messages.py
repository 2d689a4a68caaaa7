"""What a webhook says: its id, and its body, the same at every try."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any, Final

import orjson

from itsm.platform.outbox import Claimed
from itsm.platform.time import rfc3339

TOPIC: Final = "webhook"
CALLBACKS: Final = "/api/v1/callbacks"
"""Where answers are taken; each under the id of its call."""

PURPOSE: Final = "webhooks"
"""What the key is for that ids are made with (`Settings.key`)."""


def identity(secret: bytes, key: str) -> str:
    """The webhook-id of a message of the outbox: always the same, and nobody's to guess."""
    return f"msg_{hmac.digest(secret, key.encode(), hashlib.sha256).hex()[:32]}"


def body(message: Claimed, identity: str, base_url: str) -> bytes:
    """The body of a message: `type`, `timestamp` and `data`, as Standard Webhooks advises."""
    told: dict[str, Any] = dict(message.payload)
    kind, awaits = told.pop("type"), told.pop("awaits")
    if awaits:
        told["callback"] = f"{base_url}{CALLBACKS}/{identity}"
    said = {"type": f"{kind}.{TOPIC}", "timestamp": rfc3339(message.created_at), "data": told}
    return orjson.dumps(said, option=orjson.OPT_SORT_KEYS)
