"""A log's bytes have bounds, so that a packed bomb costs neither the memory nor the day."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from itsm.imports import stream
from itsm.imports.stream import opened
from itsm.platform.errors import DeskError


def drain(path: Path, most_bytes: int = stream.MOST_BYTES) -> int:
    with opened(path, most_bytes) as source:
        return sum(len(chunk) for chunk in iter(lambda: source.read(1 << 16), b""))


def refusal(path: Path, most_bytes: int = stream.MOST_BYTES) -> str:
    with pytest.raises(DeskError) as refused:
        drain(path, most_bytes)
    assert refused.value.detail.startswith(str(path))
    return refused.value.code


def test_plain_and_packed_bytes_come_out_the_same(tmp_path: Path) -> None:
    plain, packed = tmp_path / "a", tmp_path / "b"
    plain.write_bytes(b"x" * 200_000)
    packed.write_bytes(gzip.compress(b"x" * 200_000))
    assert drain(plain) == drain(packed) == 200_000


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.xes.gz"
    bomb.write_bytes(gzip.compress(bytes(300_000_000), compresslevel=9))
    assert refusal(bomb) == "gzip_bomb"


def test_a_bomb_in_a_bomb_is_only_ever_one_layer_deep(tmp_path: Path) -> None:
    nested = tmp_path / "nested.gz"
    nested.write_bytes(gzip.compress(gzip.compress(bytes(50_000_000))))
    assert drain(nested) < 60_000


def test_a_log_larger_than_any_is_refused(tmp_path: Path) -> None:
    large = tmp_path / "large.csv"
    large.write_bytes(b"x" * 100_000)
    assert refusal(large, most_bytes=50_000) == "too_large"


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    damaged, cut = tmp_path / "damaged.gz", tmp_path / "cut.gz"
    whole = gzip.compress(bytes(range(256)) * 400)
    damaged.write_bytes(whole[:40] + b"\xff\xff\xff\xff" + whole[44:])
    cut.write_bytes(whole[: len(whole) // 2])
    assert refusal(damaged) == "bad_gzip"
    assert refusal(cut) == "bad_gzip"


def test_a_file_that_is_not_there_is_said_to_be_not_there(tmp_path: Path) -> None:
    assert refusal(tmp_path / "nowhere.xes") == "no_such_log"
