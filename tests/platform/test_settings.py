"""What the environment says, and what is refused before anything starts (attack A-97)."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from itsm.platform.errors import DeskError
from itsm.platform.settings import from_environment, make_secret


def environment(home: Path, **more: str) -> dict[str, str]:
    return {"ITSM_HOME": str(home), **more}


def test_two_installations_have_different_secrets_that_only_their_owner_reads(tmp_path: Path) -> None:
    secrets = []
    for name in ("one", "two"):
        make_secret(tmp_path / name)
        assert stat.S_IMODE((tmp_path / name / "secret.key").stat().st_mode) == 0o600
        secrets.append(from_environment(environment(tmp_path / name)).secret)
    assert secrets[0] != secrets[1]


def test_making_a_secret_again_keeps_the_first(tmp_path: Path) -> None:
    make_secret(tmp_path)
    first = (tmp_path / "secret.key").read_text()
    make_secret(tmp_path)
    assert (tmp_path / "secret.key").read_text() == first


@pytest.mark.parametrize("weak", ["", "changeme", "0" * 64, "abcabcabcabcabcabcabcabcabcabcabcabc"])
def test_a_weak_secret_stops_the_start(tmp_path: Path, weak: str) -> None:
    with pytest.raises(DeskError, match="secret"):
        from_environment(environment(tmp_path, ITSM_SECRET=weak))


def test_a_secret_that_others_can_read_stops_the_start(tmp_path: Path) -> None:
    make_secret(tmp_path)
    (tmp_path / "secret.key").chmod(0o644)
    with pytest.raises(DeskError, match="chmod 600"):
        from_environment(environment(tmp_path))


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(DeskError) as refusal:
        from_environment(environment(tmp_path, PORT="99999", ITSM_DATABASE_URL="mysql://x", ITSM_CONFIG="/nowhere"))
    for word in ("PORT", "ITSM_DATABASE_URL", "ITSM_CONFIG", "itsm init"):
        assert word in refusal.value.detail


def test_no_two_purposes_share_a_key(tmp_path: Path) -> None:
    make_secret(tmp_path)
    settings = from_environment(environment(tmp_path))
    assert len({settings.key("audit"), settings.key("tokens"), settings.secret}) == 3
