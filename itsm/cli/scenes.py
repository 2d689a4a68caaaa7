"""What is under way when the demo's curtain rises: whatever the dice have left, there is something in every stage.

Each deed is planned so long before the end, by the people whose deed it is. Windows and freezes lie as far ahead.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial

from itsm.approvals import delegations
from itsm.approvals.delegations import NewDelegation
from itsm.assignment import periods
from itsm.assignment.periods import NewAbsence, NewOverride
from itsm.catalog import commands as ordering
from itsm.catalog import recurrences
from itsm.catalog.recurrences import NewRecurrence
from itsm.changes import agenda, assessing, freezes, meetings, standard, voting
from itsm.changes.board import Result, Vote
from itsm.changes.freezes import NewFreeze
from itsm.changes.meetings import NewMeeting
from itsm.cli.orders import laptop, licence, monitor, new_hire, phone, visitors
from itsm.cli.plans import PLANS, WORM, Plan
from itsm.cli.simulation import Simulation, Step, utc
from itsm.cli.stories import ALREADY_LATE, ASSESSMENTS, JUST_REPORTED, NEARLY_LATE, STANDARD, STILL_WAITING, Standard, Story
from itsm.platform.errors import DeskError
from itsm.tickets import links
from itsm.tickets.opening import NewTicket
from itsm.workflow.case import Value


class Scenes:
    """The last days before `end`, and what is planned after it."""

    def __init__(self, play: Simulation, end: datetime) -> None:
        self._play = play
        self._end = end

    def plan(self) -> None:
        """Plan all of it."""
        for before, deed in (
            (timedelta(hours=30), lambda: self._urgent(STILL_WAITING, *_TAKEN, _WAITING)),
            (timedelta(hours=5), lambda: self._urgent(ALREADY_LATE, *_TAKEN)),
            (timedelta(hours=3, minutes=20), lambda: self._urgent(NEARLY_LATE, *_TAKEN)),
            (timedelta(minutes=6), lambda: self._urgent(JUST_REPORTED)),
            (timedelta(hours=70), self._requests_that_ended),
            (timedelta(hours=26), self._requests_under_way),
            (timedelta(hours=7), self._requests_that_wait),
            (timedelta(days=12), self._change_that_is_taken_back),
            (timedelta(days=10), self._something_that_comes_again),
            (timedelta(days=3), self._changes_that_are_planned),
            (timedelta(hours=20), self._emergency_to_review),
            (timedelta(hours=18), self._freeze),
            (timedelta(hours=16), self._people_who_are_away),
            (timedelta(hours=9), self._changes_that_begin),
        ):
            self._play.plan(self._end - before, deed)

    # Incidents

    def _urgent(self, story: Story, *steps: Step) -> None:
        """A promise near its end, broken, or at rest."""
        fields: dict[str, Value] = {"urgency": "critical", "impact": "extensive"}
        new = NewTicket("incident", story.title, story.text, fields, service=story.service, requester="nils")
        number = self._play.create("noor", new)
        for step in steps:
            self._play.take(number, step)

    # Requests

    def _requests_that_ended(self) -> None:
        play = self._play
        closed = play.order("yuki", "guest-wifi", visitors(play.now))
        play.fulfil(closed)
        play.take(closed, Step("yuki", "close"))
        refused = play.order("nils", "phone", phone(play.now))
        play.decide(refused, "reject", "Your present telephone is not yet two years old.")
        given_up = play.order("tom", "monitor", monitor(play.now))
        play.take(given_up, Step("tom", "cancel", comment="A colleague who leaves gives me hers."))

    def _requests_under_way(self) -> None:
        play = self._play
        newcomer = play.order("paul", "new-hire", new_hire(play.now))
        play.decide(newcomer, "approve")
        play.decide(newcomer, "approve", "Planned in the budget.")
        play.fulfil(newcomer, most=3)  # the account, with which everything else begins, and something of that
        delivery = play.order("yuki", "monitor", monitor(play.now))
        play.decide(delivery, "approve")
        play.take(delivery, Step("ben", "assign", {"group": "desktop"}))
        say = "The monitors come on Thursday; we set them up the same day."
        play.take(delivery, Step("ben", "hold", {"pending_reason": "delivery"}, say=say))
        made = play.order("nils", "software-licence", licence(play.now))
        play.decide(made, "approve")
        play.take(made, Step("ines", "start", {"group": "desktop"}))
        play.fulfil(made, most=1)
        queued = play.order("mara", "phone", phone(play.now))
        play.decide(queued, "approve")
        play.take(queued, Step("ben", "assign", {"group": "desktop"}))
        approved = play.order("tom", "laptop", laptop(play.now))
        play.decide(approved, "approve")
        done = play.order("mara", "guest-wifi", visitors(play.now))
        play.fulfil(done)

    def _requests_that_wait(self) -> None:
        play = self._play
        play.order("yuki", "laptop", laptop(play.now))
        play.order("olaf", "monitor", monitor(play.now))
        half = play.order("paul", "new-hire", {**new_hire(play.now), "name": "Ada Sommer", "private_mail": "ada@home.example"})
        self._play.decide(half, "approve")  # his manager has; now the money is asked
        draft = {"program": "cad", "reason": "The drawings of"}
        play.do("mara", lambda tx: ordering.save_draft(tx, "software-licence", draft))

    def _something_that_comes_again(self) -> None:
        """Each Monday a file is restored, to see that it can be."""
        answers = {
            "path": "S:/test",
            "what": "The test file of the week",
            "as_of": utc(self._play.now - timedelta(days=1)),
            "work_stands": False,
        }
        starts = self._play.now.strftime("%Y-%m-%dT09:00")
        new = NewRecurrence("data-restore", answers, "FREQ=WEEKLY;BYDAY=MO", starts, "Europe/Berlin", "office-hours", "next")
        recurrence: int = self._play.do("lena", lambda tx: recurrences.subscribe(tx, new).id)
        for days in range(1, 10):
            self._play.plan(self._play.now + timedelta(days=days), lambda: self._restore(recurrence))

    def _restore(self, recurrence: int) -> None:
        with self._play.desk.reading(self._play.actor("lena")) as tx:
            numbers = [row.number for row in recurrences.last(tx, recurrence, 9) if row.number is not None]
        for number in numbers:
            self._play.fulfil(number)

    # Changes

    def _draft(self, plan: Plan) -> str:
        fields: dict[str, Value] = {"change_type": plan.type}
        return self._play.create(
            plan.who, NewTicket("change", plan.title, plan.text, fields, service=plan.service, ci=plan.item)
        )

    def _submitted(self, plan: Plan, answers: Mapping[str, str] | None = None) -> str:
        """A change that is assessed, by its answers about risk."""
        number = self._draft(plan)
        self._play.take(number, Step(plan.who, "submit", {"group": plan.group, **plan.fields}))
        if answers is not None:
            self._play.do(plan.who, lambda tx: assessing.assess(tx, number, answers))
        return number

    def _before_its_authority(self, plan: Plan, answers: Mapping[str, str] = ASSESSMENTS[2]) -> str:
        number = self._submitted(plan, answers)
        self._play.take(number, Step("chris", "request_authorisation"))
        return number

    def _authorised(self, plan: Plan, answers: Mapping[str, str]) -> str:
        number = self._before_its_authority(plan, answers)
        self._play.decide(number, "approve")
        return number

    def _schedule(self, number: str, start: datetime, length: timedelta) -> None:
        """Put a change into the schedule, past whatever freeze the configuration may have just then."""
        window = {"planned_start": utc(start), "planned_end": utc(start + length)}
        try:
            self._play.take(number, Step("chris", "schedule", window))
        except DeskError:
            why = "The demo is to show something in every stage."
            self._play.take(number, Step("chris", "schedule", {**window, "schedule_override": why}))

    def _around_now(self, number: str) -> None:
        """Put a change into a window that has begun and will be open for a while."""
        self._schedule(number, self._play.now.replace(minute=0, second=0, microsecond=0), timedelta(hours=18))

    def _night(self, days: int) -> datetime:
        """Eight in the evening, UTC, so many days after the end."""
        return (self._end + timedelta(days=days)).replace(hour=20, minute=0, second=0, microsecond=0)

    def _change_that_is_taken_back(self) -> None:
        play = self._play
        number = self._authorised(PLANS["gateway"], ASSESSMENTS[1])
        self._around_now(number)
        play.take(number, Step("noor", "implement"))
        play.take(number, Step("noor", "back_out", comment="Two of the partners' tunnels did not come back."))
        fields: dict[str, Value] = {"urgency": "high"}
        text = "Since tonight the connection to our partner is down."
        new = NewTicket("incident", "Partner cannot be reached", text, fields, "remote-access", requester="tom")
        incident = play.create("anna", new)
        play.do("anna", lambda tx: links.link(tx, incident, "caused_by", number))
        play.take(incident, Step("noor", "assign", {"group": "network"}))
        play.take(incident, Step("noor", "start"))
        solved = {"resolution_code": "fixed", "resolution": "The former software of the gateway is back."}
        play.take(incident, Step("noor", "resolve", solved))
        review = "The test gateway has other software than the real one. It is brought into line before the next attempt."
        play.plan(play.now + timedelta(hours=40), lambda: play.take(number, Step("carla", "close", {"review_notes": review})))

    def _changes_that_are_planned(self) -> None:
        """A draft, and one each that is assessed, awaits its authority, has it, was given up, and is in the calendar."""
        play = self._play
        self._draft(PLANS["archive"])
        self._submitted(PLANS["crm"])
        self._meetings([self._before_its_authority(PLANS[name]) for name in ("directory", "core switch")])
        given_up = self._submitted(PLANS["intranet"])
        play.take(given_up, Step("ivan", "cancel", comment="The supplier has withdrawn the release."))
        # Two in one night; what the database stands on is what the other changes.
        storage, database = (self._authorised(PLANS[name], ASSESSMENTS[1]) for name in ("storage", "database"))
        self._schedule(storage, self._night(3), timedelta(hours=3))
        self._schedule(database, self._night(3) + timedelta(hours=1), timedelta(hours=4))
        # Scheduled before the freeze was declared, which it will have to give way to.
        frozen = self._authorised(PLANS["wireless"], ASSESSMENTS[0])
        self._schedule(frozen, self._night(9), timedelta(hours=2))

    def _meetings(self, changes: list[str]) -> None:
        """The board has met, and has authorised the first of two changes; the other is on the agenda of the next meeting."""
        play = self._play
        (first, second), now = changes, play.now
        held = self._call("Change advisory board", now.replace(minute=0, second=0, microsecond=0), *changes)
        play.do("chris", lambda tx: meetings.attend(tx, held, ("chris", "carla", "noor")))
        for login in ("carla", "chris"):
            play.do(login, lambda tx: voting.vote(tx, held, first, Vote.APPROVE, None))
        play.do("chris", lambda tx: voting.conclude(tx, held, first, Result.AUTHORISED, None))
        why = "First it is to be seen that core switch 2 carries everything alone."
        play.do("chris", lambda tx: voting.conclude(tx, held, second, Result.DEFERRED, why))
        play.do("chris", lambda tx: meetings.note(tx, held, "Noor tests it in the night to Sunday."))
        play.do("chris", lambda tx: meetings.close(tx, held))
        self._call("Change advisory board", now.replace(minute=0, second=0, microsecond=0) + timedelta(days=7), second)

    def _call(self, title: str, at: datetime, *changes: str) -> int:
        """Call a meeting of the board about some changes."""
        new = NewMeeting(title, at, at + timedelta(hours=1), groups=("cab",))
        meeting: int = self._play.do("chris", lambda tx: meetings.call(tx, new))
        for number in changes:
            self._play.do("chris", partial(agenda.add, meeting_id=meeting, number=number, minutes=agenda.MINUTES))
        return meeting

    def _emergency_to_review(self) -> None:
        play = self._play
        number = self._draft(WORM)
        play.take(number, Step(WORM.who, "submit", {"group": WORM.group, **WORM.fields}))
        play.decide(number, "approve", "Do it at once.")
        play.take(number, Step(WORM.who, "implement"))
        play.take(number, Step(WORM.who, "complete", {"outcome": "successful"}))

    def _freeze(self) -> None:
        reason = "Stock-taking: until everything is counted, nothing is changed."
        freeze = NewFreeze(reason, self._night(8), self._night(10), ())
        self._play.do("chris", lambda tx: freezes.declare(tx, freeze))

    def _changes_that_begin(self) -> None:
        """One is being carried out in its window; of two by a model, one is scheduled and the other awaits its review."""
        play = self._play
        under_way = self._authorised(PLANS["backup"], ASSESSMENTS[0])
        self._around_now(under_way)
        play.take(under_way, Step("ivan", "implement"))
        switch = self._by_model("noor", STANDARD[1])
        self._schedule(switch, self._night(2), timedelta(hours=1))
        certificate = self._by_model("ivan", STANDARD[2])
        self._around_now(certificate)
        play.take(certificate, Step("ivan", "implement"))
        play.take(certificate, Step("ivan", "complete", {"outcome": "with_issues"}))

    def _by_model(self, agent: str, change: Standard) -> str:
        number: str = self._play.do(
            agent, lambda tx: standard.create(tx, change.model, change.title, change.service, change.item).number
        )
        self._play.take(number, Step(agent, "submit", {"group": change.group}))
        return number

    # People

    def _people_who_are_away(self) -> None:
        play, end = self._play, self._end
        holiday = NewAbsence(end - timedelta(hours=2), end + timedelta(days=9), "ben", "Holiday")
        play.do("lena", lambda tx: periods.enter_absence(tx, holiday))
        course = NewAbsence(end + timedelta(days=4), end + timedelta(days=12), "emre", "Training course")
        play.do("leo", lambda tx: periods.enter_absence(tx, course))
        stands_in = NewOverride("network", "primary", "noor", course.starts_at, course.ends_at, "Emre is on a course.")
        play.do("leo", lambda tx: periods.enter_override(tx, stands_in))
        delegation = NewDelegation("paul", end + timedelta(days=2), end + timedelta(days=16), "Visiting the plants abroad")
        play.do("pia", lambda tx: delegations.delegate(tx, delegation))


_TAKEN = (Step("noor", "assign", {"group": "network"}), Step("noor", "start"))
_WAITING = Step("noor", "hold", {"pending_reason": "user"}, say="Which building are you in?")
