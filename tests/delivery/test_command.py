"""`itsm outbox`: what could not be delivered, for the person who has mended what was in the way."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from itsm.app import Service
from itsm.cli import Wiring
from itsm.cli.outbox import outbox
from itsm.delivery.relay import MAX_ATTEMPTS
from itsm.platform.errors import DeskError
from itsm.platform.settings import make_secret
from itsm.platform.time import FrozenClock
from tests.delivery.desk import Automated
from tests.delivery.receiver import Receiver, listening
from tests.delivery.test_relay import say


@pytest.fixture
def run(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setenv("ITSM_HOME", str(tmp_path))
    make_secret(tmp_path)
    wiring = Wiring(build=lambda _settings: service, create_app=lambda _service: None)
    return lambda *words: CliRunner().invoke(outbox, list(words), obj=wiring)


def test_what_was_given_up_is_listed_and_goes_out_again(
    service: Service, clock: FrozenClock, run: Callable[..., Result]
) -> None:
    with listening(Receiver(status=500)) as receiver:
        desk = Automated(service, clock, directory=receiver.url)
        say(desk, "k")
        for _ in range(MAX_ATTEMPTS):
            desk.delivers()
            desk.passes(hours=2)
        (parked,) = json.loads(run("list", "--json").output)
        assert (parked["key"], parked["destination"], parked["attempts"]) == ("k", "directory", 6)
        assert run("list").output.splitlines()[-1] == "1 parked"
        receiver.status = 200
        assert run("retry", str(parked["id"])).output == f"message {parked['id']} is sent again\n"
        assert desk.delivers() == 1
        assert run("list").output == "0 parked\n"
    refusal = run("retry", str(parked["id"])).exception
    assert isinstance(refusal, DeskError)
    assert refusal.code == "not_found"
