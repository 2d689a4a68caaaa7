"""Files on tickets: kept once under their SHA-256, and never handed out in a way that a browser would run.

The bytes are on the disk, whole and flushed, before the row that names them is committed; a row without its bytes cannot come
about.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import sqlalchemy as sa

from itsm.people.access import Permission, require
from itsm.platform.database import Prepared
from itsm.platform.errors import DeskError, FieldError, Kind, invalid, not_found
from itsm.platform.schema import table
from itsm.tickets import loading, moves, records
from itsm.tickets.desk import Tx
from itsm.tickets.models import Attachment
from itsm.tickets.records import Record
from itsm.tickets.rights import may_contribute
from itsm.tickets.visibility import sees_internal
from itsm.workflow.builtin_actions import Visibility

SAFE_INLINE = {
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/jpeg": b"\xff\xd8\xff",
    "image/gif": b"GIF8",
}
"""What may be shown inline, and how its bytes must begin; everything else is a download whatever it calls itself."""

FORBIDDEN_ENDINGS = frozenset(
    {"exe", "com", "bat", "cmd", "scr", "pif", "msi", "js", "jse", "vbs", "vbe", "wsf", "hta", "ps1", "jar", "lnk"}
)
"""Kinds of files that do harm by being opened (as mail gateways commonly refuse them)."""

LONGEST_NAME = 150
_CHUNK = 1 << 16

_ATTACHMENTS = table(Attachment)
_INSERT = Prepared(
    sa.insert(_ATTACHMENTS)
    .values(
        {
            name: sa.bindparam(name)
            for name in ("ticket_id", "digest", "size", "media_type", "filename", "visibility", "uploaded_by", "at")
        }
    )
    .returning(_ATTACHMENTS.c.id)
)
_COLUMNS = (
    Attachment.id,
    Attachment.digest,
    Attachment.size,
    Attachment.media_type,
    Attachment.filename,
    Attachment.visibility,
    Attachment.uploaded_by,
    Attachment.at,
)
_ONE = Prepared(
    sa.select(*_COLUMNS).where(Attachment.ticket_id == sa.bindparam("ticket"), Attachment.id == sa.bindparam("attachment"))
)
_OF_TICKET = Prepared(sa.select(*_COLUMNS).where(Attachment.ticket_id == sa.bindparam("ticket")).order_by(Attachment.id))


@dataclass(frozen=True, slots=True)
class Stored:
    """A file as it may be handed out: where its bytes lie, what it is, whether a browser may show it in place."""

    path: Path
    digest: str
    size: int
    media_type: str
    filename: str
    inline: bool


@dataclass(frozen=True, slots=True)
class Kept:
    """A file in the store that no ticket has yet."""

    filename: str
    digest: str
    size: int
    media_type: str


def keep(tx: Tx, filename: str, stream: BinaryIO) -> Kept:
    """Put a file into the store; what is never given to a ticket is only bytes there.

    Raises `DeskError`: `attachment_too_large`, `attachment_empty`, `attachment_type` for kinds of files that do harm.
    """
    name = safe_name(filename)
    if name.rsplit(".", 1)[-1].lower() in FORBIDDEN_ENDINGS:
        raise _harmful(name)
    digest, size, head = _keep(tx.desk.settings.attachments_dir, stream, tx.desk.settings.max_attachment_bytes)
    media_type = next((kind for kind, magic in SAFE_INLINE.items() if head.startswith(magic)), "application/octet-stream")
    return Kept(name, digest, size, media_type)


def adopt(tx: Tx, record: Record, kept: Kept, visibility: str) -> int:
    """Give a file of the store to a ticket in hand; the attachment's id. The record is the caller's to save."""
    attachment_id = tx.session.one(
        _INSERT,
        ticket_id=record.id,
        digest=kept.digest,
        size=kept.size,
        media_type=kept.media_type,
        filename=kept.filename,
        visibility=visibility,
        uploaded_by=tx.actor.login,
        at=tx.now,
    ).id
    payload = {"attachment": attachment_id, "filename": kept.filename, "size": kept.size, "sha256": kept.digest}
    records.append(tx, record, "attached", payload, internal=visibility == Visibility.INTERNAL)
    return int(attachment_id)


def attach(tx: Tx, number: str, filename: str, stream: BinaryIO, visibility: str) -> tuple[Record, int]:
    """Keep a file on a ticket; the record and the attachment's id.

    Raises `DeskError`: `attachment_too_large`, `attachment_empty`, `attachment_type` for kinds of files that do harm.
    """
    require(tx.actor, Permission.CREATE)
    if visibility == Visibility.INTERNAL and not sees_internal(tx.actor):
        raise DeskError(Kind.FORBIDDEN, "forbidden", "Internal files are for staff.")
    name = safe_name(filename)
    if name.rsplit(".", 1)[-1].lower() in FORBIDDEN_ENDINGS:
        raise _harmful(name)
    record = loading.load(tx, number)
    may_contribute(tx, record)
    attachment_id = adopt(tx, record, keep(tx, filename, stream), visibility)
    moves.settle(tx, record)
    return record, attachment_id


def listing(tx: Tx, record: Record) -> list[Any]:
    """The attachments of a ticket that the actor may have, oldest first."""
    rows = tx.session.all(_OF_TICKET, ticket=record.id)
    return [row for row in rows if row.visibility != Visibility.INTERNAL or sees_internal(tx.actor)]


def fetch(tx: Tx, number: str, attachment_id: int) -> Stored:
    """A file of a ticket, its bytes checked against their digest. Raises `not_found`, or `attachment_damaged`."""
    record = loading.load(tx, number, lock=False)
    row = tx.session.first(_ONE, ticket=record.id, attachment=attachment_id)
    if row is None or (row.visibility == Visibility.INTERNAL and not sees_internal(tx.actor)):
        raise not_found("attachment", str(attachment_id))
    path = _path(tx.desk.settings.attachments_dir, row.digest)
    if not path.exists() or _digest(path) != row.digest:
        raise DeskError(Kind.UNAVAILABLE, "attachment_damaged", "The stored file does not match its digest.")
    return Stored(path, row.digest, row.size, row.media_type, row.filename, row.media_type in SAFE_INLINE)


def safe_name(filename: str) -> str:
    """A name that can neither leave a folder nor deceive the eye: no separators, controls, or invisible and reversing marks."""
    visible = "".join(
        "_" if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} else character
        for character in filename
    )
    name = re.sub(r'[\\/:*?"<>|]', "_", visible).strip(" .")
    if len(name) > LONGEST_NAME:
        stem, dot, ending = name.rpartition(".")
        name = f"{stem[: LONGEST_NAME - len(ending) - 1]}{dot}{ending}" if dot and len(ending) < 10 else name[:LONGEST_NAME]
    return name or "file"


def _harmful(name: str) -> DeskError:
    message = f"Files like {name} are not taken."
    return invalid(FieldError("/file", "attachment_type", message), detail=message)


def _keep(folder: Path, stream: BinaryIO, most: int) -> tuple[str, int, bytes]:
    """Write to a temporary file, flush, rename to the digest, flush the folder. Returns digest, size, first bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    hasher, size, head = hashlib.sha256(), 0, b""
    descriptor, temporary = tempfile.mkstemp(dir=folder, prefix="incoming-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            while chunk := stream.read(_CHUNK):
                size += len(chunk)
                if size > most:
                    message = f"The file is larger than {most >> 20} MiB."
                    raise DeskError(Kind.TOO_LARGE, "attachment_too_large", message)
                head = head or chunk[:16]
                hasher.update(chunk)
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        if size == 0:
            message = "The file is empty."
            raise invalid(FieldError("/file", "attachment_empty", message), detail=message)
        target = _path(folder, hasher.hexdigest())
        target.parent.mkdir(exist_ok=True)
        Path(temporary).replace(target)
        _flush(target.parent)
        _flush(folder)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return hasher.hexdigest(), size, head


def _path(folder: Path, digest: str) -> Path:
    return folder / digest[:2] / digest


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _flush(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
