"""Importing services and items: by key, what fits and nothing else; each refusal is told by row, column and code (A-86)."""

from __future__ import annotations

import csv
import io
from io import BytesIO
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from itsm.platform import sheets
from itsm.platform.errors import DeskError
from itsm.services import edges, importing, queries, sheet
from itsm.services.commands import Registrar
from itsm.services.importing import Mode, Report
from itsm.services.rules import Node, Sort
from itsm.tickets.desk import Desk
from tests.api.test_statements import counted
from tests.api.world import Api, Reply
from tests.service import actor

PLANT = """\
record,key,name,type,group,owner,location,criticality,depends_on,runs_on,made_of
service,erp,ERP,,applications,l1,,critical,,,erp-app
service,mes,Production,,applications,,,high,erp,,
item,erp-app,ERP application,application,applications,,frankfurt,critical,erp-db,srv-1 srv-2,
item,erp-db,ERP database,database,infrastructure,,frankfurt,critical,,srv-2,
,srv-1,Server 1,server,infrastructure,,frankfurt,high,,,
,srv-2,Server 2,server,infrastructure,,frankfurt,high,,,
"""


def bring_in(desk: Desk, content: str | bytes, mode: Mode = Mode.WRITE, login: str = "l1") -> Report:
    data = content.encode() if isinstance(content, str) else content
    with desk.database.session() as session:
        registrar = Registrar(session, actor(desk, login), desk.clock.now(), desk.locations.keys(), desk.calendars.keys())
        return importing.carry_out(registrar, BytesIO(data), "items.csv", mode)


def told(report: Report) -> list[tuple[int, str, str, str]]:
    return [(fault.row, fault.key, fault.column, fault.code) for fault in report.faults]


def there(desk: Desk) -> dict[str, Any]:
    """Every item by key, and every edge."""
    with desk.database.session(write=False) as session:
        page = queries.page(session, actor(desk, "l1"), queries.Question(Sort.ITEM, limit=1000))
        found: dict[str, Any] = {thing.node.key: dict(thing.values) for thing in page.things}
        return {"items": found, "edges": sorted(map(str, edges.every(session)))}


def upload(api: Api, content: str | bytes, query: str = "", login: str = "l1", name: str = "items.csv") -> Reply:
    data = content.encode() if isinstance(content, str) else content
    return api(login).call("POST", f"/services/import{query}", data={"file": (BytesIO(data), name)})


def test_a_file_brings_services_items_and_relations(desk: Desk) -> None:
    report = bring_in(desk, PLANT)
    assert (report.rows, report.added, report.related, report.faults) == (6, 6, 6, [])
    with desk.database.session(write=False) as session:
        found = edges.reached(session, [Node(Sort.ITEM, "srv-2")], edges.Direction.TOUCHES)
        assert [each.node.key for each in found] == ["erp-app", "erp-db", "erp", "mes"]
        assert queries.thing(session, actor(desk, "l1"), Node(Sort.SERVICE, "erp")).values["owner"] == "l1"


def test_the_same_file_again_changes_nothing(desk: Desk) -> None:
    bring_in(desk, PLANT)
    before = there(desk)
    again = bring_in(desk, PLANT)
    assert (again.added, again.changed, again.unchanged, again.related) == (0, 0, 6, 0)
    assert there(desk) == before


def test_an_empty_cell_leaves_what_is_there(desk: Desk) -> None:
    bring_in(desk, PLANT)
    report = bring_in(desk, "key,name,location,owner\nsrv-1,,dublin,\nsrv-2,,frankfurt,\n")
    assert (report.changed, report.unchanged) == (1, 1)
    srv = there(desk)["items"]["srv-1"]
    assert (srv["name"], srv["location"], srv["type"]) == ("Server 1", "dublin", "server")


def test_a_dry_run_tells_the_same_and_writes_nothing(desk: Desk) -> None:
    before = there(desk)
    tried = bring_in(desk, PLANT, Mode.TRY)
    assert there(desk) == before
    done = bring_in(desk, PLANT)
    assert (tried.added, tried.changed, tried.related) == (done.added, done.changed, done.related)


def test_json_says_the_same_as_csv(desk: Desk) -> None:
    rows = [
        {name: cell.split() if name in sheet.RELATIONS else cell for name, cell in row.items() if cell}
        for row in csv.DictReader(io.StringIO(PLANT))
    ]
    assert bring_in(desk, orjson.dumps(rows)).added == 6
    assert bring_in(desk, PLANT).unchanged == 6


def test_what_excel_writes_is_read_too(desk: Desk) -> None:
    assert bring_in(desk, "\ufeffKey;Name;Type\r\nsrv-9;Größe;server\r\n").added == 1
    assert there(desk)["items"]["srv-9"]["name"] == "Größe"


