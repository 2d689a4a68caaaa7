"""Whom a policy asks, found in the directory: people by role, group, field, management and ownership, and who stands in.

A person with several accounts is one person here, known by the first of them (`root`). Who asked for the ticket, opened it or
is to carry it out is barred; who cannot decide is passed over. Where somebody is asked in person and cannot decide, his
delegate stands in for him, else his manager, else the lead of the ticket's group.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from itsm.approvals.models import Delegation
from itsm.approvals.policy import IN_LINE, ONE_PERSON, Approver, Book, Group, Party, Policy, Who
from itsm.approvals.rules import Handing, Node, deputies, principals
from itsm.people.access import Permission
from itsm.people.models import Group as Team
from itsm.people.models import Membership, User
from itsm.platform.database import Prepared
from itsm.platform.schema import Instant
from itsm.services.models import Service
from itsm.tickets.desk import Tx
from itsm.tickets.models import Ticket, Watcher
from itsm.tickets.records import Record

_MOST_STEPS: Final = 5
"""How far up the managers a stand-in is looked for."""

ROOT = sa.func.coalesce(User.same_as_id, User.id)
_PEOPLE = sa.select(
    User.id, User.login, User.name, ROOT.label("root"), User.roles, User.organisation_id, User.manager_id, User.active
)
_KEY: sa.BindParameter[Any] = sa.bindparam("key")
_NOW: sa.BindParameter[Any] = sa.bindparam("now", type_=Instant)
_BY_ID = Prepared(_PEOPLE.where(User.id == sa.bindparam("user")))
_BY_LOGIN = Prepared(_PEOPLE.where(User.login == sa.bindparam("login")))
_BY_ROLE = Prepared(
    _PEOPLE.where(User.active, sa.type_coerce(User.roles, sa.Text).like(sa.bindparam("pattern"))).order_by(User.login)
)
_MEMBERS = Prepared(
    _PEOPLE.join(Membership, Membership.user_id == User.id)
    .join(Team, Team.id == Membership.group_id)
    .where(Team.key == _KEY, User.active)
    .order_by(User.login)
)
_LEAD = Prepared(_PEOPLE.join(Team, Team.lead_id == User.id).where(Team.key == _KEY))
_WATCHERS = Prepared(
    _PEOPLE.join(Watcher, Watcher.user_id == User.id)
    .where(Watcher.ticket_id == sa.bindparam("ticket"), User.active)
    .order_by(User.login)
)
_SERVICE_OWNER = Prepared(_PEOPLE.join(Service, Service.owner_id == User.id).where(Service.key == _KEY))
_COST_CENTRE = Prepared(sa.select(User.cost_centre).where(User.id == sa.bindparam("user")))
_PARTIES = Prepared(
    sa.select(User.id, ROOT.label("root")).where(
        sa.or_(
            User.id.in_([sa.bindparam("requester"), sa.bindparam("opener"), sa.bindparam("assignee")]),
            User.id.in_(sa.select(Ticket.assignee_id).where(Ticket.parent_id == sa.bindparam("whole"))),
        )
    )
)
_HANDINGS = Prepared(
    sa.select(Delegation.principal_id, Delegation.delegate_id)
    .where(
        Delegation.revoked_at.is_(None),
        Delegation.starts_at <= _NOW,
        Delegation.ends_at > _NOW,
    )
    .order_by(Delegation.id)
)

_RELATED: Final[Mapping[str, Who]] = {
    "requester": Who.REQUESTER,
    "assignee": Who.ASSIGNEE,
    "group": Who.MEMBERS,
    "watcher": Who.WATCHERS,
}
"""Whom the words of `exclude` mean; whoever was asked before may be asked again."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """Somebody who may be asked. `root` is the same for all accounts of one person."""

    id: int
    login: str
    root: int
    organisation_id: int | None
    manager_id: int | None
    decides: bool
    """Whether he is active and one of his roles lets him decide whatever he is asked."""
    in_line: bool
    """Whether he is active and may decide what he is asked as a manager or as an owner."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Somebody who is asked; `instead_of` whom, and `because` of what, where he stands in for another."""

    person: Candidate
    instead_of: Candidate | None = None
    because: str | None = None


