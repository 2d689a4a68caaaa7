"""`itsm catalog publish`: what lies in a directory becomes what is offered, or is told with its place."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from itsm.app import Service
from itsm.cli import Wiring
from itsm.cli.catalog import catalog
from itsm.cli.workflow import workflow
from itsm.platform.settings import PROJECT_ROOT
from tests.catalog.world import SHOP


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "shop.yaml").write_text(SHOP)
    return tmp_path


def publish(service: Service, folder: Path) -> Result:
    wiring = Wiring(build=lambda settings: service, create_app=lambda service: None)
    environment = {"ITSM_HOME": str(folder), "ITSM_SECRET": "0123456789abcdef" * 4}
    return CliRunner().invoke(catalog, ["publish", str(folder)], obj=wiring, env=environment)


def test_what_is_new_is_published_once(service: Service, folder: Path) -> None:
    assert publish(service, folder).output == "published: laptop, acme-only, fault\n"
    assert publish(service, folder).output == "Nothing is new.\n"


def test_what_is_unsound_is_told_and_changes_nothing(service: Service, folder: Path) -> None:
    publish(service, folder)
    (folder / "shop.yaml").write_text(SHOP.replace("after: [buy, account]", "after: [buy, hand]"))
    result = publish(service, folder)
    assert result.exit_code == 1
    assert "shop.yaml:36:7: error task-circle: These tasks wait for each other" in result.output
    (folder / "shop.yaml").write_text(SHOP)
    assert publish(service, folder).output == "Nothing is new.\n"


def test_checking_the_installation_checks_its_catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "catalog").mkdir()
    for path in (PROJECT_ROOT / "config").glob("*.yaml"):
        (tmp_path / path.name).write_text(path.read_text())
    (tmp_path / "catalog" / "shop.yaml").write_text(SHOP.replace("{type: boolean}", "{type: bool}"))
    monkeypatch.setenv("ITSM_CONFIG", str(tmp_path))
    for arguments in (["check"], ["check", str(tmp_path / "catalog")]):
        result = CliRunner().invoke(workflow, arguments)
        assert result.exit_code == 1
        assert "error unknown-type: There is no type “bool”." in result.output
