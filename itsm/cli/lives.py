"""What happens at the demo's desk by chance: incidents, requests, orders, problems and changes, and what becomes of each."""

from __future__ import annotations

from datetime import datetime, timedelta

from itsm.changes import assessing, standard
from itsm.cli.company import CUSTOMERS
from itsm.cli.orders import WISHES
from itsm.cli.simulation import Simulation, Step, office_hour, utc
from itsm.cli.stories import AFTERMATH, ASSESSMENTS, CHANGES, INCIDENTS, PROBLEMS, REQUESTS, STANDARD, Story
from itsm.people.access import SYSTEM
from itsm.platform.errors import DeskError
from itsm.tickets import links, queries
from itsm.tickets.opening import NewTicket
from itsm.workflow.case import Value
from itsm.workflow.definition import Category

TICKETS = 300
REJECTED = 0.12
NOT_THIS_QUARTER = "Not in this quarter's budget."


class Lives:
    """Ninety days of a desk, by chance, but always the same."""

    def __init__(self, play: Simulation) -> None:
        self._play = play
        self._chance = play.chance

    def plan(self, start: datetime, end: datetime) -> None:
        """Plan when something begins; what comes of it plans itself."""
        for at in sorted(start + (end - start) * self._chance.random() for _ in range(TICKETS)):
            self._play.plan(office_hour(at), self._something)

    def _something(self) -> None:
        kinds = {
            self._incident: 60,
            self._request: 7,
            self._order: 16,
            self._problem: 5,
            self._change: 8,
            self._standard_change: 4,
        }
        self._chance.choices(list(kinds), list(kinds.values()))[0]()

    def _incident(self) -> None:
        story, who = self._chance.choice(INCIDENTS), self._chance.choice(CUSTOMERS)
        urgency = self._chance.choice(story.urgencies)
        agent = self._play.worker(story.group)
        opener, requester = (agent, who) if story.item else (who, None)  # users do not know what their services rest on
        fields: dict[str, Value] = {"urgency": urgency}
        new = NewTicket("incident", story.title, story.text, fields, story.service, story.item, requester)
        self._play.follow(self._play.create(opener, new), self._mending(story, who, agent, urgency))

    def _mending(self, story: Story, who: str, agent: str, urgency: str) -> list[Step]:
        pace = 8.0 if self._chance.random() < 0.1 else 1.0  # now and then there is too much to do
        pace *= {"critical": 0.1, "high": 0.25, "medium": 1.0, "low": 1.5}[urgency]
        steps = [
            Step(agent, "assign", {"group": story.group}, wait=(0.1 * pace, 0.6 * pace)),
            Step(agent, "start", wait=(0.1 * pace, 1.2 * pace)),
        ]
        if self._chance.random() < 0.3:
            reason = self._chance.choice(("user", "vendor"))
            steps.append(Step(agent, "hold", {"pending_reason": reason}, wait=(0.3, 2), say=story.question))
            steps.append(Step(who, "", wait=(2, 60), say="Thank you, here is what you asked for."))
            steps.append(Step(agent, "", wait=(0.2, 4 * pace), say="Thank you, we are on it again."))
            if reason == "vendor":
                steps.append(Step(agent, "resume", wait=(0.5, 8)))
        code = self._chance.choices(("fixed", "workaround", "user_error", "not_reproducible"), (70, 15, 10, 5))[0]
        solved = {"resolution_code": code, "resolution": story.solution}
        steps.append(Step(agent, "resolve", solved, wait=(0.3 * pace, 14 * pace)))
        if self._chance.random() < 0.07:
            steps.append(Step(who, "reopen", wait=(2, 40), comment="It is back again."))
            steps.append(Step(agent, "resolve", {"resolution_code": "fixed", "resolution": story.solution}, wait=(1, 12)))
        elif self._chance.random() < 0.35:
            steps.append(Step(who, "close", wait=(1, 30)))
        return steps

    def _request(self) -> None:
        """Something that no item of the catalogue is for."""
        story, who = self._chance.choice(REQUESTS), self._chance.choice(CUSTOMERS)
        number = self._play.create(who, NewTicket("request", story.title, story.text, service=story.service))
        agent = self._play.worker(story.group)
        rejected = self._chance.random() < REJECTED
        steps = [
            Step(agent, "assign", {"group": story.group}, wait=(1, 8)),
            Step(agent, "start", wait=(1, 20)),
            Step(agent, "fulfil", {"outcome": "fulfilled", "fulfilment_note": story.solution}, wait=(4, 30)),
        ]

        def decide() -> None:
            self._decide(number, rejected)
            self._play.follow(number, [] if rejected else steps)

        self._play.later((1, 40), decide)

    def _order(self) -> None:
        """Something of the catalogue; what becomes of it is seen to by its approvers and the groups of its tasks."""
        wish = self._chance.choice(WISHES)
        number = self._play.order(self._chance.choice(wish.by), wish.item, wish.answers(self._play.now))
        rejected = self._chance.random() < REJECTED
        for wait in ((1, 40), (45, 90)):  # a second stage is asked once the first has agreed
            self._play.later(wait, lambda: self._decide(number, rejected))
        self._play.later((4, 30), lambda: self._fulfil(number))

    def _decide(self, number: str, rejected: bool) -> None:
        for each in (number, *self._play.parts(number)):
            self._play.decide(each, *(("reject", NOT_THIS_QUARTER) if rejected else ("approve",)))

    def _fulfil(self, number: str) -> None:
        """One task of an order is done, and after a while the next, until there is none left."""
        with self._play.desk.reading(SYSTEM) as tx:
            over = queries.ticket(tx, number).category in (Category.RESOLVED, Category.CLOSED)
        if not over:
            self._play.fulfil(number, most=1)
            self._play.later((2, 24), lambda: self._fulfil(number))

    def _problem(self) -> None:
        story = self._chance.choice(PROBLEMS)
        agent = self._play.worker(story.group)
        known = {"root_cause": story.question, "workaround": "Restart the service."}
        self._play.follow(
            self._play.create(agent, NewTicket("problem", story.title, story.text)),
            [
                Step(agent, "assign", {"group": story.group}, wait=(1, 20)),
                Step(agent, "investigate", wait=(2, 30)),
                Step(agent, "record_known_error", known, wait=(24, 200)),
                Step(agent, "resolve", {"resolution_code": "fix_applied", "resolution": story.solution}, wait=(100, 600)),
            ],
        )

    def _change(self) -> None:
        story = self._chance.choice(CHANGES)
        agent = self._play.worker(story.group)
        plans: dict[str, Value] = {
            "justification": story.text,
            "implementation_plan": story.solution,
            "backout_plan": "Restore the snapshot.",
            "test_plan": "Smoke test by the service desk.",
        }
        new = NewTicket("change", story.title, story.text, {"change_type": "normal"}, story.service, story.item)
        number = self._play.create(agent, new)
        answers = self._chance.choice(ASSESSMENTS)
        self._play.follow(
            number,
            [Step(agent, "assign", {"group": story.group}, wait=(0.5, 4)), Step(agent, "submit", plans, wait=(1, 8))],
            lambda: self._play.later((2, 12), lambda: self._put_to_the_authority(number, agent, answers)),
        )

    def _put_to_the_authority(self, number: str, agent: str, answers: dict[str, str]) -> None:
        self._play.do(agent, lambda tx: assessing.assess(tx, number, answers))
        self._play.take(number, Step("chris", "request_authorisation"))
        for wait in ((12, 30), (70, 90)):  # the change authority may have to be asked once more
            self._play.later(wait, lambda: self._play.decide(number, "approve"))
        for wait in ((36, 60), (100, 130)):
            self._play.later(wait, lambda: self._schedule(number, agent))

    def _standard_change(self) -> None:
        one = self._chance.choice(STANDARD)
        agent = self._play.worker(one.group)
        number: str = self._play.do(agent, lambda tx: standard.create(tx, one.model, one.title, one.service, one.item).number)
        self._play.follow(number, [Step(agent, "submit", {"group": one.group}, wait=(0.2, 2))])
        self._play.later((3, 8), lambda: self._schedule(number, agent))

    def _schedule(self, number: str, agent: str) -> None:
        start = office_hour(self._play.now + timedelta(hours=self._chance.uniform(20, 120))).replace(second=0, microsecond=0)
        window = {"planned_start": utc(start), "planned_end": utc(start + timedelta(hours=3))}
        try:
            self._play.take(number, Step(agent, "schedule", window))
        except DeskError:  # not authorised in time, or frozen
            return
        self._play.plan(start + timedelta(minutes=10), lambda: self._implement(number, agent))

    def _implement(self, number: str, agent: str) -> None:
        ends = ("successful", "with_issues", "backed_out")
        end = self._chance.choices(ends, (80, 10, 10))[0]
        last = Step(agent, "complete", {"outcome": end}, wait=(0.5, 2))
        if end == "backed_out":
            last = Step(agent, "back_out", wait=(0.5, 2), comment="The tests failed; all is as it was before.")
        review = Step("carla", "close", {"review_notes": "What was learned is in the plan of the next one."}, wait=(24, 90))
        try:
            self._play.take(number, Step(agent, "implement"))
        except DeskError:  # frozen, or put off
            return
        self._play.follow(number, [last, review])
        if end == "with_issues":
            self._play.later((3, 20), lambda: self._cause_trouble(number))

    def _cause_trouble(self, number: str) -> None:
        """Somebody finds something broken by a change, and the desk finds out which."""
        new = NewTicket("incident", AFTERMATH.title, AFTERMATH.text, {"urgency": "high"}, requester="tom")
        incident = self._play.create("anna", new)
        self._play.do("anna", lambda tx: links.link(tx, incident, "caused_by", number))
        self._play.follow(incident, self._mending(AFTERMATH, "tom", "anna", "high"))
