"""Files over HTTP (attacks A-04, A-33, A-35, A-89 in small)."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest

from itsm.platform.settings import MEBIBYTE
from itsm.tickets.desk import Desk
from tests.api.world import Api, Caller, Reply

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 40


def send(caller: Caller, number: str, content: bytes, name: str = "log.txt", visibility: str = "public", **more: Any) -> Reply:
    data = {"file": (BytesIO(content), name), "visibility": visibility, **more}
    return caller.call("POST", f"/tickets/{number}/attachments", data=data)


def test_a_file_comes_back_as_it_was_sent(api: Api) -> None:
    number = api("ra1").opens()
    sent = send(api("ra1"), number, b"line 1\nline 2\n")
    assert (sent.status, sent.json["filename"], sent.json["size"]) == (201, "log.txt", 14)
    assert sent.headers["Location"] == sent.json["href"]
    got = api("g1").get(sent.json["href"])
    assert (got.status, got.content) == (200, b"line 1\nline 2\n")
    assert api("ra1").get(f"/tickets/{number}/attachments").items == [sent.json]


@pytest.mark.parametrize(
    ("name", "content", "media_type", "disposition"),
    [
        ("a.png", PNG, "image/png", "inline"),
        ("a.svg", b"<svg onload=alert(1)>", "application/octet-stream", "attachment"),
        ("a.html", b"<script>alert(1)</script>", "application/octet-stream", "attachment"),
        ("a.png", b"<script>alert(1)</script>", "application/octet-stream", "attachment"),
        ("a.pdf", b"%PDF-1.7", "application/octet-stream", "attachment"),
    ],
)
def test_no_file_is_handed_out_so_that_a_browser_runs_it(
    api: Api, name: str, content: bytes, media_type: str, disposition: str
) -> None:
    number = api("ra1").opens()
    got = api("ra1").get(send(api("ra1"), number, content, name).json["href"])
    assert got.type == media_type
    assert got.headers["Content-Disposition"].startswith(f"{disposition};")
    assert got.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"


def test_a_name_can_neither_split_a_header_nor_leave_a_folder(api: Api) -> None:
    number = api("ra1").opens()
    for name in ("../../etc/passwd", 'a"; filename=b.exe; "', "a‮txt.b", "x" * 400, "ü ö.txt", "con\r\nX-Evil: 1"):
        sent = send(api("ra1"), number, b"x", name)
        assert sent.status in (201, 422)
        if sent.status == 201:
            got = api("ra1").get(sent.json["href"])
            assert "X-Evil" not in got.headers
            assert got.headers["Content-Disposition"].startswith("attachment; filename*=UTF-8''")
            assert got.headers["Content-Disposition"].isascii()


def test_an_internal_file_is_for_staff(api: Api) -> None:
    number = api("ra1").opens()
    sent = send(api("g1"), number, b"canary", visibility="internal")
    assert api("ra1").get(sent.json["href"]).status == 404
    assert api("ra1").get(f"/tickets/{number}/attachments").items == []
    assert "log.txt" not in api("ra1").get(f"/tickets/{number}/timeline").text
    assert api("g1").get(sent.json["href"]).content == b"canary"
    assert send(api("ra1"), number, b"x", visibility="internal").status == 403


def test_a_file_is_reached_through_its_own_ticket_only(api: Api) -> None:
    secret, mine = api.confidential(), api("ra1").opens()
    sent = send(api("rb1"), secret, b"canary")
    row = sent.json["id"]
    for number in (mine, secret):
        for each in (row, row + 1, 0, 10**17):
            assert api("ra1").get(f"/tickets/{number}/attachments/{each}").status == 404


def test_what_is_missing_or_too_much_in_the_form_is_told(api: Api) -> None:
    number = api("ra1").opens()
    caller, path = api("ra1"), f"/tickets/{number}/attachments"
    assert caller.call("POST", path, data={"surprise": "1"}).status == 415
    reply = caller.call("POST", path, data={"surprise": "1"}, content_type="multipart/form-data")
    assert reply.pointers == {"/file": "required", "/visibility": "required", "/surprise": "unknown_member"}
    reply = caller.call("POST", path, data={"file": "text", "visibility": "public"}, content_type="multipart/form-data")
    assert reply.pointers == {"/file": "wrong_type"}
    assert send(caller, number, b"").pointers == {"/file": "attachment_empty"}
    assert caller.post(path, {"file": "x"}).status == 415
    assert caller.call("POST", path, raw=b"\r\n" * 1000, Content_Type="multipart/form-data").status in (400, 422)


@pytest.mark.parametrize("size", [20_000, 65_536, 65_537, MEBIBYTE])
def test_a_file_of_ordinary_size_is_kept_whole(api: Api, size: int) -> None:
    number = api("ra1").opens()
    reply = send(api("ra1"), number, b"a\n" * (size // 2))
    assert (reply.status, reply.json["size"]) == (201, size // 2 * 2)


def test_a_flood_of_parts_is_cut_short(api: Api) -> None:
    number = api("ra1").opens()
    parts = b"".join(b'--b\r\nContent-Disposition: form-data; name="p%d"\r\n\r\nx\r\n' % index for index in range(100_000))
    reply = api("ra1").call(
        "POST", f"/tickets/{number}/attachments", raw=parts + b"--b--", Content_Type="multipart/form-data; boundary=b"
    )
    assert (reply.status, reply.code) == (413, "too_large")


def test_a_file_that_is_too_large_is_refused_and_leaves_nothing(api: Api, desk: Desk) -> None:
    number = api("ra1").opens()
    reply = send(api("ra1"), number, b"x" * (desk.settings.max_attachment_bytes + 1))
    assert reply.status == 413
    assert send(api("ra1"), number, b"x" * (desk.settings.max_attachment_bytes + MEBIBYTE)).status == 413
    assert api("ra1").get(f"/tickets/{number}/attachments").items == []


def test_no_large_body_is_taken_from_a_stranger(api: Api) -> None:
    number = api("ra1").opens()
    assert send(api(None), number, b"x" * MEBIBYTE).status == 401
