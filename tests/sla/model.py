"""A slow and obviously right clock, to hold the fold against. It shares no code with it.

A ticket is a few plain values; what happens to it is a list of steps. Between two steps nothing changes, so every minute
between them is asked the one question: does it count? Those that do are put on a list, one by one, and that list is the clock:
its length is the time spent, and the place in it at which the target is used up is the due instant. This is exact to the
microsecond because steps and hours fall on whole minutes.

Working time comes from `tests/worktime/oracle.py`, which asks the wall clock in the same manner.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.worktime.oracle import MINUTE, Oracle

DONE = ("resolved", "closed")
PAUSING = ("waiting", "supplier")


@dataclass(frozen=True)
class Step:
    """One thing that happens: `what` is move, priority, group, service, contact, answer, note or cut; `value` says whereto."""

    minute: int
    what: str
    value: str = ""


@dataclass(frozen=True)
class Row:
    """One row of a decision table: minutes of elapsed or working time, or the next closing of the calendar."""

    priority: str | None
    unit: str  # elapsed, working, closing
    minutes: int = 0


@dataclass(frozen=True)
class Promise:
    """A promise in plain words."""

    rows: tuple[Row, ...]
    hours_by_group: bool = False
    start: str = "created"  # created, contact, supplier
    stop: str = "done"  # done, answer, not-supplier
    pauses: bool = True
    service: str | None = None  # only for tickets of this one
    retroactive: bool = False
    resets: bool = True  # on reopening
    cancels: bool = False  # while the service is “gone”
    on_change: str = "keep_elapsed"
    per_group: str | None = None


@dataclass
class Ticket:
    state: str
    priority: str
    group: str | None
    service: str | None


@dataclass
class Count:
    """One cycle: the `minutes` that counted, as instants, on top of `carried` microseconds.

    `running` are all minutes in which it ran, working time or not, by their place in the window.
    """

    part: str
    number: int
    started_at: int
    row: Row
    hours: str
    target: int
    minutes: list[int] = field(default_factory=list)
    running: list[int] = field(default_factory=list)
    carried: int = 0
    paused: bool = False
    status: str = "open"
    stopped_at: int | None = None
    due_at: int | None = None

    def spent(self) -> int:
        return self.carried + MINUTE * len(self.minutes)

    def used_up(self, length: int) -> int | None:
        """The instant at which so much had been spent; None if it has not been."""
        for place, minute in enumerate(self.minutes):
            if self.carried + MINUTE * (place + 1) >= length:
                return minute + length - self.carried - MINUTE * place
        return None


class Desk:
    """One promise for one ticket, lived through minute by minute. `hours` are oracles by the name of their calendar."""

    def __init__(self, promise: Promise, hours: dict[str, Oracle], group_hours: dict[str, str], default: str) -> None:
        self.promise = promise
        self.hours = hours
        self.group_hours = group_hours
        self.default = default
        self.first = hours[default].first
        self.counts: list[Count] = []
        self.waiting: dict[str, list[int]] = {}  # by part: the minutes that a retroactive clock would have counted
        self.was_with_supplier = False

    def live(self, ticket: Ticket, steps: list[Step]) -> list[Count]:
        """The cycles as they stand at the last step; the first is the creation of the ticket."""
        self._happen(ticket, steps[0].minute, {"created", "regrouped"} if ticket.group else {"created"})
        now = steps[0].minute
        for step in steps[1:]:
            self._pass(ticket, now, step.minute)
            now = step.minute
            if step.what == "cut":
                self._cut(step.value, now)
            else:
                self._happen(ticket, now, self._take(ticket, step))
        return self.counts

    def wait(self, ticket: Ticket, first: int, last: int) -> None:
        """Let the minutes from first to last pass in which nothing happens."""
        self._pass(ticket, first, last)

    # What passes

    def _pass(self, ticket: Ticket, first: int, last: int) -> None:
        for count in self.counts:
            if count.status == "open" and not count.paused:
                working = self.hours[count.hours].working
                count.minutes += [self._instant(minute) for minute in range(first, last) if working[minute]]
                count.running += range(first, last)
        here = self._here(ticket)
        if here in self.waiting and not self._is_pausing(ticket):
            self.waiting[here] += range(first, last)  # whether they are working time is asked when the calendar is known

    # What happens

    def _take(self, ticket: Ticket, step: Step) -> set[str]:
        happened = {step.what} if step.what in ("contact", "answer") else set()
        if step.what == "move":
            if ticket.state in DONE and step.value not in DONE:
                happened.add("reopened")
            ticket.state = step.value
        elif step.what == "group":
            if ticket.group != (step.value or None):
                happened.add("regrouped")
            ticket.group = step.value or None
        elif step.what in ("priority", "service"):
            setattr(ticket, step.what, step.value)
        return happened

    def _happen(self, ticket: Ticket, minute: int, happened: set[str]) -> None:
        now = self._instant(minute)
        promise = self.promise
        with_supplier = ticket.state == "supplier"
        sets_off = {
            "created": "created" in happened or bool(promise.per_group and "regrouped" in happened),
            "contact": "contact" in happened,
            "supplier": with_supplier and not self.was_with_supplier,
        }[promise.start]
        self.was_with_supplier = with_supplier
        reset = promise.resets and "reopened" in happened
        for count in [count for count in self.counts if count.status == "open"]:
            self._go_on(count, ticket, now, happened, reset)
        if self._is_stopped(ticket, happened) or self._is_cancelled(ticket):
            self.waiting.clear()
            return
        here = self._here(ticket)
        for part in list(self.waiting):
            if part != here and (reset or promise.per_group == "restart"):
                del self.waiting[part]
            elif reset:
                self.waiting[part] = []
        if here is None or any(count.part == here and count.status == "open" for count in self.counts):
            return
        if sets_off or reset:
            self.waiting.setdefault(here, [])
        row = self._row(ticket)
        if here in self.waiting and row is not None and self._applies(ticket) and not self._is_pausing(ticket):
            self._begin(here, row, ticket, now)

    def _begin(self, part: str, row: Row, ticket: Ticket, now: int) -> None:
        waited = self.waiting.pop(part)
        if not self.promise.retroactive:
            waited = []
        hours = self._hours(row, ticket)
        started = self._instant(waited[0]) if waited else now
        number = 1 + sum(count.part == part for count in self.counts)
        working = self.hours[hours].working
        minutes = [self._instant(minute) for minute in waited if working[minute]]
        target = self._length(row, hours, started)
        self.counts.append(Count(part, number, started, row, hours, target, minutes, waited))

    def _go_on(self, count: Count, ticket: Ticket, now: int, happened: set[str], reset: bool) -> None:
        row = self._row(ticket)
        is_here = count.part == self._here(ticket)
        if row is None or not self._applies(ticket):
            self._end(count, now, "cancelled")
            self.waiting[count.part] = list(count.running)
        elif self._is_cancelled(ticket):
            self._end(count, now, "cancelled")
        elif self._is_stopped(ticket, happened):
            self._end(count, now, "")
        elif reset:
            self._end(count, now, "cancelled")
        elif not is_here and self.promise.per_group == "restart":
            self._end(count, now, "")
        else:
            if is_here:
                self._retarget(count, row, ticket, now)
            count.paused = not is_here or self._is_pausing(ticket)

    def _end(self, count: Count, now: int, status: str) -> None:
        spent = len(count.minutes)
        if not count.paused:  # when it would have been due, had it gone on
            working, first = self.hours[count.hours].working, (now - self.first) // MINUTE
            count.minutes += [self._instant(minute) for minute in range(first, len(working)) if working[minute]]
        count.due_at = count.used_up(count.target)
        del count.minutes[spent:]
        late = count.due_at is not None and now > count.due_at
        count.status, count.stopped_at = status or ("missed" if late else "met"), now

    def _retarget(self, count: Count, row: Row, ticket: Ticket, now: int) -> None:
        hours = self._hours(row, ticket)
        if (row.unit, row.minutes, hours) == (count.row.unit, count.row.minutes, count.hours):
            return
        rule = self.promise.on_change
        target = self._length(row, hours, now if rule == "restart" else count.started_at)
        if rule == "restart":
            count.carried, count.minutes = 0, []
        elif rule == "prorate" and count.used_up(count.target) is None:
            count.carried, count.minutes = count.spent() * target // count.target, []
        elif rule == "prorate":
            count.carried += target - count.target  # used up is used up, at the very same instant
        count.row, count.hours, count.target = row, hours, target

    def _cut(self, value: str, now: int) -> None:
        """Take minutes (`part first last`) out of the latest cycle of a part."""
        part, first, last = value.split(" ")
        latest = [count for count in self.counts if count.part == part][-1:]
        for count in latest:
            if count.status == "open":
                begin, end = self._instant(int(first)), self._instant(int(last))
                count.minutes = [minute for minute in count.minutes if not begin <= minute < end]
                count.running = [minute for minute in count.running if not int(first) <= minute < int(last)]

    # What is so

    def _here(self, ticket: Ticket) -> str | None:
        return ticket.group if self.promise.per_group else ""

    def _applies(self, ticket: Ticket) -> bool:
        return self.promise.service is None or ticket.service == self.promise.service

    def _is_cancelled(self, ticket: Ticket) -> bool:
        return self.promise.cancels and ticket.service == "gone"

    def _is_pausing(self, ticket: Ticket) -> bool:
        return self.promise.pauses and ticket.state in PAUSING

    def _is_stopped(self, ticket: Ticket, happened: set[str]) -> bool:
        match self.promise.stop:
            case "answer":
                return "answer" in happened
            case "not-supplier":
                return ticket.state != "supplier"
            case _:
                return ticket.state in DONE

    def _row(self, ticket: Ticket) -> Row | None:
        return next((row for row in self.promise.rows if row.priority in (None, ticket.priority)), None)

    def _hours(self, row: Row, ticket: Ticket) -> str:
        if row.unit == "elapsed":
            return "always"
        if self.promise.hours_by_group and ticket.group in self.group_hours:
            return self.group_hours[ticket.group]
        return self.default

    def _length(self, row: Row, hours: str, start: int) -> int:
        if row.unit != "closing":
            return row.minutes * MINUTE
        closing = self.hours[hours].end_of_day(start)
        assert closing is not None, "the window is too short"
        return self.hours[hours].elapsed(start, closing)

    def _instant(self, minute: int) -> int:
        return self.first + minute * MINUTE
