"""Drawings: everything is shown, nothing lies on anything else, and every text is meant literally."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from itsm.workflow.definition import State, Transition, Workflow
from itsm.workflow.diagram import dot, mermaid, svg
from itsm.workflow.diagram.layout import Layout, Route, arrange
from itsm.workflow.diagram.palette import INK, PALETTE, PAPER, QUIET
from itsm.workflow.diagram.picture import paint
from itsm.workflow.diagram.rows import Link
from tests.workflow.practice import INCIDENT, loaded

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "<script>alert(1)</script>&\"';#{x}`\\N\x07"


@pytest.fixture(scope="module")
def incident() -> Workflow:
    return loaded(INCIDENT)


@pytest.fixture(scope="module")
def hostile(incident: Workflow) -> Workflow:
    """The incident with markup for every title."""
    states = {name: replace(state, title=HOSTILE) for name, state in incident.states.items()}
    transitions = {name: replace(transition, title=HOSTILE) for name, transition in incident.transitions.items()}
    return replace(incident, title=HOSTILE, states=states, transitions=transitions)


def texts(drawing: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(drawing).iter(f"{SVG}text")]


# The picture


def test_all_moves_between_two_states_share_one_arrow(incident: Workflow) -> None:
    arrows = {(arrow.source, arrow.target): [label.text for label in arrow.labels] for arrow in paint(incident).arrows}
    assert arrows["new", "in_progress"] == ["Start"]
    assert arrows["resolved", "in_progress"] == ["Reopen"]
    assert len(arrows) == len(paint(incident).arrows) == 13


def test_moves_that_stay_are_listed_in_their_state(incident: Workflow) -> None:
    stays = {node.name: [label.text for label in node.stays] for node in paint(incident).nodes}
    assert stays["assigned"] == ["Assign"]
    assert stays["new"] == []


def test_what_happens_by_itself_is_said_on_its_arrow(incident: Workflow) -> None:
    (close,) = [arrow for arrow in paint(incident).arrows if arrow.target == "closed"]
    assert close.labels[0].notes == ("after 5 business days",)
    (resume,) = [arrow for arrow in paint(incident).arrows if arrow.source == "on_hold"]
    assert resume.labels[0].notes == ("on requester replied", "on linked problem resolved")


def test_an_arrow_that_no_person_can_take_is_automatic(incident: Workflow) -> None:
    only_system = replace(incident.transitions["close"].branches[0], by=("system",))
    changed = replace(
        incident, transitions={**incident.transitions, "close": Transition("close", (only_system,), only_system.at)}
    )
    assert [arrow.target for arrow in paint(changed).arrows if arrow.automatic] == ["closed"]
    assert 'stroke-dasharray="5 4"' in svg(changed)
    assert "stroke-dasharray" not in svg(incident)


# SVG


def test_the_drawing_is_well_formed_and_shows_every_state_and_move(incident: Workflow) -> None:
    shown = texts(svg(incident))
    for expected in ("Incident", "In progress", "On hold", "Resolve", "Reopen", "after 5 business days", "pending"):
        assert expected in shown


def test_the_drawing_speaks_to_those_who_do_not_see_it(incident: Workflow) -> None:
    root = ET.fromstring(svg(incident))
    title, description = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert root.get("role") == "img"
    assert title is not None
    assert description is not None
    assert (root.get("aria-labelledby") or "").split() == [title.get("id"), description.get("id")]
    assert title.text == "Incident"
    assert "New (new, the first): Assign → Assigned; Start → In progress; Cancel → Cancelled." in (description.text or "")
    assert "Closed (closed): nothing leads out." in (description.text or "")


def test_the_drawing_needs_nothing_but_itself(incident: Workflow) -> None:
    """No style, script, font, image or link: the strictest content security policy lets it pass."""
    drawing = svg(incident)
    assert not re.search(r"<(style|script|image|a|use|foreignObject|link)\b|\sstyle=|\son\w+=|@import", drawing)
    assert set(re.findall(r"url\(([^)]*)\)", drawing)) == set(re.findall(r"url\((#[^)]*)\)", drawing))
    assert "http" not in drawing.replace("http://www.w3.org/2000/svg", "")


def test_every_text_is_literal(hostile: Workflow) -> None:
    shown = texts(svg(hostile))
    assert sum(text.startswith("<script>alert(1)</script>&\"'") for text in shown) > 10
    assert "<script" not in svg(hostile)
    assert "\x07" not in svg(hostile)


def test_two_drawings_in_one_page_do_not_share_identifiers(incident: Workflow) -> None:
    mine, other = (set(re.findall(r'\bid="([^"]*)"', svg(each))) for each in (incident, replace(incident, name="other")))
    assert mine.isdisjoint(other)


def test_one_source_makes_one_drawing(incident: Workflow) -> None:
    assert svg(incident) == svg(loaded(INCIDENT))


def test_a_category_is_told_by_its_shape_too(incident: Workflow) -> None:
    """Pill, box, hexagon, cut corners, double frame: the drawing can be read without colours."""
    grey = re.sub(r"#[0-9a-f]{6}", "#000000", svg(incident))
    legend = grey[grey.rindex("</g>") :]
    shapes = [
        re.sub(r'\b(x|y|points)="[^"]*"', "", line) for line in legend.splitlines() if line.startswith(("<rect", "<polygon"))
    ]
    assert len(shapes) == 5
    assert len(set(shapes)) >= 4
    hexagon, cut = (re.findall(r'points="([^"]*)"', line) for line in legend.splitlines() if line.startswith("<polygon"))
    assert (len(hexagon[0].split()), len(cut[0].split())) == (6, 8)


def _luminance(colour: str) -> float:
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """WCAG 2.2, §1.4.3."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_words_and_lines_stand_out_from_what_is_behind_them() -> None:
    assert contrast(INK, PAPER) >= 7
    assert contrast(QUIET, PAPER) >= 7
    for look in PALETTE.values():
        assert contrast(look.text, look.fill) >= 7
        assert contrast(look.line, PAPER) >= 4.5


