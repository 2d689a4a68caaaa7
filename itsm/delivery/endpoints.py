"""The receivers of webhooks, as `config/webhooks.yaml` names them, and what it takes to sign for one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from itsm.delivery import signing
from itsm.workflow.definition import Position

FILE: Final = "webhooks.yaml"

TIMEOUT_SECONDS: Final = 10
LONGEST_TIMEOUT_SECONDS: Final = 60
ANSWER_WITHIN: Final = timedelta(hours=1)
TRIES: Final = 3


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A receiver. `secret_env` names the environment variable that has its secret; `timeout` of a call is in seconds.

    One that calls back has `answer_within` to do so; then the call is sent again, until it was sent `tries` times in all.
    """

    name: str
    url: str
    secret_env: str
    at: Position
    timeout: int = TIMEOUT_SECONDS
    answer_within: timedelta = ANSWER_WITHIN
    tries: int = TRIES

    def keys(self, environment: Mapping[str, str] | None = None) -> tuple[bytes, ...]:
        """The keys of its secret; several while one is being replaced. Raises `ValueError` if there is none that is sound."""
        text = (os.environ if environment is None else environment).get(self.secret_env, "")
        if not text.strip():
            raise ValueError(f"the environment has no {self.secret_env}")
        try:
            return signing.keys(text)
        except ValueError as error:
            raise ValueError(f"{self.secret_env}: {error}") from None


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Every receiver, by name. `environment` has their secrets; the process's own unless given."""

    named: Mapping[str, Endpoint] = field(default_factory=dict)
    environment: Mapping[str, str] | None = field(default=None, repr=False)

    def get(self, name: str) -> Endpoint | None:
        """The receiver of this name; None if there is none (any more)."""
        return self.named.get(name)

    def keys(self, endpoint: Endpoint) -> tuple[bytes, ...]:
        """The keys of a receiver. Raises `ValueError` like `Endpoint.keys`."""
        return endpoint.keys(self.environment)
