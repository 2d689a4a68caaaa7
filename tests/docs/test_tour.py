"""The tour of the README can be walked: its blocks are sound shell, and what they name there is."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any, Final

import click
import pytest

from itsm.api import routes
from itsm.cli import root
from itsm.cli.company import ROLES, STAFF
from itsm.workflow import source
from tests.docs.pages import ROOT, Page
from tests.service import practices

README: Final = Page(ROOT / "README.md", (ROOT / "README.md").read_text())
BLOCKS: Final = README.blocks("sh")
TOUR: Final = "".join(BLOCKS)


def written(path: Path) -> dict[str, Any]:
    """A file of the configuration, as it is written."""
    tree, findings = source.parse_file(path)
    assert tree is not None, findings
    found: dict[str, Any] = source.plain(tree)
    return found


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.strip().splitlines()[0][:40])
def test_a_block_is_sound_shell(block: str) -> None:
    done = subprocess.run(["bash", "-n"], input=block, text=True, capture_output=True, check=False, timeout=10)
    assert (done.returncode, done.stderr) == (0, "")


def test_every_address_that_it_calls_is_there() -> None:
    called = {re.sub(r"\$\w+", "{}", path).split("?")[0] for path in re.findall(r"\$API(/[^\s\"')]*)", TOUR)}
    patterns = [re.sub(r"\{\w+\}", "[^/]+", route.full_path.removeprefix("/api/v1")) for route in routes()]
    assert len(called) > 8
    assert {path for path in called if not any(re.fullmatch(pattern, path) for pattern in patterns)} == set()


def test_everybody_in_it_is_one_of_the_demo() -> None:
    assert set(re.findall(r"\b(?:as|move) ([a-z_]+) ", TOUR)) <= set(ROLES)
    for_others = set(re.findall(r'"requested_for": \["(\w+)"\]', TOUR))
    assert for_others
    assert for_others <= {login for login, *_ in STAFF}


def test_every_transition_in_it_is_one_of_the_practices() -> None:
    triggers = {trigger for each in practices().values() for trigger in each.transitions}
    said = set(re.findall(r'"trigger": "(\w+)"', TOUR))
    assert len(said) > 4
    assert said <= triggers


def test_every_question_that_it_answers_is_one_of_its_item() -> None:
    order = re.search(r"/catalog/(\w+)/requests.*?\"answers\": \{(.*?)\}", TOUR, re.DOTALL)
    assert order is not None
    files = sorted((ROOT / "config" / "catalog").glob("*.yaml"))
    (form,) = (items[order[1]]["form"] for file in files if order[1] in (items := written(file).get("items", {})))
    shared = written(ROOT / "config" / "catalog" / "shared.yaml")["questions"]
    asked = set(form) | {name for each in form.values() if "use" in each for name in shared[each["use"]]}
    assert set(re.findall(r'"(\w+)":', order[2])) <= asked


def test_every_model_service_and_item_in_it_is_there() -> None:
    models = written(ROOT / "config" / "changes.yaml")["models"]
    known = (ROOT / "config" / "demo" / "services.csv").read_text()
    assert set(re.findall(r"/changes/models/([\w-]+)/", TOUR)) <= set(models)
    named = re.findall(r'"(?:service|ci)": "([\w-]+)"', TOUR)
    assert named
    assert all(re.search(rf"^(?:service|item),{name},", known, re.MULTILINE) for name in named)


def test_every_command_in_it_is_there() -> None:
    context = click.Context(root)
    for words in re.findall(r"\.venv/bin/itsm ([a-z]+(?: [a-z-]+)?)", TOUR):
        first, _, second = words.partition(" ")
        command = root.get_command(context, first)
        assert command is not None, words
        if isinstance(command, click.Group):
            assert command.get_command(click.Context(command), second) is not None, words
