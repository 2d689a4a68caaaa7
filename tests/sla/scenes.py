"""Random promises and stories, told twice: to the model in its own plain words, and as events to the fold."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from itertools import accumulate

from hypothesis import strategies as st

from itsm.sla.policy import Agreement, Policy
from itsm.sla.replay import derive
from itsm.sla.standing import Cycle, Key
from itsm.worktime.calendar import Calendar
from tests.worktime.comparison import calendar_of
from tests.worktime.oracle import Oracle, Plan

from .builders import MINUTE, Story, a_goal, a_policy, an_agreement, finder, on
from .model import Count, Desk, Promise, Row, Step, Ticket

PLANS = {
    "office": Plan("Europe/Berlin", {day: [("09:00", "17:00")] for day in range(5)}, {date(2026, 4, 3)}),
    "split": Plan("America/Santiago", {day: [("08:00", "12:00"), ("12:30", "17:00")] for day in range(6)}),
    "nights": Plan("Europe/Berlin", {day: [("22:00", "06:00")] for day in range(7)}),
    "reef": Plan("Australia/Lord_Howe", {day: [("00:00", "03:30"), ("14:00", "24:00")] for day in range(7)}),
    "always": Plan("UTC", {day: [("00:00", "24:00")] for day in range(7)}),
}
FIRST = datetime(2026, 3, 27, tzinfo=UTC)
"""Berlin's clocks go forward on 29 March, those of Lord Howe and Santiago back on 5 April."""
DAYS = 24
LAST_STEP = 14 * 1440


@cache
def oracle(name: str) -> Oracle:
    return Oracle(PLANS[name], FIRST, DAYS * 1440)


@cache
def calendar(name: str) -> Calendar:
    return calendar_of(PLANS[name])


@dataclass(frozen=True)
class Scene:
    """A promise, the hours that it runs in, and what happens to a ticket."""

    promise: Promise
    default: str
    steps: tuple[Step, ...]
    state: str
    priority: str
    group: str | None
    service: str | None

    def hours(self) -> dict[str, str]:
        """The calendars of the groups: one has hours of its own, the other those of the policy."""
        return {"network": "nights" if self.default != "nights" else "split"}

    def lived(self) -> list[tuple[Count, int]]:
        """What the model says: each cycle with what was spent at the last step; dues are those to the end of the window."""
        desk = Desk(self.promise, {name: oracle(name) for name in PLANS}, self.hours(), self.default)
        ticket = Ticket(self.state, self.priority, self.group, self.service)
        spent = [count.spent() for count in desk.live(ticket, list(self.steps))]
        desk.wait(ticket, self.steps[-1].minute, DAYS * 1440)
        return list(zip(desk.counts, spent, strict=True))

    def policy(self) -> Policy:
        promise = self.promise
        start = {"created": None, "contact": on("requester_replied"), "supplier": on(when="ticket.state == 'supplier'")}
        stop = {
            "done": on(when="ticket.category in ['resolved', 'closed']"),
            "answer": on("agent_replied"),
            "not-supplier": on(when="ticket.state != 'supplier'"),
        }
        return a_policy(
            *(
                a_goal(_words(row), row.priority and f"ticket.priority == '{row.priority}'", self.default, self._by())
                for row in promise.rows
            ),
            applies=promise.service and f"ticket.service == '{promise.service}'",
            start=start[promise.start],
            retroactive=promise.retroactive,
            pause="ticket.category == 'pending'" if promise.pauses else None,
            stop=stop[promise.stop],
            cancel=on(when="ticket.service == 'gone'") if promise.cancels else None,
            reset=on("reopened") if promise.resets else None,
            on_change=promise.on_change,
            per_group=promise.per_group,
            thresholds=["50%", "100%", "due - 30 minutes"],
        )

    def agreement(self) -> Agreement:
        return an_agreement(self.policy(), calendars={name: calendar(name) for name in PLANS if name != "always"})

    def story(self) -> Story:
        first = self.steps[0].minute
        story = Story.opened(
            instant(first),
            self.state,
            places=self._places(self.group),
            priority=self.priority,
            group=self.group,
            service=self.service,
        )
        for step in self.steps[1:]:
            self._tell(story, step)
        return story

    def _tell(self, story: Story, step: Step) -> None:
        now = instant(step.minute)
        match step.what:
            case "move":
                story.moved(now, step.value)
            case "group":
                story.moved(now, story.state, "assign", group=step.value or None, places=self._places(step.value or None))
            case "contact":
                story.written(now, by="mara")
            case "answer":
                story.written(now, by="ines")
            case "note":
                story.written(now, by="ines", visibility="internal")
            case "cut":
                part, first, last = step.value.split(" ")
                number = max((one.number for (_, p, _), one in self._cycles(story).items() if p == part), default=1)
                story.corrected(now, instant(int(first)), instant(int(last)), part=part, cycle=number)
            case "priority":
                story.edited(now, priority=step.value)
            case "service":
                story.edited(now, service=step.value)
            case _:
                raise ValueError(step.what)

    def _cycles(self, story: Story) -> dict[Key, Cycle]:
        return dict(derive(finder(self.agreement()), story.events).cycles)

    def _by(self) -> str | None:
        return "group" if self.promise.hours_by_group else None

    def _places(self, group: str | None) -> dict[str, str | None]:
        return {"group.key": group, "group.calendar": self.hours().get(group or "")}


