"""The event log proves itself: whoever rewrites it without the key is found out, and the place is named."""

from __future__ import annotations

import hmac
import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from io import BytesIO
from typing import Any

import psycopg
import pytest

from itsm.people.access import Channel
from itsm.platform.database import Database
from itsm.platform.errors import DeskError, Kind
from itsm.platform.time import FrozenClock, SystemClock
from itsm.tickets import attachments, audit, seals
from itsm.tickets.desk import Desk
from tests.service import actor
from tests.tickets.corpus import COVERED, KEY, Chain, Intruder, Log
from tests.tickets.doing import Doing, an_incident_in_progress

TRIALS = 200


@pytest.fixture
def log(database: Database, clock: FrozenClock) -> Log:
    """Eight tickets with comments and files, written round about, in three checkpoints; nothing since the last."""
    log = Log(database, clock)
    chains = [log.open(2) for _ in range(8)]
    for round_ in range(3):
        for chain in chains:
            log.grow(chain, 1 + (chain.ticket + round_) % 3)
        log.comment(chains[round_], f"comment {round_}", "internal" if round_ == 1 else "public")
        log.attach(chains[round_], f"{round_:064}")
        clock.advance(timedelta(minutes=1))
        assert audit.checkpoint(database, KEY, clock)
    return log


@pytest.fixture
def intruder(database: Database, log: Log) -> Iterator[Intruder]:
    with Intruder(database) as intruder:
        yield intruder


def places(database: Database) -> list[tuple[str, str | None, int | None]]:
    return [(fault.code, fault.ticket, fault.seq) for fault in audit.verify(database, KEY).findings]


def test_an_untouched_log_is_sound(database: Database, log: Log) -> None:
    report = audit.verify(database, KEY)
    assert report.findings == ()
    assert report.first_bad is None
    assert report.rows == sum(chain.count for chain in log.chains.values())
    assert report.checkpoints == 3


def test_an_empty_log_is_sound_and_gets_no_checkpoint(database: Database, clock: FrozenClock) -> None:
    assert audit.checkpoint(database, KEY, clock) is None
    assert audit.verify(database, KEY).findings == ()


def test_with_another_key_nothing_is_as_it_was_written(database: Database, log: Log) -> None:
    report = audit.verify(database, b"x" * 32)
    assert {"altered", "seal", "checkpoint"} == {fault.code for fault in report.findings}
    assert report.first_bad
    assert str(report.first_bad) == "INC0000001, event 1: not as it was written, or not in its place"


@dataclass(frozen=True)
class Trial:
    """One deed of the intruder's, and the place that must be named for it (None: only that it is found)."""

    deed: str
    ticket: str | None = None
    seq: int | None = None


