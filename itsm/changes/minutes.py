"""The minutes of a meeting: what is put down when it is closed, and the text of it for one reader. Pure.

What is put down has everything; the text leaves out what its reader does not see. The words of people are escaped or quoted,
so that no title, comment or note can pass for a line of the minutes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import orjson

from itsm.changes.board import Ballot, Item, Named, Note, Present, Sitting, Status, Vote
from itsm.platform.time import rfc3339

_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]<>()#+\-.!|~&])")


def put_down(sitting: Sitting) -> dict[str, Any]:
    """A meeting as it is kept: values of JSON only."""
    head = sitting.head
    return {
        "title": head.title,
        "starts_at": rfc3339(head.period.start),
        "ends_at": rfc3339(head.period.end),
        "status": head.status.value,
        "chair": _named(head.chair),
        "members": [_named(each) for each in sitting.members],
        "groups": [_named(each) for each in sitting.groups],
        "present": [_present(each) for each in sitting.present],
        "items": [_item(each) for each in sitting.items],
        "notes": [_note(each) for each in sitting.notes],
    }


def digest(content: Mapping[str, Any]) -> str:
    """The SHA-256 of what was put down, as hexadecimal digits: of its JSON with sorted keys and no blanks."""
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _named(one: Named) -> dict[str, str]:
    return {"key": one.key, "name": one.name}


def _present(one: Present) -> dict[str, Any]:
    return {"key": one.key, "name": one.name, "groups": list(one.groups)}


def _note(one: Note) -> dict[str, str]:
    return {"body": one.body, "author": one.author, "at": rfc3339(one.at)}


def _item(one: Item) -> dict[str, Any]:
    tally = one.tally
    return {
        "ticket": one.ticket_id,
        "number": one.number,
        "title": one.title,
        "state": one.state,
        "starts_at": rfc3339(one.starts_at),
        "minutes": one.minutes,
        "settled": one.settled,
        "outcome": None if one.result is None else one.result.value,
        "words": one.words,
        "decided_by": one.decided_by,
        "decided_at": _moment(one.decided_at),
        "count": {"approve": tally.approve, "reject": tally.reject, "abstain": tally.abstain},
        "votes": [_ballot(each) for each in one.ballots],
    }


def _ballot(one: Ballot) -> dict[str, Any]:
    return {
        "login": one.login,
        "name": one.name,
        "vote": one.vote.value,
        "comment": one.comment,
        "at": rfc3339(one.at),
        "answered": one.answered,
    }


def _moment(instant: datetime | None) -> str | None:
    return None if instant is None else rfc3339(instant)


def text(sitting: Sitting) -> str:
    """The minutes as Markdown for whoever read the meeting: of a closed one as they were put down, and what was added."""
    content = put_down(sitting) if sitting.kept is None else sitting.kept
    seen = {each.ticket_id for each in sitting.items if each.number is not None}
    lines = [f"# {_plain(content['title'])}", "", _line_of_meeting(content), ""]
    lines += ["## Attendance", "", *_attendance(content), "", "## Agenda", "", *_agenda(content["items"], seen)]
    lines += _notes("Notes", content["notes"])
    lines += _notes("Added after the closing", [_note(each) for each in sitting.notes[len(content["notes"]) :]])
    return "\n".join([*lines, _end(sitting), ""])


def _end(sitting: Sitting) -> str:
    head = sitting.head
    if head.status is Status.HELD and head.closed_at is not None:
        return f"Closed by {_plain(head.closed_by or '')}, {rfc3339(head.closed_at)}. SHA-256 {head.digest}."
    return "The meeting was cancelled." if head.status is Status.CANCELLED else "Draft: the meeting is not closed."


def _line_of_meeting(content: Mapping[str, Any]) -> str:
    return f"{content['starts_at']} to {content['ends_at']}, {content['status']}. In the chair: {_who(content['chair'])}."


def _attendance(content: Mapping[str, Any]) -> Iterator[str]:
    members = {content["chair"]["key"]: content["chair"], **{each["key"]: each for each in content["members"]}}
    present = {each["key"]: each for each in content["present"]}
    represented = {key for each in present.values() for key in each["groups"]}
    for each in present.values():
        groups = ", ".join(map(_plain, each["groups"]))
        role = "" if each["key"] in members else f", for {groups}" if groups else ", guest"
        yield f"- Present: {_who(each)}{role}"
    yield from (f"- Absent: {_who(each)}" for key, each in members.items() if key not in present)
    yield from (f"- Nobody for the group {_who(each)}" for each in content["groups"] if each["key"] not in represented)


def _agenda(items: Sequence[Mapping[str, Any]], seen: Collection[int]) -> Iterator[str]:
    if not items:
        yield from ("There was none.", "")
    for place, item in enumerate(items, 1):
        when = f"{item['starts_at']}, {item['minutes']} min"
        if item["ticket"] not in seen:
            yield from (f"### {place}. A change that you do not see ({when})", "")
            continue
        yield from (f"### {place}. {item['number']} {_plain(item['title'])} ({when})", "")
        yield from _discussion(item)
        yield ""


def _discussion(item: Mapping[str, Any]) -> Iterator[str]:
    if item["settled"]:
        yield f"- Decided meanwhile: {_plain(item['settled'])}"
    if item["votes"]:
        yield "- Votes: " + ", ".join(f"{item['count'][vote]} {vote}" for vote in Vote)
        for vote in item["votes"]:
            how = f"{vote['vote']}, as its approver" if vote["answered"] else vote["vote"]
            yield f"  - {vote['at']} {_who({'key': vote['login'], 'name': vote['name']})}: {how}{_said(vote['comment'])}"
    if item["outcome"]:
        words = _said(item["words"])
        yield f"- Outcome: **{item['outcome']}**{words} ({_plain(item['decided_by'])}, {item['decided_at']})"
    else:
        yield "- No outcome"


def _notes(heading: str, notes: Iterable[Mapping[str, str]]) -> Iterator[str]:
    for place, note in enumerate(notes):
        if not place:
            yield from (f"## {heading}", "")
        yield f"{_plain(note['author'])}, {note['at']}:"
        yield ""
        yield from (f"> {line}" for line in note["body"].splitlines())
        yield ""


def _said(words: str | None) -> str:
    return f": “{_plain(words)}”" if words else ""


def _who(one: Mapping[str, str]) -> str:
    return f"{_plain(one['name'])} ({_plain(one['key'])})"


def _plain(words: str) -> str:
    """Words on one line that no reader of Markdown takes for anything else."""
    return _SPECIAL.sub(r"\\\1", " ".join(words.split()))
