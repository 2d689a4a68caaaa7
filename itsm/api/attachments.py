"""Files on tickets. They are handed out so that no browser runs them in our name (OWASP ASVS 5.4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from marshmallow import fields

from itsm.api.auth import SIGNED_IN
from itsm.api.comments import VISIBILITIES
from itsm.api.forms import Form, Text, fault, words
from itsm.api.representation import address
from itsm.api.requests import Upload
from itsm.api.routing import Answer, Media, Resource
from itsm.api.shapes import Shape, instant, many, text, whole
from itsm.tickets import attachments as store
from itsm.tickets import queries
from itsm.tickets.desk import Tx

attachments = Resource("Attachments", "Files on tickets.")

SANDBOX: Final = "default-src 'none'; sandbox"


@dataclass(frozen=True, slots=True)
class NewAttachment:
    """A file to be kept."""

    file: Upload
    visibility: str


class UploadField(fields.Field[Upload]):
    """A part of a form that is a file."""

    def __init__(self, about: str, **more: Any) -> None:
        super().__init__(
            error_messages=words("a file"), metadata={"type": "string", "format": "binary", "description": about}, **more
        )

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_more: Any) -> Upload:
        if not isinstance(value, Upload):
            raise fault("wrong_type", "This part must be a file.")
        return value


class AttachmentForm(Form):
    """A file to be kept, as parts of a form."""

    makes = NewAttachment

    file = UploadField("The file itself, with its name.", required=True)
    visibility = Text("`public`, or `internal` for staff alone.", choices=VISIBILITIES, required=True)


class AttachmentShape(Shape):
    """A file on a ticket."""

    id = whole("Which attachment.")
    filename = text("Its name, made harmless.")
    media_type = text("What it is, as its first bytes say.")
    size = whole("Bytes.")
    sha256 = text("The digest of its bytes.")
    visibility = text("`public` or `internal`.")
    uploaded_by = text("The login of who added it.")
    at = instant("When it was added.")
    href = text("Where to fetch it.")


class AttachmentsShape(Shape):
    """The files on a ticket."""

    items = many(AttachmentShape)


@attachments.get("/tickets/{number}/attachments", policy=SIGNED_IN, answers={200: AttachmentsShape()})
def find(tx: Tx, number: str) -> Answer:
    """List the files on a ticket."""
    record = queries.ticket(tx, number)
    return Answer({"items": [_item(number, row) for row in store.listing(tx, record)]})


@attachments.post(
    "/tickets/{number}/attachments", policy=SIGNED_IN, body=AttachmentForm(), upload=True, answers={201: AttachmentShape()}
)
def attach(tx: Tx, number: str, body: NewAttachment) -> Answer:
    """Add a file to a ticket, as `multipart/form-data`."""
    body.file.stream.seek(0)
    record, attachment_id = store.attach(tx, number, body.file.filename, body.file.stream, body.visibility)
    row = next(row for row in store.listing(tx, record) if row.id == attachment_id)
    item = _item(number, row)
    return Answer(item, 201, {"Location": item["href"]})


@attachments.get(
    "/tickets/{number}/attachments/{attachment_id}", policy=SIGNED_IN, answers={200: Media("application/octet-stream")}
)
def fetch(tx: Tx, number: str, attachment_id: int) -> Answer:
    """Fetch a file."""
    stored = store.fetch(tx, number, attachment_id)
    how = "inline" if stored.inline else "attachment"
    headers = {
        "Content-Disposition": f"{how}; filename*=UTF-8''{quote(stored.filename, safe='')}",
        "Content-Security-Policy": SANDBOX,
    }
    return Answer(None, 200, headers, stored.media_type, stored.path)


def _item(number: str, row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "filename": row.filename,
        "media_type": row.media_type,
        "size": row.size,
        "sha256": row.digest,
        "visibility": row.visibility,
        "uploaded_by": row.uploaded_by,
        "at": row.at,
        "href": f"{address(number)}/attachments/{row.id}",
    }
