"""Several who keep services at once, and the command line."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from itsm.cli import Wiring
from itsm.cli.services import services as command
from itsm.platform.errors import DeskError
from itsm.services import commands, edges, rules
from itsm.services.commands import Registrar
from itsm.services.rules import Node, Relation, Sort
from itsm.tickets.desk import Desk
from tests.service import actor

Run = Callable[..., Result]

KEYS = [f"n{number}" for number in range(6)]


def keep(desk: Desk, deed: str, *nodes: Node) -> str:
    """Add a node, or say that the first of two depends on the other; what came of it."""

    def once() -> str:
        with desk.database.session() as session:
            keeper = Registrar(session, actor(desk, "l1"), desk.clock.now(), desk.locations, desk.calendars)
            if deed == "add":
                commands.add(keeper, nodes[0], {"name": "N"})
            else:
                commands.relate(keeper, rules.edge(nodes[0], Relation.DEPENDS_ON, nodes[1]))
        return "done"

    try:
        return desk.database.retrying(once)
    except DeskError as refusal:
        return refusal.code


def test_relations_made_at_once_never_close_a_circle(desk: Desk) -> None:
    nodes = [Node(Sort.ITEM, key) for key in KEYS]
    for node in nodes:
        assert keep(desk, "add", node) == "done"
    pairs = list(zip(nodes, [*nodes[1:], nodes[0]], strict=True))
    with ThreadPoolExecutor(len(pairs)) as pool:
        came = list(pool.map(lambda pair: keep(desk, "relate", *pair), pairs))
    assert sorted(came) == ["cyclic_relation", *["done"] * (len(pairs) - 1)]
    with desk.database.session(write=False) as session:
        assert len(edges.every(session)) == len(pairs) - 1


def test_of_two_who_add_one_key_at_once_one_is_told_that_it_is_taken(desk: Desk) -> None:
    with ThreadPoolExecutor(4) as pool:
        came = list(pool.map(lambda _: keep(desk, "add", Node(Sort.SERVICE, "erp")), range(4)))
    assert sorted(came) == ["done", *["key_taken"] * 3]


class _Same:
    """What the command line gets in place of a desk of its own."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk


@pytest.fixture
def run(desk: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs `itsm services` over the desk of the test."""
    monkeypatch.setenv("ITSM_HOME", str(tmp_path))
    monkeypatch.setenv("ITSM_SECRET", "0123456789abcdef0123456789abcdef-for-tests")
    wiring = Wiring(build=lambda *_, **__: _Same(desk), create_app=lambda *_: None)
    return lambda *words: CliRunner().invoke(command, list(words), obj=wiring)


def test_the_command_line_imports_and_tells_what_was_left_out(run: Run, tmp_path: Path) -> None:
    file, errors, out = tmp_path / "items.csv", tmp_path / "errors.csv", tmp_path / "all.csv"
    file.write_text("key,name,location\nsrv-1,=1+1,berlin\nsrv-2,Two,atlantis\n")
    tried = run("import", str(file), "--as", "l1", "--dry-run")
    assert (tried.exit_code, "nothing was written" in tried.output) == (1, True)
    done = run("import", str(file), "--as", "l1", "--errors", str(errors))
    assert done.exit_code == 1
    assert "added      1" in done.output
    assert errors.read_text().splitlines()[1].startswith("3,srv-2,location,unknown_reference,")
    assert run("export", str(out)).exit_code == 0
    assert "srv-1,'=1+1," in out.read_text()
    again = run("import", str(out), "--as", "l1")
    assert again.exit_code == 0
    assert "unchanged  3" in again.output


def test_the_command_line_imports_for_those_who_may(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "items.csv"
    file.write_text("key,name\nsrv-1,One\n")
    for login, code in (("g1", "forbidden"), ("nemo", "not_found")):
        refused = run("import", str(file), "--as", login)
        assert isinstance(refused.exception, DeskError)
        assert refused.exception.code == code
