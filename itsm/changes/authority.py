"""The one approval engine, as far as a meeting needs it. `app.py` wires it: capabilities do not know each other.

Whatever a meeting does, a change is moved by its approval alone. A member who is asked for it answers by his vote, through the
engine and under its rules.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from itsm.tickets.desk import Tx
from itsm.tickets.records import Record


@dataclass(frozen=True, slots=True)
class Authority:
    """What is asked of the approval engine.

    `question` is the id of the open question about a ticket that is put to the actor himself, None if there is none; `answer`
    answers it for good (`approve` or `reject`, with words) and raises what speaks against that; `standing` tells how the latest
    round of a ticket stands: `open`, or how it ended, None where nobody was ever asked.
    """

    question: Callable[[Tx, Record], int | None]
    answer: Callable[[Tx, int, str, str | None], Record]
    standing: Callable[[Tx, Record], str | None]
