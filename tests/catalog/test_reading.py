"""The files of the catalogue: what they say, and what is said of them where they are wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from itsm.catalog import reading
from itsm.catalog.codes import MEANINGS
from tests.catalog.test_bundle_check import WRONG as BUNDLED
from tests.catalog.world import SHOP, codes, findings, read
from tests.service import configuration, practices

WRONG: dict[str, tuple[str, str]] = {
    "unknown-service": ("    service: workplace\n    icon: laptop", "    service: workplaces\n    icon: laptop"),
    "unknown-table": ("choices: {table: laptops", "choices: {table: laptop"),
    "unknown-column": ("column: price}", "column: prize}"),
    "unknown-set": ("{use: delivery}", "{use: delivry}"),
    "unknown-question": ("narrowed_by: kind", "narrowed_by: kinds"),
    "unknown-task": ("after: install, if", "after: instal, if"),
    "unknown-product": ("makes: incident", "makes: incidents"),
    "unknown-icon": ("icon: laptop}", "icon: lap}"),
    "unknown-type": ("type: integer", "type: number"),
    "unknown-role": ("denied_to: {roles: [integration]}", "denied_to: {roles: [integrations]}"),
    "unknown-calendar": ("calendar: office-hours", "calendar: office"),
    "unknown-policy": ("approval: none", "approval: nobodys"),
    "unknown-key": ("keywords: [computer]", "keyword: [computer]"),
    "missing-key": ("title: A laptop\n    category: hardware", "category: hardware"),
    "misplaced-key": ("{type: boolean}", "{type: boolean, choices: [a]}"),
    "bad-name": ("  acme-only:", "  Acme:"),
    "bad-value": ("min: today", "min: tomorrow"),
    "bad-duration": ("3 business days", "soon"),
    "bad-currency": ("price: {once:", "price: {currency: euro, once:"),
    "bad-pattern": ("what: {type: text,", 'what: {type: text, pattern: "[a-",'),
    "wrong-type": ("monthly: 10", "monthly: -10"),
    "duplicate-item": ("{type: boolean}\n", "{type: boolean}\n      a: {use: delivery}\n      b: {use: delivery}\n"),
    "duplicate-key": ("      urgent: {type: boolean}", "      urgent: {type: boolean}\n      urgent: {type: text}"),
    "unreadable-table": ("tables:\n", "tables:\n  other: {csv: other.csv, key: id}\n"),
    "question-circle": ("until: {type: date,", "until: {type: date, show: \"answers.address == 'x'\","),
    "task-circle": ("after: [buy, account]}", "after: [buy, hand]}"),
    "unreachable-question": ("require: \"answers.kind == 'power'\"", "require: \"answers.kind == 'power'\""),
    "expression-type": ("show: \"answers.kind == 'power'\"", "show: answers.kind"),
    "expression-unknown-name": ("= answers.price.amount", "= answers.prize.amount"),
    "expression-unknown-value": ("show: \"answers.kind == 'power'\"", "show: \"answers.kind == 'heavy'\""),
    "expression-syntax": ("= 'Buy ' + answers.model", "= 'Buy ' + + answers.model"),
}


@pytest.mark.parametrize("code", sorted(WRONG.keys() - {"question-circle", "unreachable-question"}))
def test_a_slip_is_told_where_it_stands(code: str) -> None:
    before, after = WRONG[code]
    assert before in SHOP
    told = findings(SHOP.replace(before, after, 1))
    assert code in {finding.code for finding in told}
    lines = SHOP[: SHOP.index(before)].count("\n") + 1
    assert any(lines - 6 <= finding.at.line <= lines + 6 for finding in told if finding.code == code)


def test_questions_may_not_wait_for_each_other() -> None:
    text = SHOP.replace("until: {type: date,", 'until: {type: date, show: "answers.address != null",')
    text = text.replace('prefill: "= requester.location"', "show: answers.until != null")
    (told,) = [finding for finding in findings(text) if finding.code == "question-circle"]
    assert told.message == "These questions depend on each other: until → address → until."


@pytest.mark.parametrize(
    ("show", "reached"),
    [
        ("answers.kind == 'power'", True),
        ("answers.kind == 'power' && answers.kind == 'office'", False),
        ("answers.kind != null && !(answers.kind in ['power', 'office'])", False),
        ("answers.kind == 'power' && requester.login == 'x'", True),
        ("size(answers.address) > 3", True),
        ("false", False),
    ],
)
def test_a_question_that_is_never_asked_is_found(show: str, reached: bool) -> None:
    text = SHOP.replace("show: \"answers.kind == 'power'\", require: \"answers.kind == 'power'\"", f'show: "{show}"')
    assert codes(text) == ([] if reached else ["unreachable-question"])


def test_a_question_that_looks_at_one_never_asked_is_never_asked_either() -> None:
    urgent = "      urgent: {type: boolean"
    more = "      b: {type: text, show: answers.urgent == true}"
    text = SHOP.replace(f"{urgent}}}", f'{urgent}, show: "false"}}\n{more}')
    assert codes(text) == ["unreachable-question"] * 2


def test_every_code_of_the_catalogue_is_shown_here() -> None:
    assert set(MEANINGS) <= {*WRONG, *BUNDLED, "catalog-too-large"}


def test_an_item_is_whole_in_its_canonical_text() -> None:
    for item in read(SHOP).items.values():
        again = reading.published(item.source)
        assert (again.source, again.digest, again.order) == (item.source, item.digest, item.order)
        assert [each.name for each in again.questions] == [each.name for each in item.questions]


def test_a_change_anywhere_in_what_an_item_consists_of_makes_another_digest() -> None:
    before = read(SHOP).items
    for old, new in (
        ("1199.00", "1198.00"),
        ("title: Where to", "title: Whither"),
        ("title: Computer workplace", "title: Place"),
    ):
        assert read(SHOP.replace(old, new)).items["laptop"].digest != before["laptop"].digest, old
    assert read(SHOP.replace("1199.00", "1198.00")).items["fault"].digest == before["fault"].digest


@pytest.mark.parametrize("title", ["yes", "1.10", "null and void", "a: b", '"quoted" \\ and \u2028 more', "0x1F", "~"])
def test_words_stay_the_words_that_were_written(title: str) -> None:
    import json

    item = read(SHOP.replace("title: A laptop", f"title: {json.dumps(title)}")).items["laptop"]
    assert (item.title, reading.published(item.source).title) == (title, title)


def test_a_table_may_lie_in_a_file_beside(tmp_path: Path) -> None:
    (tmp_path / "laptops.csv").write_text(
        'id,title,price,kind\nlight,"Light, 13 inch",1199.00,office\nstrong,Strong,2890,power\n'
    )
    begin, end = SHOP.index("tables:"), SHOP.index("questions:")
    shop = SHOP[:begin] + "tables:\n  laptops: {csv: laptops.csv, key: id}\n" + SHOP[end:]
    (tmp_path / "shop.yaml").write_text(shop)
    catalog, told = reading.load_directory(tmp_path, configuration().vocabulary, practices())
    assert told == []
    assert [choice.value for choice in catalog.items["laptop"].by_name["model"].choices] == ["light", "strong"]
    for wrong in ("../laptops.csv", "/etc/passwd", "absent.csv"):
        (tmp_path / "shop.yaml").write_text(shop.replace("laptops.csv", wrong))
        assert {each.code for each in reading.load_directory(tmp_path, configuration().vocabulary)[1]} == {"unreadable-table"}
    for content in ("id,title\nlight,a,b\n", "key,title\n", "id,title\nlight,a\nlight,b\n", "id,title\n\xff".encode("latin-1")):
        (tmp_path / "laptops.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
        (tmp_path / "shop.yaml").write_text(shop)
        assert "unreadable-table" in {each.code for each in reading.load_directory(tmp_path, configuration().vocabulary)[1]}


def test_what_goes_into_a_ticket_must_be_what_its_workflow_has(tmp_path: Path) -> None:
    for old, new, code in (
        ('urgency: "= answers', 'urgence: "= answers', "unknown-field"),
        ("urgency: \"= answers.urgent == true ? 'high' : 'low'\"", "urgency: highest", "bad-value"),
        ("? 'high' : 'low'", "? 'high' : 'none'", "expression-unknown-value"),
        ("urgency: \"= answers.urgent == true ? 'high' : 'low'\"", "urgency: = answers.urgent", "expression-type"),
    ):
        (tmp_path / "shop.yaml").write_text(SHOP.replace(old, new))
        assert [each.code for each in reading.load_directory(tmp_path, configuration().vocabulary, practices())[1]] == [code]


def test_an_absent_directory_offers_nothing(tmp_path: Path) -> None:
    assert reading.load_directory(tmp_path / "none", configuration().vocabulary)[0].items == {}
