"""`config/roles.yaml`, read."""

from __future__ import annotations

from pathlib import Path

import pytest

from itsm.people import roles
from itsm.people.access import Permission
from itsm.platform.errors import DeskError
from itsm.platform.settings import PROJECT_ROOT


def told(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "roles.yaml"
    file.write_text(text)
    return file


def test_a_role_has_what_the_roles_it_includes_have() -> None:
    shipped = roles.load(PROJECT_ROOT / "config" / "roles.yaml")
    assert Permission.CREATE in shipped.permissions["lead"]
    assert shipped.held(frozenset({"lead"})) == {"lead", "agent", "requester"}


def test_an_administrator_decides_nothing() -> None:
    shipped = roles.load(PROJECT_ROOT / "config" / "roles.yaml")
    assert Permission.DECIDE not in shipped.permissions["admin"]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("agent: {may: [ticket.fly]}", "ticket.fly"),
        ("agent: {includes: [wizard]}", "wizard"),
        ("a: {includes: [b]}\nb: {includes: [a]}", "include each other"),
        ("agent: {may: [}", "roles.yaml:1"),
        ("- agent", "roles are expected"),
    ],
)
def test_a_fault_is_named_with_its_place(tmp_path: Path, text: str, word: str) -> None:
    with pytest.raises(DeskError, match=word):
        roles.load(told(tmp_path, text))
