"""What is different between two definitions, said as a process owner would say it: structure, not lines of text.

States, fields, transitions and the rest are matched by name, branches of a transition by what they lead to. Order matters only
where it means something: among the branches of a transition and the rules of a reaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from enum import Enum, StrEnum
from typing import Final, TypeVar

from itsm.workflow.definition import Action, Branch, Expression, Position, Reaction, Transition, Workflow

T = TypeVar("T")

_NOT_COMPARED: Final = frozenset({"at", "expect_at", "index", "trigger", "name", "source", "digest", "builtin"})
_WORDS: Final = {"sources": "from", "target": "to", "states": "in", "condition": "if", "derive": "derived from"}


class Kind(StrEnum):
    """What became of a thing."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as it was: which (`state on_hold`), what became of it, and how, in words."""

    kind: Kind
    what: str
    how: str = ""

    def __str__(self) -> str:
        sign = {Kind.ADDED: "+", Kind.REMOVED: "-", Kind.CHANGED: "~"}[self.kind]
        return f"{sign} {self.what}" + (f": {self.how}" if self.how else "")


def compare(old: Workflow, new: Workflow) -> list[Difference]:
    """Every difference, in the order of a workflow file."""
    return [
        *_parts("workflow", old, new, only=("name", "title", "description", "number", "initial")),
        *_named("field", old.fields, new.fields),
        *_named("state", old.states, new.states),
        *_transitions(old.transitions, new.transitions),
        *_named("timer", old.timers, new.timers),
        *_reactions(old.reactions, new.reactions),
        *_listed("invariant", old.invariants, new.invariants, lambda each: " ".join(each.holds.text.split())),
        *_scenarios(old, new),
    ]


def _named(noun: str, old: Mapping[str, object], new: Mapping[str, object]) -> Iterator[Difference]:
    """Things with names of their own."""
    for name in dict.fromkeys((*old, *new)):
        what = f"{noun} {name}"
        if name not in new:
            yield Difference(Kind.REMOVED, what)
        elif name not in old:
            yield Difference(Kind.ADDED, what, _outline(new[name]))
        else:
            yield from _parts(what, old[name], new[name])


def _scenarios(old: Workflow, new: Workflow) -> Iterator[Difference]:
    """By name only: how a story goes is best read in the story."""
    before, after = ({each.name: each for each in workflow.scenarios} for workflow in (old, new))
    for difference in _named("scenario", before, after):
        yield replace(difference, how="")


def _listed(noun: str, old: Sequence[T], new: Sequence[T], title: Callable[[T], str]) -> Iterator[Difference]:
    """Things without names, told apart by what they say."""
    before, after = ({title(each): each for each in several} for several in (old, new))
    yield from _named(noun, before, after)


def _transitions(old: Mapping[str, Transition], new: Mapping[str, Transition]) -> Iterator[Difference]:
    for name in dict.fromkeys((*old, *new)):
        what = f"transition {name}"
        if name not in new:
            yield Difference(Kind.REMOVED, what)
        elif name not in old:
            yield Difference(Kind.ADDED, what, "; ".join(map(_way, new[name].branches)))
        else:
            yield from _parts(what, old[name], new[name], only=("title",))
            yield from _branches(what, old[name].branches, new[name].branches)


def _branches(what: str, old: Sequence[Branch], new: Sequence[Branch]) -> Iterator[Difference]:
    became = _became(old, new)
    for branch in new:
        origin = became.get(branch.index)
        if origin is None:
            yield Difference(Kind.ADDED, f"{what}, branch {_way(branch)}", _outline(branch, without=("sources", "target")))
        else:
            yield from _parts(f"{what}, branch {_way(origin)}", origin, branch)
    for branch in old:
        if branch not in became.values():
            yield Difference(Kind.REMOVED, f"{what}, branch {_way(branch)}")
    order = [became[branch.index].index for branch in new if branch.index in became]
    if order != sorted(order):
        yield Difference(Kind.CHANGED, what, "its branches are tried in another order")


