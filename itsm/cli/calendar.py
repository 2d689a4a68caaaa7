"""`itsm calendar`: working time on the command line, for checking the clock against other implementations."""

from __future__ import annotations

import json
from typing import BinaryIO

import click

from itsm.cli import print_json
from itsm.platform.errors import DeskError, Kind


@click.group()
def calendar() -> None:
    """Working time: calendars and what they reckon."""


@calendar.command(name="eval")
@click.argument("cases", type=click.File("rb"))
@click.option("--json", "as_json", is_flag=True, help="Print one compact line instead of indented JSON.")
def evaluate(cases: BinaryIO, as_json: bool) -> None:
    """Answer the working-time CASES of a JSON file (- for standard input).

    Prints the same document with a `result` in each case, or `result` null and the `error`. What a case expects is not
    looked at. docs/working-time.md describes the form.
    """
    from itsm.worktime.cases import evaluate

    try:
        document = json.load(cases)
    except (ValueError, RecursionError) as error:
        raise DeskError(Kind.MALFORMED, "invalid_json", f"{cases.name} is not JSON: {error}.") from error
    answered = evaluate(document)
    if as_json:
        click.echo(json.dumps(answered, ensure_ascii=False, separators=(",", ":")))
    else:
        print_json(answered)
