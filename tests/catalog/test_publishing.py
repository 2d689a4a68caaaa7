"""Publishing the catalogue: versions that never change, and what is offered no more."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from itsm.catalog import publishing, queries, shelf
from itsm.people.access import SYSTEM, Channel
from itsm.platform.errors import DeskError
from itsm.platform.settings import PROJECT_ROOT
from itsm.tickets.desk import Desk
from tests.catalog.world import LAPTOP, SHOP, order, publish
from tests.service import actor


def offered(desk: Desk, login: str = "ra1") -> list[str]:
    with desk.reading(actor(desk, login)) as tx:
        return sorted(item.key for item in queries.offered(tx, queries.beneficiary(tx, None, ""), ""))


def digest(desk: Desk) -> str:
    with desk.reading(SYSTEM) as tx:
        version = shelf.current_of(tx, "laptop")
    assert version is not None
    return version.digest


def test_only_what_is_new_or_different_becomes_a_version(desk: Desk) -> None:
    assert publish(desk) == ["laptop", "acme-only", "fault"]
    assert publish(desk) == []
    first = digest(desk)
    assert publish(desk, SHOP.replace("1199.00", "1299.00")) == ["laptop"]
    assert digest(desk) != first
    assert publish(desk) == ["laptop"]
    assert digest(desk) == first


def test_what_is_no_longer_in_the_files_is_offered_no_more(desk: Desk) -> None:
    publish(desk)
    number = order(desk, "ra1", "laptop", LAPTOP)[0].number
    assert offered(desk) == ["acme-only", "fault", "laptop"]
    begin, end = SHOP.index("  laptop:\n    title"), SHOP.index("  acme-only:")
    assert publish(desk, SHOP[:begin] + SHOP[end:]) == ["laptop"]
    assert offered(desk) == ["acme-only", "fault"]
    with pytest.raises(DeskError, match="no item"):
        order(desk, "ra1", "laptop", LAPTOP)
    with desk.reading(actor(desk, "ra1")) as tx:
        assert queries.order(tx, number)[1].version.item.title == "A laptop"


def test_a_directory_is_published_as_a_whole_or_not_at_all(desk: Desk, tmp_path: Path) -> None:
    publish(desk)
    (tmp_path / "a.yaml").write_text(SHOP.replace("1199.00", "1299.00"))
    (tmp_path / "b.yaml").write_text("items: {x: {title: X, category: c, service: nope}}")
    before = digest(desk)
    with pytest.raises(publishing.Unsound, match="nope"), desk.transaction(SYSTEM, Channel.COMMAND_LINE) as tx:
        publishing.publish_directory(tx, tmp_path)
    assert digest(desk) == before


def test_groups_and_services_must_be_there(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(SHOP.replace("group: applications", "group: nobody").replace("workplace", "place"))
    with pytest.raises(publishing.Unsound) as refusal, desk.transaction(SYSTEM, Channel.COMMAND_LINE) as tx:
        publishing.publish_directory(tx, tmp_path)
    told = {finding.code: finding.message for finding in refusal.value.findings}
    assert told == {"unknown-group": "This desk has no group “nobody”.", "unknown-service": "This desk has no service “place”."}


@pytest.mark.parametrize(
    "deed",
    [
        "UPDATE catalog_versions SET source = 'x'",
        "UPDATE catalog_versions SET digest = 'x'",
        "DELETE FROM catalog_versions",
        "UPDATE catalog_orders SET answers = '{}'",
        "UPDATE catalog_orders SET version_id = 2",
        "DELETE FROM catalog_orders",
    ],
)
def test_neither_a_version_nor_an_order_is_rewritten(desk: Desk, deed: str) -> None:
    publish(desk)
    order(desk, "ra1", "laptop", LAPTOP)
    with pytest.raises(Exception, match="append-only"), desk.database.session() as session:
        session.script(deed)


def test_the_shipped_catalogue_is_published_on_a_shipped_desk(desk: Desk) -> None:
    from itsm.cli.starting import load_starting_set

    with desk.transaction(SYSTEM, Channel.COMMAND_LINE) as tx:
        load_starting_set(tx.session, PROJECT_ROOT / "config")
        assert len(publishing.publish_directory(tx, PROJECT_ROOT / "config" / publishing.DIRECTORY)) >= 20
    assert {"laptop", "vpn", "report-fault"} <= set(offered(desk))
    assert not {"server", "new-hire", "firewall-rule"} & set(offered(desk))
    assert {"server", "new-hire", "firewall-rule"} <= set(offered(desk, "g1"))
    with desk.database.engine.connect() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM catalog_versions WHERE is_current")).scalar() == 26
