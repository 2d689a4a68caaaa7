"""A standard change follows a template that the change authority has approved as it reads; nothing else is pre-authorised."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from itsm.changes import standard
from itsm.people.access import Channel
from itsm.platform.errors import DeskError
from itsm.tickets.records import Record
from tests.changes.desk import CALENDAR, Planning, book
from tests.service import actor
from tests.tickets.doing import Doing


def make(plan: Planning, name: str, by: str = "g1") -> Record:
    with plan.desk.transaction(actor(plan.desk, by), Channel.API) as tx:
        return standard.create(tx, name, None, "crm", None)


def approve(plan: Planning, name: str, by: str = "cm1", version: str | None = None) -> None:
    with plan.desk.transaction(actor(plan.desk, by), Channel.API) as tx:
        standard.approve(tx, name, version or standard.find(tx, name).version, "Done a hundred times.")


def revoke(plan: Planning, name: str) -> None:
    with plan.desk.transaction(actor(plan.desk, "cm2"), Channel.API) as tx:
        standard.revoke(tx, name)


def submit(plan: Planning, record: Record) -> Record:
    Doing(plan.desk, "g1").fire(record, "assign", group="network", assignee="g1")
    return Doing(plan.desk, "g1").fire(record, "submit")


def refusal(plan: Planning, record: Record) -> DeskError:
    with pytest.raises(DeskError) as refused:
        submit(plan, record)
    return refused.value


def test_a_change_by_a_model_is_filled_in_and_authorised_as_soon_as_it_is_submitted(plan: Planning) -> None:
    record = make(plan, "routine")
    assert (record.values["title"], record.values["risk"], record.values["standard_model"]) == ("Routine", "low", "routine")
    assert plan.told(record)[-1][0] == "made_from_model"
    assert submit(plan, record).state == "authorised"


def test_a_model_that_nobody_has_approved_is_not_used(plan: Planning) -> None:
    with pytest.raises(DeskError) as refused:
        make(plan, "unproved")
    assert refused.value.code == "not_approved"
    record = Doing(plan.desk, "g1").create("change", "By hand")
    Doing(plan.desk, "g1").edit(record, change_type="standard", standard_model="unproved")
    assert refusal(plan, record).code == "condition_failed"
    approve(plan, "unproved")
    assert submit(plan, record).state == "authorised"


def test_a_revoked_model_is_not_used_any_more_not_even_by_a_change_made_before(plan: Planning) -> None:
    record = make(plan, "routine")
    revoke(plan, "routine")
    assert "not approved" in refusal(plan, record).detail
    with pytest.raises(DeskError, match="not approved"):
        make(plan, "routine")
    with pytest.raises(DeskError, match="no approved"):
        revoke(plan, "routine")


def test_a_change_that_says_otherwise_than_its_model_is_none_of_it(plan: Planning) -> None:
    record = make(plan, "routine")
    Doing(plan.desk, "g1").edit(record, risk="high")
    error = refusal(plan, record)
    assert (error.code, [each.pointer for each in error.errors]) == ("condition_failed", ["/fields/risk"])


def test_a_model_is_chosen_from_those_there_are(plan: Planning) -> None:
    with pytest.raises(DeskError) as refused:
        Doing(plan.desk, "g1").create("change", "X", fields={"standard_model": "nonesuch"})
    assert (refused.value.code, refused.value.errors[0].pointer) == ("invalid_value", "/fields/standard_model")


def test_an_approval_is_of_a_version_and_given_once_by_the_change_authority(plan: Planning) -> None:
    deeds: list[tuple[Callable[[], None], str]] = [
        (lambda: approve(plan, "unproved", by="l1"), "forbidden"),
        (lambda: approve(plan, "unproved", version="of-last-year"), "stale"),
        (lambda: approve(plan, "routine"), "already_approved"),
        (lambda: approve(plan, "nonesuch"), "not_found"),
    ]
    for deed, code in deeds:
        with pytest.raises(DeskError) as refused:
            deed()
        assert refused.value.code == code


def test_whatever_is_changed_in_a_model_makes_it_another_version() -> None:
    before = book().models["routine"].version
    assert book(CALENDAR + "# A remark\n").models["routine"].version == before
    assert book(CALENDAR.replace("risk: low", "risk: moderate")).models["routine"].version != before


def test_models_are_listed_with_their_approval(plan: Planning) -> None:
    with plan.desk.reading(actor(plan.desk, "ra1")) as tx:
        found = {each.model.name: each.approved.by if each.approved else None for each in standard.offered(tx)}
    assert found == {"routine": "cm1", "unproved": None}
