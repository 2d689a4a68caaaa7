"""The shipped configuration says what somebody can do: who is asked can be asked, and what is bought has been approved."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest

from itsm.people import roles
from itsm.people.access import Permission
from itsm.platform.settings import PROJECT_ROOT
from itsm.workflow import source

CONFIG: Final = PROJECT_ROOT / "config"


def written(path: Path) -> dict[str, Any]:
    """What a file of the configuration says."""
    tree, findings = source.parse_file(path)
    assert tree is not None, findings
    said: dict[str, Any] = source.plain(tree)
    return said


POLICIES: Final[dict[str, Any]] = written(CONFIG / "approvals.yaml")["policies"]
ITEMS: Final[dict[str, Any]] = {
    name: item for file in sorted((CONFIG / "catalog").glob("*.yaml")) for name, item in written(file).get("items", {}).items()
}


@pytest.mark.parametrize("name", POLICIES)
def test_no_question_passes_to_a_lead_who_may_not_answer_it(name: str) -> None:
    may = roles.load(CONFIG / "roles.yaml").permissions["lead"]
    passed = {stage["escalate"]["to"] for stage in POLICIES[name]["stages"] if "escalate" in stage}
    assert Permission.DECIDE in may or "lead" not in passed


@pytest.mark.parametrize("name", [name for name, item in ITEMS.items() if item.get("makes", "request") == "request"])
def test_every_item_says_who_approves_it(name: str) -> None:
    assert "approval" in ITEMS[name]


@pytest.mark.parametrize("name", [name for name, item in ITEMS.items() if "price" in item])
def test_what_has_a_price_is_approved_by_a_policy_that_a_change_of_its_cost_makes_void(name: str) -> None:
    assert "cost" in POLICIES[ITEMS[name]["approval"]].get("material", [])


def test_administration_rights_are_assessed_before_they_are_granted() -> None:
    tasks = ITEMS["application-access"]["tasks"]
    assert "admin" in tasks["assess"]["if"]
    assert tasks["grant"]["after"] == "assess"


def test_nobody_is_shut_out_before_somebody_has_confirmed_that_they_leave() -> None:
    assert ITEMS["leaver"]["tasks"]["shut"]["after"] == "confirm"


def test_every_application_belongs_to_a_service_whose_owner_is_asked() -> None:
    applications = written(CONFIG / "catalog" / "shared.yaml")["tables"]["applications"]
    assert {row["service"] for row in applications.values()} <= set(written(CONFIG / "services.yaml"))
    assert "service.owner" in POLICIES["access"]["stages"][0]["of"]
    assert "part_of" in str(ITEMS["application-access"]["fields"]["service"])


def test_an_emergency_never_waits_for_office_hours() -> None:
    assert {stage["calendar"] for stage in POLICIES["emergency-change"]["stages"]} == {"always"}
