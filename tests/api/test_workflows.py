"""Processes over HTTP: reading what is published, checking what is not (attack A-48)."""

from __future__ import annotations

import time

import pytest

from itsm.platform.settings import PROJECT_ROOT
from tests.api.world import Api

INCIDENT = (PROJECT_ROOT / "workflows" / "incident.yaml").read_text()
BROKEN = """workflow: x
states:
  a: {category: new}
  b: {category: closed}
initial: a
transitions:
  go: [{from: a, to: nowhere, by: [agent]}]
"""


def test_everything_published_is_listed(api: Api) -> None:
    items = api("po1").get("/workflows").items
    assert {item["name"] for item in items} == {"incident", "request", "problem", "change", "task"}
    assert all(item["current"] for item in items)


def test_a_definition_is_read_as_json_as_source_and_as_a_picture(api: Api) -> None:
    incident = api("po1").get("/workflows/incident").json
    assert (incident["initial"], incident["source"]) == ("new", INCIDENT)
    assert [state["name"] for state in incident["states"]][:2] == ["new", "assigned"]
    assert {field["name"] for field in incident["fields"]} >= {"impact", "urgency", "priority", "resolution"}
    resolve = next(each for each in incident["transitions"] if each["trigger"] == "resolve")
    assert resolve["branches"][0]["by"] == ["assignee", "group"]
    picture = api("po1").get("/workflows/incident/diagram.svg")
    assert (picture.type, picture.text[:4]) == ("image/svg+xml", "<svg")
    assert "sandbox" in picture.headers["Content-Security-Policy"]


def test_every_version_has_an_address(api: Api) -> None:
    (version,) = api("po1").get("/workflows/incident/versions").items
    assert api("po1").get(version["links"]["self"]).json == api("po1").get("/workflows/incident").json
    assert api("po1").get(version["links"]["diagram"]).text == api("po1").get("/workflows/incident/diagram.svg").text
    for path in (
        "/workflows/riot",
        "/workflows/riot/versions",
        "/workflows/incident/versions/0",
        "/workflows/riot/diagram.svg",
    ):
        assert api("po1").get(path).status == 404


def test_a_sound_definition_has_no_findings(api: Api) -> None:
    reply = api("po1").post("/workflows/check", {"source": INCIDENT})
    assert (reply.status, [each for each in reply.json["findings"] if each["severity"] == "error"]) == (200, [])


def test_a_broken_definition_is_found_out_line_by_line(api: Api) -> None:
    findings = api("po1").post("/workflows/check", {"source": BROKEN}).json["findings"]
    (unknown,) = [each for each in findings if each["code"] == "unknown-state"]
    assert (unknown["line"], "nowhere" in unknown["message"]) == (7, True)


HOSTILE = {
    "a tag that builds an object": "workflow: !!python/object/apply:os.system ['echo canary']",
    "a bomb of aliases": "a: &a [x, x]\n"
    + "".join(f"{b}: &{b} [*{a}, *{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)),
    "depth 3,000": "a: " + "[" * 3_000 + "]" * 3_000,
    "repeated keys": "workflow: x\nworkflow: y",
    "half a megabyte": "# " + "x" * 500_000,
    "no YAML": "{[",
    "nothing": "",
    "another kind of document": "- a\n- b",
    "several documents": "a: 1\n---\nb: 2",
}


@pytest.mark.parametrize("source", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_definitions_have_findings_soon(api: Api, source: str) -> None:
    before = time.thread_time()
    reply = api("po1").post("/workflows/check", {"source": source})
    assert time.thread_time() - before < 2
    assert reply.status == 200
    assert any(each["severity"] == "error" for each in reply.json["findings"])


def test_a_definition_of_ten_megabytes_is_too_large(api: Api) -> None:
    assert api("po1").post("/workflows/check", {"source": "x" * 10_000_000}).status == 413


def test_checking_publishes_nothing(api: Api) -> None:
    before = api("po1").get("/workflows").json
    api("po1").post("/workflows/check", {"source": INCIDENT.replace("title: Incident", "title: Mishap")})
    assert api("po1").get("/workflows").json == before


def test_processes_are_for_those_who_work_with_them(api: Api) -> None:
    assert api("ra1").get("/workflows").status == 403
    assert api("au1").post("/workflows/check", {"source": BROKEN}).status == 403
    assert api("au1").get("/workflows").status == 200
