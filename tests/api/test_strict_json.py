"""What counts as JSON here, and how soon it is known (attack A-92)."""

from __future__ import annotations

import json
import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itsm.api import strict_json
from itsm.platform.errors import DeskError, Kind

MEBIBYTE = 1 << 20

SIMPLE = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
JSON = st.recursive(SIMPLE | TEXT, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=30)

HOSTILE = {
    "depth 100,000": b"[" * 100_000,
    "a megabyte of brackets": b"[" * MEBIBYTE,
    "objects 150,000 deep": b'{"a":' * 150_000,
    "depth 65": b"[" * 65 + b"]" * 65,
    "depth 900": b"[" * 900 + b"]" * 900,
    "90,000 members": b"{" + b",".join(b'"%d":1' % index for index in range(90_000)) + b"}",
    "500,000 numbers": b"[" + b",".join([b"1"] * 500_000) + b"]",
    "a whole number of 100,000 digits": b'{"a":' + b"9" * 100_000 + b"}",
    "a whole number of 65 bits": b'{"a": 18446744073709551616}',
    "a fraction of 500,000 digits": b"1." + b"1" * 500_000,
    "a number beyond all floats": b"1e400",
    "NaN": b'{"title": NaN}',
    "Infinity": b"[Infinity]",
    "-Infinity": b"[-Infinity]",
    "a repeated member": b'{"a":1,"a":2}',
    "a repeated member, deep inside": b'{"a":[{"b":{"c":1,"c":1}}]}',
    "a repeated member, once escaped": b'{"a":1,"\\u0061":2}',
    "half a surrogate pair": b'{"a": "\\ud800"}',
    "half a surrogate pair in a name": b'{"\\udc00": 1}',
    "NUL": b'{"a": "\\u0000"}',
    "NUL after a backslash": b'{"a": "\\\\\\u0000"}',
    "NUL as a byte": b'{"a": "\0"}',
    "a line break in a text": b'"a\nb"',
    "byte order mark": b'\xef\xbb\xbf{"a":1}',
    "UTF-16": '{"a":1}'.encode("utf-16"),
    "UTF-16 without a mark": '{"a":1}'.encode("utf-16-le"),
    "Latin-1": '{"a":"é"}'.encode("latin-1"),
    "overlong UTF-8": b'"\xc0\xaf"',
    "surrogates as UTF-8": b'"\xed\xa0\x80"',
    "a beginning only": b'{"type": ',
    "nothing": b"",
    "more than one value": b"{}{}",
    "a trailing comma": b"[1,]",
    "single quotes": b"{'a':1}",
    "a comment": b"{}//",
    "a leading zero": b"[01]",
    "many escapes, never closed": b'"' + b'\\"' * 500_000,
    "many commas, then a text that never ends": b"," * 60_000 + b'"' + b'\\"' * 450_000,
}


@pytest.mark.parametrize("raw", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_json_is_refused_within_a_tenth_of_a_second(raw: bytes) -> None:
    before = time.thread_time()
    with pytest.raises(DeskError) as refusal:
        strict_json.loads(raw)
    assert time.thread_time() - before < 0.1
    assert (refusal.value.kind, refusal.value.code) == (Kind.MALFORMED, "malformed_json")
    assert len(refusal.value.detail) < 300


TAKEN = {
    "depth 64": b"[" * 64 + b"]" * 64,
    "many commas in a text": b'"' + b"a," * 400_000 + b'"',
    "many escapes": b'"' + b"\\\\" * 400_000 + b'"',
    "almost too many values": b"[" + b",".join([b"1"] * 49_000) + b"]",
    "a whole surrogate pair": b'"\\ud83d\\ude00"',
    "a backslash before u0000": b'"\\\\u0000"',
    "a number that vanishes": b"1e-99999999",
    "the lowest whole number": b"-9223372036854775808",
}


@pytest.mark.parametrize("raw", TAKEN.values(), ids=TAKEN.keys())
def test_unusual_json_is_taken_as_soon(raw: bytes) -> None:
    before = time.thread_time()
    assert strict_json.loads(raw) == json.loads(raw)
    assert time.thread_time() - before < 0.1


@given(JSON)
def test_whatever_json_can_say_comes_through_unchanged(value: object) -> None:
    assert strict_json.loads(json.dumps(value).encode()) == value
    assert strict_json.loads(json.dumps(value, ensure_ascii=False).encode()) == value


@given(st.binary(max_size=200))
def test_no_bytes_at_all_get_another_answer_than_a_value_or_a_refusal(raw: bytes) -> None:
    try:
        value = strict_json.loads(raw)
    except DeskError as refusal:
        assert refusal.code == "malformed_json"
    else:
        assert not (isinstance(value, float) and not math.isfinite(value))