class Deeds:
    """What an intruder may do to a log, at random."""

    def __init__(self, intruder: Intruder, log: Log, seed: int) -> None:
        self._by, self._log, self._random = intruder, log, random.Random(seed)

    def any(self) -> Trial:
        deeds: tuple[Callable[[], Trial], ...] = (
            self.flip,
            self.flip,
            self.delete,
            self.insert,
            self.swap,
            self.cut,
            self.remove,
        )
        return self._random.choice(deeds)()

    def flip(self) -> Trial:
        """Change one column of one event."""
        chain, seq = self._somewhere()
        column = self._random.choice([*COVERED, "link", "id"])
        event = self._by.event(chain.ticket, seq)
        self._by.run(
            f"UPDATE ticket_events SET {column} = ? WHERE ticket_id = ? AND seq = ?",
            self._other(column, event),
            chain.ticket,
            seq,
        )
        return Trial(f"flip {column}", None if column == "id" else chain.number, seq)

    def delete(self) -> Trial:
        chain, seq = self._somewhere()
        self._by.run("DELETE FROM ticket_events WHERE ticket_id = ? AND seq = ?", chain.ticket, seq)
        return Trial("delete", chain.number, seq)

    def insert(self) -> Trial:
        """Push a forged event in, and move the later ones up."""
        chain, seq = self._somewhere()
        forged = self._by.event(chain.ticket, seq)
        for later in range(chain.count, seq - 1, -1):
            self._by.run("UPDATE ticket_events SET seq = seq + 1 WHERE ticket_id = ? AND seq = ?", chain.ticket, later)
        forged |= {"id": forged["id"] + 10_000, "payload": '"forged"', "link": self._random.randbytes(32)}
        self._by.insert_event(forged)
        self._by.run("UPDATE tickets SET event_count = event_count + 1 WHERE id = ?", chain.ticket)
        return Trial("insert", chain.number, seq)

    def swap(self) -> Trial:
        """Let two events of a ticket change places, with or without their links, or with their ids only."""
        chain, first = self._somewhere()
        second = self._random.choice([seq for seq in range(1, chain.count + 1) if seq != first])
        one, other = self._by.event(chain.ticket, first), self._by.event(chain.ticket, second)
        what = self._random.choice([("seq",), ("payload",), ("payload", "link"), ("id",)])
        if what == ("payload",) and one["payload"] == other["payload"]:
            what = ("seq",)
        for event, of in ((one, other), (other, one)):
            self._by.run("DELETE FROM ticket_events WHERE ticket_id = ? AND seq = ?", event["ticket_id"], event["seq"])
            event["new"] = {name: of[name] for name in what}
        for event in (one, other):
            new = event.pop("new")
            self._by.insert_event(event | new)
        return Trial(f"swap {what}", None if what == ("id",) else chain.number, min(first, second))

    def cut(self) -> Trial:
        """Take events off the end, and have the ticket say that there never were more."""
        chain = self._chain()
        left = self._random.randrange(1, chain.count)
        end = self._by.event(chain.ticket, left)["link"]
        self._by.run("DELETE FROM ticket_events WHERE ticket_id = ? AND seq > ?", chain.ticket, left)
        if self._random.random() < 0.3:
            return Trial("cut the log alone", chain.number, left + 1)
        self._by.run("UPDATE tickets SET event_count = ?, chain = ? WHERE id = ?", left, end, chain.ticket)
        return Trial("cut", chain.number, left)

    def remove(self) -> Trial:
        """Remove a ticket with all that belongs to it."""
        ticket = self._chain().ticket
        for name in ("ticket_events", "comments", "attachments"):
            self._by.run(f"DELETE FROM {name} WHERE ticket_id = ?", ticket)
        self._by.run("DELETE FROM tickets WHERE id = ?", ticket)
        return Trial("remove")

    def _chain(self) -> Chain:
        return self._random.choice(list(self._log.chains.values()))

    def _somewhere(self) -> tuple[Chain, int]:
        chain = self._chain()
        return chain, self._random.randint(1, chain.count)

    def _other(self, column: str, event: dict[str, Any]) -> Any:
        """Another value for a column, often as near to the old one as can be."""
        old = event[column]
        if column == "ticket_id":
            return 900 + self._random.randrange(9)  # of a ticket that does not exist; the log of another has this seq already
        if column in ("seq", "id"):
            return old + 1000
        if column in ("at", "recorded_at"):
            return old + self._random.choice([-1, 1, 1_000_000])
        if column == "internal":
            return not old
        if column == "link":
            place = self._random.randrange(32)
            return bytes(byte ^ (1 << self._random.randrange(8)) if at == place else byte for at, byte in enumerate(old))
        if old is None:
            return ""
        return self._random.choice([old + " ", old.upper() if old.upper() != old else old + "x", ""])


def test_every_one_of_many_random_deeds_is_found_out_and_its_place_named(
    database: Database, log: Log, intruder: Intruder
) -> None:
    sound = intruder.copy()
    for seed in range(TRIALS):
        trial = Deeds(intruder, log, seed).any()
        found = places(database)
        assert found, f"seed {seed}: {trial.deed} was not found out"
        if trial.ticket is not None:
            assert (trial.ticket, trial.seq) in {place[1:] for place in found}, (
                f"seed {seed}: {trial} was not named, but {found}"
            )
            first = min(seq for _, ticket, seq in found if ticket == trial.ticket and seq is not None)
            assert first == trial.seq, f"seed {seed}: {trial} is not the first of {found}"
        intruder.put_back(sound)
    assert places(database) == []


def test_a_chain_cut_off_at_a_seal_it_once_had_is_missed_by_the_checkpoint(
    database: Database, log: Log, intruder: Intruder, clock: FrozenClock
) -> None:
    earlier = intruder.copy()
    log.grow(log.chains[3], 2)
    clock.advance(timedelta(minutes=1))
    audit.checkpoint(database, KEY, clock)
    intruder.put_back(earlier, "tickets", "ticket_events")
    (fault,) = audit.verify(database, KEY).findings
    assert fault.code == "checkpoint"
    assert "checkpoint 4 saw 2 events" in fault.message
    assert "there are 0 now" in fault.message


def test_cutting_off_all_events_after_a_checkpoint_breaks_the_seals_of_their_tickets(
    database: Database, log: Log, intruder: Intruder
) -> None:
    grown = [log.chains[2], log.chains[5]]
    for chain in grown:
        log.grow(chain, 2)
    (row,) = intruder.run("SELECT max(last_event_id) FROM audit_checkpoints")
    intruder.run("DELETE FROM ticket_events WHERE id > ?", row[0])
    assert places(database) == [("cut", chain.number, chain.count - 1) for chain in grown]


