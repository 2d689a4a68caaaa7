"""The deeds behind a workflow's actions: one handler each, run in the transaction of the command that decided on them.

`set`, `clear` and `assign` are not here: the engine turns them into changes. What concerns other tickets is queued; what
leaves the house goes to the outbox. Calls of webhooks are made by `delivery/handlers.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import sqlalchemy as sa

from itsm.people.access import Channel
from itsm.people.models import Group, Membership, User
from itsm.platform.database import Prepared
from itsm.platform.outbox import Message
from itsm.tickets import cascades, facts, links, moves, opening, records, references
from itsm.tickets.desk import EffectHandler, Tx
from itsm.tickets.models import Watcher
from itsm.tickets.records import Record
from itsm.workflow.builtin_actions import Visibility
from itsm.workflow.case import Effect, Value
from itsm.workflow.definition import FieldType

_KEY: sa.BindParameter[Any] = sa.bindparam("key")
_MEMBERS = Prepared(
    sa.select(User.login)
    .join(Membership, Membership.user_id == User.id)
    .join(Group, Group.id == Membership.group_id)
    .where(Group.key == _KEY, User.active)
    .order_by(User.login)
)
_LEAD = Prepared(sa.select(User.login).join(Group, Group.lead_id == User.id).where(Group.key == _KEY, User.active))
_WATCHERS = Prepared(
    sa.select(User.login)
    .join(Watcher, Watcher.user_id == User.id)
    .where(Watcher.ticket_id == sa.bindparam("id"), User.active)
    .order_by(User.login)
)
_ACTIVE = Prepared(sa.select(User.login).where(User.login == _KEY, User.active))
_ALL_ROLES = Prepared(sa.select(User.login, User.roles).where(User.active).order_by(User.login))


def notify(tx: Tx, record: Record, effect: Effect) -> None:
    """Tell the recipients of the action."""
    tell(tx, record, str(effect.arguments["template"]), _reached(tx, record, effect))


def tell(tx: Tx, record: Record, template: str, logins: Iterable[str]) -> None:
    """Put a message for each of these people into the outbox. Who did it himself is not told so; nobody is told twice.

    What a reaction says to the requester is an answer to him (that his report has arrived, say), and no news of his own deed.
    """
    for login in _others(tx, record, logins):
        _post(tx, record, "notify", f"{template}:{login}", {"to": login, "template": template})


def told_by(tx: Tx, record: Record, effect: Effect) -> list[str]:
    """The logins that a `notify` tells, each once."""
    return _others(tx, record, _reached(tx, record, effect))


def _reached(tx: Tx, record: Record, effect: Effect) -> Iterator[str]:
    for recipient in _listed(effect.arguments["to"]):
        yield from recipients(tx, record, recipient)


def _others(tx: Tx, record: Record, logins: Iterable[str]) -> list[str]:
    answered = record.values["requester"] if tx.channel is Channel.REACTION else None
    doer = tx.origin or tx.actor.login
    return [login for login in dict.fromkeys(logins) if login == answered or login != doer]


def survey(tx: Tx, record: Record, effect: Effect) -> None:
    """Ask the requester for his opinion, by way of the outbox."""
    template = str(effect.arguments["template"])
    for requester in recipients(tx, record, "requester"):
        _post(tx, record, "survey", f"{template}:{requester}", {"to": requester, "template": template})


def comment(tx: Tx, record: Record, effect: Effect) -> None:
    """Write on the ticket in the name of whoever acts."""
    visibility = str(effect.arguments.get("visibility") or Visibility.INTERNAL)
    comment_id, digest = moves.keep_comment(tx, record, str(effect.arguments["body"]), visibility)
    payload = {"comment": comment_id, "sha256": digest, "visibility": visibility}
    records.append(tx, record, "commented", payload, internal=visibility == Visibility.INTERNAL)


def create_task(tx: Tx, record: Record, effect: Effect) -> None:
    """Open a work task under the ticket, in the same transaction: it exists when the transition does."""
    _open_child(tx, record, facts.TASK, effect.arguments, parent=True)


def spawn(tx: Tx, record: Record, effect: Effect) -> None:
    """Open another ticket in the same transaction, as a child, or tied by the link the action names."""
    kind = effect.arguments.get("link")
    child = _open_child(tx, record, str(effect.arguments["workflow"]), effect.arguments, parent=kind in (None, "child"))
    if kind not in (None, "child"):
        links.tie(tx, record, str(kind), child.id, child.number)


def link(tx: Tx, record: Record, effect: Effect) -> None:
    """Tie the ticket to the one that a field or the action names; a tie that is there already stays as it is."""
    other = effect.arguments.get("to")
    if not isinstance(other, str):
        return
    far = references.find(tx, FieldType.TICKET, other)
    if far is not None and far != record.id:
        links.tie(tx, record, str(effect.arguments["kind"]), far, other)


def fire(tx: Tx, record: Record, effect: Effect) -> None:
    """Queue a trigger for every ticket at the other end of a kind of link; refusals there are noted there."""
    wanted = {"children": "child"}.get(str(effect.arguments["on"]), str(effect.arguments["on"]))
    targets = [near.id for near in cascades.neighbours(tx, record) if near.kind == wanted]
    trigger = str(effect.arguments["trigger"])
    cascades.queue(tx, cascades.FIRE, record, targets, trigger, {"trigger": trigger})


HANDLERS: Mapping[str, EffectHandler] = {
    "notify": notify,
    "survey": survey,
    "comment": comment,
    "create_task": create_task,
    "spawn": spawn,
    "link": link,
    "fire": fire,
}


def recipients(tx: Tx, record: Record, recipient: object) -> list[str]:
    """The logins that a recipient of the workflow language stands for, now; nobody who has left is among them."""
    if isinstance(recipient, Mapping):
        (kind, key), *_ = recipient.items()
        if kind == "user":
            return _addresses(tx, _ACTIVE, str(key))
        if kind == "group":
            return _members(tx, key)
        return _holders(tx, str(key))
    if recipient in ("requester", "assignee"):
        login = record.values.get(str(recipient))
        return [login] if isinstance(login, str) and login not in record.left else []
    if recipient == "group":
        return _members(tx, record.values.get("group"))
    if recipient == "group.lead":
        return _addresses(tx, _LEAD, record.values.get("group"))
    if recipient == "watchers":
        return [row.login for row in tx.session.all(_WATCHERS, id=record.id)]
    return list(tx.desk.recipients[str(recipient)](tx, record))


def _members(tx: Tx, group: Value) -> list[str]:
    return _addresses(tx, _MEMBERS, group) if group is not None else []


def _holders(tx: Tx, role: str) -> list[str]:
    """Everybody who has a role, by himself or by another that includes it."""
    known = tx.known(_Addresses)
    if (_ALL_ROLES, role) not in known:
        rows = tx.session.all(_ALL_ROLES)
        known[_ALL_ROLES, role] = [row.login for row in rows if role in tx.desk.roles.held(frozenset(row.roles))]
    return known[_ALL_ROLES, role]


class _Addresses(dict[tuple[Prepared, Value], list[str]]):
    """The people behind groups, roles and names, as one transaction has found them: a batch tells the same of many tickets."""


def _addresses(tx: Tx, statement: Prepared, key: Value) -> list[str]:
    known = tx.known(_Addresses)
    if (statement, key) not in known:
        known[statement, key] = [row.login for row in tx.session.all(statement, key=key)]
    return known[statement, key]


def _listed(value: object) -> list[object]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _post(tx: Tx, record: Record, topic: str, name: str, payload: dict[str, Any]) -> None:
    key = f"{tx.posting or f'{record.number}:{record.version}'}:{topic}:{name}"
    record.messages.append(Message(key, topic, record.id, {"ticket": record.number, **payload}))


def _open_child(tx: Tx, record: Record, type_: str, arguments: Mapping[str, object], *, parent: bool) -> Record:
    fields: dict[str, Value] = dict(arguments.get("fields") or {})  # type: ignore[call-overload]
    if arguments.get("group") is not None:
        fields["group"] = arguments["group"]  # type: ignore[assignment]
    new = opening.NewTicket(
        type=type_,
        title=str(arguments.get("title") or record.values["title"]),
        description=str(arguments.get("description") or ""),
        fields=fields,
        service=None if type_ == facts.TASK else record.values.get("service"),  # type: ignore[arg-type]
        requester=None if type_ == facts.TASK else record.values.get("requester"),  # type: ignore[arg-type]
    )
    return opening.open_under(tx.as_system(Channel.REACTION), new, record if parent else None)
