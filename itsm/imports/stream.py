"""The bytes of a log, plain or packed with gzip, never more of them than can be meant.

Reading is streamed, so a packed bomb cannot fill the memory; the bounds here keep it from filling the day.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from itsm.imports.log import unreadable
from itsm.platform.errors import Kind

if TYPE_CHECKING:
    from typing_extensions import Buffer

MOST_BYTES = 8 << 30
"""How many bytes a log may have once it is unpacked."""

MOST_GROWTH = 250
"""How many times larger it may become by unpacking. Event logs reach some 50; a bomb of gzip reaches 1,000."""

_FREE_BYTES = 32 << 20
"""Up to here growth does not matter: a small log of one repeated line is no attack."""

_GZIP = b"\x1f\x8b"


class Stream(io.RawIOBase):
    """A readable stream of unpacked bytes that stops with a `DeskError` at its bounds."""

    def __init__(self, path: Path, packed: io.BufferedReader, most_bytes: int = MOST_BYTES) -> None:
        super().__init__()
        self._path = path
        self._packed = packed
        self._is_gzip = packed.peek(2)[:2] == _GZIP
        self._bytes = gzip.GzipFile(fileobj=packed) if self._is_gzip else packed
        self._size = max(path.stat().st_size, 1)
        self._most = most_bytes
        self._read = 0

    @property
    def progress(self) -> float:
        """The share of the file that has been read, from 0 to 1."""
        return min(self._packed.tell() / self._size, 1.0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer) -> int:
        view = memoryview(buffer).cast("B")
        try:
            chunk = self._bytes.read(len(view))
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise unreadable(str(self._path), "bad_gzip", f"The file is damaged: {error}.") from error
        view[: len(chunk)] = chunk
        self._read += len(chunk)
        self._hold_bounds()
        return len(chunk)

    def _hold_bounds(self) -> None:
        growth = self._read / max(self._packed.tell(), 1)
        if self._read > self._most:
            sentence = f"The log has more than {self._most >> 20:,} MiB; split it."
            raise unreadable(str(self._path), "too_large", sentence, Kind.TOO_LARGE)
        if self._is_gzip and self._read > _FREE_BYTES and growth > MOST_GROWTH:
            sentence = f"Unpacking makes this more than {MOST_GROWTH} times larger. If it is a log, unpack it first."
            raise unreadable(str(self._path), "gzip_bomb", sentence, Kind.TOO_LARGE)


@contextmanager
def opened(path: Path, most_bytes: int = MOST_BYTES) -> Iterator[Stream]:
    """The unpacked bytes of a file. Whether it is packed is seen from its first bytes, not from its name.

    Raises `DeskError` for a file that is not there.
    """
    try:
        packed = path.open("rb")
    except OSError as error:
        raise unreadable(str(path), "no_such_log", f"The file cannot be opened: {error.strerror}.", Kind.NOT_FOUND) from error
    with packed, Stream(path, packed, most_bytes) as stream:
        yield stream
