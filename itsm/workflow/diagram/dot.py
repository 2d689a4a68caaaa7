"""A life cycle as a Graphviz graph, for those who have Graphviz and want their own layout."""

from __future__ import annotations

from typing import Final

from itsm.workflow.definition import Category, Workflow
from itsm.workflow.diagram.palette import PALETTE
from itsm.workflow.diagram.picture import Arrow, Label, Node, paint
from itsm.workflow.diagram.text import printable

_SHAPES: Final = {
    Category.NEW: 'shape=box, style="filled,rounded", peripheries=1',
    Category.OPEN: "shape=box, style=filled",
    Category.PENDING: "shape=hexagon, style=filled",
    Category.RESOLVED: "shape=octagon, style=filled",
    Category.CLOSED: "shape=box, style=filled, peripheries=2",
}


def dot(workflow: Workflow) -> str:
    """The source of a `digraph`."""
    picture = paint(workflow)
    lines = [
        f"digraph {_quoted(picture.name)} {{",
        f"  graph [label={_quoted(picture.title)}, labelloc=t, fontname=Helvetica, rankdir=TB];",
        "  node [fontname=Helvetica, fontsize=11];",
        "  edge [fontname=Helvetica, fontsize=10];",
        '  "" [shape=point, width=0.12];',
        *(_node(node) for node in picture.nodes),
        *(f'  "" -> {_quoted(node.name)};' for node in picture.nodes if node.initial),
        *(_arrow(arrow) for arrow in picture.arrows),
        "}",
    ]
    return "\n".join(lines) + "\n"


def _node(node: Node) -> str:
    look = PALETTE[node.category]
    text = _quoted("\n".join([node.title, *(f"↻ {_label(label)}" for label in node.stays)]))
    colours = f'fillcolor="{look.fill}", color="{look.line}", fontcolor="{look.text}"'
    return f"  {_quoted(node.name)} [label={text}, {_SHAPES[node.category]}, {colours}];"


def _arrow(arrow: Arrow) -> str:
    style = ", style=dashed" if arrow.automatic else ""
    text = _quoted("\n".join(_label(label) for label in arrow.labels))
    return f"  {_quoted(arrow.source)} -> {_quoted(arrow.target)} [label={text}{style}];"


def _label(label: Label) -> str:
    return label.text + (f" ({', '.join(label.notes)})" if label.notes else "")


def _quoted(text: str) -> str:
    """A double-quoted string. Graphviz would replace `\\N` and its kin, and `&lt;` and its kin, by something else."""
    escaped = printable(text).replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;").replace("\n", "\\n")
    return f'"{escaped}"'