def instant(minute: int) -> int:
    return oracle("always").first + minute * MINUTE


def _words(row: Row) -> str:
    match row.unit:
        case "elapsed":
            return f"{row.minutes} minutes"
        case "working":
            return f"{row.minutes} business minutes"
        case _:
            return "end of business day"


@st.composite
def rows(draw: st.DrawFn) -> tuple[Row, ...]:
    def row(priority: str | None) -> Row:
        unit = draw(st.sampled_from(["working", "working", "working", "elapsed", "closing"]))
        return Row(priority, unit, 0 if unit == "closing" else draw(st.integers(1, 40)) * 30)

    named = [row(priority) for priority in draw(st.sampled_from([("p1", "p2"), ("p1", "p2"), ("p1",), ()]))]
    return tuple(named) if named and draw(st.integers(0, 4)) == 4 else (*named, row(None))


@st.composite
def promises(draw: st.DrawFn) -> Promise:
    start, stop = draw(st.sampled_from([("created", "done")] * 5 + [("contact", "answer"), ("supplier", "not-supplier")]))
    retroactive = draw(st.integers(0, 3)) == 3
    return Promise(
        rows=draw(rows()),
        hours_by_group=draw(st.booleans()),
        start=start,
        stop=stop,
        pauses=start != "supplier" and draw(st.booleans()),
        service=draw(st.sampled_from([None, None, None, "mail"])),
        retroactive=retroactive,
        resets=start == "created" and draw(st.integers(0, 3)) > 0,
        cancels=draw(st.integers(0, 3)) == 3,
        on_change="keep_elapsed" if retroactive else draw(st.sampled_from(["keep_elapsed", "restart", "prorate"])),
        per_group=draw(st.sampled_from([None, None, "accumulate", "restart"])) if start == "created" else None,
    )


_MOVES = st.tuples(st.just("move"), st.sampled_from(["new", "work", "work", "waiting", "supplier", "work", "resolved"]))
_PRIORITIES = st.tuples(st.just("priority"), st.sampled_from(["p1", "p2", "p3"]))
_GROUPS = st.tuples(st.just("group"), st.sampled_from(["desktop", "network", ""]))
_SERVICES = st.tuples(st.just("service"), st.sampled_from(["mail", "mail", "print", "gone"]))
_WORDS = st.tuples(st.sampled_from(["contact", "answer", "note"]), st.just(""))
_MAILS = st.tuples(st.sampled_from(["contact", "contact", "answer"]), st.just(""))
_VISITS = st.tuples(st.just("move"), st.sampled_from(["supplier", "supplier", "work"]))
_HAPPENINGS = {
    "created": st.one_of(_MOVES, _MOVES, _PRIORITIES, _PRIORITIES, _GROUPS, _SERVICES, _WORDS),
    "contact": st.one_of(_MAILS, _MAILS, _MAILS, _PRIORITIES, _GROUPS, _MOVES, _WORDS),
    "supplier": st.one_of(_VISITS, _VISITS, _VISITS, _PRIORITIES, _GROUPS, _MOVES, _WORDS),
}
"""What happens to a ticket, by what sets the clock off: enough of that, and a bit of everything else."""


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    promise = draw(promises())
    gaps = draw(st.lists(st.one_of(st.integers(0, 300), st.integers(0, 1500)), min_size=6, max_size=14))
    minutes = [min(minute, LAST_STEP) for minute in accumulate(gaps)]
    group = draw(st.sampled_from(["desktop", "network", "desktop", None]))
    steps = [Step(minutes[0], "created")]
    for minute in minutes[1:]:
        what, value = draw(_HAPPENINGS[promise.start])
        if what == "note" and promise.on_change != "prorate":
            first, last = sorted((draw(st.integers(0, minute)), draw(st.integers(0, minute))))
            part = "desktop" if promise.per_group else ""
            what, value = ("cut", f"{part} {first} {last}") if first < last else (what, value)
        steps.append(Step(minute, what, value))
    state, priority = draw(st.sampled_from(["new", "new", "waiting"])), draw(st.sampled_from(["p1", "p2", "p3"]))
    default = draw(st.sampled_from(["office", "split", "nights", "reef"]))
    service = draw(st.sampled_from(["mail", None]))
    return Scene(promise, default, tuple(steps), state, priority, group, service)
