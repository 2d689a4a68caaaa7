"""Definitions sent to `POST /workflows/check`: expressions that reach out or run away, and YAML that is a weapon."""

from __future__ import annotations

import resource
import time
from contextlib import suppress

import pytest

from itsm.platform.settings import PROJECT_ROOT
from tests.api.world import Api, Reply

INCIDENT = (PROJECT_ROOT / "workflows" / "incident.yaml").read_text()
GUARDED = """\
workflow: errand
fields:
  note: {{type: text}}
  many: {{type: integer}}
states:
  new:    {{category: new}}
  closed: {{category: closed}}
initial: new
transitions:
  end:
    - from: new
      to: closed
      by: [agent]
      if: {}
"""
CALLED = """\
workflow: errand
states:
  new:    {{category: new}}
  closed: {{category: closed}}
initial: new
transitions:
  end: [{{from: new, to: closed, by: [agent], do: [{}]}}]
"""

EXPRESSIONS = {
    "dunder attribute": "ticket.__class__.__bases__[0].__subclasses__() == null",
    "attribute of a text": "ticket.title.__init__ == null",
    "format": "ticket.title.format(ticket) == 'x'",
    "import": "__import__('os').system('true') == 0",
    "call": "open('/etc/passwd').read() == ''",
    "eval": "eval('1') == 1",
    "dotted import name": "os.system == null",
    "lambda": "(lambda: true)()",
    "comprehension": "[x for x in ticket.title] == []",
    "walrus": "(x := 1) == 1",
    "f-string": "f'{ticket}' == ''",
    "power": "9 ** 9 ** 9 > 0",
    "shift": "1 << 1000000000 > 0",
    "repeat": "'x' * 1000000000 == ''",
    "doubling": "ticket.title" + " + ticket.title" * 200 + " == ''",
    "loops in loops": "[1,2,3,4,5,6,7,8].all(a, " * 9 + "true" + ")" * 9,
    "map": "[1, 2].map(x, x * 2) == [2, 4]",
    "regular expression bomb": "ticket.title.matches('(a+)+$')" + " && ticket.title.matches('(\\\\pL{60}){20}')",
    "deep": "(" * 400 + "true" + ")" * 400,
    "long": "true" + " && true" * 2_000,
    "long text": "ticket.title == '" + "x" * 100_000 + "'",
    "unknown name": "tickets.title == 'x'",
    "unknown field": "ticket.password == 'x'",
    "unknown function": "system('true')",
    "whole number without end": "ticket.many == " + "9" * 5_000,
    "no boolean": "ticket.title",
    "template": "{{ 7 * 7 }}",
    "statement": "true; drop",
    "null byte": "ticket.title == '\\0'",
}


@pytest.fixture
def bounded(api: Api):  # type: ignore[no-untyped-def]
    """Check a definition; it must take little more than a second of computing, and not 100 MB of memory."""
    api("po1").post("/workflows/check", {"source": INCIDENT})

    def check(source: str, seconds: float = 2.0) -> Reply:
        memory, before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.thread_time()
        reply = api("po1").post("/workflows/check", {"source": source})
        taken = time.thread_time() - before
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) / 1024
        assert taken < seconds, taken
        assert grown < 100, grown
        return reply

    return check


def errors(reply: Reply) -> list[dict[str, object]]:
    if reply.status == 400:  # a NUL does not even come through JSON
        return [{"code": reply.code}]
    assert reply.status == 200, reply.text
    return [each for each in reply.json["findings"] if each["severity"] == "error"]


def test_no_expression_reaches_out_or_runs_away(api: Api, bounded) -> None:  # type: ignore[no-untyped-def]
    """A-47: attribute access, calls, imports, bombs and unknown names: refused at line and column; what runs is untouched."""
    running = api("po1").get("/workflows").content
    for name, text in EXPRESSIONS.items():
        quoted = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
        found = errors(bounded(GUARDED.format(quoted)))
        assert found, name
        assert all(each["line"] >= 1 and each["column"] >= 1 for each in found), name  # type: ignore[operator]
        assert any(each["line"] >= 13 for each in found), (name, found)  # type: ignore[operator]
        assert len(str(found)) < 50_000, name
    assert api("po1").get("/workflows").content == running
    assert errors(bounded(GUARDED.format("\"ticket.note == 'x'\""))) == []


def test_no_name_of_a_callable_is_an_action(bounded) -> None:  # type: ignore[no-untyped-def]
    """A-47: dotted names that the state machine's library would import, and methods of its objects, are no actions."""
    for name in (
        "os.system",
        "subprocess.run",
        "itsm.app.main",
        "to_closed",
        "__init__",
        "eval",
        "builtins.exec",
        "after",
        "before",
    ):
        for deed in (name, f"{{{name}: {{}}}}", f"{{{name}: [true]}}"):
            assert errors(bounded(CALLED.format(deed))), deed
    for name in ("os.system", "__class__", "before_state_change", "to_closed"):
        found = errors(bounded(CALLED.format("").replace("do: []", f"{name}: x")))
        assert found, name


