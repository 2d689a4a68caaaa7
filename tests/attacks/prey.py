"""What attackers are after: tickets whose every corner holds a random canary, and a net for each byte that comes back."""

from __future__ import annotations

import secrets
from io import BytesIO
from typing import Any

from tests.api.world import INCIDENT, ROUTES, Api, Reply
from tests.catalog.world import LAPTOP, publish


def canary() -> str:
    """128 random bits in a word that search would find; letters and digits only, so that no encoding hides it."""
    return f"cnry{secrets.token_hex(16)}"


class Prey:
    """Two tickets full of canaries.

    `hidden` is rb1's, with the restricted group security: nobody but rb1 and g2 may know it. `own` is ra1's and he reads it,
    save its internal note, file and work. `hidden_change` is g2's, with security as well. `canaries` are the words that must
    not reach ra1 on any way, by what they stand in; `key` is that of a feed of rb1's.
    """

    def __init__(self, api: Api) -> None:
        self.api = api
        self.canaries: dict[str, str] = {}
        words = self._word
        self.hidden = api("rb1").opens(title=words("hidden title"), description=words("hidden description"))
        resolver = api("g2")
        assert resolver.fires(self.hidden, "assign", words("hidden move"), group="security").status == 200
        assert resolver.fires(self.hidden, "start").status == 200
        assert api("rb1").says(self.hidden, words("hidden word")).status == 201
        assert resolver.says(self.hidden, words("hidden note"), "internal").status == 201
        self.hidden_file = self.attach("rb1", self.hidden, "hidden", "public")
        assert resolver.post(f"/tickets/{self.hidden}/work", {"minutes": 3, "note": words("hidden work")}).status == 201
        self.hidden_task = resolver.post(f"/tickets/{self.hidden}/tasks", {"title": words("hidden task")}).json["number"]
        self.own = api.in_progress()
        assert api("g1").says(self.own, words("note"), "internal").status == 201
        self.file = self.attach("g1", self.own, "internal", "internal")
        assert api("g1").post(f"/tickets/{self.own}/work", {"minutes": 3, "note": words("work")}).status == 201
        tie = resolver.post(f"/tickets/{self.own}/links", {"kind": "related_to", "number": self.hidden})
        assert tie.status == 201
        self.tie: int = tie.json["id"]
        self.question = self._question()
        self.delegation: int = api("cm1").post("/approvals/delegations", {"delegate": "cm2", **PERIOD}).json["id"]
        self.hidden_change = self._hidden_change()
        away = {**PERIOD, "note": words("why g1 is away")}
        self.absence: int = api("g1").post("/absences", away).json["id"]
        feed = api("rb1").post("/changes/feeds", {"label": words("label of a feed")}).json
        self.feed: int = feed["id"]
        self.key: str = feed["path"].partition("key=")[2]
        self.meeting = self._meeting()
        publish(api.desk)
        coming = {**RECURRENCE, "answers": {**LAPTOP, "address": words("where a laptop goes")}}
        self.recurrence: int = api("rb1").post("/catalog/recurrences", coming).json["id"]

    def attach(self, login: str, number: str, name: str, visibility: str) -> str:
        """Attach a file with canaries in its name and bytes; its address."""
        content = BytesIO(self._word(f"{name} file").encode())
        data = {"file": (content, self._word(f"{name} file name") + ".txt"), "visibility": visibility}
        reply = self.api(login).call("POST", f"/tickets/{number}/attachments", data=data)
        assert reply.status == 201, reply.text
        href: str = reply.json["href"]
        return href

    def leaks(self, reply: Reply) -> list[str]:
        """What of the prey an answer gives away, in its head or its body."""
        caught = f"{reply.headers}\n".encode() + reply.content
        return [what for what, word in self.canaries.items() if word.encode() in caught.lower()]

    def _word(self, what: str) -> str:
        return self.canaries.setdefault(what, canary())

    def _hidden_change(self) -> str:
        """A change of g2's in the restricted group security, with a window."""
        window = {"planned_start": PERIOD["starts_at"], "planned_end": PERIOD["ends_at"]}
        number = self.api("g2").opens("change", title=self._word("title of a hidden change"), fields=window)
        assert self.api("g2").fires(number, "assign", group="security").status == 200
        return number

    def _meeting(self) -> int:
        """A meeting that g2 chairs, alone, with the hidden change on its agenda."""
        body = {"title": self._word("title of a meeting"), **PERIOD, "chair": "g2"}
        made: int = self.api("cm1").post("/changes/meetings", body).json["id"]
        at = f"/changes/meetings/{made}"
        assert self.api("g2").post(f"{at}/items", {"number": self.hidden_change}).status == 201
        vote = {"vote": "abstain", "comment": self._word("word of a vote")}
        assert self.api("g2").post(f"{at}/items/{self.hidden_change}/votes", vote).status == 201
        assert self.api("g2").post(f"{at}/notes", {"body": self._word("note of a meeting")}).status == 201
        return made

    def _question(self) -> int:
        """A change that ra1 does not see, and what cm1 is asked about it; the question's id."""
        plan = dict.fromkeys(("implementation_plan", "test_plan", "backout_plan"), self._word("hidden plan"))
        number = self.api("g1").opens("change", title=self._word("hidden change"), fields={"group": "network"})
        for trigger, fields in (("submit", {"justification": "Old."}), ("request_authorisation", {**plan, "risk": "low"})):
            reply = self.api("g1").fires(number, trigger, **fields)
            assert reply.status == 200, reply.text
        self.change = number
        question: int = self.api("cm1").get("/approvals").items[0]["id"]
        return question


