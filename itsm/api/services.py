"""Services: what users know by name, who supports and owns each, what it rests on; and the import of services and items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from itsm.api import keeping, kept, kept_forms
from itsm.api.attachments import UploadField
from itsm.api.auth import SIGNED_IN, may
from itsm.api.forms import Form, Text
from itsm.api.keeping import KEEPS
from itsm.api.requests import Upload
from itsm.api.routing import Answer, Resource
from itsm.api.shapes import Shape, flag, many, now_and_then, text, whole
from itsm.people.access import Permission
from itsm.services import importing
from itsm.services.importing import Report
from itsm.services.rules import Node, Sort
from itsm.services.sheet import RowFault
from itsm.tickets.desk import Tx

services = Resource("Services", "What users know by name, who supports and owns it, and what it rests on.")


@dataclass(frozen=True, slots=True)
class ImportQuery:
    """Whether anything is to be written."""

    dry_run: bool


@dataclass(frozen=True, slots=True)
class ImportFile:
    """A file to be imported."""

    file: Upload


class ImportForm(Form):
    """A CSV or JSON file, as a part of a form."""

    makes = ImportFile

    file = UploadField("The file, CSV or JSON.", required=True)


class DryRunForm(Form):
    """Whether it is only tried."""

    dry_run = Text("`true` to see what would happen, and write nothing.", choices=("true", "false"), load_default="false")

    @staticmethod
    def makes(dry_run: str) -> ImportQuery:
        return ImportQuery(dry_run == "true")


class RowFaultShape(Shape):
    """Why a row was left out."""

    row = whole("The line of the CSV file on which it begins, or which entry of the JSON list.")
    key = now_and_then("Its key, if that could be told.")
    column = now_and_then("The column at fault, if it is one.")
    code = text("Why, for programs.", example="unknown_reference")
    message = text("Why, for people.")


class ImportShape(Shape):
    """What an import came to."""

    dry_run = flag("Whether nothing was written.")
    rows = whole("Rows read.")
    added = whole("Things that are new.")
    changed = whole("Things that are other than before.")
    unchanged = whole("Rows that say what is so already.")
    related = whole("Relations that are new.")
    refused = whole("Rows that were left out.")
    errors = many(RowFaultShape, f"Why, the first {importing.MOST_TOLD}.")


@services.get("/services", policy=SIGNED_IN, query=kept_forms.ServiceListForm(), answers={200: kept.ServicePageShape()})
def find(tx: Tx, query: kept_forms.ListQuery) -> Answer:
    """List and search services, by key.

    Everybody with an account sees them all.
    """
    return keeping.page(tx, Sort.SERVICE, query)


@services.post("/services", policy=KEEPS, body=kept_forms.NewServiceForm(), answers={201: kept.ServiceShape()}, etag=True)
def add(tx: Tx, body: kept_forms.NewThing) -> Answer:
    """Add a service."""
    return keeping.add(tx, Sort.SERVICE, body)


@services.get("/services/{key}", policy=SIGNED_IN, answers={200: kept.ServiceShape(), 304: None}, etag=True)
def read(tx: Tx, key: str) -> Answer:
    """Read a service.

    With `If-None-Match` the answer is 304 and empty while nothing has changed.
    """
    return keeping.read(tx, Node(Sort.SERVICE, key))


@services.patch(
    "/services/{key}",
    policy=KEEPS,
    body=kept_forms.ServiceEditForm(),
    answers={200: kept.ServiceShape()},
    if_match=True,
    etag=True,
)
def edit(tx: Tx, key: str, body: kept_forms.Edit, versions: frozenset[int] | None) -> Answer:
    """Change fields of a service. Needs `If-Match`."""
    return keeping.edit(tx, Node(Sort.SERVICE, key), body, versions)


@services.get("/services/{key}/relations", policy=SIGNED_IN, answers={200: kept.RelationsShape()})
def relations(tx: Tx, key: str) -> Answer:
    """List the relations of a service, as they read from it, to what the caller sees."""
    return keeping.relations(tx, Node(Sort.SERVICE, key))


@services.post(
    "/services/{key}/relations", policy=KEEPS, body=kept_forms.ServiceRelationForm(), answers={201: kept.RelationShape()}
)
def relate(tx: Tx, key: str, body: kept_forms.NewRelation) -> Answer:
    """Relate a service to a configuration item that it is made of, or a service that it needs.

    A relation that would close a circle is refused: 409 `cyclic_relation`.
    """
    return keeping.relate(tx, Node(Sort.SERVICE, key), body)


@services.delete("/services/{key}/relations/{kind}/{other}", policy=KEEPS, answers={204: None})
def unrelate(tx: Tx, key: str, kind: str, other: str) -> Answer:
    """Take back a relation of which this service is the source."""
    return keeping.unrelate(tx, Node(Sort.SERVICE, key), kind, other)


@services.get("/services/{key}/impact", policy=SIGNED_IN, query=kept_forms.ImpactForm(), answers={200: kept.ImpactShape()})
def impact(tx: Tx, key: str, query: kept_forms.ImpactQuery) -> Answer:
    """What is touched when this service fails, or what it rests on, and by which way."""
    return keeping.touched(tx, Node(Sort.SERVICE, key), query)


@services.get(
    "/services/{key}/history",
    policy=may(Permission.READ_ALL),
    query=kept_forms.HistoryForm(),
    answers={200: kept.RecordHistoryShape()},
)
def history(tx: Tx, key: str, query: kept_forms.LimitQuery) -> Answer:
    """What was done to a service and its relations, the newest first."""
    return keeping.history(tx, Node(Sort.SERVICE, key), query)


@services.post(
    "/services/import", policy=KEEPS, body=ImportForm(), query=DryRunForm(), upload=True, answers={200: ImportShape()}
)
def bring_in(tx: Tx, body: ImportFile, query: ImportQuery) -> Answer:
    """Import services and configuration items from a CSV or JSON file, as `multipart/form-data`.

    Rows add what is new and change what is there, by key. A row that does not fit is left out and told of; the others go in.
    """
    body.file.stream.seek(0)
    mode = importing.Mode.TRY if query.dry_run else importing.Mode.WRITE
    report = importing.carry_out(keeping.registrar(tx), body.file.stream, body.file.filename, mode)
    return Answer(_told(report))


def _told(report: Report) -> dict[str, Any]:
    return {
        "dry_run": report.mode is importing.Mode.TRY,
        "rows": report.rows,
        "added": report.added,
        "changed": report.changed,
        "unchanged": report.unchanged,
        "related": report.related,
        "refused": len(report.faults),
        "errors": [_fault(each) for each in report.faults[: importing.MOST_TOLD]],
    }


def _fault(fault: RowFault) -> dict[str, Any]:
    named = {"key": fault.key, "column": fault.column}
    told = {name: value for name, value in named.items() if value}
    return {"row": fault.row, **told, "code": fault.code, "message": fault.message}
