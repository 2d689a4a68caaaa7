"""What a drawing of a life cycle shows, before anyone decides how: states, arrows between them, and words on the arrows.

All moves between the same two states share one arrow, and moves that stay in their state are listed inside it: a practice of
forty branches is then a picture of twenty arrows. Every text in here is meant literally; each renderer
escapes it in its own way.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from itsm.workflow.definition import SYSTEM, Branch, Category, State, Workflow


@dataclass(frozen=True, slots=True)
class Label:
    """One move on an arrow: its title and, beneath, what else sets it off (`after 5 business days`)."""

    text: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Node:
    """A state. `stays` are the moves that end where they began."""

    name: str
    title: str
    category: Category
    initial: bool
    stays: tuple[Label, ...] = ()


@dataclass(frozen=True, slots=True)
class Arrow:
    """Every move from one state to another. `automatic` when no person may make any of them."""

    source: str
    target: str
    labels: tuple[Label, ...]
    automatic: bool


@dataclass(frozen=True, slots=True)
class Picture:
    """A life cycle, ready to be drawn. Nodes stand in the order of the source, the initial state first."""

    name: str
    title: str
    nodes: tuple[Node, ...]
    arrows: tuple[Arrow, ...]

    def words(self) -> str:
        """The picture for those who do not see it: every state, its category and its moves, as sentences."""
        titles = {node.name: node.title for node in self.nodes}
        lines = [f"Life cycle of {self.title}: {len(self.nodes)} states."]
        for node in self.nodes:
            moves = [
                f"{label.text} → {titles[arrow.target]}"
                for arrow in self.arrows
                if arrow.source == node.name
                for label in arrow.labels
            ]
            moves += [f"{label.text} (stays)" for label in node.stays]
            start = ", the first" if node.initial else ""
            lines.append(f"{node.title} ({node.category}{start}): {'; '.join(moves) or 'nothing leads out'}.")
        return "\n".join(lines)


def paint(workflow: Workflow) -> Picture:
    """The picture of a workflow."""
    names = sorted(workflow.states, key=lambda name: name != workflow.initial)
    arrows = tuple(arrow for name in names for arrow in _arrows(workflow, name))
    nodes = tuple(_node(workflow, workflow.states[name], arrows) for name in names)
    return Picture(
        name=workflow.name,
        title=workflow.title or in_words(workflow.name),
        nodes=nodes,
        arrows=tuple(arrow for arrow in arrows if arrow.source != arrow.target),
    )


def in_words(name: str) -> str:
    """A name as people read it: `in_progress` is “In progress”."""
    spaced = name.replace("_", " ")
    return spaced[:1].upper() + spaced[1:]


def _node(workflow: Workflow, state: State, arrows: tuple[Arrow, ...]) -> Node:
    stays = (arrow.labels for arrow in arrows if arrow.source == arrow.target == state.name)
    return Node(
        name=state.name,
        title=state.title or in_words(state.name),
        category=state.category,
        initial=state.name == workflow.initial,
        stays=next(stays, ()),
    )


def _arrows(workflow: Workflow, source: str) -> Iterator[Arrow]:
    """The arrows out of one state, one for each state they lead to, in written order."""
    bundles: dict[str, list[Branch]] = {}
    for transition in workflow.transitions.values():
        for branch in transition.branches:
            if source in branch.sources:
                bundles.setdefault(branch.lands_in(source), []).append(branch)
    for target, branches in bundles.items():
        by_trigger: dict[str, list[Branch]] = {}
        for branch in branches:
            by_trigger.setdefault(branch.trigger, []).append(branch)
        yield Arrow(
            source=source,
            target=target,
            labels=tuple(_label(workflow, source, trigger, several) for trigger, several in by_trigger.items()),
            automatic=all(set(branch.by) == {SYSTEM} for branch in branches),
        )


def _label(workflow: Workflow, source: str, trigger: str, branches: list[Branch]) -> Label:
    title = workflow.transitions[trigger].title or in_words(trigger)
    by_itself = any(SYSTEM in branch.by for branch in branches)
    return Label(title, tuple(dict.fromkeys(_causes(workflow, source, trigger))) if by_itself else ())


def _causes(workflow: Workflow, source: str, trigger: str) -> Iterator[str]:
    """What sets the trigger off in this state without anyone asking for it."""
    for timer in workflow.timers.values():
        if timer.fire == trigger and source in timer.states:
            yield f"after {timer.after}"
    for reaction in workflow.reactions.values():
        for rule in reaction.rules:
            if rule.fire == trigger and (rule.states is None or source in rule.states):
                yield f"on {in_words(reaction.event).lower()}"
