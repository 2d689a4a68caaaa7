"""What the CEL runtime complains about, in words that a process owner can act on.

The runtime speaks in one text of lines such as `ERROR: <input>:1:7: undeclared reference to 'ticket.prio' (in container '')`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from itsm.workflow.scope import FUNCTIONS, Variable

_ERROR: Final = re.compile(r"ERROR: <input>:(-?\d+):(-?\d+): (.*?)(?=\n \||\nERROR: |\s*\[[A-Z_]+\]$|$)", re.DOTALL)
_UNDECLARED: Final = re.compile(r"undeclared reference to '([^']*)'")
_OVERLOAD: Final = re.compile(r"found no matching overload for '([^']*)' applied to '\((.*)\)'")
_SELECTED: Final = re.compile(r"expression of type '([^']*)' cannot be the operand of a select operation")
_STRING: Final = re.compile(r"'[^'\n]*'|\"[^\"\n]*\"")

_WORDS: Final = {
    "and": "Write && for “and”.",
    "or": "Write || for “or”.",
    "not": "Write ! for “not”.",
    "is": "Write == or != to compare.",
}
_CONSTANTS: Final = {"none": "null", "nil": "null", "yes": "true", "no": "false", "true": "true", "false": "false"}
OPERATORS: Final = {
    "_==_": "==", "_!=_": "!=", "_<_": "<", "_<=_": "<=", "_>_": ">", "_>=_": ">=", "_+_": "+", "_-_": "-", "_*_": "*",
    "_/_": "/", "_%_": "%", "_&&_": "&&", "_||_": "||", "!_": "!", "-_": "-", "@in": "in", "_?_:_": "?:", "_[_]": "[]",
}  # fmt: skip
_TYPES: Final = {
    "string": "text", "int": "a whole number", "uint": "a whole number", "double": "a decimal number", "bool": "true or false",
    "timestamp": "an instant", "google.protobuf.timestamp": "an instant", "duration": "a length of time",
    "google.protobuf.duration": "a length of time", "null": "null", "null_type": "null", "money": "an amount of money",
    "list(string)": "a list of texts", "list<string>": "a list of texts", "list(int)": "a list of whole numbers",
    "dyn": "a value of any type",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Complaint:
    """A fault at a character (from 0) of an expression's text."""

    code: str
    offset: int
    message: str
    hint: str | None = None


def type_words(name: str) -> str:
    """A CEL type in words."""
    plain = name.lower().removesuffix("_wrapper")
    if wrapped := re.fullmatch(r"wrapper\((.*)\)", plain):
        plain = wrapped[1]
    return _TYPES.get(plain, f"of type {name}")


def type_hint(result: str, demand: str) -> str | None:
    """How to make a condition of what is none."""
    is_none = demand.startswith("A condition") and result != "BOOL"
    return "Compare it with something, for instance “… != null”." if is_none else None


def at_run_time(technical: str) -> str:
    """What went wrong in an evaluation, without the runtime's ornaments."""
    plain = re.sub(r"^[A-Z_]+: |\s*\[[A-Z_]+\]$", "", technical)
    return plain.replace("No matching overloads found", "its parts are of types that do not go together")


def at_check_time(text: str, technical: str, variables: Mapping[str, Variable]) -> list[Complaint]:
    """Everything that the checker says about `text`, each fault once, in the order of its place."""
    found: dict[tuple[int, str], Complaint] = {}
    for line, column, message in _ERROR.findall(technical):
        complaint = _explain(text, _offset(text, int(line), int(column)), message.strip(), variables)
        found.setdefault((complaint.offset, complaint.message), complaint)
    if not found:
        return [_general(technical)]
    ordered = sorted(found.values(), key=lambda complaint: complaint.offset)
    unread = [complaint for complaint in ordered if complaint.code == "expression-syntax"]
    return unread[:1] or ordered  # whatever follows a fault of syntax is its consequence


def superfluous(text: str) -> Complaint | None:
    """`has(ticket.x)` is CEL, but of a dotted variable it yields the value itself: nobody means that."""
    found = re.search(r"\bhas\s*\(", _STRING.sub(lambda quoted: " " * len(quoted[0]), text))
    if found is None:
        return None
    return Complaint("expression-unknown-name", found.start(), "There is no function “has”.", "Write “… != null”.")


def _general(technical: str) -> Complaint:
    if "recursion" in technical:
        return Complaint("expression-too-costly", 0, "The expression is nested too deeply (32 levels at most).")
    return Complaint("expression-syntax", 0, f"The expression cannot be read: {at_run_time(technical)}")


def _offset(text: str, line: int, column: int) -> int:
    """The runtime counts lines and columns from 1, and says -1 where it knows no place."""
    begin = 0
    for _ in range(line - 1):
        begin = text.find("\n", begin) + 1
    return max(0, min(begin + column - 1, len(text)))


