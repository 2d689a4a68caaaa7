"""Forms and answers of the routes about meetings of the change advisory board."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from marshmallow import fields

from itsm.api import paging
from itsm.api.change_shapes import Moment
from itsm.api.forms import Form, Text, WholeNumber, words
from itsm.api.shapes import Shape, addresses, flag, instant, many, text, texts, whole
from itsm.changes import agenda, seats
from itsm.changes.agenda import Question
from itsm.changes.board import MOST_ITEMS, Result, Status, Vote
from itsm.changes.meetings import NewMeeting
from itsm.workflow.values import MARKDOWN_MAX

STATUSES: Final = tuple(status.value for status in Status)
VOTES: Final = tuple(vote.value for vote in Vote)
RESULTS: Final = tuple(result.value for result in Result)


class Keys(fields.List[Any]):
    """Some keys."""

    def __init__(self, about: str, *, choices: tuple[str, ...] = (), **more: Any) -> None:
        super().__init__(
            Text("One of them.", 100, choices=choices),
            validate=lambda keys: len(keys) <= seats.MOST,
            error_messages=words("a list"),
            metadata={"description": about, "maxItems": seats.MOST},
            **more,
        )


class Truth(fields.Boolean):
    """A truth value, and nothing that can be taken for one."""

    def __init__(self, about: str, **more: Any) -> None:
        told = words("true or false")
        super().__init__(truthy={True}, falsy={False}, error_messages=told, metadata={"description": about}, **more)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **more: Any) -> Any:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return super()._deserialize(value, attr, data, **more)


@dataclass(frozen=True, slots=True)
class MeetingsQuery:
    """Which meetings."""

    status: Status | None
    limit: int
    cursor: str | None


class MeetingsForm(Form):
    """Which meetings."""

    makes = staticmethod(lambda status, **more: MeetingsQuery(status=None if status is None else Status(status), **more))

    status = Text("Only those.", choices=STATUSES, load_default=None)
    limit = paging.limit_field()
    cursor = paging.cursor_field()


def _call(members: list[str], groups: list[str], **more: Any) -> NewMeeting:
    return NewMeeting(members=tuple(members), groups=tuple(groups), **more)


class NewMeetingForm(Form):
    """A meeting to be called."""

    makes = staticmethod(_call)

    title = Text("What it is called.", 200, required=True)
    starts_at = Moment("When it starts.", required=True)
    ends_at = Moment("When it is to end.", required=True)
    chair = Text("Who takes the chair, by login; whoever calls it, unless given.", 100, load_default=None)
    members = Keys("Members of the board, by login.", load_default=list)
    groups = Keys("Groups whose people are members, by key.", load_default=list)


@dataclass(frozen=True, slots=True)
class Edit:
    """What is to be changed, by name."""

    given: Mapping[str, Any]


class MeetingEditForm(Form):
    """What of a meeting is to be changed; what is not named stays. Members and groups are replaced as a whole."""

    makes = staticmethod(lambda **given: Edit(given))

    title = Text("What it is called.", 200)
    starts_at = Moment("When it starts.")
    ends_at = Moment("When it is to end.")
    chair = Text("Who takes the chair, by login.", 100)
    members = Keys("Members of the board, by login.")
    groups = Keys("Groups whose people are members, by key.")


@dataclass(frozen=True, slots=True)
class Asked:
    """The question that an agenda is made from; None for the last one."""

    question: Question | None


def _ask(**given: Any) -> Asked:
    if not given:
        return Asked(None)
    terms: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
    return Asked(Question(**terms))


class AgendaForm(Form):
    """Which of the changes that wait for authorisation are discussed. An empty object asks the last question again."""

    makes = staticmethod(_ask)

    planned_from = Moment("Planned to start from then on; from the meeting on, unless given.")
    planned_to = Moment("Planned to start before; 28 days later, unless given.")
    unplanned = Truth("Whether those without a window are discussed, too; they are, unless this is false.")
    types = Keys("Only changes of these types.")
    risks = Keys("Only changes of these risks.")
    services = Keys("Only changes of these services, by key.")
    minutes = WholeNumber("How many minutes each gets; 10, unless given.", 1, agenda.MOST_MINUTES)


@dataclass(frozen=True, slots=True)
class NewItem:
    """A change for the agenda, and its minutes."""

    number: str
    minutes: int


class NewAgendaItemForm(Form):
    """A change for the agenda."""

    makes = NewItem

    number = Text("Its number.", 100, required=True)
    minutes = WholeNumber("How many minutes it gets.", 1, agenda.MOST_MINUTES, load_default=agenda.MINUTES)


@dataclass(frozen=True, slots=True)
class ItemEdit:
    """Where an item is to stand, and how many minutes it gets; None for what stays."""

    position: int | None
    minutes: int | None


class AgendaItemEditForm(Form):
    """Where an item is to stand, and how long it is to take."""

    makes = ItemEdit

    position = WholeNumber("Its place, the first being 1.", 1, MOST_ITEMS, load_default=None)
    minutes = WholeNumber("How many minutes it gets.", 1, agenda.MOST_MINUTES, load_default=None)


@dataclass(frozen=True, slots=True)
class NewVote:
    """A vote."""

    vote: Vote
    comment: str | None


class VoteForm(Form):
    """A vote."""

    makes = staticmethod(lambda vote, comment: NewVote(Vote(vote), comment))

    vote = Text("What is said.", choices=VOTES, required=True)
    comment = Text("Why; a rejection needs it.", MARKDOWN_MAX, load_default=None)


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What the meeting came to about a change."""

    outcome: Result
    words: str | None


