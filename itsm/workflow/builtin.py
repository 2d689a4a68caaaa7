"""The fields that every ticket has, whatever its practice.

They need no declaration, and a file cannot declare them anew. Their rules of who may write when are these:

- `title`, `description`, `service` and `ci` are filled by whoever creates a ticket, and edited by agents from then on.
- `requester` is whoever creates the ticket, unless an agent names someone else; agents may correct it.
- `group` and `assignee` are handed over with a creation or a transition, and never by an edit: work that moves leaves a trail.
- `organisation`, `parent`, `created_at` and `updated_at` are kept by the desk. The two instants are the row's own and never
  part of a decision's changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from itsm.workflow.definition import SYSTEM, Field, FieldType, Position

_HERE: Final = Position("<built in>", 1, 1)


def _builtin(name: str, type_: FieldType, title: str, edit: tuple[str, ...] = ("agent",)) -> Field:
    return Field(name=name, type=type_, at=_HERE, title=title, edit=edit, builtin=True)


BUILTIN_FIELDS: Final[Mapping[str, Field]] = MappingProxyType(
    {
        field.name: field
        for field in (
            _builtin("title", FieldType.TEXT, "Title"),
            _builtin("description", FieldType.MARKDOWN, "Description"),
            _builtin("requester", FieldType.USER, "Requester"),
            _builtin("group", FieldType.GROUP, "Group"),
            _builtin("assignee", FieldType.USER, "Assignee"),
            _builtin("service", FieldType.SERVICE, "Service"),
            _builtin("ci", FieldType.CI, "Configuration item"),
            _builtin("organisation", FieldType.TEXT, "Organisation", edit=(SYSTEM,)),
            _builtin("parent", FieldType.TICKET, "Parent", edit=(SYSTEM,)),
            _builtin("created_at", FieldType.DATETIME, "Created", edit=(SYSTEM,)),
            _builtin("updated_at", FieldType.DATETIME, "Updated", edit=(SYSTEM,)),
        )
    }
)
"""By name, in the order in which they are shown."""

FILLED_AT_CREATION: Final = frozenset({"title", "description", "service", "ci"})
"""What anyone who creates a ticket may state about it."""

MOVED_BY_TRANSITIONS: Final = frozenset({"group", "assignee"})
"""What a creation or a transition may hand over, and an edit may not."""

KEPT_BY_THE_DESK: Final = frozenset({"created_at", "updated_at"})
"""What no decision ever changes: the caller stamps the ticket's row."""

REQUIRED_AT_CREATION: Final = ("title",)

LONGEST: Final[Mapping[str, int]] = MappingProxyType({"title": 200, "description": 20_000})
"""Characters at most, where a built-in field is shorter than its type allows."""

RESERVED_NAMES: Final = frozenset({"type", "state", "category", "number"})
"""What `ticket.` yields besides fields; no field may bear such a name."""
