"""The start page is for strangers: it tells what everybody may know of the calendar and the catalogue, and nothing else."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from flask.testing import FlaskClient

from itsm.api import create_api
from itsm.platform.database import Database
from itsm.platform.time import FrozenClock
from itsm.portal import create_portal
from tests.catalog.world import SHOP, publish
from tests.changes.desk import Planning, period, planning
from tests.service import PEOPLE


@pytest.fixture
def plan(database: Database, clock: FrozenClock) -> Planning:
    """A Monday at nine; on Wednesday everything is frozen, on Monday next what concerns the CRM."""
    plan = planning(database, clock)
    plan.desk.settings = replace(plan.desk.settings, public_pulse=True)
    return plan


def site(plan: Planning) -> FlaskClient:
    app = create_api(plan.desk)
    create_portal(app, plan.desk)
    return app.test_client()


def page(plan: Planning) -> str:
    return site(plan).get("/").get_data(as_text=True)


def rows(text: str) -> dict[str, tuple[str, ...]]:
    """The days of the calendar: scheduled, tentative, frozen."""
    found = re.findall(r'<th scope="row">(\w+ \d+ \w+)</th><td>(.*?)</td><td>(.*?)</td><td>(.*?)</td>', text)
    return {day: tuple(cells) for day, *cells in found}


def test_the_days_on_which_something_is_planned_or_frozen_are_told(plan: Planning) -> None:
    plan.scheduled(period(3, 8, 10))
    plan.scheduled(period(3, 9, 12))
    assert rows(page(plan)) == {
        "Tue 03 March": ("2", "–", "–"),
        "Wed 04 March": ("–", "–", "everything"),
        "Mon 09 March": ("–", "–", "some services"),
    }


def test_what_is_over_is_no_more_in_the_calendar(plan: Planning, clock: FrozenClock) -> None:
    plan.scheduled(period(3, 8, 10))
    clock.set(period(3, 10, 11).start)
    assert "Tue 03 March" not in rows(page(plan))


def test_a_change_of_a_restricted_group_is_not_counted(plan: Planning) -> None:
    hidden = plan.scheduled(period(3, 8, 10))
    with plan.desk.database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE groups SET restricted = true WHERE key = 'network'")
    assert hidden.values["group"] == "network"
    assert "Tue 03 March" not in rows(page(plan))


def test_what_only_some_may_order_is_told_to_no_stranger(plan: Planning) -> None:
    publish(plan.desk, SHOP)
    offered = re.findall(r"<dd>(.*?)</dd>", page(plan))
    assert offered == ["Report a fault"]


def test_nothing_of_it_is_told_where_counts_are_not_public(plan: Planning) -> None:
    publish(plan.desk, SHOP)
    plan.desk.settings = replace(plan.desk.settings, public_pulse=False)
    text = page(plan)
    assert rows(text) == {}
    assert "<dd>" not in text
    assert not any(f">{login}<" in text for login in PEOPLE)
