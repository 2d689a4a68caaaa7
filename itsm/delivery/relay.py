"""The relay brings messages of the outbox to their receivers. Any number may run, in threads, processes and machines.

A message is claimed under a lease in one transaction, sent while none is open, and what came of it is noted in another, under
the fence of the claim. Who dies in between leaves a lease that runs out: the message goes out again, with the same webhook-id.

Each receiver has a thread of its own while there is something for it, so that one that is dead, or slow, holds up no other.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from datetime import datetime, timedelta
from typing import Final

from itsm.delivery import calls, messages, sending, signing
from itsm.delivery.calls import Call, Stand
from itsm.delivery.endpoints import LONGEST_TIMEOUT_SECONDS, Endpoint, Endpoints
from itsm.delivery.sending import Outcome, Send
from itsm.platform import outbox, timers
from itsm.platform.database import Database, Session
from itsm.platform.outbox import Claimed
from itsm.platform.time import Clock
from itsm.platform.timers import NewTimer

KIND: Final = "webhook_answer"
"""The kind of timer rows that end the wait for an answer; their name is the call's webhook-id."""

BACK_OFF: Final = (
    timedelta(seconds=5),
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=10),
    timedelta(hours=1),
)
"""The pauses after the first, second … failure, spread by a fifth either way. What fails once more is parked."""

MAX_ATTEMPTS: Final = len(BACK_OFF) + 1
SPREAD: Final = 0.2
MARGIN: Final = timedelta(seconds=10)
"""What a lease has beyond the longest call: for claiming, and for noting what came of it."""

LONGEST_WAIT: Final = timedelta(days=1)
"""However long a receiver asks us to stay away."""

_LONGEST_LEASE: Final = timedelta(seconds=LONGEST_TIMEOUT_SECONDS) + MARGIN

_log = logging.getLogger(__name__)


class Relay:
    """Delivers what has a receiver. `secret` is the key that ids are made with, `base_url` is where callbacks come in."""

    def __init__(
        self, database: Database, clock: Clock, endpoints: Endpoints, secret: bytes, base_url: str, send: Send = sending.send
    ) -> None:
        self._database = database
        self._clock = clock
        self._endpoints = endpoints
        self._secret = secret
        self._base_url = base_url
        self._send = send
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._at_work: dict[str, threading.Thread] = {}

    def look(self) -> None:
        """See for whom something is due, and set a thread to work for each who has none. It waits for nobody."""
        with self._database.session(write=False) as session:
            waiting = outbox.destinations(session, self._clock.now(), _LONGEST_LEASE)
        for name in waiting:
            self._set_to_work(name)

    def stop(self) -> None:
        """Let the calls at hand come to their end, and begin no other. For good."""
        self._stopped.set()
        self.wait(_LONGEST_LEASE.total_seconds())

    def wait(self, seconds: float) -> bool:
        """Wait until nobody is at work, so many seconds at most; whether that came."""
        ends = time.monotonic() + seconds
        with self._lock:
            threads = list(self._at_work.values())
        for thread in threads:
            thread.join(max(0.0, ends - time.monotonic()))
        return not any(thread.is_alive() for thread in threads)

    def deliver_one(self, name: str) -> bool:
        """Try the first message that is due for a receiver, now; whether there was one."""
        endpoint = self._endpoints.get(name)
        taken = self._database.retrying(lambda: self._take(name, endpoint))
        if taken is None:
            return False
        message, is_to_be_sent = taken
        if is_to_be_sent and endpoint is not None:
            outcome = self._attempt(endpoint, message)
            self._database.retrying(lambda: self._note(endpoint, message, outcome))
        return True

    def _set_to_work(self, name: str) -> None:
        with self._lock:
            if not self._stopped.is_set() and name not in self._at_work:
                thread = threading.Thread(target=self._work_off, args=(name,), name=f"webhook {name}", daemon=True)
                self._at_work[name] = thread
                thread.start()

    def _work_off(self, name: str) -> None:
        try:
            while not self._stopped.is_set() and self.deliver_one(name):
                pass
        except Exception:  # noqa: BLE001  (whatever it was, the rows are there, and the next look begins anew)
            _log.exception("delivery to the webhook %s broke off", name)
        finally:
            with self._lock:
                del self._at_work[name]

    def _take(self, name: str, endpoint: Endpoint | None) -> tuple[Claimed, bool] | None:
        """Claim a message; whether it is to be sent, or was dealt with without."""
        seconds = LONGEST_TIMEOUT_SECONDS if endpoint is None else endpoint.timeout
        with self._database.session() as session:
            now = self._clock.now()
            message = outbox.claim(session, name, now, timedelta(seconds=2 * seconds) + MARGIN)
            if message is None:
                return None
            call = calls.of_message(session, message.key)
            if call is not None and not call.awaited:
                if call.waits:
                    calls.end(session, call, Stand.WITHDRAWN, now)
                outbox.arrived(session, message, now)
                return message, False
            if endpoint is None:
                self._give_up(session, message, call, now, f"There is no webhook “{name}” in the configuration.")
                return message, False
            if calls.is_stopped(session, name):
                self._give_up(session, message, call, now, "The receiver has answered 410: it wants no more.")
                return message, False
            if message.attempts > MAX_ATTEMPTS:
                why = f"Taken up {message.attempts - 1} times without ever coming to an end."
                self._give_up(session, message, call, now, why)
                return message, False
            return message, True

    def _attempt(self, endpoint: Endpoint, message: Claimed) -> Outcome:
        try:
            keys = self._endpoints.keys(endpoint)
        except ValueError as error:
            return Outcome(None, str(error))
        identity = messages.identity(self._secret, message.key)
        body = messages.body(message, identity, self._base_url)
        now = self._clock.now()
        return self._send(endpoint.url, body, signing.headers(keys, identity, now, body), endpoint.timeout, now)

    def _note(self, endpoint: Endpoint, message: Claimed, outcome: Outcome) -> None:
        with self._database.session() as session:
            now = self._clock.now()
            call = calls.of_message(session, message.key)
            if outcome.accepted:
                if outbox.arrived(session, message, now) and call is not None and call.waits:
                    due = now + endpoint.answer_within
                    timers.arm(session, [NewTimer(call.ticket_id, KIND, call.key, due)])
                return
            _log.warning("webhook %s, attempt %s of %s: %s", endpoint.name, message.attempts, message.key, outcome.why)
            if outcome.gone:
                calls.stop(session, endpoint.name, now)
            if outcome.gone or message.attempts >= MAX_ATTEMPTS:
                self._give_up(session, message, call, now, outcome.why)
            else:
                outbox.postpone(session, message, now + _pause(message.attempts, outcome.retry_after), outcome.why)

    @staticmethod
    def _give_up(session: Session, message: Claimed, call: Call | None, now: datetime, why: str) -> None:
        """Park a message; a ticket that waits for the answer learns at once that there will be none."""
        if outbox.park(session, message, now, why) and call is not None and call.waits:
            timers.arm(session, [NewTimer(call.ticket_id, KIND, call.key, now, {"why": why[: timers.ERROR_CHARACTERS]})])


def _pause(attempts: int, asked: float | None) -> timedelta:
    """How long to wait after so many failures: by the schedule, or as long as the receiver asks."""
    spread = 1 + random.uniform(-SPREAD, SPREAD)  # noqa: S311  (so that many do not come back at once; nobody guesses at it)
    wait = BACK_OFF[attempts - 1] * spread
    return wait if asked is None else min(max(wait, timedelta(seconds=min(asked, LONGEST_WAIT.total_seconds()))), LONGEST_WAIT)