def _explain(text: str, offset: int, message: str, variables: Mapping[str, Variable]) -> Complaint:
    if "recursion" in message:
        return _general(message)
    if match := _UNDECLARED.search(message):
        return _undeclared(text, offset, match[1], variables)
    if match := _OVERLOAD.search(message):
        return _mismatch(offset, match[1], match[2])
    if match := _SELECTED.search(message):
        begin = _path_start(text, offset)
        name = text[begin:offset]
        key = re.match(r"\.?\w*", text[offset:])
        path = f"{name}{key[0] if key else ''}"
        return Complaint("expression-unknown-name", begin, f"There is no “{path}”: {name} is {type_words(match[1])}.")
    return _unreadable(text, offset, message)


def _path_start(text: str, offset: int) -> int:
    """The checker points at the last dot of a path; people look for its beginning."""
    begin = offset
    while begin > 0 and (text[begin - 1].isalnum() or text[begin - 1] in "_."):
        begin -= 1
    return begin


def _undeclared(text: str, offset: int, name: str, variables: Mapping[str, Variable]) -> Complaint:
    if text[offset : offset + 1] == "(":
        offset = max(0, text.rfind(name, 0, offset))
        close = get_close_matches(name, FUNCTIONS, n=1)
        hint = f"Did you mean {close[0]}?" if close else f"There are: {', '.join(sorted(FUNCTIONS))}."
        return Complaint("expression-unknown-name", offset, f"There is no function “{name}”.", hint)
    begin = _path_start(text, offset) if "." in name else offset
    return Complaint("expression-unknown-name", begin, f"There is no name “{name}”.", _meant(name, variables))


def _meant(name: str, variables: Mapping[str, Variable]) -> str | None:
    """What someone who wrote a name that does not exist may have had in mind."""
    if name.lower() in _CONSTANTS:
        return f"Write {_CONSTANTS[name.lower()]}."
    if f"ticket.{name}" in variables:
        return f"Did you mean ticket.{name}?"
    if any(variable.known and name in variable.known for variable in variables.values()):
        return f'A value is written in quotes: "{name}".'
    root, _, rest = name.partition(".")
    kin = sorted(each for each in variables if each.startswith(f"{root}."))
    near = [each.removeprefix(f"{root}.") for each in kin]
    if rest and (close := get_close_matches(rest, near, n=1)):
        return f"Did you mean {root}.{close[0]}?"
    if not kin and (close := get_close_matches(name, sorted(variables), n=1)):
        return f"Did you mean {close[0]}?"
    if not kin and (close := get_close_matches(f"ticket.{name}", sorted(variables), n=1, cutoff=0.8)):
        return f"Did you mean {close[0]}?"
    return f"There are: {', '.join(kin)}." if kin else None


def _mismatch(offset: int, operator: str, types: str) -> Complaint:
    words = [type_words(part) for part in _split(types)]
    sign = OPERATORS.get(operator, operator)
    message = f"“{sign}” does not go with {' and '.join(words)}."
    hint = None
    if {"a whole number", "a decimal number"} <= set(words):
        hint = "Write the number with a point, as in 3.0."
    elif set(words) == {"a list of texts", "null"}:
        hint = "A list is never null: compare its size() with 0."
    elif "an amount of money" in words:
        hint = "Compare the field's .amount, as in ticket.cost.amount > 500.0."
    elif "an instant" in words and "text" in words:
        hint = 'Write instants as timestamp("2026-03-31T16:00:00Z").'
    elif "a length of time" in words:
        hint = 'Write lengths of time as duration("90m").'
    return Complaint("expression-type", offset, message, hint)


def _split(types: str) -> Iterator[str]:
    """The parts of `wrapper(string), map(string, int)`: commas inside brackets do not count."""
    depth, begin = 0, 0
    for index, character in enumerate(types):
        depth += (character in "(<") - (character in ")>")
        if character == "," and depth == 0:
            yield types[begin:index].strip()
            begin = index + 1
    yield types[begin:].strip()


def _unreadable(text: str, offset: int, message: str) -> Complaint:
    bare = _STRING.sub(lambda quoted: " " * len(quoted[0]), text)
    for word, hint in _WORDS.items():
        if re.search(rf"\b{word}\b", bare):
            return Complaint("expression-syntax", offset, "The expression cannot be read here.", hint)
    if re.search(r"(?<![=!<>])=(?!=)", bare):
        return Complaint("expression-syntax", offset, "The expression cannot be read here.", "Write == to compare.")
    if "<EOF>" in message:
        return Complaint("expression-syntax", offset, "The expression ends too early.")
    plain = message.removeprefix("Syntax error: ").partition(" expecting ")[0]
    return Complaint("expression-syntax", offset, f"The expression cannot be read here: {plain}.")
