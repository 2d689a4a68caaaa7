"""From the files of `config/catalog/` to the catalogue: every fault of form and every name that is not there, with its place.

All files of a directory are one catalogue: an item may use a table or a question set of any of them. A published version is
read by the same reader, as a directory of one small file; there the names of the installation around it are not asked for.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from itsm.catalog import canonical
from itsm.catalog.bundle_check import check_bundles
from itsm.catalog.check import check_item
from itsm.catalog.compiling import Around, Compiler
from itsm.catalog.definition import Catalog, Item
from itsm.catalog.grammar import FILE
from itsm.catalog.making import Maker
from itsm.workflow import source
from itsm.workflow.definition import Expression, Position, Workflow
from itsm.workflow.findings import Finding, Severity
from itsm.workflow.reading.compounds import Keyed
from itsm.workflow.reading.form import Names, Noun, in_order, read
from itsm.workflow.vocabulary import Vocabulary

MOST_ROWS: Final = 2_000
"""Rows of a table at most: what is chosen from by a person."""

_LARGEST_TABLE: Final = 256 * 1024


@dataclass(slots=True)
class _Shelf:
    """What the files say, by name, and everything found wrong."""

    sources: dict[str, str] = field(default_factory=dict)
    trees: dict[str, source.Node] = field(default_factory=dict)
    services: dict[str, Keyed[Any]] = field(default_factory=dict)
    tables: dict[str, Keyed[Any]] = field(default_factory=dict)
    questions: dict[str, Keyed[Any]] = field(default_factory=dict)
    items: dict[str, Keyed[Any]] = field(default_factory=dict)
    synonyms: list[list[str]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def say(self, code: str, message: str, at: Position, hint: str | None = None) -> None:
        self.findings.append(Finding(code, Severity.ERROR, message, at, hint))


def load_directory(
    directory: Path,
    vocabulary: Vocabulary,
    workflows: Mapping[str, Workflow] | None = None,
) -> tuple[Catalog, list[Finding]]:
    """The catalogue of a directory's `*.yaml` files, and every fault; no item at all while there is an error.

    `workflows` are those that items open tickets of; None leaves what is said of their fields unchecked. An absent directory
    offers nothing.
    """
    texts: dict[str, str] = {}
    findings: list[Finding] = []
    for path in sorted(directory.glob("*.yaml")):
        text, faults = source.read(path)
        findings += faults
        if text is not None:
            texts[str(path)] = text
    if findings:
        return Catalog(), findings
    around = Around(vocabulary.roles, workflows, vocabulary.policies)
    return _load(texts, _names(vocabulary), around, lambda name: _beside(directory, name), check_item, check_bundles)


def load_text(text: str, vocabulary: Vocabulary, file: str = "catalog.yaml") -> tuple[Catalog, list[Finding]]:
    """The catalogue that one text is."""
    around = Around(vocabulary.roles, None, vocabulary.policies)
    return _load({file: text}, _names(vocabulary), around, _nowhere, check_item, check_bundles)


@lru_cache(maxsize=4096)
def published(text: str) -> Item:
    """The item of a published version, from its canonical text. A version never changes, so it is read once a process."""
    catalog, findings = _load({"published": text}, Names(), Around(), _nowhere, lambda _item: [], lambda _items, _cel: None)
    if not catalog.items:
        raise RuntimeError(f"a published item no longer loads: {findings[0].message}")
    (item,) = catalog.items.values()
    return item


def _names(vocabulary: Vocabulary) -> Names:
    known = {Noun.ROLE: vocabulary.roles, Noun.CALENDAR: vocabulary.calendars, Noun.WORKFLOW: vocabulary.workflows}
    others = {Noun.GROUP: vocabulary.groups, Noun.WEBHOOK: vocabulary.webhooks}
    return Names({**known, **{noun: names for noun, names in others.items() if names is not None}})


def _load(
    texts: Mapping[str, str],
    names: Names,
    around: Around,
    beside: Callable[[str], bytes],
    check: Callable[[Item], list[Finding]],
    check_all: Callable[[Mapping[str, Item], Compiler], None],
) -> tuple[Catalog, list[Finding]]:
    shelf = _Shelf()
    for file, text in texts.items():
        tree, faults = source.parse(text, file)
        data, more = read(FILE, tree, names) if tree is not None else (None, [])
        shelf.findings += [*faults, *more]
        if tree is not None and data is not None:
            shelf.sources[file], shelf.trees[file] = source.normalised(text), tree
            _put(shelf, data)
    if shelf.findings:
        return Catalog(), in_order(shelf.findings)
    tables = {name: _rows(shelf, one.value, beside) for name, one in shelf.tables.items()}
    items = {} if shelf.findings else _items(shelf, tables, around, check)
    if not shelf.findings:
        check_all(items, Compiler(shelf.sources, around, shelf.findings))
    errors = any(finding.severity is Severity.ERROR for finding in shelf.findings)
    return Catalog({} if errors else items), in_order(shelf.findings)


def _put(shelf: _Shelf, data: Mapping[str, Any]) -> None:
    """Add what a file says; of two things with the same name, the second is a finding."""
    for kind in ("services", "tables", "questions", "items"):
        known: dict[str, Keyed[Any]] = getattr(shelf, kind)
        for name, one in data[kind].items():
            if (first := known.setdefault(name, one)) is not one:
                message = f"“{name}” is given already, in {first.at.file}:{first.at.line}."
                shelf.say("duplicate-item", message, one.at, "Give one of them another name.")
    shelf.synonyms += data["synonyms"]


def _items(
    shelf: _Shelf,
    tables: Mapping[str, Mapping[str, Mapping[str, str]]],
    around: Around,
    check: Callable[[Item], list[Finding]],
) -> dict[str, Item]:
    maker = Maker(shelf.services, tables, shelf.questions, shelf.sources, around, shelf.findings)
    made: dict[str, Item] = {}
    for key, one in shelf.items.items():
        before = len(shelf.findings)
        item = maker.item(key, one, _fitting(shelf.synonyms, one.value))
        if item is None or len(shelf.findings) > before:
            continue
        shelf.findings += check(item)
        text = _text(shelf, key, one, tables)
        if len(text.encode()) > source.MAX_BYTES:
            shelf.say("catalog-too-large", "Form and tables of this item are larger than 256 KiB.", one.at, "Split the tables.")
        made[key] = maker.named(item, text, sha256(text.encode()).hexdigest())
    return made


def _fitting(synonyms: Iterable[list[str]], data: Mapping[str, Any]) -> list[list[str]]:
    """The groups of synonyms of which one word stands at the item: by the others it is to be found as well."""
    said = " ".join([data["title"], data["description"], *data["keywords"]]).casefold()
    return [group for group in synonyms if any(word.casefold() in said for word in group)]


def _text(shelf: _Shelf, key: str, one: Keyed[Any], tables: Mapping[str, Mapping[str, Mapping[str, str]]]) -> str:
    """The canonical text of an item whose parts have all been found."""
    item = _node(shelf, "items", key, one)
    service = str(one.value["service"].text)
    sets = {name: _node(shelf, "questions", name, each) for name, each in shelf.questions.items()}
    questions = [each.value for each in _flat(one.value["form"], shelf.questions)]
    used = sorted({name for data in questions for name in _tables_of(data)})
    return canonical.item_text(
        key,
        item,
        (service, _node(shelf, "services", service, shelf.services[service])),
        {name: tables[name] for name in used},
        sets,
        _fitting(shelf.synonyms, one.value),
    )


def _node(shelf: _Shelf, section: str, name: str, one: Keyed[Any]) -> source.Node:
    tree = shelf.trees[one.at.file]
    assert isinstance(tree, source.Mapping)
    things = tree[section]
    assert isinstance(things, source.Mapping)
    return things[name]


def _flat(form: Mapping[str, Keyed[Any]], sets: Mapping[str, Keyed[Any]]) -> Iterable[Keyed[Any]]:
    for one in form.values():
        if "use" in one.value:
            yield from sets[one.value["use"].text].value.values()
        else:
            yield one


def _tables_of(data: Mapping[str, Any]) -> Iterable[str]:
    for part in (data["choices"], data["compute"]):
        if isinstance(part, dict) and "table" in part:
            yield part["table"].text


def _rows(shelf: _Shelf, data: Mapping[str, Any], beside: Callable[[str], bytes]) -> Mapping[str, Mapping[str, str]]:
    if "rows" in data:
        return data["rows"]  # type: ignore[no-any-return]
    where: Expression = data["csv"]
    try:
        return _csv(beside(where.text), data["key"])
    except (OSError, ValueError, csv.Error) as error:
        shelf.say("unreadable-table", f"{where.text} cannot be read: {error}.", where.at, "It must lie beside this file.")
        return {}


def _csv(content: bytes, key: str) -> Mapping[str, Mapping[str, str]]:
    """The rows of a CSV file in UTF-8 whose first line names the columns. Raises `ValueError`."""
    if len(content) > _LARGEST_TABLE:
        raise ValueError("it is larger than 256 KiB")
    reader = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
    if key not in (reader.fieldnames or ()):
        raise ValueError(f"it has no column “{key}”")
    rows: dict[str, Mapping[str, str]] = {}
    for number, row in enumerate(reader, 2):
        if None in row or None in row.values() or not row[key]:
            raise ValueError(f"row {number} has not the columns of the first line")
        if row[key] in rows:
            raise ValueError(f"row {number} has the key “{row[key]}” of another row")
        if len(rows) >= MOST_ROWS:
            raise ValueError(f"it has more than {MOST_ROWS:,} rows")
        rows[row[key]] = {name: cell for name, cell in row.items() if name != key}
    return rows


def _beside(directory: Path, name: str) -> bytes:
    """A file in the same directory or below it."""
    wanted = (directory.resolve() / name).resolve()
    if not wanted.is_relative_to(directory.resolve()):
        raise PermissionError("it lies outside the directory of the catalogue")
    with wanted.open("rb") as stream:
        return stream.read(_LARGEST_TABLE + 1)


def _nowhere(name: str) -> bytes:
    raise FileNotFoundError(f"there are no files here, so no {name}")