def _became(old: Sequence[Branch], new: Sequence[Branch]) -> dict[int, Branch]:
    """For new branches, by index, the old ones that they were: of all pairs the likest first."""
    pairs = sorted(((_likeness(one, other), other.index, one) for one in old for other in new), key=lambda pair: -pair[0])
    found: dict[int, Branch] = {}
    for likeness, index, one in pairs:
        if likeness and index not in found and one not in found.values():
            found[index] = one
    return found


def _likeness(one: Branch, other: Branch) -> int:
    """How much speaks for two branches being the same one."""
    if one.target != other.target and one.sources != other.sources:
        return 0
    return sum(
        (
            one.target == other.target,
            one.sources == other.sources,
            one.by == other.by,
            _plain(one.condition) == _plain(other.condition),
        )
    )


def _reactions(old: Mapping[str, Reaction], new: Mapping[str, Reaction]) -> Iterator[Difference]:
    for event in dict.fromkeys((*old, *new)):
        what = f"reaction to {event}"
        if event not in new:
            yield Difference(Kind.REMOVED, what)
        elif event not in old:
            yield Difference(Kind.ADDED, what, "; ".join(_outline(rule) for rule in new[event].rules))
        elif (before := _rules(old[event])) != (after := _rules(new[event])):
            yield Difference(Kind.CHANGED, what, f"{before} → {after}")


def _rules(reaction: Reaction) -> str:
    return "; ".join(_outline(rule) for rule in reaction.rules)


def _parts(what: str, old: object, new: object, only: Iterable[str] | None = None) -> Iterator[Difference]:
    """The attributes of a thing that are not as they were, in one difference."""
    names = [name for name in (only or _attributes(new)) if _plain(getattr(old, name)) != _plain(getattr(new, name))]
    if names:
        told = (f"{_WORDS.get(name, name)}: {_told(getattr(old, name))} → {_told(getattr(new, name))}" for name in names)
        yield Difference(Kind.CHANGED, what, "; ".join(told))


def _attributes(thing: object) -> list[str]:
    return [each.name for each in fields(thing) if each.name not in _NOT_COMPARED] if is_dataclass(thing) else []


def _outline(thing: object, without: Iterable[str] = ()) -> str:
    """What a new thing says, leaving out what it does not say."""
    names = [name for name in _attributes(thing) if name not in without and _plain(getattr(thing, name))]
    return ", ".join(f"{_WORDS.get(name, name)}: {_told(getattr(thing, name))}" for name in names)


def _way(branch: Branch) -> str:
    return f"{', '.join(branch.sources)} → {branch.target}"


def _plain(value: object) -> object:
    """A value without its places, so that a moved line is no difference."""
    match value:
        case Position():
            return None
        case Expression(text):
            return " ".join(text.split())
        case Enum():
            return value.value
        case Mapping():
            return {key: _plain(part) for key, part in value.items()}
        case list() | tuple():
            return [_plain(part) for part in value]
        case _ if is_dataclass(value) and _attributes(value):
            own = {"name": value.name} if isinstance(value, Action) else {}
            return own | {name: _plain(getattr(value, name)) for name in _attributes(value)}
        case _:
            return value


def _told(value: object) -> str:
    """A value in words; nothing at all is “–”."""
    match value:
        case None | "" | () | []:
            return "–"
        case bool():
            return str(value).lower()
        case Expression(text):
            return f"“{' '.join(text.split())}”"
        case Action(name, arguments):
            return f"{name} {_told(arguments)}" if arguments else name
        case Mapping():
            return "{" + ", ".join(f"{key}: {_told(part)}" for key, part in value.items()) + "}"
        case list() | tuple():
            return ", ".join(map(_told, value))
        case _ if is_dataclass(value) and _attributes(value) and type(value).__str__ is object.__str__:
            return _outline(value)
        case _:
            return str(value)