def test_bad_rows_are_left_out_each_with_its_reason_and_the_rest_goes_in(desk: Desk) -> None:
    report = bring_in(
        desk,
        "key,name,type,group,owner,location,criticality,organisation,runs_on\n"
        "ok-1,Fine,server,network,,berlin,low,acme,\n"
        "no-name,,server,,,,,,\n"
        "bad-type,X,A server,,,,,,\n"
        "bad-refs,X,server,nobody,nemo,atlantis,huge,none,\n"
        "bad key,X,server,,,,,,\n"
        ",X,server,,,,,,\n"
        "short,X\n"
        "lost,X,server,,,,,,cloud\n"
        "on-lost,X,server,,,,,,lost\n"
        "ok-2,Fine,server,,,,,,ok-1\n",
    )
    assert told(report) == [
        (3, "no-name", "name", "required"),
        (4, "bad-type", "type", "invalid_value"),
        (5, "bad-refs", "location", "unknown_reference"),
        (5, "bad-refs", "criticality", "unknown_reference"),
        (5, "bad-refs", "group", "unknown_reference"),
        (5, "bad-refs", "owner", "unknown_reference"),
        (5, "bad-refs", "organisation", "unknown_reference"),
        (6, "bad key", "key", "invalid_value"),
        (7, "", "key", "invalid_value"),
        (8, "short", "", "bad_row"),
        (9, "lost", "runs_on", "unknown_reference"),
        (10, "on-lost", "runs_on", "unknown_reference"),
    ]
    assert (report.rows, report.added, report.refused) == (10, 2, 8)
    assert {"ok-1", "ok-2"} <= there(desk)["items"].keys()
    assert not {"lost", "on-lost"} & there(desk)["items"].keys()


def test_of_rows_for_one_key_the_first_counts_and_the_others_are_told(desk: Desk) -> None:
    report = bring_in(desk, "key,name\nsrv-1,One\nsrv-1,Two\nsrv-2,Other\nsrv-1,Three\n")
    assert told(report) == [(3, "srv-1", "key", "duplicate_key"), (5, "srv-1", "key", "duplicate_key")]
    assert there(desk)["items"]["srv-1"]["name"] == "One"


def test_every_row_on_a_circle_is_left_out_and_the_circle_named(desk: Desk) -> None:
    report = bring_in(
        desk,
        "key,name,depends_on,part_of\na,A,b,\nb,B,c,\nc,C,,\nd,D,c,\ne,E,,c\nf,F,f,\nx,X,y,\ny,Y,x,\n",
    )
    assert told(report) == [
        (7, "f", "depends_on", "self_relation"),
        (8, "x", "depends_on", "cyclic_relation"),
        (9, "y", "depends_on", "cyclic_relation"),
    ]
    report = bring_in(desk, "key,depends_on\nc,a\n")
    assert told(report) == [(2, "c", "depends_on", "cyclic_relation")]
    assert "c → a → b → c" in report.faults[0].message


@pytest.mark.parametrize("column", ["roles", "role", "permissions", "password", "state", "id", "version", "sees_organisation"])
def test_a_column_that_nobody_knows_refuses_the_file(desk: Desk, column: str) -> None:
    before = there(desk)
    for content in (f"key,name,{column}\nsrv-1,X,admin\n", orjson.dumps([{"key": "a", "name": "A"}, {column: "admin"}])):
        with pytest.raises(DeskError) as refusal:
            bring_in(desk, content)
        assert refusal.value.code == "unknown_column"
        assert column in refusal.value.detail
    assert there(desk) == before


def test_a_cell_like_a_formula_is_text_and_harmless_wherever_it_goes_out(desk: Desk) -> None:
    formula = '=HYPERLINK("http://evil.example","x")'
    rows = [{"key": "srv-1", "name": formula}, {"key": "srv-2", "name": "+1"}, {"key": "@SUM(A1)", "name": "-2"}]
    report = bring_in(desk, orjson.dumps(rows))
    assert there(desk)["items"]["srv-1"]["name"] == formula
    with desk.database.session(write=False) as session:
        out = importing.export(session, actor(desk, "l1"))
    cells = [cell for text in (out, sheet.errors(report.faults)) for row in csv.reader(io.StringIO(text)) for cell in row]
    assert f"'{formula}" in cells
    assert "'@SUM(A1)" in cells
    assert not [cell for cell in cells if cell[:1] in {"=", "+", "-", "@", "\t", "\r"}]


def test_what_is_exported_can_be_imported_and_changes_nothing(desk: Desk) -> None:
    bring_in(desk, PLANT)
    bring_in(desk, orjson.dumps([{"key": "srv-7", "name": '\'=quoted, and "more"'}, {"key": "srv-8", "name": "-dash"}]))
    with desk.database.session(write=False) as session:
        out = importing.export(session, actor(desk, "l1"))
    again = bring_in(desk, out)
    assert (again.added, again.changed, again.related, again.faults) == (0, 0, 0, [])
    assert again.unchanged == 10


