"""The one text of an item: everything it consists of, in one small file of the catalogue's own form.

Question sets are written out, tables and the service come with it. So the text can be read again by the reader of catalogue
files, whatever has become of the files it came from, and its digest names the item's exact content.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Final

from itsm.workflow import source
from itsm.workflow.source import Node

_PLAIN: Final = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?|true|True|TRUE|false|False|FALSE")
_BREAKS: Final = {ord(character): f"\\u{ord(character):04x}" for character in "\x7f\x85\u2028\u2029\ufeff"}


def item_text(
    key: str,
    item: Node,
    service: tuple[str, Node],
    tables: Mapping[str, Mapping[str, Mapping[str, str]]],
    sets: Mapping[str, Node],
    synonyms: Iterable[Iterable[str]],
) -> str:
    """The canonical text of an item. `sets` are the question sets, by name; `tables` those that it looks into."""
    groups = [_list(map(_quoted, group)) for group in synonyms]
    parts = {
        "services": _mapping({service[0]: written(service[1])}),
        "tables": _mapping({name: _table(rows) for name, rows in sorted(tables.items())}),
        "synonyms": _list(groups),
        "items": _mapping({key: _item(item, sets)}),
    }
    return _mapping(parts) + "\n"


def written(node: Node) -> str:
    """A tree as flow YAML on one line: texts in quotes, numbers and truth values as they were written."""
    if isinstance(node, source.Mapping):
        return _mapping({key: written(value) for key, value in node.items()})
    if isinstance(node, source.Sequence):
        return _list(written(each) for each in node)
    if node.is_null:
        return "null"
    return str(node) if not node.quoted and _PLAIN.fullmatch(node) else _quoted(node)


def _item(item: Node, sets: Mapping[str, Node]) -> str:
    assert isinstance(item, source.Mapping)
    parts = {key: written(value) for key, value in item.items() if key != "form"}
    form = item.get("form")
    if isinstance(form, source.Mapping):
        parts["form"] = _mapping(dict(_questions(form, sets)))
    return _mapping(parts)


def _questions(form: source.Mapping, sets: Mapping[str, Node]) -> Iterable[tuple[str, str]]:
    for name, question in form.items():
        used = question.get("use") if isinstance(question, source.Mapping) else None
        several = sets.get(str(used)) if used is not None else None
        if isinstance(several, source.Mapping):
            yield from ((inner, written(each)) for inner, each in several.items())
        else:
            yield name, written(question)


def _table(rows: Mapping[str, Mapping[str, str]]) -> str:
    return _mapping({key: _mapping({name: _quoted(cell) for name, cell in row.items()}) for key, row in rows.items()})


def _mapping(parts: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{_quoted(key)}: {value}" for key, value in parts.items()) + "}"


def _list(parts: Iterable[str]) -> str:
    return "[" + ", ".join(parts) + "]"


def _quoted(text: str) -> str:
    """A text in JSON's quotes, which are YAML's too; what YAML takes for the end of a line is escaped."""
    return json.dumps(str(text), ensure_ascii=False).translate(_BREAKS)
