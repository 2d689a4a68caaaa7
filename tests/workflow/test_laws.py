"""What is true of every workflow, ticket and person: the laws that other floors build on.

Workflows are made up at random, with names that would mean something to the library underneath; the reference that `fire` is
held against is written a second time here, as plainly as it can be.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from itsm.workflow.case import SYSTEM_PERSON, Case, Decision, Person, Refusal, Value, Why
from itsm.workflow.definition import (
    RELATIONS,
    Action,
    Branch,
    Category,
    Comment,
    Expression,
    Field,
    FieldType,
    Invariant,
    Position,
    Reaction,
    Rule,
    State,
    Timer,
    Transition,
    Workflow,
)
from itsm.workflow.engine import Process
from itsm.workflow.values import is_empty
from itsm.worktime.duration import Duration
from tests.workflow.builders import NOW, WORDS, a_process

HERE = Position("x.yaml", 1, 1)

STATES = ("new", "initial", "to_new", "*", "state", "_initial", "=")
TRIGGERS = ("trigger", "state", "add_model", "to_new", "os.getcwd", "__class__", "on_enter_new", "station", "may_trigger")
CONDITIONS = (
    "tasks.open == 0",
    "ticket.note != null",
    "ticket.note == null",
    "ticket.size > 2",
    "comment != null",
    "ticket.colour == 'red' || ticket.size == null",
    "ticket.assignee == actor.id",
    "ticket.due != null && ticket.due <= now",
    "'lead' in actor.roles",
    "1 / ticket.size == 1",
)
INVARIANTS = ("ticket.size == null || ticket.size < 5", "ticket.note != null || ticket.colour != 'blue'")
WHO = ("requester", "assignee", "group", "approver", "watcher", "agent", "lead", "system")
FIELDS = ("note", "colour", "size", "due", "done", "assignee")


def a_field(name: str, type_: FieldType, edit: tuple[str, ...]) -> Field:
    return Field(name, type_, HERE, choices=("red", "blue") if type_ is FieldType.CHOICE else (), edit=edit)


who = st.lists(st.sampled_from(WHO), min_size=1, max_size=2, unique=True).map(tuple)
some_fields = st.lists(st.sampled_from(FIELDS), max_size=2, unique=True).map(tuple)
states = st.lists(st.sampled_from(STATES), min_size=1, max_size=4, unique=True).map(tuple)
condition = st.none() | st.sampled_from(CONDITIONS).map(lambda text: Expression(text, HERE))
deeds = st.lists(
    st.sampled_from(
        [
            Action("set", {"values": {"size": 3}}, HERE),
            Action("set", {"values": {"size": Expression("ticket.size + 1", HERE)}}, HERE),
            Action("set", {"values": {"note": Expression("comment", HERE)}}, HERE),
            Action("clear", {"fields": ["note"]}, HERE),
            Action("assign", {"assignee": Expression("actor.id", HERE)}, HERE),
            Action("notify", {"to": ["requester"], "template": "resolved"}, HERE),
            Action("spawn", {"title": Expression("'About ' + ticket.note", HERE)}, HERE),
        ]
    ),
    max_size=2,
).map(tuple)


@st.composite
def branches(draw: st.DrawFn, trigger: str, index: int) -> Branch:
    return Branch(
        trigger=trigger,
        index=index,
        sources=draw(states),
        target=draw(st.sampled_from((*STATES[:-1], "="))),
        by=draw(who),
        at=HERE,
        condition=draw(condition),
        require=draw(some_fields),
        comment=draw(st.sampled_from(Comment)),
        do=draw(deeds),
    )


def rules(fire: st.SearchStrategy[str | None]) -> st.SearchStrategy[Rule]:
    return st.builds(Rule, at=st.just(HERE), states=st.none() | states, condition=condition, fire=fire, do=deeds)


@st.composite
def workflows(draw: st.DrawFn) -> Workflow:
    fields = [
        a_field("note", FieldType.TEXT, draw(who)),
        a_field("colour", FieldType.CHOICE, draw(who)),
        a_field("size", FieldType.INTEGER, draw(who)),
        a_field("due", FieldType.DATE, draw(who)),
        a_field("done", FieldType.BOOLEAN, draw(who)),
    ]
    stations = [
        State(name, draw(st.sampled_from(Category)), HERE, "", draw(some_fields), draw(some_fields), draw(some_fields))
        for name in STATES
    ]
    triggers = draw(st.lists(st.sampled_from(TRIGGERS), min_size=1, max_size=4, unique=True))
    transitions = {
        name: Transition(name, tuple(draw(branches(name, index)) for index in range(draw(st.integers(1, 3)))), HERE)
        for name in triggers
    }
    invariants = draw(st.lists(st.tuples(st.sampled_from(INVARIANTS), st.none() | states), max_size=2))
    fire = st.none() | st.sampled_from(triggers)
    return Workflow(
        name="x",
        title="X",
        number="X{}",
        fields={field.name: field for field in fields},
        states={state.name: state for state in stations},
        initial="new",
        transitions=transitions,
        timers={"tick": Timer("tick", draw(states), Duration(timedelta(hours=1)), HERE, fire=draw(fire), do=draw(deeds))},
        reactions={
            "approved": Reaction(
                "approved", (Rule(HERE, draw(st.none() | states), draw(condition), draw(fire), draw(deeds)),), HERE
            )
        },
        invariants=tuple(Invariant(Expression(text, HERE), HERE, where) for text, where in invariants),
        scenarios=(),
        source="",
        digest="",
        at=HERE,
    )


people = st.builds(
    Person,
    login=st.sampled_from(["ann", "uma"]),
    roles=st.frozensets(st.sampled_from(["agent", "lead", "requester", "assignee"]), max_size=2),
    groups=st.frozensets(st.sampled_from(["desktop", "network"]), max_size=1),
) | st.just(SYSTEM_PERSON)

values = st.fixed_dictionaries(
    {"title": st.just("It broke")},
    optional={
        "requester": st.sampled_from(["uma", "ann"]),
        "assignee": st.sampled_from([None, "ann", "uma"]),
        "group": st.sampled_from(["desktop", None]),
        "note": st.sampled_from([None, "hello", "  "]),
        "colour": st.sampled_from(["red", "blue", None]),
        "size": st.integers(0, 6) | st.none(),
        "due": st.sampled_from(["2026-01-01", "2027-01-01", None]),
        "done": st.booleans() | st.none(),
    },
)

cases = st.builds(
    Case,
    state=st.sampled_from(STATES),
    values=values.map(MappingProxyType),  # a mapping that raises when it is written to
    tasks=st.fixed_dictionaries({"open": st.integers(0, 1)}),
    watchers=st.frozensets(st.sampled_from(["ann", "uma"]), max_size=1),
    approvers=st.frozensets(st.sampled_from(["ann", "uma"]), max_size=1),
)

inputs = st.dictionaries(
    st.sampled_from([*FIELDS, "nonsense", "created_at"]),
    st.none() | st.booleans() | st.integers(0, 6) | st.sampled_from(["red", "pink", "hello", "2026-01-01"]),
    max_size=3,
)

comments = st.sampled_from([None, "because", "  "])

processes = workflows().map(lambda workflow: Process(workflow, WORDS))

meetings = st.lists(st.tuples(cases, people), min_size=4, max_size=8)
"""People before tickets; several to a workflow, for it is the workflow that is dear to make."""

many = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None)


# The reference: what `fire` means, said a second time


def stands(person: Person, case: Case, word: str) -> bool:
    match word:
        case "requester" | "assignee":
            return case.values.get(word) == person.login
        case "group":
            return case.values.get("group") in person.groups
        case "approver":
            return person.login in case.approvers
        case "watcher":
            return person.login in case.watchers
        case role:
            return role in person.roles - RELATIONS


def said_of(text: str, case: Case, person: Person, given: Mapping[str, Value], comment: str | None) -> bool:
    """The ten conditions above in plain Python; an error is no yes."""
    note, size, due = given.get("note"), given.get("size"), given.get("due")
    match CONDITIONS.index(text):
        case 0:
            return case.tasks["open"] == 0
        case 1:
            return note is not None
        case 2:
            return note is None
        case 3:
            return isinstance(size, int) and size > 2
        case 4:
            return comment is not None
        case 5:
            return given.get("colour") == "red" or size is None
        case 6:
            return given.get("assignee") == person.login
        case 7:
            return isinstance(due, str) and due <= "2026-01-05"
        case 8:
            return "lead" in person.roles
        case _:
            return size == 1


@many
@given(processes, meetings, comments)
def test_the_branch_that_is_taken_is_the_first_whose_from_by_and_if_all_pass(
    process: Process, meetings: list[tuple[Case, Person]], comment: str | None
) -> None:
    for case, person in meetings:
        for trigger, transition in process.workflow.transitions.items():
            here = [branch for branch in transition.branches if case.state in branch.sources]
            outcome = process.fire(case, person, trigger, {}, comment, NOW)
            taken = next((branch for branch in here if passes(branch, case, person, comment)), None)
            if taken is None:
                assert isinstance(outcome, Refusal)
                assert {reason.code for reason in outcome.reasons} - {Why.INVALID_VALUE} == expected(here, case, person)
            elif isinstance(outcome, Decision):
                assert outcome.target == taken.lands_in(case.state)
            else:
                assert {Why.WRONG_STATE, Why.NOT_ALLOWED, Why.CONDITION}.isdisjoint(reason.code for reason in outcome.reasons)


def passes(branch: Branch, case: Case, person: Person, comment: str | None) -> bool:
    said = comment.strip() or None if comment else None
    allowed = any(stands(person, case, word) for word in branch.by)
    return allowed and (branch.condition is None or said_of(branch.condition.text, case, person, case.values, said))


def expected(here: list[Branch], case: Case, person: Person) -> set[Why]:
    """Why no branch that starts here is taken."""
    closed = [branch for branch in here if not any(stands(person, case, word) for word in branch.by)]
    if not here:
        return {Why.WRONG_STATE}
    return {Why.NOT_ALLOWED} if len(closed) == len(here) else {Why.CONDITION}


@many
@given(processes, meetings)
def test_a_button_never_disagrees_with_the_rule(process: Process, meetings: list[tuple[Case, Person]]) -> None:
    for case, person in meetings:
        offers = {offer.trigger: offer for offer in process.offers(case, person, NOW)}
        for trigger in process.triggers:
            outcome = process.fire(case, person, trigger, {}, None, NOW)
            offer = offers.pop(trigger, None)
            if offer is None:
                assert isinstance(outcome, Refusal)
                assert outcome.code is Why.WRONG_STATE
                continue
            asks = offer.comment_required or any(each.required for each in offer.inputs)
            assert isinstance(outcome, Decision) == (not offer.blocked and not asks)
            if isinstance(outcome, Decision):
                assert offer.target == outcome.target
            elif offer.blocked:
                assert set(offer.blocked) <= set(outcome.reasons)
        assert offers == {}


@many
@given(processes, meetings, inputs, comments)
def test_a_decision_is_whole_and_the_same_again(
    process: Process, meetings: list[tuple[Case, Person]], given_: dict[str, object], comment: str | None
) -> None:
    for case, person in meetings:
        for trigger in (*process.triggers, "no such thing"):
            outcome = process.fire(case, person, trigger, given_, comment, NOW)
            assert outcome == process.fire(case, person, trigger, given_, comment, NOW)
            if isinstance(outcome, Refusal):
                ranks = [list(Why).index(reason.code) for reason in outcome.reasons]
                assert ranks
                assert ranks == sorted(ranks)
                continue
            target = process.workflow.states[outcome.target]
            now = {**case.values, **{name: change.new for name, change in outcome.changes.items()}}
            assert (outcome.source, outcome.category) == (case.state, target.category)
            assert not any(is_empty(now.get(name)) for name in target.require)
            assert all(change.old == case.values.get(name) != change.new for name, change in outcome.changes.items())


@many
@given(processes, meetings, inputs)
def test_an_edit_never_moves_and_never_writes_what_this_person_may_not(
    process: Process, meetings: list[tuple[Case, Person]], given_: dict[str, object]
) -> None:
    for case, person in meetings:
        outcome = process.edit(case, person, given_, NOW)
        if isinstance(outcome, Decision):
            assert (outcome.target, outcome.effects, outcome.trigger) == (case.state, (), None)
            for name in () if person == SYSTEM_PERSON else outcome.changes:
                assert any(stands(person, case, word) for word in process.fields[name].edit)
                assert name not in process.workflow.states[case.state].readonly


@many
@given(processes, st.lists(cases, min_size=4, max_size=8))
def test_timers_and_reactions_answer_in_their_states_when_their_condition_holds(process: Process, cases: list[Case]) -> None:
    (rule,) = process.workflow.reactions["approved"].rules
    for case in cases:
        rings = process.due("tick", case, NOW)
        assert (rings is not None) == (case.state in process.workflow.timers["tick"].states)
        response = process.react("approved", case, NOW)
        fits = rule.states is None or case.state in rule.states
        holds = rule.condition is None or said_of(rule.condition.text, case, SYSTEM_PERSON, case.values, None)
        assert (response is not None) == (fits and holds)
        if response is not None and response.refusal is None:
            assert response.fire == rule.fire


@many
@given(processes)
def test_no_trigger_exists_but_the_workflows_own(process: Process) -> None:
    assert process.triggers == set(process.workflow.transitions)


@given(people, values, inputs)
def test_a_new_ticket_has_a_title_and_its_creator_for_requester(
    person: Person, overrides: dict[str, object], given_: dict[str, object]
) -> None:
    process = a_process()
    own = {name: value for name, value in overrides.items() if name in process.fields and name != "requester"}
    outcome = process.create(person, given_, NOW, own)
    if isinstance(outcome, Decision):
        assert outcome.target == process.workflow.initial
        assert outcome.changes["title"].new
        requester = outcome.changes.get("requester")
        assert requester is None if person == SYSTEM_PERSON else requester is not None and requester.new == person.login
