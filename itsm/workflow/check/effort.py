"""How much is tried before the checker leaves something undecided: a definition that anyone may send must not cost a minute.

A practice with thirty states and a hundred moves needs a tenth of it.
"""

from __future__ import annotations

from typing import Final

CASES: Final = 60_000
"""Ways for values to be, over all conditions of one workflow."""

STEPS: Final = 40_000
"""Steps from one station to another, over all its invariants."""


class Effort:
    """What may still be spent of one kind."""

    __slots__ = ("left",)

    def __init__(self, most: int) -> None:
        self.left = most

    def spend(self, amount: int) -> bool:
        """Whether there was so much left; if not, nothing is left from here on."""
        self.left = self.left - amount if self.left >= amount else 0
        return self.left > 0
