"""A fresh installation: nobody gets in before it is set up, nor with what everybody knows; each has keys of its own (A-97)."""

from __future__ import annotations

import os
import re
import socket
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from click.testing import CliRunner

from itsm.app import build, create_app
from itsm.cli import Wiring
from itsm.cli.setup import init
from itsm.platform.errors import DeskError
from itsm.platform.settings import from_environment
from tests import world
from tests.attacks.test_what_is_logged import DEBUG_SWITCHES

ITSM = (sys.executable, "-c", "from itsm.app import main; main()")

NAMES = ("admin", "root", "administrator", "itsm", "demo", "test", "guest", "user", "system", "operator")
WORDS = ("", "admin", "password", "123456", "root", "itsm", "changeme", "demo", "secret", "letmein")
"""Together the hundred logins that everybody tries first."""


class Install(NamedTuple):
    """A home, the environment that leads to it, and what its first `itsm init` said."""

    home: Path
    environment: dict[str, str]
    said: str

    @property
    def token(self) -> str:
        return str(re.findall(r"itsm_\S+", self.said)[0])


def install(home: Path, url: str | None) -> Install:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ITSM_")}
    environment["ITSM_HOME"] = str(home)
    if url is not None:
        environment["ITSM_DATABASE_URL"] = url
    done = subprocess.run([*ITSM, "init"], env=environment, capture_output=True, text=True, timeout=120, umask=0o022)
    assert done.returncode == 0, done.stderr
    return Install(home, environment, done.stdout)


@pytest.fixture(scope="module")
def installs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Install]]:
    """One installation on each kind of database."""
    place = tmp_path_factory.mktemp("fresh")
    name = f"fresh_{world.WORKER}"
    url = world.create_database(name)
    yield {"sqlite": install(place / "one", None), "postgresql": install(place / "two", url)}
    world.drop_database(name)


def test_two_installs_share_no_key(installs: dict[str, Install]) -> None:
    """A-97: the secret is 256 fresh bits in a file of mode 0600 in a home of mode 0700, and nothing of it is printed."""
    secrets = [(each.home / "secret.key").read_text().strip() for each in installs.values()]
    assert secrets[0] != secrets[1]
    for each, secret in zip(installs.values(), secrets, strict=True):
        assert re.fullmatch(r"[0-9a-f]{64}", secret)
        assert len(set(secret)) >= 8
        assert stat.S_IMODE((each.home / "secret.key").stat().st_mode) == 0o600
        assert stat.S_IMODE(each.home.stat().st_mode) == 0o700
        assert secret not in each.said
    one, two = (from_environment(each.environment) for each in installs.values())
    purposes = ("tokens", "cursor", "audit")
    assert len({settings.key(purpose) for settings in (one, two) for purpose in purposes}) == 6
    assert len({each.token for each in installs.values()}) == 2


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_nobody_gets_in_with_what_everybody_knows(installs: dict[str, Install], kind: str) -> None:
    """A-97: the hundred usual logins open nothing, as Basic or Bearer; the printed token does, for a day, here only."""
    service = build(from_environment(installs[kind].environment))
    client = create_app(service).test_client()
    other = next(each.token for name, each in installs.items() if name != kind)
    tried = [f"Basic {b64encode(f'{name}:{word}'.encode()).decode()}" for name in NAMES for word in WORDS]
    tried += [f"Bearer {word}" for word in {*NAMES, *WORDS} - {""}] + [f"Bearer itsm_{word}" for word in NAMES]
    tried += [f"Bearer {other}"]
    for header in tried:
        answer = client.get("/api/v1/me", headers={"Authorization": header})
        assert answer.status_code == 401, header
    assert len(tried) > 100
    assert client.get("/api/v1/me").status_code == 401
    for path in ("/login", "/setup", "/install", "/api/v1/setup", "/admin", "/api/v1/users", "/api/v1/tokens"):
        assert client.get(path).status_code == client.post(path).status_code == 404, path
    answer = client.get("/api/v1/me", headers={"Authorization": f"Bearer {installs[kind].token}"})
    assert answer.status_code == 200
    assert answer.get_json()["login"] == "admin"
    with service.desk.database.engine.connect() as connection:
        row = connection.exec_driver_sql("SELECT created_at, expires_at FROM tokens").all()
        users = connection.exec_driver_sql("SELECT login FROM users").all()
    assert [(each.expires_at - each.created_at) / 1_000_000 for each in row] == [24 * 3600]
    assert [user.login for user in users] == ["admin"]
    service.desk.database.dispose()