def test_a_workflow_of_one_state_can_be_drawn(incident: Workflow) -> None:
    alone = replace(incident, states={"new": incident.states["new"]}, transitions={}, timers={}, reactions={})
    assert "New" in texts(svg(alone))
    assert mermaid(alone)
    assert dot(alone)


# The layout

NAMES = string.ascii_lowercase[:12]


@st.composite
def graphs(draw: st.DrawFn) -> tuple[dict[str, tuple[float, float]], list[Link]]:
    names = NAMES[: draw(st.integers(1, 12))]
    sizes = {name: (draw(st.sampled_from([104.0, 160.0, 220.0])), draw(st.sampled_from([34.0, 50.0, 82.0]))) for name in names}
    pairs = [(a, b) for a in names for b in names if a != b]
    chosen = draw(st.lists(st.sampled_from(pairs), max_size=30, unique=True)) if pairs else []
    return sizes, [
        Link(a, b, draw(st.sampled_from([40.0, 90.0, 150.0])), draw(st.sampled_from([17.0, 47.0]))) for a, b in chosen
    ]


Box = tuple[float, float, float, float]


def around(x: float, y: float, width: float, height: float) -> Box:
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def overlap(one: Box, other: Box) -> bool:
    slack = 0.05
    return one[0] < other[2] - slack and other[0] < one[2] - slack and one[1] < other[3] - slack and other[1] < one[3] - slack


def points(route: Route) -> Iterator[tuple[float, float]]:
    """Points along a route, close together."""
    x = y = 0.0
    for command, text in re.findall(r"([MVC])([^MVC]*)", route.path):
        numbers = [float(number) for number in text.split()]
        if command == "M":
            x, y = numbers
        elif command == "V":
            yield from ((x, y + (numbers[0] - y) * step / 20) for step in range(21))
            y = numbers[0]
        else:
            x1, y1, x2, y2, x3, y3 = numbers
            for step in range(21):
                t = step / 20
                s = 1 - t
                yield (
                    s**3 * x + 3 * s * s * t * x1 + 3 * s * t * t * x2 + t**3 * x3,
                    s**3 * y + 3 * s * s * t * y1 + 3 * s * t * t * y2 + t**3 * y3,
                )
            x, y = x3, y3


