"""Drawings of a life cycle: SVG to look at, Mermaid and Graphviz source to build on. All are functions of the workflow."""

from itsm.workflow.diagram.dot import dot
from itsm.workflow.diagram.mermaid import mermaid
from itsm.workflow.diagram.svg import svg

__all__ = ["dot", "mermaid", "svg"]