class Place:
    """Where `paths` finds its values, without the prey: an incident of ra1, in progress with g1."""

    def __init__(self, api: Api) -> None:
        self.own, other = api.in_progress(), api("ra1").opens()
        made = api("g1").post(f"/tickets/{self.own}/links", {"kind": "related_to", "number": other}).json
        self.tie: int = made["id"]
        self.question = self.delegation = self.absence = self.feed = self.meeting = self.recurrence = 1


def where(endpoint: str, prey: Prey | Place, number: str, file: str) -> str:
    """The address of a route for this ticket, with the parameters that it cannot do without."""
    route = ROUTES[endpoint]
    values = paths(prey, number, file)
    if endpoint.startswith("changes."):
        values["name"] = "renew-certificate"
    return route.full_path.format(**values) + QUERIES.get(endpoint, "")


def paths(prey: Prey | Place, number: str, file: str) -> dict[str, str]:
    """A value for each parameter of a path that leads to a ticket."""
    return {
        "number": number,
        "attachment_id": file.rsplit("/", 1)[1],
        "link_id": str(prey.tie),
        "login": "rb1",
        "approval_id": str(prey.question),
        "delegation_id": str(prey.delegation),
        "absence_id": str(prey.absence),
        "feed_id": str(prey.feed),
        "meeting_id": str(prey.meeting),
        "recurrence_id": str(prey.recurrence),
        "override_id": "1",
        "freeze_id": "1",
        "name": "incident",
        "item": "laptop",
        "key": "laptop-17",
        "kind": "runs_on",
        "other": "workplace",
        "version": "0",
        "call": "msg_0",
    }


PERIOD = {"starts_at": "2026-03-02T09:00:00Z", "ends_at": "2026-03-03T09:00:00Z"}
RECURRENCE = {"item": "laptop", "answers": LAPTOP, "rule": "FREQ=WEEKLY", "starts": "2026-03-03T09:00", "zone": "UTC"}

SIGNED = frozenset({"callbacks.answer"})
"""Routes that read nothing which its sender has not signed; what they do with the rest is held by tests/delivery."""