def test_an_accepted_expression_is_cheap_to_evaluate(api: Api) -> None:
    """A-47: the dearest guard that is let through takes less than 5 ms and 1 MB on the longest texts there can be."""
    import tracemalloc
    from datetime import UTC, datetime

    from itsm.workflow import language
    from itsm.workflow.case import Case, Person
    from itsm.workflow.engine import Process
    from itsm.workflow.rules import FaultyWorkflowError

    for clauses in range(40, 0, -1):
        dear = " || ".join(["ticket.note.matches('^(a|b|ab)*c$')"] * clauses)
        workflow, _ = language.load(GUARDED.format('"' + dear + '"'), "x", api.desk.vocabulary)
        assert workflow is not None
        with suppress(FaultyWorkflowError):  # too dear, by our own reckoning
            process = Process(workflow, api.desk.vocabulary)
            break
    else:
        pytest.skip("not even one such clause is let through")
    case = Case("new", {"title": "x", "note": "ab" * 1_000, "many": 1})
    person, now = Person("g1", frozenset({"agent"})), datetime(2026, 3, 2, tzinfo=UTC)
    process.fire(case, person, "end", {}, None, now)
    before = time.thread_time()
    for _ in range(20):
        process.fire(case, person, "end", {}, None, now)
    assert (time.thread_time() - before) / 20 < 0.005
    tracemalloc.start()
    process.fire(case, person, "end", {}, None, now)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


def bomb(levels: int, width: int) -> str:
    """A source whose aliases stand for `width ** levels` values."""
    lines = [f"a0: &a0 [{', '.join(['x'] * width)}]"]
    lines += [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * width)}]" for level in range(1, levels)]
    return "\n".join(lines)


YAML = {
    "python object": "workflow: !!python/object/apply:os.system ['touch /tmp/canary']",
    "python name": "workflow: !!python/name:os.system",
    "python module": "workflow: !!python/module:os",
    "own tag": "workflow: !canary x",
    "binary": "workflow: !!binary aGk=",
    "tag directive": "%TAG ! tag:yaml.org,2002:python/\n---\nworkflow: !object/apply:os.system [x]",
    "alias bomb": bomb(9, 9),
    "alias bomb of maps": "a: &a {x: y}\nb: &b {<<: *a}\nc: {<<: [*a, *b]}",
    "alias of itself": "a: &a [*a]",
    "a merge key": INCIDENT.replace("initial: new", "<<: {initial: new}"),
    "depth 3,000": "a: " + "[" * 3_000 + "]" * 3_000,
    "depth 3,000 of maps": "{a: " * 3_000 + "}" * 3_000,
    "depth by indenting": "\n".join(" " * level + "a:" for level in range(600)),
    "a key twice": "workflow: x\nworkflow: y",
    "a state twice": INCIDENT.replace("states:\n", "states:\n  new: {category: open}\n"),
    "NaN": INCIDENT.replace("default: 0", "default: .nan"),
    "infinity": INCIDENT.replace("default: 0", "default: .inf"),
    "octal": INCIDENT.replace("default: 0", "default: 0o17777777777777777777777777"),
    "old octal": INCIDENT.replace("default: 0", "default: 0777x"),
    "sexagesimal": INCIDENT.replace("default: 0", "default: 190:20:30"),
    "a date": INCIDENT.replace("default: 0", "default: 2026-01-01"),
    "yes": INCIDENT.replace("{type: boolean, default: false", "{type: boolean, default: yes"),
    "digits without end": INCIDENT.replace("default: 0", "default: " + "9" * 5_000),
    "a long tag": "a: !" + "x" * 100_000,
    "a long key": "? " + "x" * 100_000 + "\n: y",
    "a quarter of a megabyte of values": "a: [" + "x," * 120_000 + "]",
    "quotes": '"' * 200_000,
    "dashes": "- " * 100_000,
    "colons": ": " * 100_000,
    "tabs": "\t" * 100_000 + "x: y",
    "many anchors": "\n".join(f"a{index}: &x{index} y" for index in range(8_000)),
    "NUL": "workflow: x\0",
    "an escaped NUL": 'workflow: "x\\0"',
    "a mark": "\ufeffworkflow: [",
    "several documents": "a: 1\n---\nb: 2",
    "900 KB": "# " + "x" * 900_000,
}


def test_no_yaml_is_a_weapon(api: Api, bounded) -> None:  # type: ignore[no-untyped-def]
    """A-48: tags, alias bombs, depth, repetition, coercions, length: findings within a second, nothing built, nothing grown."""
    for name, source in YAML.items():
        found = errors(bounded(source))
        assert found, name
        assert len(found) <= 200, name
    many_states = "\n".join(f"  s{index}: {{category: open}}" for index in range(2_000))
    assert errors(bounded(f"workflow: x\ninitial: s0\nstates:\n{many_states}\ntransitions: {{}}\n"))
    assert api("po1").post("/workflows/check", {"source": "x" * 10_000_000}).status == 413


def test_a_space_too_large_to_search_is_not_searched(bounded) -> None:  # type: ignore[no-untyped-def]
    """A-48: a definition within all bounds of size whose proof would take for ever is answered in bounded time all the same."""
    choices = ", ".join(f"c{index}" for index in range(12))
    fields = "\n".join(f"  f{index}: {{type: choice, choices: [{choices}]}}" for index in range(12))
    guard = " && ".join(f"ticket.f{index} != 'c{index}'" for index in range(12))
    moves = "\n".join(
        f'  t{index}: [{{from: s{index}, to: s{(index * 7 + 1) % 40}, by: [agent], if: "{guard}"}}]' for index in range(40)
    )
    states = "\n".join(f"  s{index}: {{category: {'new' if index == 0 else 'open'}}}" for index in range(40))
    source = f"workflow: x\nfields:\n{fields}\nstates:\n{states}\ninitial: s0\ntransitions:\n{moves}\n"
    assert bounded(source, seconds=10.0).status == 200
