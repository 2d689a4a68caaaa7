"""The command line: one module per group of commands, imported only when called, so that `itsm workflow check` needs no
database.

Commands take their desk from `wiring`, which `app.py` fills; faults end in one sentence and an exit code, never in a traceback.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import click

from itsm.platform.errors import DeskError, Kind

_COMMANDS: Mapping[str, tuple[str, str]] = {
    "demo": ("itsm.cli.serving", "demo"),
    "serve": ("itsm.cli.serving", "serve"),
    "clock": ("itsm.cli.serving", "clock"),
    "init": ("itsm.cli.setup", "init"),
    "doctor": ("itsm.cli.setup", "doctor"),
    "db": ("itsm.cli.setup", "db"),
    "user": ("itsm.cli.people", "user"),
    "token": ("itsm.cli.people", "token"),
    "workflow": ("itsm.cli.workflow", "workflow"),
    "catalog": ("itsm.cli.catalog", "catalog"),
    "changes": ("itsm.cli.changes", "changes"),
    "calendar": ("itsm.cli.calendar", "calendar"),
    "services": ("itsm.cli.services", "services"),
    "import": ("itsm.cli.importing", "import_"),
    "audit": ("itsm.cli.audit", "audit"),
    "outbox": ("itsm.cli.outbox", "outbox"),
    "timer": ("itsm.cli.timers", "timer"),
    "sla": ("itsm.cli.sla", "sla"),
}

_EXIT_CODES = {Kind.SETUP: 78, Kind.UNAVAILABLE: 75, Kind.FORBIDDEN: 77, Kind.NOT_FOUND: 66}
"""As sysexits.h names them: configuration, temporary failure, no permission, no input; 1 for every other refusal."""


@dataclass(frozen=True, slots=True)
class Wiring:
    """What commands get from above: how to build a service and a web application over it (see `itsm.app`)."""

    build: Callable[..., Any]
    create_app: Callable[..., Any]


class _Lazy(click.Group):
    """A group whose commands are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, name = _COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), name)
        return command


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="itsm")
def root() -> None:
    """A service desk whose processes can be trusted."""


def main(arguments: list[str] | None = None, obj: Wiring | None = None) -> None:
    """Run a command and exit; a refusal is one sentence on standard error."""
    try:
        root.main(args=arguments, obj=obj, standalone_mode=True)
    except DeskError as error:
        click.echo(f"itsm: {error.detail}", err=True)
        for fault in error.errors:
            click.echo(f"  {fault.pointer}: {fault.message}", err=True)
        sys.exit(_EXIT_CODES.get(error.kind, 1))


def print_json(value: object) -> None:
    """One JSON document on standard output."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))