@given(st.text())
def test_a_harmless_cell_begins_no_formula_and_means_the_same(cell: str) -> None:
    assert sheets.harmless(cell)[:1] not in {"=", "+", "-", "@", "\t", "\r"}
    assert sheets.meant(sheets.harmless(cell)) == cell


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("key,name\n" + "".join(f"k{number},N\n" for number in range(sheet.MOST_ROWS + 1)), "too_many_rows"),
        (b"key,name\n" + b"x" * sheet.MOST_BYTES, "too_large"),
        ("", "bad_csv"),
        ("key,name,key\na,b,c\n", "double_column"),
        ("[{]", "bad_json"),
        ('{"key": "a"}', "bad_json"),
        ("[" * 100_000, "bad_json"),
    ],
    ids=["a row too many", "a byte too many", "nothing", "a column twice", "no JSON", "no list", "deep JSON"],
)
def test_a_file_that_cannot_be_read_is_refused_as_a_whole(desk: Desk, content: str | bytes, code: str) -> None:
    with pytest.raises(DeskError) as refusal:
        bring_in(desk, content)
    assert refusal.value.code == code


@pytest.mark.parametrize(
    "row",
    [
        7,
        [],
        {"key": 7, "name": "N"},
        {"key": "k", "name": {}},
        {"key": "k", "name": "N", "record": {}},
        {"key": "k", "name": "N", "record": "user"},
        {"key": "k", "name": "N", "runs_on": [7]},
        {"key": "k", "name": "N", "calendar": "always"},
        {"key": "k", "name": "N", "runs_on": [f"k{number}" for number in range(sheet.MOST_RELATED + 1)]},
        {"key": "k", "name": "N\nM"},
        {"key": "k", "name": "N\x00"},
        {"record": "service", "key": "k", "name": "N", "organisation": "acme"},
    ],
    ids=str,
)
def test_an_odd_row_is_left_out_and_the_next_goes_in(desk: Desk, row: object) -> None:
    report = bring_in(desk, orjson.dumps([row, {"key": "good", "name": "Good"}]))
    assert ([fault.row for fault in report.faults], report.added) == ([1], 1)


def test_bytes_that_are_no_text_are_left_out(desk: Desk) -> None:
    report = bring_in(desk, b"key,name\nbad,\xff\xfe\ngood,Good\n")
    assert (told(report), report.added) == ([(2, "bad", "", "bad_row")], 1)


@pytest.mark.parametrize("login", ["ra1", "g1", "cm1", "po1", "au1", "int1"])
def test_only_those_who_keep_services_import_them(desk: Desk, login: str) -> None:
    with pytest.raises(DeskError) as refusal:
        bring_in(desk, PLANT, login=login)
    assert refusal.value.code == "forbidden"


def test_each_row_that_went_in_is_recorded(api: Api) -> None:
    bring_in(api.desk, PLANT)
    bring_in(api.desk, "key,location\nsrv-1,dublin\n")
    told = api("au1").get("/configuration-items/srv-1/history").items
    assert [(each["kind"], each["actor"]) for each in told] == [("changed", "l1"), ("related", "l1"), ("added", "l1")]
    assert (told[0]["old"], told[0]["new"]) == ({"location": "frankfurt"}, {"location": "dublin"})


def test_over_http_the_answer_tells_what_went_in_and_what_did_not(api: Api) -> None:
    content = PLANT + ",bad-1,Bad,server,,,atlantis,,,,\n"
    tried = upload(api, content, "?dry_run=true")
    assert tried.json["dry_run"]
    assert api("g1").get("/configuration-items/srv-1").status == 404
    done = upload(api, content).json
    assert {name: done[name] for name in ("rows", "added", "related", "refused")} == {
        "rows": 7,
        "added": 6,
        "related": 6,
        "refused": 1,
    }
    (error,) = done["errors"]
    assert (error["row"], error["key"], error["column"], error["code"]) == (8, "bad-1", "location", "unknown_reference")
    assert api("g1").get("/configuration-items/srv-1").status == 200
    assert upload(api, "key,role\na,admin\n").code == "unknown_column"
    assert upload(api, PLANT, login="g1").status == 403


def test_a_large_file_costs_few_statements(api: Api) -> None:
    content = "key,name,runs_on\nsrv-0,N,\n" + "".join(f"srv-{number},N,srv-{number // 2}\n" for number in range(1, 2000))
    caller = api("l1")
    with counted(api, 20):
        reply = caller.call("POST", "/services/import", data={"file": (BytesIO(content.encode()), "x.csv")})
    assert reply.json.get("added") == 2000, reply.text