def test_what_no_checkpoint_covers_yet_can_be_put_back_without_a_trace_as_the_docs_say(
    database: Database, log: Log, intruder: Intruder
) -> None:
    earlier = intruder.copy()
    log.grow(log.chains[3], 2)
    intruder.put_back(earlier, "tickets", "ticket_events")
    assert places(database) == []


def test_an_older_copy_of_everything_is_found_out_by_a_mark_that_was_noted_elsewhere(
    database: Database, log: Log, intruder: Intruder, clock: FrozenClock
) -> None:
    earlier = intruder.copy()
    log.grow(log.chains[3], 2)
    noted = audit.checkpoint(database, KEY, clock)
    assert noted
    assert audit.verify(database, KEY, [noted.mark]).findings == ()
    intruder.put_back(earlier)
    assert audit.verify(database, KEY).findings == ()
    assert [fault.code for fault in audit.verify(database, KEY, [noted.mark]).findings] == ["rolled_back"]


@pytest.mark.parametrize("column", ["id", "at", "last_event_id", "events", "mark"])
def test_a_checkpoint_that_was_altered_is_named(database: Database, log: Log, intruder: Intruder, column: str) -> None:
    changed = "?" if column == "mark" else f"{column} - 1 + 0 * length(cast(? AS text))"
    if column == "id":
        intruder.run("DELETE FROM audit_checkpoints WHERE id = 1")
    intruder.run(f"UPDATE audit_checkpoints SET {column} = {changed} WHERE id = 2", b"x" * 32)
    assert "checkpoint" in {code for code, _, _ in places(database)}


def test_a_checkpoint_taken_out_between_others_is_found_out(database: Database, log: Log, intruder: Intruder) -> None:
    intruder.run("DELETE FROM audit_checkpoints WHERE id = 2")
    assert {code for code, _, _ in places(database)} == {"checkpoint"}


@pytest.mark.parametrize(
    ("deed", "told"),
    [
        ("UPDATE comments SET body = 'I never said that' WHERE id = 1", "comment 1 is not as it was written"),
        ("UPDATE comments SET visibility = 'public' WHERE id = 2", "comment 2 is not as it was written"),
        ("UPDATE comments SET author = 'mallory' WHERE id = 1", "comment 1 is not as it was written"),
        ("UPDATE comments SET ticket_id = 1 WHERE id = 2", "comment 2 is gone"),
        ("DELETE FROM comments WHERE id = 3", "comment 3 is gone"),
        ("INSERT INTO comments (id, ticket_id, seq, author, visibility, body, at) VALUES (9, 1, 1, 'ada', 'public', '', 0)",
         "comment 9 is not in the log"),
        ("UPDATE attachments SET digest = 'other' WHERE id = 1", "attachment 1 is not as it was written"),
        ("DELETE FROM attachments WHERE id = 2", "attachment 2 is gone"),
    ],
)  # fmt: skip
def test_comments_and_files_are_held_to_what_the_log_says_of_them(
    database: Database, log: Log, intruder: Intruder, deed: str, told: str
) -> None:
    intruder.run(deed)
    assert told in {fault.message for fault in audit.verify(database, KEY).findings}


def test_a_comment_that_was_edited_in_the_open_is_held_to_its_latest_digest(database: Database, log: Log) -> None:
    chain = log.open()
    log.comment(chain, "first words")
    log.revise_comment(chain, "second thoughts")
    assert places(database) == []


def test_bytes_that_are_no_text_are_named_and_do_not_stop_the_proof(database: Database, log: Log, intruder: Intruder) -> None:
    if database.is_postgresql:
        pytest.skip("PostgreSQL takes no such bytes")
    intruder.run("UPDATE ticket_events SET payload = CAST(x'ff22' AS TEXT) WHERE ticket_id = 3 AND seq = 2")
    intruder.run("UPDATE ticket_events SET payload = x'00ff', seq = 'one' WHERE ticket_id = 5 AND seq = 1")
    intruder.run("UPDATE ticket_events SET actor = 'mallory' WHERE ticket_id = 7 AND seq = 1")
    found = places(database)
    assert ("unreadable", "ticket #3", None) in found
    assert ("missing", "INC0000005", 1) in found
    assert ("altered", "INC0000007", 1) in found


