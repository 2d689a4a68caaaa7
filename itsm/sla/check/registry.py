"""Where the rules of the checker of promises are entered, each by `@rule` in the module of its family."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from itsm.workflow.rulebook import Fault, Rule, Rulebook

if TYPE_CHECKING:
    from itsm.sla.check.subject import Subject

__all__ = ["RULES", "Fault", "Rule", "rule"]

RULES: Final[Rulebook[Subject]] = Rulebook()
"""By code, in the order in which they are applied."""

rule: Final = RULES.rule
