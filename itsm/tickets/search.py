"""Finding tickets by words, in what people wrote: SQLite's FTS5 or PostgreSQL's text search, asked alike.

Every word must occur in the ticket's title and description together, or in one comment; the last word may be a beginning. Words
are taken as they are: no character in them is an operator. A ticket is found by its number too.
"""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from itsm.tickets.models import Comment, Ticket

LONGEST: Final = 200
MOST_WORDS: Final = 10

_WORDS = sa.bindparam("words", type_=sa.Text)
_NUMBERED = aliased(Ticket, name="numbered")
_SEARCHED = sa.table("tickets", sa.column("id"), sa.column("search")).alias("searched")


def words(text: str) -> tuple[str, ...]:
    """The words to look for. A word without a letter or digit is none."""
    return tuple(word for word in text.split() if any(sign.isalnum() for sign in word))


def expression(wanted: tuple[str, ...], *, postgresql: bool) -> str:
    """The words as the database's search wants them, each in quotes."""
    if postgresql:
        quoted = ["'" + word.replace("\\", "\\\\").replace("'", "''") + "'" for word in wanted]
        return " & ".join(quoted) + ":*"
    quoted = ['"' + word.replace('"', '""') + '"' for word in wanted]
    return " AND ".join(quoted) + " *"


def parameters(wanted: tuple[str, ...], *, postgresql: bool) -> dict[str, Any]:
    """The values for `condition`."""
    return {"words": expression(wanted, postgresql=postgresql), "number": wanted[0].upper() if len(wanted) == 1 else ""}


def condition(*, notes: bool, postgresql: bool) -> sa.ColumnElement[bool]:
    """The condition on tickets. `notes` also looks into internal comments."""
    tickets, matching = (_postgresql if postgresql else _sqlite)()
    comments = sa.select(Comment.ticket_id).where(matching)
    if not notes:
        comments = comments.where(Comment.visibility == "public")
    numbered = sa.select(_NUMBERED.id).where(_NUMBERED.number == sa.bindparam("number", type_=sa.Text))
    return Ticket.id.in_(sa.union(tickets, comments, numbered))


def _sqlite() -> tuple[sa.Select[Any], sa.ColumnElement[bool]]:
    """The ids of tickets found, and the condition on comments; see "External Content Tables" in SQLite's FTS5 manual."""

    def matching(index: str) -> sa.Select[Any]:
        found = sa.table(index, sa.column("rowid"))
        return sa.select(found.c.rowid).where(sa.literal_column(index).bool_op("MATCH")(_WORDS))

    return matching("ticket_search"), Comment.id.in_(matching("comment_search"))


def _postgresql() -> tuple[sa.Select[Any], sa.ColumnElement[bool]]:
    """The ids of tickets found, and the condition on comments; `search` is a generated column that no model knows."""
    asked = sa.func.to_tsquery(sa.literal_column("'simple'::regconfig"), _WORDS)
    tickets = sa.select(_SEARCHED.c.id).where(_SEARCHED.c.search.bool_op("@@")(asked))
    return tickets, sa.literal_column("comments.search").bool_op("@@")(asked)
