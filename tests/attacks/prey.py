"""What attackers are after: tickets whose every corner holds a random canary, and a net for each byte that comes back."""

from __future__ import annotations

import secrets
from io import BytesIO
from typing import Any

from tests.api.world import INCIDENT, Api, Reply


def canary() -> str:
    """128 random bits in a word that search would find; letters and digits only, so that no encoding hides it."""
    return f"cnry{secrets.token_hex(16)}"


class Prey:
    """Two tickets full of canaries.

    `hidden` is rb1's, with the restricted group security: nobody but rb1 and g2 may know it. `own` is ra1's and he reads it,
    save its internal note, file and work. `canaries` are the words that must not reach ra1 on any way, by what they stand in.
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
        period = {"starts_at": "2026-03-02T09:00:00Z", "ends_at": "2026-03-03T09:00:00Z"}
        self.delegation: int = api("cm1").post("/approvals/delegations", {"delegate": "cm2", **period}).json["id"]

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


def paths(prey: Prey, number: str, file: str) -> dict[str, str]:
    """A value for each parameter of a path that leads to a ticket."""
    return {
        "number": number,
        "attachment_id": file.rsplit("/", 1)[1],
        "link_id": str(prey.tie),
        "login": "rb1",
        "approval_id": str(prey.question),
        "delegation_id": str(prey.delegation),
        "name": "incident",
        "item": "laptop",
        "key": "laptop-17",
        "kind": "runs_on",
        "other": "workplace",
        "version": "0",
    }


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
    "approvals.delegate": {"delegate": "cm1", "starts_at": "2026-03-02T09:00:00Z", "ends_at": "2026-03-03T09:00:00Z"},
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
}
"""A sound body for every route that takes one as JSON."""


def upload(endpoint: str = "attachments.attach") -> dict[str, Any]:
    """The parts of a sound upload."""
    more = {"visibility": "public"} if endpoint == "attachments.attach" else {}
    return {"file": (BytesIO(b"mine"), "mine.txt"), **more}
