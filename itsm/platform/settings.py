"""How this installation is set up: frozen values from the environment, all faults told at once.

The secret lies in `<home>/secret.key` (mode 0600), which `itsm init` makes, or comes in `ITSM_SECRET`; it is never in the
database, so whoever holds only the database can forge neither tokens nor the event log.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from itsm.platform.errors import DeskError, Kind

PROJECT_ROOT = Path(__file__).resolve().parents[2]
MINIMUM_SECRET_BYTES = 32
MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class Settings:
    """All there is to set. Sizes are in bytes, paths absolute.

    `public_pulse` lets the start page show how many tickets lie in which queue to whoever opens it.
    """

    home: Path
    database_url: str
    secret: bytes = field(repr=False)
    config_dir: Path
    workflows_dir: Path
    host: str = "127.0.0.1"
    port: int = 8080
    base_url: str = ""
    max_body_bytes: int = 1 * MEBIBYTE
    max_attachment_bytes: int = 25 * MEBIBYTE
    public_pulse: bool = False

    @property
    def attachments_dir(self) -> Path:
        """Where the bytes of attachments lie."""
        return self.home / "attachments"

    def key(self, purpose: str) -> bytes:
        """A key for one purpose, derived from the secret, so that no two purposes share one (NIST SP 800-108, one step)."""
        return hmac.digest(self.secret, b"itsm/" + purpose.encode(), hashlib.sha256)


def from_environment(environment: Mapping[str, str] | None = None) -> Settings:
    """Read `ITSM_HOME`, `ITSM_DATABASE_URL`, `ITSM_SECRET`, `ITSM_CONFIG`, `ITSM_WORKFLOWS`, `ITSM_BASE_URL`,
    `ITSM_MAX_ATTACHMENT_BYTES`, `ITSM_PUBLIC_PULSE`, `HOST` and `PORT`.

    Raises `DeskError` (`bad_settings`) naming every fault at once.
    """
    env = os.environ if environment is None else environment
    faults: list[str] = []
    home = Path(env.get("ITSM_HOME", "var")).resolve()
    config_dir = Path(env.get("ITSM_CONFIG", str(PROJECT_ROOT / "config"))).resolve()
    workflows_dir = Path(env.get("ITSM_WORKFLOWS", str(PROJECT_ROOT / "workflows"))).resolve()
    for name, folder in (("ITSM_CONFIG", config_dir), ("ITSM_WORKFLOWS", workflows_dir)):
        if not folder.is_dir():
            faults.append(f"{name}: there is no folder {folder}")
    host = env.get("HOST", "127.0.0.1")
    port = _whole_number(env, "PORT", 8080, 1, 65535, faults)
    attachment_bytes = _whole_number(env, "ITSM_MAX_ATTACHMENT_BYTES", 25 * MEBIBYTE, 1, 1 << 30, faults)
    secret = _secret(env, home, faults)
    database_url = env.get("ITSM_DATABASE_URL") or f"sqlite:///{home / 'itsm.db'}"
    if not database_url.startswith(("sqlite:///", "postgresql://", "postgres://", "postgresql+psycopg://")):
        faults.append("ITSM_DATABASE_URL: must begin with sqlite:/// or postgresql://")
    if faults:
        raise DeskError(Kind.SETUP, "bad_settings", "; ".join(faults))
    return Settings(
        home=home,
        database_url=database_url,
        secret=secret,
        config_dir=config_dir,
        workflows_dir=workflows_dir,
        host=host,
        port=port,
        base_url=env.get("ITSM_BASE_URL", "").rstrip("/"),
        max_attachment_bytes=attachment_bytes,
        public_pulse=env.get("ITSM_PUBLIC_PULSE", "") == "1",
    )


def make_secret(home: Path) -> None:
    """Write a fresh secret to `<home>/secret.key`, for its owner only, as is a home made here; an existing one is kept."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        descriptor = os.open(home / "secret.key", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_hex(MINIMUM_SECRET_BYTES) + "\n")


def _secret(env: Mapping[str, str], home: Path, faults: list[str]) -> bytes:
    file = home / "secret.key"
    given = env.get("ITSM_SECRET")
    if given is None:
        if not file.exists():
            faults.append(f"there is no secret yet: run `itsm init`, which writes {file}, or set ITSM_SECRET")
            return b""
        if file.stat().st_mode & 0o077:
            faults.append(f"{file} can be read by others: chmod 600 {file}")
        given = file.read_text().strip()
    secret = given.encode()
    if len(secret) < MINIMUM_SECRET_BYTES or len(set(secret)) < 8:
        faults.append(f"the secret is too weak: at least {MINIMUM_SECRET_BYTES} random characters, as `itsm init` makes them")
    return secret


def _whole_number(env: Mapping[str, str], name: str, default: int, low: int, high: int, faults: list[str]) -> int:
    text = env.get(name, "")
    if not text:
        return default
    if text.isascii() and text.isdigit() and low <= int(text) <= high:
        return int(text)
    faults.append(f"{name}: must be a whole number from {low} to {high}")
    return default