BODIES: dict[str, dict[str, Any]] = {
    "tickets.create": INCIDENT,
    "tickets.edit": {"title": "Mine now"},
    "transitions.fire": {"trigger": "cancel", "comment": "Mine."},
    "comments.write": {"body": "Mine.", "visibility": "public"},
    "links.tie": {"kind": "related_to", "number": "INC0000001"},
    "tasks.add": {"title": "Mine"},
    "watchers.add": {"login": "ra1"},
    "work.book": {"minutes": 5},
    "approvals.decide": {"decision": "approve", "comment": "Mine."},
    "approvals.delegate": {"delegate": "cm1", **PERIOD},
    "workflows.examine": {"source": "workflow: x"},
    "services.add": {"key": "mine", "name": "Mine"},
    "services.edit": {"name": "Mine"},
    "services.relate": {"kind": "made_of", "target": "laptop-17"},
    "configuration-items.add": {"key": "mine", "name": "Mine"},
    "configuration-items.edit": {"name": "Mine"},
    "configuration-items.relate": {"kind": "runs_on", "target": "laptop-17"},
    "catalogue.preview": {"answers": {}},
    "catalogue.order": {"answers": {}},
    "catalogue.save_draft": {"answers": {}},
    "recurring-orders.subscribe": RECURRENCE,
    "assignment.route": {"keep": "nothing"},
    "assignment.reject": {"reason": "Mine."},
    "on-call.stand_in": {"group": "network", "layer": "primary", "login": "g1", **PERIOD},
    "on-call.be_away": {"login": "g1", **PERIOD, "note": "Mine."},
    "sla.take_out": {
        "clock": "incident-resolution",
        "start": "2026-03-02T08:00:00Z",
        "end": "2026-03-02T08:30:00Z",
        "reason": "Mine.",
    },
    "sla.excuse": {"clock": "incident-resolution", "cycle": 1, "reason": "Mine."},
    "escalation.acknowledge": {"comment": "Mine."},
    "changes.freeze": {"reason": "Mine.", **PERIOD, "services": ["workplace"], "spares": ["standard"]},
    "changes.subscribe": {"label": "Mine."},
    "changes.ask": {"change": "CHG0000001"},
    "changes.assess": {"answers": {"tested": "fully", "back_out": "minutes", "outage": "nobody", "experience": "often"}},
    "changes.approve": {"version": "0", "note": "Mine."},
    "changes.make": {"title": "Mine"},
    "callbacks.answer": {"status": "succeeded", "message": "Mine."},
    "change-meetings.call": {"title": "Mine.", **PERIOD, "chair": "g1", "members": ["g1"], "groups": ["network"]},
    "change-meetings.revise": {"title": "Mine.", "members": ["g1"]},
    "change-meetings.gather": {"planned_from": PERIOD["starts_at"], "unplanned": True, "types": ["normal"], "minutes": 5},
    "change-meetings.add": {"number": "CHG0000001", "minutes": 5},
    "change-meetings.arrange": {"position": 1, "minutes": 5},
    "change-meetings.vote": {"vote": "approve", "comment": "Mine."},
    "change-meetings.conclude": {"outcome": "deferred", "words": "Mine."},
    "change-meetings.attend": {"present": ["g1"]},
    "change-meetings.note": {"body": "Mine."},
}
"""A sound body for every route that takes one as JSON."""

QUERIES = {"changes.slots": "?duration=PT1H", "on-call.rota": "?group=network", "changes.subscribed": "?key=none"}
"""What a route's address cannot do without."""

PRIVILEGED = {
    "services.add": "l1",
    "services.edit": "l1",
    "services.relate": "l1",
    "configuration-items.add": "l1",
    "configuration-items.edit": "l1",
    "configuration-items.relate": "l1",
    "sla.take_out": "l1",
    "sla.excuse": "l1",
    "changes.freeze": "cm1",
    "changes.approve": "cm1",
    "change-meetings.call": "cm1",
}


def able(endpoint: str) -> str:
    """The login of somebody whose roles open a route that takes JSON: g1, wherever they open it."""
    return PRIVILEGED.get(endpoint, "g1")


def upload(endpoint: str = "attachments.attach") -> dict[str, Any]:
    """The parts of a sound upload."""
    more = {"visibility": "public"} if endpoint == "attachments.attach" else {}
    return {"file": (BytesIO(b"mine"), "mine.txt"), **more}
