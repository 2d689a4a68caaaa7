"""From a case of a log to the story of a ticket, as a mapping says. Pure: no database, nothing is looked up.

A case is told as a whole or not at all: with one event that cannot be understood, its faults come back instead of a story.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from itsm.imports.log import Fault, SourceCase
from itsm.imports.mapping import LogMapping, Organisation, Status
from itsm.imports.origin import KEYED, Origin, Unfit, filled, key_of
from itsm.tickets.story import Opened, Step, Story
from itsm.workflow.case import Value
from itsm.workflow.vocabulary import Vocabulary

NOBODY = "unknown"
"""The name of whoever took a step of which the log does not say who."""

REQUESTER = "requester"
"""The role of people whom a field names and who do nothing themselves."""

_LONGEST_TITLE = 200


@dataclass
class Character:
    """Somebody a story speaks of. `organisation` is a key; `roles` are those he gets here if he is new."""

    name: str
    organisation: str | None = None
    roles: set[str] = field(default_factory=set)


@dataclass
class Cast:
    """Whom and what a story speaks of, by key: people, and the names of organisations, groups, services and items."""

    people: dict[str, Character] = field(default_factory=dict)
    organisations: dict[str, str] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)
    services: dict[str, str] = field(default_factory=dict)
    cis: dict[str, str] = field(default_factory=dict)

    def things(self) -> Iterator[tuple[str, Mapping[str, str]]]:
        """All but the people: what kind, and names by key."""
        yield from (("organisation", self.organisations), ("group", self.groups), ("service", self.services), ("ci", self.cis))


@dataclass(frozen=True, slots=True)
class Translated:
    """A story and its cast."""

    story: Story
    cast: Cast


class Translator:
    """Translates cases by one mapping. `present` is the moment of the import: history does not lie in the future."""

    def __init__(self, mapping: LogMapping, vocabulary: Vocabulary, present: datetime) -> None:
        self.mapping = mapping
        self.present = present
        self._vocabulary = vocabulary
        self._roles = self._expanded(mapping.roles)
        self._usual = tuple(mapping.origins.items())
        self._origins_of = {
            name: tuple({**mapping.origins, **status.origins}.items()) for name, status in mapping.statuses.items()
        }
        self._compared = tuple(mapping.compare.items())
        self._roles_of = {name: self._expanded(status.roles or mapping.roles) for name, status in mapping.statuses.items()}

    def translate(self, case: SourceCase) -> Translated | list[Fault]:
        """The story of a case, or every fault that keeps it from being one."""
        cast = Cast()
        faults = list(case.faults)
        told: list[tuple[Step, Mapping[str, str]]] = []
        for event in case.events:
            row = {**case.values, **event.values}
            try:
                told.append((self._step(event.line, row, cast), row))
            except _CaseError as error:
                faults.append(Fault(event.line, case.id, error.code, str(error), event.values))
        if not faults and not told:
            faults.append(Fault(case.line, case.id, "no_events", "The case has no events.", case.values))
        if faults:
            return faults
        told.sort(key=lambda pair: pair[0].at)  # stable: events of one instant stay in the order of the file
        try:
            return Translated(self._story(case.id, told, cast), cast)
        except _CaseError as error:
            return [Fault(told[0][0].line, case.id, error.code, str(error), told[0][1])]

    def _story(self, case: str, told: list[tuple[Step, Mapping[str, str]]], cast: Cast) -> Story:
        mapping, (first, row) = self.mapping, told[0]
        if "title" not in first.values:
            first = replace(first, values={**first.values, "title": case})
        opened_at, opened_by = first.at, first.by
        if mapping.opened_at in row:
            opened_at = min(self._instant(str(mapping.opened_at), row), first.at)
        if mapping.opened_by in row:
            opened_by = self._actor(row[str(mapping.opened_by)], cast)
        organisation = self._organisation(mapping.organisation, row, cast)
        requester = first.values.get("requester")
        if isinstance(requester, str):
            cast.people[requester].organisation = organisation or cast.people[requester].organisation
        return Story(
            source=mapping.name,
            case=case,
            type=mapping.workflow,
            opened_at=opened_at,
            opened_by=opened_by,
            roles=self._roles,
            requester=requester if isinstance(requester, str) else None,
            organisation=organisation,
            steps=(first, *(step for step, _ in told[1:])),
        )

    def _step(self, line: int, row: Mapping[str, str], cast: Cast) -> Step:
        mapping = self.mapping
        at = self._instant(mapping.at, row)
        if at > self.present:
            raise _CaseError("in_the_future", f"“{row[mapping.at]}” lies in the future.")
        name = self._status_name(row)
        by = self._actor(row.get(mapping.by, NOBODY), cast)
        told = {column: row[column] for column in mapping.keep if column in row}
        status = mapping.statuses.get(name)
        if status is None:
            why = mapping.refuse.get(name, f"The mapping knows no status “{name}”.")
            return Step(at, by, line, name, None, values=self._values(self._usual, row, cast), told=told, why_refused=why)
        values = self._values(self._origins_of[name], row, cast)
        values.update((cleared, None) for cleared in status.clear if cleared not in values)
        return Step(
            at=at,
            by=by,
            line=line,
            status=name,
            target=status.to,
            trigger=status.trigger,
            roles=self._roles_of[name],
            values=values,
            fill=status.fill,
            comment=None if status.comment_from is None else row.get(status.comment_from),
            comment_fill=status.comment_fill,
            opens=self._opened(status, row),
            compare=self._values(self._compared, row, cast),
            told=told,
        )

    def _status_name(self, row: Mapping[str, str]) -> str:
        try:
            return "/".join([row[column] for column in self.mapping.status])
        except KeyError as missing:
            message = f"The event does not say its “{missing.args[0]}”, so nobody knows what happened."
            raise _CaseError("missing_status", message) from None

    def _instant(self, column: str, row: Mapping[str, str]) -> datetime:
        text = row.get(column)
        if text is None:
            raise _CaseError("missing_time", f"The event does not say its “{column}”, so nobody knows when it was.")
        try:
            return self.mapping.reading.dates.instant(text)
        except Unfit as error:
            raise _CaseError("bad_time", f"“{column}”: {error}") from None

    def _values(self, origins: Iterable[tuple[str, Origin]], row: Mapping[str, str], cast: Cast) -> dict[str, Value]:
        """What the row says of these fields; a field of which it says nothing is left out."""
        found: dict[str, Value] = {}
        for name, origin in origins:
            try:
                value = origin.value(row, self.mapping.reading.dates)
            except Unfit as error:
                raise _CaseError("bad_value", str(error)) from None
            if value is None:
                continue
            part = KEYED.get(origin.field.type)
            found[name] = value if part is None or not isinstance(value, str) else self._key(part, origin, value, row, cast)
        return found

    def _key(self, part: str, origin: Origin, value: str, row: Mapping[str, str], cast: Cast) -> str:
        """The key of what a field refers to; what the mapping gives as a key of this desk is taken as it is."""
        own = origin.is_own_key(row)
        if part == "people":
            login = value if own else key_of(self.mapping.login, value)
            cast.people.setdefault(login, Character(value)).roles.add(REQUESTER)
            return login
        key = value if own else key_of(self.mapping.patterns[part], value)
        names: dict[str, str] = getattr(cast, part)
        names.setdefault(key, value)
        return key

    def _actor(self, name: str, cast: Cast) -> str:
        """The login of whoever took a step: of the source's staff."""
        login = key_of(self.mapping.login, name)
        character = cast.people.setdefault(login, Character(name))
        character.roles.update(self.mapping.roles)
        character.organisation = character.organisation or self._organisation(self.mapping.employer, {}, cast)
        return login

    def _organisation(self, organisation: Organisation | None, row: Mapping[str, str], cast: Cast) -> str | None:
        if organisation is None:
            return None
        if organisation.column is None:
            key, title = organisation.key, organisation.title or organisation.key
        elif organisation.column in row:
            key, title = key_of(organisation.key, row[organisation.column]), row[organisation.column]
        else:
            return None
        cast.organisations.setdefault(key, title)
        return key

    def _opened(self, status: Status, row: Mapping[str, str]) -> Opened | None:
        opens = status.opens
        return None if opens is None else Opened(opens.workflow, filled(opens.title, row)[:_LONGEST_TITLE], opens.link)

    def _expanded(self, roles: tuple[str, ...]) -> frozenset[str]:
        return frozenset(_all_roles(roles, self._vocabulary))


class _CaseError(Exception):
    """Why an event cannot be understood; the message is a sentence."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def _all_roles(roles: tuple[str, ...], vocabulary: Vocabulary) -> Iterator[str]:
    for role in roles:
        yield from vocabulary.roles_of(role)
