"""What the reader of the catalogue finds beyond the faults that all files share: the meaning of each code, for documents."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

MEANINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "duplicate-item": "Two services, tables, sets of questions or items have one name, or a question is asked twice.",
        "unknown-service": "An item belongs to a service that the catalogue, or the desk, does not have.",
        "unknown-table": "There is no table of this name.",
        "unknown-column": "Not every row of a table has this column.",
        "unknown-set": "There is no set of questions of this name.",
        "unknown-question": "Choices are narrowed by a question that the form does not have.",
        "unknown-task": "A task or an item comes after one that is not there.",
        "unknown-item": "A bundle has an item that the catalogue does not have.",
        "unknown-answer": "A bundle answers a question that its item does not have, or that takes no answer from it.",
        "missing-answer": "A question of an item that must always be answered gets no answer from the bundle.",
        "bundle-circle": "A bundle contains itself, through whichever items.",
        "bundle-too-deep": "More than three bundles lie in each other.",
        "unknown-word": "A policy of a bundle is none of those that there are.",
        "unknown-product": "An item makes a request, an incident, a problem or a change.",
        "unknown-icon": "There is no picture of this name.",
        "unknown-policy": "There is no policy of this name in config/approvals.yaml.",
        "bad-currency": "A currency is not given by its three letters, or a sum would be of two.",
        "bad-pattern": "A pattern is no regular expression of RE2, or too costly.",
        "unreadable-table": "A CSV file cannot be read, or is no table.",
        "catalog-too-large": "Form and tables of an item are larger than 256 KiB together.",
        "question-circle": "Questions depend on each other, so that none can be asked first.",
        "task-circle": "Tasks and items wait for each other, so that none ever begins.",
        "unreachable-question": "The condition of a question holds for no answers, so that it is never asked.",
    }
)
"""By code. All of them are errors."""
