"""Which version of a ticket a caller has seen: entity tags and `If-Match` (RFC 9110 §8.8.3, §13.1.1).

A ticket's tag is the number of things that have happened to it, in quotes.
"""

from __future__ import annotations

import re
from typing import Final

from itsm.platform.errors import DeskError, Kind

_TAG: Final = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
_TAGS: Final = re.compile(rf"(?:[ \t]*,)*[ \t]*{_TAG}(?:[ \t]*,(?:[ \t]*{_TAG})?)*[ \t]*")
_LONGEST: Final = 2_000

UNSEEN: Final = -1
"""The version of a tag that we never gave."""


def tag(version: int) -> str:
    """The entity tag of a version."""
    return f'"{version}"'


def expected(header: str | None) -> frozenset[int] | None:
    """The versions that `If-Match` allows; None for `*`, which allows any that exists.

    Weak tags never match here (RFC 9110 §13.1.1). Raises `DeskError`: `if_match_required`, `malformed_if_match`.
    """
    if header is None:
        message = "Send If-Match with the ETag of the ticket as you read it, so that nobody's change is overwritten unseen."
        raise DeskError(Kind.PRECONDITION_REQUIRED, "if_match_required", message)
    if header.strip() == "*":
        return None
    if len(header) > _LONGEST or not _TAGS.fullmatch(header):
        raise DeskError(Kind.MALFORMED, "malformed_if_match", 'If-Match must be an entity tag such as "7", several, or *.')
    tags = re.findall(_TAG, header)
    return frozenset(int(each[1:-1]) if re.fullmatch(r'"[0-9]{1,18}"', each) else UNSEEN for each in tags)


def known(header: str | None, version: int) -> bool:
    """Whether `If-None-Match` names this version, so that nothing need be sent (weak comparison, RFC 9110 §13.1.2)."""
    if header is None or len(header) > _LONGEST:
        return False
    return header.strip() == "*" or tag(version) in (each.removeprefix("W/") for each in re.findall(_TAG, header))
