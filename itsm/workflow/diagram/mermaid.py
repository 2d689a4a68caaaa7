"""A life cycle as a Mermaid state diagram, for README files and wikis that draw them."""

from __future__ import annotations

from itsm.workflow.definition import Category, Workflow
from itsm.workflow.diagram.palette import PALETTE
from itsm.workflow.diagram.picture import Arrow, Label, Node, paint
from itsm.workflow.diagram.text import printable


def mermaid(workflow: Workflow) -> str:
    """The source of a `stateDiagram-v2`."""
    picture = paint(workflow)
    lines = ["---", f"title: {_yaml(picture.title)}", "---", "stateDiagram-v2"]
    lines += [f'    state "{_node(node)}" as {_id(node.name)}' for node in picture.nodes]
    lines += [f"    [*] --> {_id(node.name)}" for node in picture.nodes if node.initial]
    lines += [f"    {_arrow(arrow)}" for arrow in picture.arrows]
    lines += [f"    {_id(node.name)} --> [*]" for node in picture.nodes if node.category is Category.CLOSED]
    for category in dict.fromkeys(node.category for node in picture.nodes):
        look = PALETTE[category]
        members = ",".join(_id(node.name) for node in picture.nodes if node.category is category)
        lines.append(f"    classDef is_{category} fill:{look.fill},stroke:{look.line},color:{look.text}")
        lines.append(f"    class {members} is_{category}")
    return "\n".join(lines) + "\n"


def _node(node: Node) -> str:
    return "\\n".join([_literal(node.title), *(f"↻ {_label(label)}" for label in node.stays)])


def _arrow(arrow: Arrow) -> str:
    return f"{_id(arrow.source)} --> {_id(arrow.target)} : {' / '.join(_label(label) for label in arrow.labels)}"


def _label(label: Label) -> str:
    notes = f" ({', '.join(label.notes)})" if label.notes else ""
    return _literal(label.text + notes)


def _id(name: str) -> str:
    """A name that cannot be taken for one of Mermaid's words (`end`, `state`, `note` …)."""
    return "s_" + "".join(
        char if char.isascii() and char.isalnum() else f"_{ord(char):x}_" if char != "_" else "_" for char in name
    )


def _literal(text: str) -> str:
    """Text that Mermaid shows as it is: whatever has a meaning of its own becomes an entity code (`#35;`)."""
    return "".join(
        char if char.isalnum() or char in " -_.,()/→↻" else f"#{ord(char)};" for char in " ".join(printable(text).split())
    )


def _yaml(text: str) -> str:
    escaped = " ".join(printable(text).split()).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