def boxes_of(layout: Layout, sizes: dict[str, tuple[float, float]]) -> dict[str, Box]:
    return {name: around(spot.x, spot.y, *sizes[name]) for name, spot in layout.boxes.items()}


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_no_box_and_no_word_lies_on_another(graph: tuple[dict[str, tuple[float, float]], list[Link]]) -> None:
    sizes, links = graph
    layout = arrange(sizes, links)
    words = [
        around(route.words.x, route.words.y, link.width, link.height) for route, link in zip(layout.routes, links, strict=True)
    ]
    things = [*boxes_of(layout, sizes).values(), *words]
    assert not any(overlap(one, other) for one, other in combinations(things, 2))
    assert all(
        left >= -0.1 and right <= layout.width + 0.1 and top >= 0 and bottom <= layout.height + 0.1
        for left, top, right, bottom in things
    )


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_no_line_runs_through_a_box_or_through_the_words_of_another(
    graph: tuple[dict[str, tuple[float, float]], list[Link]],
) -> None:
    sizes, links = graph
    layout = arrange(sizes, links)
    boxes = boxes_of(layout, sizes)
    words = [
        around(route.words.x, route.words.y, link.width, link.height) for route, link in zip(layout.routes, links, strict=True)
    ]
    for number, route in enumerate(layout.routes):
        obstacles = [*boxes.values(), *(box for other, box in enumerate(words) if other != number)]
        for x, y in points(route):
            assert not any(overlap((x, y, x, y), around_ins) for around_ins in obstacles)


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_an_arrow_begins_at_its_source_and_ends_at_its_target(graph: tuple[dict[str, tuple[float, float]], list[Link]]) -> None:
    sizes, links = graph
    layout = arrange(sizes, links)
    boxes = boxes_of(layout, sizes)
    for route, link in zip(layout.routes, links, strict=True):
        way = list(points(route))
        for (x, y), name in ((way[0], link.source), (way[-1], link.target)):
            left, top, right, bottom = boxes[name]
            assert left < x < right
            assert y == pytest.approx(top, abs=0.1) or y == pytest.approx(bottom, abs=0.1)
        (_, before), (_, last) = way[-21], way[-1]
        assert abs(last - before) >= 9, "the head needs a straight line to point along"


# Mermaid and Graphviz


def test_mermaid_names_states_and_moves(incident: Workflow) -> None:
    source = mermaid(incident)
    assert source.startswith('---\ntitle: "Incident"\n---\nstateDiagram-v2\n')
    assert '    state "In progress" as s_in_progress\n' in source
    assert "    s_resolved --> s_closed : Close (after 5 business days)\n" in source
    assert "    [*] --> s_new\n" in source
    assert "    s_closed --> [*]\n" in source


def test_mermaid_takes_no_text_for_syntax(hostile: Workflow) -> None:
    body = mermaid(hostile).split("---\n", 2)[2]
    assert "script" in body
    assert not re.search(r"[<>\"';&`{}\\]", re.sub(r'state "[^"]*" as|-->|#\d+;|\\n', "", body))


def test_dot_names_states_and_moves(incident: Workflow) -> None:
    source = dot(incident)
    assert source.startswith('digraph "incident" {')
    assert '  "resolved" -> "closed" [label="Close (after 5 business days)"];' in source
    assert '"on_hold" [label="On hold", shape=hexagon' in source


def test_dot_takes_no_text_for_syntax(hostile: Workflow) -> None:
    strings = re.findall(r'"((?:[^"\\]|\\.)*)"', dot(hostile))
    assert any("<script>alert(1)</script>" in text and text.endswith("\\\\N\ufffd") for text in strings)
    assert not re.search(r"[<'&`\\]", re.sub(r'"(?:[^"\\]|\\.)*"', "", dot(hostile)))


def test_a_state_may_be_called_like_a_word_of_mermaid(incident: Workflow) -> None:
    odd = {**incident.states, "end": State("end", incident.states["closed"].category, incident.at)}
    assert 'state "End" as s_end' in mermaid(replace(incident, states=odd))
