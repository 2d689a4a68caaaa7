"""What is said of bundles that can never be ordered, or never end."""

from __future__ import annotations

import pytest

from itsm.catalog import reading
from itsm.catalog.definition import MOST_LEVELS, Refused
from tests.catalog.kits import KITS
from tests.catalog.world import codes, findings, read

WRONG: dict[str, tuple[str, str]] = {
    "unknown-item": ("extra: {item: acme-only", "extra: {item: acme-onyl"),
    "unknown-answer": ("          until: = answers.starts", "          untill: = answers.starts"),
    "missing-answer": ("badge: {answers: {name: = answers.who}", "badge: {answers: {}"),
    "bundle-circle": ("extra: {item: acme-only", "extra: {item: team"),
    "bundle-too-deep": (
        "      badge: {answers: {name: = answers.name}, after: starter}\n",
        "      badge: {answers: {name: = answers.name}, after: starter}\n"
        + "".join(
            f"  {outer}: {{title: T, category: c, service: workplace, form: {{name: {{type: text, require: true}}}}, "
            f"items: {{{inner}: {{answers: {{name: = answers.name}}}}}}}}\n"
            for outer, inner in (("site", "team"), ("branch", "site"))
        ),
    ),
    "unknown-word": ("if_refused: go_on", "if_refused: go-on"),
    "unknown-task": ("after: [laptop, extra, desk]", "after: [laptop, extras, desk]"),
    "task-circle": ("        after: badge\n", "        after: welcome\n"),
    "duplicate-item": ("      desk: {title:", "      laptop: {title:"),
    "misplaced-key": ("extra: {item: acme-only", "extra: {item: fault"),
    "bad-currency": ("price: {once: 12.50}", "price: {currency: CHF, once: 12.50}"),
    "expression-type": ("until: = answers.starts", "until: = answers.who"),
    "expression-unknown-value": ("'power' : 'office'\"\n", "'power' : 'desk'\"\n"),
    "bad-value": ("name: = answers.who", "name: answers.who"),
}


PLACES = {
    "unknown-item": "extra:",
    "unknown-answer": "untill:",
    "missing-answer": "badge: {answers: {}",
    "bundle-circle": "starter:",
    "bundle-too-deep": "branch:",
    "unknown-word": "badge:",
    "unknown-task": "welcome:",
    "task-circle": "laptop:",
    "duplicate-item": "laptop:",
    "misplaced-key": "extra:",
    "bad-currency": "badge: {answers",
    "expression-type": "until:",
    "expression-unknown-value": "kind:",
    "bad-value": "badge: {answers",
}
"""How the line begins at which each is told."""


@pytest.mark.parametrize("code", sorted(WRONG))
def test_a_slip_in_a_bundle_is_told_where_it_stands(code: str) -> None:
    before, after = WRONG[code]
    assert before in KITS
    text = KITS.replace(before, after, 1)
    lines = text.splitlines()
    told = [lines[finding.at.line - 1].strip() for finding in findings(text) if finding.code == code]
    assert told
    assert all(line.startswith(PLACES[code]) for line in told), told


def test_nothing_is_said_against_sound_bundles() -> None:
    assert codes(KITS) == []
    assert {part.if_refused for part in read(KITS).items["starter"].parts.values()} == {Refused.GO_ON, Refused.DROP_AFTER}


def test_three_levels_are_the_most() -> None:
    before, after = WRONG["bundle-too-deep"]
    text = KITS.replace(before, after)
    (told,) = [finding for finding in findings(text) if finding.code == "bundle-too-deep"]
    assert told.message == f"Here {MOST_LEVELS + 1} bundles lie in each other; {MOST_LEVELS} may."
    assert codes(text[: text.index("  branch:")]) == []


def test_a_circle_names_every_bundle_on_it() -> None:
    before, after = WRONG["bundle-circle"]
    (told,) = findings(KITS.replace(before, after))
    assert told.message == "These bundles contain each other: starter → team → starter."


def test_what_is_not_required_or_is_proposed_needs_no_answer() -> None:
    assert codes(KITS.replace("name: {type: text, require: true}\n      photo", "name: {type: text}\n      photo")) == []


def test_a_file_is_not_handed_on() -> None:
    text = KITS.replace("{answers: {name: = answers.who}", "{answers: {name: = answers.who, photo: 7}")
    assert codes(text) == ["unknown-answer"]


def test_a_bundle_is_whole_in_its_canonical_text() -> None:
    for item in read(KITS).items.values():
        again = reading.published(item.source)
        assert (again.after, again.on_hold, again.on_cancel) == (item.after, item.on_hold, item.on_cancel)
        assert {key: (part.item, part.if_refused) for key, part in again.parts.items()} == {
            key: (part.item, part.if_refused) for key, part in item.parts.items()
        }
