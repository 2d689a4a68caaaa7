"""The tree of an expression that the CEL checker has accepted: what it names, compares and loops over.

The CEL runtime shows its own tree only in serialised form (a `cel.expr.CheckedExpr` of
https://github.com/google/cel-spec, `checked.proto` and `syntax.proto`). This module reads the few fields of it that we
need straight from the protobuf wire format, which keeps a second runtime with a schema compiler out of the house.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Const:
    """A literal: text, number, truth value, bytes or null."""

    value: str | int | float | bool | bytes | None
    offset: int


@dataclass(frozen=True, slots=True)
class Name:
    """A variable by its whole dotted name, or the variable of a loop."""

    name: str
    offset: int


@dataclass(frozen=True, slots=True)
class Select:
    """A key of a map: `operand.field`."""

    operand: Tree
    field: str
    offset: int


@dataclass(frozen=True, slots=True)
class Call:
    """An operator (`_==_`, `_&&_`, `@in`, `_?_:_`, `!_`) or a function; a method's receiver is the first argument."""

    function: str
    arguments: tuple[Tree, ...]
    offset: int


@dataclass(frozen=True, slots=True)
class Items:
    """A list literal, or the entries of a map literal (keys and values in turn)."""

    elements: tuple[Tree, ...]
    offset: int


@dataclass(frozen=True, slots=True)
class Loop:
    """What `exists`, `all`, `map` and their like expand to: a fold of `over` into `start` by `step`."""

    variable: str
    over: Tree
    start: Tree
    step: Tree
    offset: int


Tree: TypeAlias = Const | Name | Select | Call | Items | Loop


def children(tree: Tree) -> tuple[Tree, ...]:
    """The parts directly below a node."""
    match tree:
        case Call(arguments=parts) | Items(elements=parts):
            return parts
        case Select(operand=operand):
            return (operand,)
        case Loop(over=over, start=start, step=step):
            return (over, start, step)
        case _:
            return ()


def walk(tree: Tree) -> Iterator[Tree]:
    """Every node, parents first."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(reversed(children(node)))


def decode(serialised: bytes) -> Tree:
    """The tree of a checked expression. Offsets count characters from 0. Raises `ValueError` on anything else."""
    try:
        checked = _message(_message(serialised)[2][-1])  # google.protobuf.Any.value
        positions = dict(_entry(entry) for entry in _message(checked[5][-1]).get(4, ()))
        return _tree(checked[4][-1], positions)
    except (LookupError, struct.error) as error:
        raise ValueError("no checked expression") from error


# What follows reads protobuf: a message is a run of (field number, wire type, value).

_Raw: TypeAlias = int | bytes


def _message(data: _Raw) -> dict[int, list[_Raw]]:
    """Field number -> values, in order. Groups do not occur."""
    if isinstance(data, int):
        raise ValueError("expected a message")  # noqa: TRY004 (one error type for bytes that are no checked expression)
    fields: dict[int, list[_Raw]] = {}
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        value: _Raw
        match tag & 7:
            case 0:
                value, at = _varint(data, at)
            case 1:
                value, at = data[at : at + 8], at + 8
            case 2:
                length, at = _varint(data, at)
                value, at = data[at : at + length], at + length
            case 5:
                value, at = data[at : at + 4], at + 4
            case wire:
                raise ValueError(f"unknown wire type {wire}")
        fields.setdefault(tag >> 3, []).append(value)
    return fields


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data):
            raise ValueError("cut short")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


def _entry(data: _Raw) -> tuple[int, int]:
    """An entry of `map<int64, int32>`; protobuf leaves out zeros."""
    fields = _message(data)
    key, value = fields.get(1, [0])[-1], fields.get(2, [0])[-1]
    if not (isinstance(key, int) and isinstance(value, int)):
        raise ValueError("expected numbers")  # noqa: TRY004
    return key, value


def _text(fields: Mapping[int, list[_Raw]], number: int) -> str:
    value = fields.get(number, [b""])[-1]
    if isinstance(value, int):
        raise ValueError("expected text")  # noqa: TRY004
    return value.decode()


def _tree(data: _Raw, positions: Mapping[int, int]) -> Tree:
    fields = _message(data)
    identity = fields.get(2, [0])[-1]
    offset = positions.get(identity, 0) if isinstance(identity, int) else 0
    kind = next((number for number in range(3, 10) if number in fields), None)
    if kind is None:
        raise ValueError("expected an expression")
    inner = _message(fields[kind][-1])

    def below(number: int) -> tuple[Tree, ...]:
        return tuple(_tree(part, positions) for part in inner.get(number, ()))

    match kind:
        case 3:
            return Const(_constant(inner), offset)
        case 4:
            return Name(_text(inner, 1), offset)
        case 5:
            return Select(below(1)[0], _text(inner, 2), offset)
        case 6:
            return Call(_text(inner, 2), below(1) + below(3), offset)
        case 7:
            return Items(below(1), offset)
        case 8:
            entries = [_message(entry) for entry in inner.get(2, ())]
            parts = [part for entry in entries for number in (3, 4) for part in entry.get(number, ())]
            elements = tuple(_tree(part, positions) for part in parts)
            message = _text(inner, 1)
            return Call(f"new {message}", elements, offset) if message else Items(elements, offset)
        case _:
            return Loop(_text(inner, 1), below(2)[0], below(4)[0], below(6)[0], offset)


def _constant(fields: Mapping[int, list[_Raw]]) -> str | int | float | bool | bytes | None:
    for number, values in fields.items():
        match number, values[-1]:
            case 2, int(truth):
                return bool(truth)
            case ((3 | 4), int(whole)):
                return _signed(whole) if number == 3 else whole
            case 5, bytes(raw):
                return float(struct.unpack("<d", raw)[0])
            case 6, bytes(raw):
                return raw.decode()
            case 7, bytes(raw):
                return raw
    return None
