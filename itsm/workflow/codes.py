"""What the reader of sources says, by code: the meaning of each, for documentation and for `itsm workflow check --explain`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

MEANINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "yaml-syntax": "The source is not YAML.",
        "yaml-encoding": "The source is not UTF-8 text.",
        "yaml-character": "A character stands where none like it may stand: a control character, or half of a surrogate pair.",
        "yaml-empty": "There is nothing in the source.",
        "yaml-size": "The source is larger than 256 KiB, or has more than 10,000 values.",
        "too-many-faults": "There are more than 100 faults; those that were told come first.",
        "yaml-depth": "Lists and mappings are nested more than 64 levels deep.",
        "yaml-documents": "The source has a second document; one file is one document.",
        "yaml-directive": "The source has a directive such as %YAML; there is one way to read a source, and none to choose.",
        "yaml-tag": "A value has a tag such as !!python/object; nothing is made of tags.",
        "yaml-alias": "A value has an anchor or refers to one; every value is written out where it is needed.",
        "yaml-key": "A key is a list or a mapping instead of a word.",
        "duplicate-key": "A key stands twice in the same mapping.",
        "duplicate-workflow": "Two files define a workflow of the same name.",
        "unknown-key": "A key is none of those that may stand here.",
        "missing-key": "A key that must stand here does not, or names nothing.",
        "misplaced-key": "A key stands where it means nothing, such as choices at a field that is not chosen.",
        "missing-by": "A branch does not say who may take it; nothing is allowed by omission.",
        "wrong-type": "A list, a mapping, a text or a number stands where another of them is wanted.",
        "invalid-value": "An argument of an added action is not what the action takes.",
        "bad-value": "A field cannot have this value: it is none of its choices, or not of its type.",
        "bad-name": "A name cannot be given: it is no lower-case word, or is taken by the language.",
        "bad-number": "A form of ticket numbers is not like INC{:07d}.",
        "bad-duration": "A text is not a span of time.",
        "bad-derivation": "A derived field needs a matrix or an expression, one of the two.",
        "bad-step": "A step of a scenario is one of fire, event, edit and wait.",
        "matrix-gap": "A row of a matrix lacks a column that another row has.",
        "unknown-state": "There is no state of this name in the workflow.",
        "unknown-field": "There is no field of this name in the workflow, nor one that every ticket has.",
        "unknown-trigger": "There is no transition of this name in the workflow.",
        "unknown-role": "There is no role of this name in config/roles.yaml, nor a relation to the ticket.",
        "unknown-action": "There is no action of this name, built in or installed.",
        "unknown-event": "Nothing of this name happens to a ticket or near it.",
        "unknown-template": "There is no template of this name in config/templates.yaml.",
        "unknown-calendar": "There is no calendar of this name in config/calendars.yaml.",
        "unknown-matrix": "There is no matrix of this name in config/priority.yaml.",
        "unknown-workflow": "There is no workflow of this name.",
        "unknown-group": "There is no group of this name.",
        "unknown-policy": "There is no policy of this name in config/approvals.yaml.",
        "unknown-webhook": "There is no receiver of this name in config/webhooks.yaml.",
        "unknown-answer": "The answer of a webhook is awaited, or not spoken of.",
        "unknown-ladder": "There is no ladder of this name in config/escalation.yaml.",
        "unknown-type": "There is no type of field of this name.",
        "unknown-category": "There is no category of states of this name.",
        "unknown-comment": "The comment of a branch is optional or required.",
        "unknown-refusal": "No refusal has this code.",
        "unknown-count": "There is no count of this name to state as a fact.",
        "unknown-recipient": "Nobody is called this: a tie to the ticket, or one of user, group and role with a name.",
        "unknown-rule": "A rule of approval is any, all or {at_least: n}.",
        "unknown-relation": "There is no relation to a ticket of this name.",
        "unknown-link": "There is no kind of link of this name.",
        "unknown-keep": "What a routing keeps of where a ticket lies is nothing or group.",
        "unknown-visibility": "A comment is internal or public.",
        "unknown-placeholder": "Nothing of this name can stand in braces in a template.",
    }
)
"""By code."""
