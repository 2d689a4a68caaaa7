"""The handbook describes what there is: commands, settings, permissions, findings, routes. And its links lead somewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields
from typing import Final

import click
import pytest

from itsm.api import routes
from itsm.api.problems import SORTS
from itsm.cli import _EXIT_CODES, root
from itsm.people import access, roles
from itsm.people.access import Permission
from itsm.platform import timers
from itsm.platform.settings import MEBIBYTE, Settings
from itsm.workflow.check import RULES
from itsm.workflow.codes import MEANINGS
from tests.docs.pages import ROOT, Page, page, pages

OPERATING: Final = page("operating.md")
SOURCES: Final = sorted((ROOT / "itsm").rglob("*.py"))


def _commands(group: click.Group, words: str) -> Iterator[str]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from _commands(command, f"{words} {name}")
        else:
            yield f"{words} {name}"


def _settings() -> set[str]:
    """Every environment variable that the product reads."""
    named = r'(?:(?:env|environ)(?:\.get\(|\[)\s*|envvar=|_whole_number\(env, |_directory\()"([A-Z_]+)"'
    return {word for path in SOURCES for word in re.findall(named, path.read_text())}


def _codes() -> set[str]:
    """Every code with which the readers of files, the checker and the expressions can find something."""
    written = "".join(path.read_text() for path in SOURCES)
    told = r'(?:(?:Finding|Fault|fault|Complaint|error)\(\s*|Matching\([^,]+, )"([a-z]+(?:-[a-z]+)+)"'
    found = re.findall(told, written)
    return {*found, *MEANINGS, *RULES}


def test_every_command_is_described() -> None:
    assert set(_commands(root, "itsm")) <= OPERATING.first_cells()


def test_no_command_is_described_that_is_not_there() -> None:
    assert {word for word in OPERATING.first_cells() if word.startswith("itsm ")} <= set(_commands(root, "itsm"))


def test_every_exit_code_is_described() -> None:
    assert all(re.search(rf"\b{code} ", OPERATING.section("Commands")) for code in _EXIT_CODES.values())


def test_every_setting_is_described() -> None:
    assert {"ITSM_HOME", "ITSM_DATABASE_URL", "PORT", "FRESH"} <= _settings()
    assert _settings() <= OPERATING.first_cells()


def test_the_defaults_of_settings_are_told_as_they_are() -> None:
    rows = dict(re.findall(r"^\| (`[^|]*`) \| ([^|]*) \|", OPERATING.section("Settings"), re.MULTILINE))
    defaults = {field.name: field.default for field in fields(Settings)}
    assert rows["`ITSM_MAX_ATTACHMENT_BYTES`"].startswith(str(defaults["max_attachment_bytes"]))
    assert rows["`HOST`, `PORT`"] == f"`{defaults['host']}`, `{defaults['port']}`"
    assert "Other bodies may have 1 MiB" in OPERATING.text
    assert defaults["max_body_bytes"] == MEBIBYTE


def test_every_permission_and_every_shipped_role_is_described() -> None:
    described = page("practices.md").first_cells()
    shipped = roles.load(ROOT / "config" / "roles.yaml").permissions
    assert set(Permission) <= described
    assert all(f"| {role} |" in page("practices.md").text for role in shipped)


def test_every_scope_of_tokens_is_described() -> None:
    assert all(f"`{scope}`" in OPERATING.section("Roles, users, tokens") for scope in access.Scope)


def test_how_timers_are_tried_again_is_told_as_it_is() -> None:
    assert [wait.total_seconds() for wait in timers.BACK_OFF] == [1, 5, 30, 300]
    text = " ".join(OPERATING.text.split())
    assert "after 1 second, 5 seconds, 30 seconds and 5 minutes" in text
    assert f"free again after {timers.LEASE.total_seconds():.0f} seconds" in text


def test_every_finding_is_described() -> None:
    described = "".join(each.text for each in pages())
    assert {code for code in _codes() if f"`{code}`" not in described and f"### {code} (" not in described} == set()


def test_every_route_is_described_with_what_it_needs() -> None:
    rows = re.findall(r"^\| `([A-Z]+ /\S+)` \| (.*?) \| (.*?) \|", page("api.md").text, re.MULTILINE)
    said = {route: (needs.strip("`"), scope.strip("` ")) for route, needs, scope in rows}
    words = {"public": "nothing"}
    real = {
        f"{route.method} {route.full_path}": (
            words.get(route.policy.name, route.policy.name.removeprefix("may ")),
            str(route.scope) if route.policy.needs_token else "",
        )
        for route in routes()
    }
    assert said == real


def test_every_status_of_a_refusal_is_described() -> None:
    statuses = {int(status) for status in re.findall(r"^\| (\d{3}) \|", page("api.md").text, re.MULTILINE)}
    assert {sort.status for sort in SORTS.values()} <= statuses


@pytest.mark.parametrize("each", list(pages()), ids=lambda each: str(each.path.relative_to(ROOT)))
def test_every_link_within_the_handbook_leads_somewhere(each: Page) -> None:
    lost = []
    for target in each.links:
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (each.path.parent / name).resolve() if name else each.path
        if not path.exists() or (anchor and anchor not in Page(path, path.read_text()).anchors):
            lost.append(target)
    assert lost == []


def test_every_page_that_a_message_or_a_module_names_is_there() -> None:
    named = {name for path in SOURCES for name in re.findall(r"docs/[\w-]+\.md", path.read_text())}
    assert {name for name in named if not (ROOT / name).exists()} == set()


def test_the_index_has_every_page() -> None:
    here = {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert here <= set(page("README.md").links)
