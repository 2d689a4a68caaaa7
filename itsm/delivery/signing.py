"""Signatures by Standard Webhooks 1.0 (https://www.standardwebhooks.com): HMAC-SHA256 over id, time and body.

The project's own library brings an HTTP client and more along; what is needed of it is these lines, held in the tests against
the vector that it publishes.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

ID: Final = "webhook-id"
TIMESTAMP: Final = "webhook-timestamp"
SIGNATURE: Final = "webhook-signature"

TOLERANCE: Final = timedelta(minutes=5)
"""How far a message's time may lie from ours, on either side: what is older may be a replay."""

_PREFIX: Final = "whsec_"
_VERSION: Final = "v1"
_LEAST_BYTES, _MOST_BYTES = 24, 64


class BadSignature(ValueError):
    """The message was not signed by who has the secret, or not lately."""


def keys(secret: str) -> tuple[bytes, ...]:
    """The keys in a secret: base64 of 24 to 64 bytes, `whsec_` before it or not; several, parted by blanks, while one replaces
    another. Raises `ValueError`, never naming the secret itself.
    """
    return tuple(_key(word) for word in secret.split())


def _key(word: str) -> bytes:
    try:
        key = base64.b64decode(word.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("a secret is written in base64, with whsec_ before it") from None
    if not _LEAST_BYTES <= len(key) <= _MOST_BYTES:
        raise ValueError(f"a secret has {_LEAST_BYTES} to {_MOST_BYTES} bytes")
    return key


def headers(secrets: Iterable[bytes], message: str, at: datetime, body: bytes) -> dict[str, str]:
    """The headers that sign a body: one signature for each key."""
    seconds = int(at.timestamp())
    signatures = " ".join(f"{_VERSION},{_signature(key, message, seconds, body)}" for key in secrets)
    return {ID: message, TIMESTAMP: str(seconds), SIGNATURE: signatures}


def verify(secrets: Iterable[bytes], given: Mapping[str, str], body: bytes, now: datetime) -> str:
    """The id of a message whose signature is good. `given` are its headers, by names in small letters.

    Raises `BadSignature`. Signatures are compared in constant time.
    """
    message, written, signatures = (given.get(name, "") for name in (ID, TIMESTAMP, SIGNATURE))
    if not (written.isascii() and written.isdigit() and len(written) <= 12):
        raise BadSignature(f"{TIMESTAMP} must be whole seconds since 1970.")
    seconds = int(written)
    if abs(now.timestamp() - seconds) > TOLERANCE.total_seconds():
        raise BadSignature(f"{TIMESTAMP} is more than 5 minutes from now.")
    offered = [
        text.encode() for version, _, text in (word.partition(",") for word in signatures.split()) if version == _VERSION
    ]
    good = False
    for key in secrets:
        expected = _signature(key, message, seconds, body).encode()
        for one in offered:
            good |= hmac.compare_digest(expected, one)
    if not good:
        raise BadSignature("No signature fits the message.")
    return message


def _signature(key: bytes, message: str, seconds: int, body: bytes) -> str:
    signed = f"{message}.{seconds}.".encode() + body
    return base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