KNOWN = ("", " ", "secret", "changeme", "a" * 64, "0" * 64, "0123456" * 10, "password" * 8, "x" * 31)


@pytest.mark.parametrize("secret", KNOWN)
def test_a_weak_key_starts_nothing(installs: dict[str, Install], secret: str) -> None:
    """A-97: an empty, short or monotonous secret is refused before anything is served."""
    with pytest.raises(DeskError) as refusal:
        from_environment({**installs["sqlite"].environment, "ITSM_SECRET": secret})
    assert refusal.value.code == "bad_settings"
    assert not secret.strip() or secret not in refusal.value.detail or secret == "secret"


def test_without_a_set_up_nothing_is_served(tmp_path: Path, installs: dict[str, Install]) -> None:
    """A-97: `itsm serve` in an empty home stops and says what to do; with a readable key or an empty database likewise."""
    environment = {**installs["sqlite"].environment, "ITSM_HOME": str(tmp_path), "PORT": str(a_port())}
    done = subprocess.run([*ITSM, "serve"], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert "itsm init" in done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    (tmp_path / "secret.key").write_text("0123456789abcdef" * 4)
    (tmp_path / "secret.key").chmod(0o644)
    with pytest.raises(DeskError, match="can be read by others"):
        from_environment(environment)
    (tmp_path / "secret.key").chmod(0o600)
    with pytest.raises(DeskError):
        create_app(build(from_environment(environment)))


def test_a_second_init_gives_nobody_another_token(installs: dict[str, Install], monkeypatch: pytest.MonkeyPatch) -> None:
    """A-97: whoever runs `init` again changes no key and is given no administrator."""
    first = installs["sqlite"]
    secret = (first.home / "secret.key").read_bytes()
    monkeypatch.setenv("ITSM_HOME", str(first.home))
    again = CliRunner().invoke(init, ["--admin", "intruder"], obj=Wiring(build=build, create_app=create_app))
    assert (again.exit_code, "itsm_" in again.output, "intruder" in again.output) == (0, False, False)
    assert (first.home / "secret.key").read_bytes() == secret


def test_the_production_server_has_no_debugger_in_any_configuration(installs: dict[str, Install]) -> None:
    """A-96: `itsm serve` with every debugging switch set: no console, no traceback, no reloader, no version in its answers."""
    port = a_port()
    environment = {**installs["sqlite"].environment, **DEBUG_SWITCHES, "PORT": str(port), "ITSM_LOG_LEVEL": "debug"}
    environment["GUNICORN_CMD_ARGS"] = "--reload --statsd-host=127.0.0.1:1 --access-logfile -"
    log = installs["sqlite"].home / "serve.log"
    with log.open("wb") as sink, subprocess.Popen([*ITSM, "serve"], env=environment, stdout=sink, stderr=sink) as server:
        try:
            wait_for(port)
            token = installs["sqlite"].token
            for path in (
                "/console",
                "/?__debugger__=yes&cmd=resource&f=debugger.js",
                "/api/v1/nope",
                "/api/v1/me?__debugger__=yes",
            ):
                status, text = ask(port, path, token)
                assert status in (200, 404, 422), path
                assert "EVALEX" not in text
                assert "Traceback" not in text
            assert ask(port, "/api/v1/me", token)[0] == 200
            assert ask(port, "/api/v1/me", "x" * 9_000)[0] in (400, 401, 431)
        finally:
            server.terminate()
            server.wait(30)
    assert token not in log.read_text()


def a_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if ask(port, "/healthz", "x")[0] == 200:
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the server did not come up")


def ask(port: int, path: str, token: str) -> tuple[int, str]:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()
