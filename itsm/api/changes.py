"""Changes: their calendar, freezes, feeds, gate, risk and models, as one resource. Each part is a module of its own."""

from __future__ import annotations

from itsm.api.change_feeds import subscriptions
from itsm.api.change_freezes import freezes
from itsm.api.change_gate import pipelines
from itsm.api.change_models import templates
from itsm.api.change_risk import risks
from itsm.api.change_schedule import calendar
from itsm.api.routing import Resource

changes = Resource(
    "Changes",
    "The change calendar: what is scheduled, frozen, in whose way, and where there is room.",
    parts=(calendar, freezes, subscriptions, pipelines, risks, templates),
)
