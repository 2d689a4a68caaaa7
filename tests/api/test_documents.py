"""The API in its own words says what is so: no more, no less."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from openapi_spec_validator import OpenAPIV31SpecValidator

from itsm.api import create_api, problems, routes
from itsm.tickets.desk import Desk
from tests.api.world import Api, document


def test_the_document_is_valid_openapi() -> None:
    OpenAPIV31SpecValidator(document()).validate()


def test_the_document_lists_every_route_and_nothing_else(desk: Desk) -> None:
    said = {(method.upper(), path) for path, operations in document()["paths"].items() for method in operations}
    assert said == {(route.method, route.full_path) for route in routes()}
    served = {
        (method, re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule))
        for rule in create_api(desk).url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD"}
    }
    assert served == said


def test_every_operation_says_what_it_does_who_may_and_what_it_answers() -> None:
    for path, operations in document()["paths"].items():
        for method, operation in operations.items():
            where = f"{method} {path}"
            assert operation["summary"].endswith((".", "?")), where
            assert operation["x-policy"], where
            assert any(status.startswith("2") for status in operation["responses"]), where
            if operation["security"]:
                assert {"401", "403", "422", "503"} <= set(operation["responses"]), where
            if "requestBody" in operation:
                assert {"413", "415"} <= set(operation["responses"]), where
            named = {each["name"] for each in operation["parameters"]}
            assert ("Idempotency-Key" in named) is (method == "post" and bool(operation["security"])), where
            assert set(re.findall(r"\{(\w+)\}", path)) <= named, where


def test_every_member_is_explained() -> None:
    for name, schema in document()["components"]["schemas"].items():
        assert schema["additionalProperties"] is False, name
        for member, each in schema["properties"].items():
            assert "$ref" in each or "anyOf" in each or each.get("type") == "array" or each.get("description"), (
                f"{name}.{member}"
            )


def test_the_contract_is_kept() -> None:
    contract = """
        GET /me · POST /tickets · GET /tickets · GET /tickets/{number} · PATCH /tickets/{number}
        GET /tickets/{number}/transitions · POST /tickets/{number}/transitions · GET /tickets/{number}/timeline
        GET /tickets/{number}/sla
        POST /tickets/{number}/comments · POST /tickets/{number}/attachments · POST /tickets/{number}/links
        POST /tickets/{number}/tasks · POST /tickets/{number}/watchers
        GET /approvals · POST /approvals/{approval_id}/decision
        GET /workflows · GET /workflows/{name} · GET /workflows/{name}/versions · GET /workflows/{name}/versions/{version}
        GET /workflows/{name}/diagram.svg · POST /workflows/check · GET /openapi.json
    """
    promised = {tuple(each.split()) for each in re.split(r"·|\n", contract) if each.strip()}
    assert promised <= {(route.method, route.path) for route in routes()}


def test_the_document_is_open_and_names_no_host_and_no_release(api: Api) -> None:
    reply = api(None).get("/openapi.json")
    assert (reply.status, reply.type) == (200, "application/json")
    assert reply.json == document()
    assert "servers" not in reply.json
    assert reply.json["info"]["version"] == "1"


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.targets: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        given = dict(attrs)
        if given.get("id"):
            self.ids.append(str(given["id"]))
        self.targets += [str(given[name]) for name in ("href", "src", "action") if given.get(name)]


def test_the_reference_page_shows_every_route_without_a_script_or_a_foreign_word(api: Api) -> None:
    reply = api(None).get("/api/reference")
    page = _Page()
    page.feed(reply.text)
    assert {route.endpoint for route in routes()} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    assert not {"script", "img", "link", "iframe", "form"} & set(page.tags)
    for target in page.targets:
        assert target == "/api/v1/openapi.json" or target.removeprefix("#") in page.ids, target
    policy = reply.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_every_problem_points_to_its_place_in_the_reference(api: Api) -> None:
    text = api(None).get("/api/reference").text
    for sort in problems.SORTS.values():
        assert f'id="status-{sort.status}"' in text
    assert api("g1").call("PUT", "/me").json["type"] == "/api/reference#status-405"
    assert 'id="status-405"' in text