class OutcomeForm(Form):
    """What the meeting came to about a change."""

    makes = staticmethod(lambda outcome, words: Conclusion(Result(outcome), words))

    outcome = Text("What it came to.", choices=RESULTS, required=True)
    words = Text("Why; whoever sees the change reads it. Only `authorised` goes without.", MARKDOWN_MAX, load_default=None)


@dataclass(frozen=True, slots=True)
class Attendance:
    """Who took part, by login."""

    present: list[str]


class AttendanceForm(Form):
    """Who took part."""

    makes = Attendance

    present = Keys("Everybody who takes part, by login, members and guests.", required=True)


@dataclass(frozen=True, slots=True)
class NewNote:
    """A note for the minutes."""

    body: str


class NoteForm(Form):
    """A note for the minutes."""

    makes = NewNote

    body = Text("The words, in Markdown.", MARKDOWN_MAX, required=True)


# Answers


class BoardMemberShape(Shape):
    """Somebody."""

    login = text("Who.")
    name = text("The name.")


class TeamShape(Shape):
    """A group."""

    key = text("Which.")
    name = text("The name.")


class AttendeeShape(BoardMemberShape):
    """Somebody who took part."""

    groups = texts("The groups of the board that he belongs to.")


class BallotShape(BoardMemberShape):
    """A vote as it was given; of several of one person the last counts."""

    vote = text("`approve`, `reject` or `abstain`.")
    comment = text("What was said with it.", optional=True)
    at = instant("When.")
    answered = flag("Whether it was the answer to the approval of the change, too, and so is final.")


class CountShape(Shape):
    """How many people say what."""

    approve = whole("How many approve.")
    reject = whole("How many reject.")
    abstain = whole("How many abstain.")


class AgendaItemShape(Shape):
    """A change on the agenda. Number, title, state, votes and outcome are null or empty where the caller does not see it."""

    position = whole("Its place, the first being 1.")
    number = text("The change's number.", optional=True)
    title = text("Its title.", optional=True)
    state = text("Its state.", optional=True)
    starts_at = instant("When it is its turn.")
    minutes = whole("How many minutes it gets.")
    settled = text("The state in which it was found once it awaited no decision; it takes no time then.", optional=True)
    outcome = text("`authorised`, `rejected` or `deferred`.", optional=True)
    words = text("Why.", optional=True)
    decided_by = text("The login of who said so.", optional=True)
    decided_at = instant("When.", optional=True)
    count = fields.Nested(CountShape, required=True)
    votes = many(BallotShape, "Every vote, the oldest first.")
    links = addresses()


class WrittenShape(Shape):
    """A note of the minutes."""

    body = text("The words, in Markdown.")
    author = text("The login of who wrote it.")
    at = instant("When; after the closing, it is an addendum.")


class MeetingHeadShape(Shape):
    """A meeting of the change advisory board."""

    id = whole("Which meeting.")
    title = text("What it is called.")
    starts_at = instant("When it starts.")
    ends_at = instant("When it is to end.")
    status = text("`planned`, `held` or `cancelled`.")
    chair = fields.Nested(BoardMemberShape, required=True)
    called_by = text("The login of who called it.")
    called_at = instant("When.")
    closed_by = text("The login of who closed or cancelled it.", optional=True)
    closed_at = instant("When.", optional=True)
    digest = text("The SHA-256 of its minutes as they were put down.", optional=True)
    links = addresses()


class MeetingsShape(Shape):
    """Meetings, the latest first."""

    items = many(MeetingHeadShape)
    next = paging.next_field()


class QuestionShape(Shape):
    """What an agenda is made from."""

    planned_from = instant("Changes planned to start from then on; null for the start of the meeting.", optional=True)
    planned_to = instant("Changes planned to start before; null for 28 days later.", optional=True)
    unplanned = flag("Whether those without a window are discussed, too.")
    types = texts("Only of these types; empty for all.")
    risks = texts("Only of these risks; empty for all.")
    services = texts("Only of these services; empty for all.")
    minutes = whole("How many minutes each gets.")


class MeetingShape(MeetingHeadShape):
    """A meeting with all that belongs to it."""

    members = many(BoardMemberShape, "Members of the board.")
    groups = many(TeamShape, "Groups whose people are members.")
    present = many(AttendeeShape, "Who took part.")
    question = fields.Nested(QuestionShape, required=True)
    items = many(AgendaItemShape, "The agenda.")
    through_at = instant("When the agenda is through.")
    overruns = flag("Whether that is after the end of the meeting.")
    notes = many(WrittenShape, "Notes of the minutes, the oldest first.")


def asked_as_shown(question: Question) -> dict[str, Any]:
    """The question of an agenda, as it is told."""
    moments: dict[str, datetime | None] = {"planned_from": question.planned_from, "planned_to": question.planned_to}
    return {
        **moments,
        "unplanned": question.unplanned,
        "types": list(question.types),
        "risks": list(question.risks),
        "services": list(question.services),
        "minutes": question.minutes,
    }