def test_after_very_many_faults_it_stops_looking(
    database: Database, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    Log(database, clock).open(50)
    monkeypatch.setattr(audit, "MOST_FAULTS", 20)
    assert len(audit.verify(database, b"x" * 32).findings) == 20


def test_the_log_can_be_proved_and_marked_while_it_is_written(database: Database, clock: FrozenClock) -> None:
    log = Log(database, clock)
    chains = [log.open() for _ in range(4)]
    stop = threading.Event()

    def write(chain: Chain) -> None:
        for count in range(40):
            database.retrying(lambda: grow_slowly(chain, 1 + count % 3))

    def grow_slowly(chain: Chain, events: int) -> None:
        before = Chain(chain.ticket, chain.count, chain.end)
        try:
            log.grow(chain, events)
        except DeskError:
            chain.count, chain.end = before.count, before.end
            raise

    def watch() -> int:
        marked = 0
        while not stop.is_set():
            try:
                marked += audit.checkpoint(database, KEY, clock) is not None
            except DeskError as error:
                assert error.code == "busy"
            assert audit.verify(database, KEY).findings == ()
        return marked

    with ThreadPoolExecutor() as pool:
        watching = [pool.submit(watch) for _ in range(2)]
        list(pool.map(write, chains))
        stop.set()
        marked = sum(each.result() for each in watching)
    report = audit.verify(database, KEY)
    assert report.findings == ()
    assert report.checkpoints == marked > 1
    assert report.rows == sum(chain.count for chain in chains)


def test_a_checkpoint_leaves_no_event_out_that_is_being_written(database: Database, clock: FrozenClock) -> None:
    """PostgreSQL gives the first writer the lower id, and the second may commit before it."""
    if not database.is_postgresql:
        pytest.skip("SQLite lets one write at a time")
    log = Log(database, clock)
    slow, quick = log.open(), log.open()
    with database.session() as session:
        log.append(session, slow, 1)
        log.grow(quick)
        with pytest.raises(DeskError) as refusal:
            audit.checkpoint(database, KEY, clock)
        assert (refusal.value.kind, refusal.value.code) == (Kind.UNAVAILABLE, "busy")
    assert audit.checkpoint(database, KEY, clock)
    assert places(database) == []
    with psycopg.connect(database.url) as connection:
        assert connection.execute("SELECT events FROM audit_checkpoints").fetchall() == [(4,)]


def test_a_process_that_stands_still_in_the_middle_of_a_checkpoint_shuts_no_writer_out(
    database: Database, clock: FrozenClock
) -> None:
    log = Log(database, clock)
    chain = log.open(2)
    with database.session() as session:
        last = seals.horizon(session)
        if database.is_postgresql:  # SQLite lets one write at a time
            log.grow(chain)
    assert last == 2


def test_a_checkpoint_covers_what_the_one_before_did_not_and_none_is_made_of_nothing(
    database: Database, clock: FrozenClock
) -> None:
    log = Log(database, clock)
    chain = log.open(3)
    first = audit.checkpoint(database, KEY, clock)
    assert audit.checkpoint(database, KEY, clock) is None
    log.grow(chain, 2)
    second = audit.checkpoint(database, KEY, SystemClock())
    assert places(database) == []
    assert first
    assert second
    assert (first.id, first.last_event_id, first.events) == (1, 3, 3)
    assert (second.id, second.last_event_id, second.events) == (2, 5, 2)
    with database.session() as session:
        assert audit.latest(session) == second


def test_what_the_commands_write_is_sound(desk: Desk, clock: FrozenClock) -> None:
    record = an_incident_in_progress(desk)
    agent, requester = Doing(desk, "g1"), Doing(desk, "ra1")
    requester.say(record, "It smells of plastic, too. — Müller")
    agent.say(record, "Not again.", "internal")
    agent.log_work(record, 15)
    with desk.transaction(actor(desk, "ra1"), Channel.API) as tx:
        attachments.attach(tx, record.number, "photo.png", BytesIO(b"not really a photo"), "public")
    audit.checkpoint(desk.database, desk.audit_key, clock)
    agent.fire(record, "resolve", comment="It works.", resolution_code="fixed", resolution="Plugged in.")
    report = audit.verify(desk.database, desk.audit_key)
    assert report.findings == ()
    assert report.rows >= 8


def test_marks_are_hmac_sha256_as_the_standard_library_makes_it() -> None:
    assert audit.seal(KEY, 7, 2, b"end") == hmac.digest(KEY, b"seal" + bytes(7) + b"\7" + bytes(7) + b"\2end", "sha256")
    with pytest.raises(ValueError, match="derived keys"):
        audit.seal(b"k" * 65, 7, 2, b"end")


def test_a_link_covers_where_one_column_ends_and_the_next_begins() -> None:
    event: dict[str, Any] = {
        "ticket_id": 1,
        "seq": 1,
        "kind": "a",
        "at": 0,
        "recorded_at": 0,
        "actor": "b",
        "on_behalf_of": None,
        "channel": "c",
        "internal": False,
        "payload": "{}",
    }
    links = {
        audit.link(KEY, audit.GENESIS, **event | change)
        for change in (
            {},
            {"kind": "ab", "actor": ""},
            {"on_behalf_of": ""},
            {"internal": True},
            {"at": 1},
            {"recorded_at": 1},
            {"ticket_id": 11, "seq": 0},
            {"payload": "{} "},
        )
    }
    assert len(links) == 8
    assert audit.link(KEY, b"\0", **event) not in links
