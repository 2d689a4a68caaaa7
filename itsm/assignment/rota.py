"""Who is on call when, worked out from a rota, what stands in for it, and who is away. Pure.

Turns change hands at a wall-clock time in the layer's zone, so a turn over the night on which clocks change is an hour shorter
or longer, and handovers stay at nine. Every instant has one person in each layer, or is told as a gap with its reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise

from itsm.assignment.book import Layer
from itsm.platform.time import from_micros, to_micros
from itsm.worktime import zones
from itsm.worktime.calendar import Calendar


@dataclass(frozen=True, slots=True)
class Away:
    """A time in which somebody takes on nothing."""

    login: str
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class StandIn:
    """Somebody who is on call in a layer, whoever's turn it is. Of several the one entered last counts, by `id`."""

    id: int
    layer: str
    login: str
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Duty:
    """A stretch of time in a layer: who is on call, or None with the reason for the gap; the stand-in it rests on, if any."""

    layer: str
    start: datetime
    end: datetime
    login: str | None
    gap: str | None = None
    stand_in: int | None = None


@dataclass(frozen=True, slots=True)
class Roster:
    """What a layer is worked out from, besides itself."""

    stand_ins: Sequence[StandIn] = ()
    away: Sequence[Away] = ()
    calendars: Mapping[str, Calendar] | None = None


def duties(layer: Layer, roster: Roster, start: datetime, end: datetime) -> list[Duty]:
    """Who is on call in a layer from one instant to another: stretches without holes, neighbours different."""
    open_ = _open(layer, roster, start, end)
    found: list[Duty] = []
    for begin, until in pairwise(_boundaries(layer, roster, open_, start, end)):
        duty = _at(layer, roster, open_, begin, until)
        if found and (found[-1].login, found[-1].gap, found[-1].stand_in) == (duty.login, duty.gap, duty.stand_in):
            found[-1] = replace(found[-1], end=until)
        else:
            found.append(duty)
    return found


def now(layer: Layer, roster: Roster, instant: datetime) -> Duty:
    """Who is on call in a layer at an instant; the stretch is that instant's microsecond."""
    end = instant + timedelta(microseconds=1)
    return _at(layer, roster, _open(layer, roster, instant, end), instant, end)


def handover(layer: Layer, turn: int) -> datetime:
    """When a turn begins, the first being number 0, in UTC."""
    day = layer.start + timedelta(days=turn * layer.days)
    return zones.to_instant(datetime.combine(day, layer.handover), layer.zone)


def turn_at(layer: Layer, instant: datetime) -> int:
    """The number of the turn that an instant lies in; below 0 before the first."""
    turn = (zones.to_local(instant, layer.zone).date() - layer.start).days // layer.days
    while handover(layer, turn) > instant:
        turn -= 1
    while handover(layer, turn + 1) <= instant:
        turn += 1
    return turn


def _open(layer: Layer, roster: Roster, start: datetime, end: datetime) -> list[tuple[datetime, datetime]] | None:
    """The hours in which somebody is to be on call; None for always."""
    if layer.calendar is None or roster.calendars is None:
        return None
    stretches = roster.calendars[layer.calendar].open_between(to_micros(start), to_micros(end))
    return [(from_micros(begin), from_micros(until)) for begin, until in stretches]


def _boundaries(
    layer: Layer, roster: Roster, open_: list[tuple[datetime, datetime]] | None, start: datetime, end: datetime
) -> list[datetime]:
    moments = {start, end}
    first, last = turn_at(layer, start), turn_at(layer, end)
    moments |= {handover(layer, turn) for turn in range(max(first, 0), last + 1)}
    moments |= {moment for pair in open_ or () for moment in pair}
    moments |= {moment for one in roster.stand_ins for moment in (one.start, one.end)}
    moments |= {moment for one in roster.away for moment in (one.start, one.end)}
    return sorted(moment for moment in moments if start <= moment <= end)


def _at(layer: Layer, roster: Roster, open_: list[tuple[datetime, datetime]] | None, begin: datetime, until: datetime) -> Duty:
    """What holds from one boundary to the next."""
    stand_ins = [one for one in roster.stand_ins if one.layer == layer.name and one.start <= begin < one.end]
    for one in sorted(stand_ins, key=lambda one: -one.id):
        if not _is_away(one.login, roster.away, begin):
            return Duty(layer.name, begin, until, one.login, stand_in=one.id)
    if open_ is not None and not any(opens <= begin < closes for opens, closes in open_):
        return Duty(layer.name, begin, until, None, f"outside {layer.calendar}")
    turn = turn_at(layer, begin)
    if turn < 0:
        return Duty(layer.name, begin, until, None, "the rota has not begun")
    login = layer.people[turn % len(layer.people)]
    if _is_away(login, roster.away, begin):
        return Duty(layer.name, begin, until, None, f"{login} is absent")
    return Duty(layer.name, begin, until, login)


def _is_away(login: str, away: Iterable[Away], instant: datetime) -> bool:
    return any(one.login == login and one.start <= instant < one.end for one in away)
