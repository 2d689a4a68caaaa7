"""Files on tickets."""

from __future__ import annotations

import hashlib
import io
from dataclasses import replace

import pytest

from itsm.people.access import Channel
from itsm.platform.errors import DeskError
from itsm.tickets import attachments
from itsm.tickets.desk import Desk
from tests.service import actor
from tests.tickets.doing import Doing, an_incident_in_progress

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 20


def attach(desk: Desk, login: str, number: str, name: str, body: bytes, visibility: str = "public") -> int:
    with desk.transaction(actor(desk, login), Channel.API) as tx:
        return attachments.attach(tx, number, name, io.BytesIO(body), visibility)[1]


def fetch(desk: Desk, login: str, number: str, attachment: int) -> attachments.Stored:
    with desk.reading(actor(desk, login)) as tx:
        return attachments.fetch(tx, number, attachment)


def test_what_was_put_in_comes_out_under_its_digest(desk: Desk) -> None:
    record = an_incident_in_progress(desk)
    stored = fetch(desk, "g1", record.number, attach(desk, "ra1", record.number, "log.txt", b"first line"))
    assert stored.path.read_bytes() == b"first line"
    assert stored.digest == hashlib.sha256(b"first line").hexdigest()
    assert (stored.filename, stored.media_type, stored.inline) == ("log.txt", "application/octet-stream", False)


def test_the_same_bytes_are_kept_once(desk: Desk) -> None:
    record = an_incident_in_progress(desk)
    first, second = (attach(desk, "ra1", record.number, name, b"same") for name in ("a.txt", "b.txt"))
    assert fetch(desk, "ra1", record.number, first).path == fetch(desk, "ra1", record.number, second).path


def test_only_what_begins_like_a_picture_is_shown_in_place(desk: Desk) -> None:
    record = an_incident_in_progress(desk)
    picture = attach(desk, "ra1", record.number, "screen.png", PNG)
    liar = attach(desk, "ra1", record.number, "page.png", b"<script>alert(1)</script>")
    drawing = attach(desk, "ra1", record.number, "drawing.svg", b"<svg onload='alert(1)'/>")
    shown = [fetch(desk, "ra1", record.number, each).inline for each in (picture, liar, drawing)]
    assert shown == [True, False, False]


def test_an_internal_file_is_not_there_for_the_requester(desk: Desk) -> None:
    record = an_incident_in_progress(desk)
    internal = attach(desk, "g1", record.number, "trace.txt", b"secret", "internal")
    with pytest.raises(DeskError) as refusal:
        fetch(desk, "ra1", record.number, internal)
    assert refusal.value.code == "not_found"


def test_a_file_is_not_reached_through_another_ticket(desk: Desk) -> None:
    theirs, mine = Doing(desk, "rb1").create(), Doing(desk, "ra1").create()
    foreign = attach(desk, "rb1", theirs.number, "a.txt", b"theirs")
    for number in (theirs.number, mine.number):
        with pytest.raises(DeskError) as refusal:
            fetch(desk, "ra1", number, foreign)
        assert refusal.value.code == "not_found"


def test_size_emptiness_and_harmful_kinds_are_refused_and_leave_nothing_behind(desk: Desk) -> None:
    record = an_incident_in_progress(desk)
    desk.settings = replace(desk.settings, max_attachment_bytes=10)
    for name, body, code in (
        ("a.txt", b"x" * 11, "attachment_too_large"),
        ("a.txt", b"", "invalid_input"),
        ("a.exe", b"x", "invalid_input"),
    ):
        with pytest.raises(DeskError) as refusal:
            attach(desk, "ra1", record.number, name, body)
        assert refusal.value.code == code
    kept = [path for path in desk.settings.attachments_dir.rglob("*") if path.is_file()]
    assert kept == []


def test_damaged_bytes_are_never_served(desk: Desk) -> None:
    record = an_incident_in_progress(desk)
    attachment = attach(desk, "ra1", record.number, "log.txt", b"first line")
    fetch(desk, "ra1", record.number, attachment).path.write_bytes(b"Xirst line")
    with pytest.raises(DeskError) as refusal:
        fetch(desk, "ra1", record.number, attachment)
    assert refusal.value.code == "attachment_damaged"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/passwd", "_.._etc_passwd"),
        ("a\r\nSet-Cookie: x.txt", "a__Set-Cookie_ x.txt"),
        ("invoice\u202egnp.exe", "invoice_gnp.exe"),
        ("...", "file"),
        ("", "file"),
        ("x" * 300 + ".pdf", "x" * 146 + ".pdf"),
        ("naïve café.pdf", "naïve café.pdf"),
    ],
)
def test_a_name_can_neither_leave_its_folder_nor_deceive_the_eye(given: str, kept: str) -> None:
    assert attachments.safe_name(given) == kept
