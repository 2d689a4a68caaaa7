"""Routing: where a ticket goes and who gets it, and turning an assignment down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from itsm.api import representation
from itsm.api.auth import SIGNED_IN, may
from itsm.api.forms import Form, Text
from itsm.api.representation import TicketShape
from itsm.api.routing import Answer, Resource
from itsm.api.shapes import Shape, many, open_object, text, texts, whole
from itsm.assignment import commands
from itsm.assignment.planning import Keep, Plan
from itsm.people.access import Permission
from itsm.tickets import queries
from itsm.tickets.desk import Tx

assignment = Resource("Assignment", "Where tickets go by the routing table, who gets them, and turning an assignment down.")

_KEEPS = tuple(keep.value for keep in Keep)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a routing is to leave as it is."""

    keep: str


class RoutingForm(Form):
    """What a routing is to leave as it is."""

    makes = Asked

    keep = Text("`group` to look for a person only; else the table decides anew.", choices=_KEEPS, load_default="nothing")


@dataclass(frozen=True, slots=True)
class NewRejection:
    """Why an assignment is turned down."""

    reason: str


class RejectionForm(Form):
    """Why an assignment is turned down."""

    makes = NewRejection

    reason = Text("Why, for whoever has it next.", commands.LONGEST_REASON, required=True)


class PassedShape(Shape):
    """Somebody who would not get the ticket."""

    login = text("Who.")
    why = text("The first thing that speaks against him.")


class RoutingShape(Shape):
    """What routing a ticket would do now."""

    rule = text("The rule of the table that holds.", optional=True)
    before = texts("The rules that were looked at before it and do not hold.")
    group = text("Where it would be; null where it would be with nobody.", optional=True)
    strategy = text("How somebody is found there: `none`, `round_robin` or `least_loaded`.")
    needs = open_object("The levels of skills that are needed, by skill.")
    assignee = text("Who would get it; null where nobody is looked for, or can be found.", optional=True)
    eligible = whole("How many could take it.")
    passed = many(PassedShape, "Who could not, and why.")


@assignment.get("/tickets/{number}/routing", policy=may(Permission.WORK), query=RoutingForm(), answers={200: RoutingShape()})
def explain(tx: Tx, number: str, query: Asked) -> Answer:
    """Explain what routing a ticket would do now, and why."""
    return Answer(_plan(commands.explain(tx, queries.ticket(tx, number), Keep(query.keep))))


@assignment.post(
    "/tickets/{number}/routing", policy=may(Permission.WORK), body=RoutingForm(), answers={200: TicketShape()}, etag=True
)
def route(tx: Tx, number: str, body: Asked) -> Answer:
    """Route a ticket anew.

    The table says to which group, the group's strategy to whom. What only the members of a group may read stays with it.
    """
    return representation.answer(tx, commands.route(tx, number, Keep(body.keep)))


@assignment.post(
    "/tickets/{number}/assignment/rejection",
    policy=SIGNED_IN,
    body=RejectionForm(),
    answers={200: TicketShape()},
    etag=True,
)
def reject(tx: Tx, number: str, body: NewRejection) -> Answer:
    """Turn down an assignment of the caller's, so that it passes to the next.

    After as many hops as the group allows, its lead has it.
    """
    return representation.answer(tx, commands.reject(tx, number, body.reason))


def _plan(plan: Plan) -> dict[str, Any]:
    passed = {} if plan.choice is None else plan.choice.passed
    return {
        "rule": None if plan.rule is None else plan.rule.name,
        "before": list(plan.before),
        "group": plan.group,
        "strategy": plan.strategy.value,
        "needs": dict(plan.needs),
        "assignee": None if plan.chosen is None else plan.chosen.login,
        "eligible": 0 if plan.choice is None else plan.choice.eligible,
        "passed": [{"login": login, "why": why} for login, why in passed.items()],
    }