class Directory:
    """What one command looks up about people. Lives as long as its transaction."""

    def __init__(self, tx: Tx, record: Record) -> None:
        self.tx = tx
        self.record = record
        self._handings: list[Handing] | None = None
        self._people: dict[int, Candidate] = {}

    @classmethod
    def of(cls, tx: Tx, record: Record) -> Directory:
        """The directory of this transaction and ticket."""
        known = tx.cache.get(cls)
        if not isinstance(known, Directory) or known.record is not record:
            known = tx.cache[cls] = cls(tx, record)
        return known

    # Single people

    def candidate(self, row: Any) -> Candidate:
        """Somebody from his row."""
        roles, active = self.tx.desk.roles, bool(row.active)
        may = roles.expand(roles.held(frozenset(row.roles)))
        # Who grants roles and says who manages whom must not authorise as well, whatever his other roles give.
        in_line = active and Permission.DECIDE_IN_LINE in may and Permission.ADMINISTER_USERS not in may
        decides = active and Permission.DECIDE in may
        return Candidate(row.id, row.login, row.root, row.organisation_id, row.manager_id, decides, in_line)

    def by_id(self, user: int | None) -> Candidate | None:
        """Somebody by row id."""
        if user is not None and user not in self._people:
            self._meet(self.tx.session.first(_BY_ID, user=user))
        return None if user is None else self._people.get(user)

    def by_login(self, login: object) -> Candidate | None:
        """Somebody by login."""
        return self._meet(self.tx.session.first(_BY_LOGIN, login=login)) if isinstance(login, str) else None

    def _meet(self, row: Any) -> Candidate | None:
        """Somebody from his row, whom `by_id` then knows."""
        if row is None:
            return None
        self._people[row.id] = found = self.candidate(row)
        return found

    def lead(self) -> Candidate | None:
        """The lead of the ticket's group."""
        rows = self._rows(_LEAD, key=self.record.values.get("group"))
        return rows[0] if rows else None

    def deputies(self, principal: int) -> list[int]:
        """Who may decide for somebody now, by row id, the nearest first."""
        return deputies(principal, self.handings(), self.depth)

    def principals(self, delegate: int) -> list[int]:
        """For whom somebody may decide now."""
        return principals(delegate, self.handings(), self.depth)

    def handings(self) -> list[Handing]:
        """Every delegation that is in force now."""
        if self._handings is None:
            rows = self.tx.session.all(_HANDINGS, now=self.tx.now)
            self._handings = [Handing(row.principal_id, row.delegate_id) for row in rows]
        return self._handings

    @property
    def depth(self) -> int:
        """How often a decision may be passed on."""
        return self.tx.desk.part(Book).delegating.depth

    # Who may not

    def parties(self, policy: Policy) -> frozenset[int]:
        """The roots of those who may never decide on the ticket, as far as the policy separates them: its requester, whoever
        opened it, its assignee and those of its parts.
        """
        record = self.record
        parties = {
            "requester": record.ids.get("requester") if policy.separates(Party.REQUESTER) else None,
            "opener": record.opened_by_id if policy.separates(Party.REQUESTER) else None,
            "assignee": record.ids.get("assignee") if policy.separates(Party.IMPLEMENTER) else None,
            "whole": record.id if policy.separates(Party.IMPLEMENTER) else None,
        }
        if not any(parties.values()):
            return frozenset()
        return frozenset(row.root for row in self.tx.session.all(_PARTIES, **parties))

    def barred(self, policy: Policy) -> frozenset[int]:
        """The roots of those who are not to be asked: the ticket's parties, and who stands in an excluded relation to it."""
        related = (self._found(Approver(_RELATED[word])) for word in policy.exclude if word in _RELATED)
        return self.parties(policy) | {person.root for people in related for person in people}

    # Whom a policy names

    def tree(self, group: Group, barred: Collection[int]) -> tuple[Node[int], dict[int, Asked]]:
        """The tree of a group by roots, before anybody is seated, and who is asked for each root."""
        asked: dict[int, Asked] = {}
        return self._node(group, barred, asked), asked

    def _node(self, group: Group, barred: Collection[int], asked: dict[int, Asked]) -> Node[int]:
        seats = []
        for approver in group.people:
            for one in self.named(approver, barred):
                asked.setdefault(one.person.root, one)
                seats.append(one.person.root)
        below = tuple(self._node(each, barred, asked) for each in group.groups)
        return Node(group.quorum, tuple(dict.fromkeys(seats)), below)

    def named(self, approver: Approver, barred: Collection[int]) -> Iterator[Asked]:
        """Those whom an approver of a policy stands for now, who may decide and are not barred."""
        by_place = approver.who in IN_LINE
        for person in self._found(approver):
            if (person.decides or (by_place and person.in_line)) and person.root not in barred:
                yield Asked(person)
            elif approver.who in ONE_PERSON and (stand_in := self.stand_in(person, barred, by_place)) is not None:
                yield stand_in

    def may_hold(self, group: Group, holder: Candidate) -> bool:
        """Whether somebody may decide a question that was put to him for a group: by his roles, or because he is still one of
        those who answer for it by their place, or stands above one of them.
        """
        if holder.decides or not holder.in_line:
            return holder.decides
        places = (approver for approver in group.people if approver.who in IN_LINE)
        line = (each for approver in places for person in self._found(approver) for each in (person, *self.above(person)))
        return any(each.root == holder.root for each in line)

    def above(self, person: Candidate) -> Iterator[Candidate]:
        """The managers of somebody, the nearest first."""
        for _ in range(_MOST_STEPS):
            manager = self.by_id(person.manager_id)
            if manager is None:
                return
            yield manager
            person = manager

    def stand_in(self, person: Candidate, barred: Collection[int], by_place: bool) -> Asked | None:
        """Who decides instead of somebody who cannot: a delegate of his, else his manager, else the lead of the group. Where
        it is decided by place, managers need no role for it.
        """
        for deputy in self.deputies(person.id):
            found = self.by_id(deputy)
            if found is not None and found.decides and found.root not in barred:
                return Asked(found, person, "delegate")
        for manager in self.above(person):
            if (manager.decides or (by_place and manager.in_line)) and manager.root not in barred:
                return Asked(manager, person, "manager")
        lead = self.lead()
        return Asked(lead, person, "lead") if lead is not None and lead.decides and lead.root not in barred else None

    def _found(self, approver: Approver) -> list[Candidate]:
        record = self.record
        match approver.who:
            case Who.USER:
                return _only(self.by_login(approver.name))
            case Who.FIELD | Who.REQUESTER | Who.ASSIGNEE:
                return _only(self.by_login(record.values.get(approver.name or approver.who.value)))
            case Who.ROLE:
                return self._with_role(approver)
            case Who.GROUP | Who.MEMBERS:
                return self._rows(_MEMBERS, key=approver.name or record.values.get("group"))
            case Who.LEAD:
                return _only(self.lead())
            case Who.WATCHERS:
                return self._rows(_WATCHERS, ticket=record.id)
            case Who.MANAGER | Who.CHAIN:
                return self._managers(approver.levels)
            case Who.SERVICE_OWNER:
                return self._rows(_SERVICE_OWNER, key=record.values.get("service"))
            case Who.COST_CENTRE_OWNER:
                return self._cost_centre_owner()

    def _with_role(self, approver: Approver) -> list[Candidate]:
        """Everybody who holds a role, directly or by one that includes it; `of: organisation`: of the ticket's only."""
        included: Mapping[str, frozenset[str]] = self.tx.desk.roles.included
        giving = sorted({approver.name, *(role for role, others in included.items() if approver.name in others)})
        here = self.record.ids.get("organisation")
        found = {
            row.id: self.candidate(row)
            for role in giving
            for row in self.tx.session.all(_BY_ROLE, pattern=f'%"{role}"%')
            if role in row.roles and (not approver.here or row.organisation_id == here)
        }
        return sorted(found.values(), key=lambda one: one.login)

    def _managers(self, levels: int) -> list[Candidate]:
        found: list[Candidate] = []
        below = self.by_id(self.record.ids.get("requester"))
        while below is not None and len(found) < levels:
            below = self.by_id(below.manager_id)
            if below is None or below in found:
                break
            found.append(below)
        return found

    def _cost_centre_owner(self) -> list[Candidate]:
        row = self.tx.session.first(_COST_CENTRE, user=self.record.ids.get("requester"))
        centre = row.cost_centre if row is not None else None
        return _only(self.by_login(self.tx.desk.part(Book).cost_centres.get(centre or "")))

    def _rows(self, statement: Prepared, **parameters: Any) -> list[Candidate]:
        if None in parameters.values():
            return []
        return [self.candidate(row) for row in self.tx.session.all(statement, **parameters)]


def _only(person: Candidate | None) -> list[Candidate]:
    return [] if person is None else [person]
