"""The picture on the first page is the one that the shipped workflow gives."""

from __future__ import annotations

from itsm.platform.settings import PROJECT_ROOT
from itsm.workflow.diagram import svg
from tests.service import practices


def test_the_incidents_picture_is_drawn_from_the_shipped_workflow() -> None:
    kept = (PROJECT_ROOT / "docs" / "incident.svg").read_text()
    assert kept.rstrip("\n") == svg(practices()["incident"]).rstrip("\n"), "itsm workflow diagram incident > docs/incident.svg"
