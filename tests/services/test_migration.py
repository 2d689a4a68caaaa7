"""Services and items that were there before they had owners, relations and words to be found by."""

from __future__ import annotations

import pytest

from itsm.platform import migrate
from tests import world


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_what_was_there_is_kept_found_and_can_go_back(kind: str) -> None:
    with world.bare_database(kind) as database:
        migrate.upgrade(database, "0001")
        with database.session() as session:
            session.script("INSERT INTO services (id, key, name) VALUES (1, 'erp', 'ERP Übersicht')")
            session.script("INSERT INTO configuration_items (id, key, name, kind) VALUES (1, 'SRV-1', 'Server', 'server')")
        migrate.upgrade(database, "0002")
        with database.engine.connect() as connection:
            rows = connection.exec_driver_sql(
                "SELECT key, words, version FROM services UNION ALL SELECT key, words, version FROM configuration_items"
            )
            assert [tuple(row) for row in rows] == [("erp", "erp erp übersicht", 1), ("SRV-1", "srv-1 server", 1)]
        migrate.downgrade(database, "0001")
        with database.engine.connect() as connection:
            assert connection.exec_driver_sql("SELECT name FROM services").scalar() == "ERP Übersicht"
