"""How a route is declared: one decorator that says all there is to know of it, for the door, the documents and the tests.

    comments = Resource("Comments", "What people write on tickets.")

    @comments.post("/tickets/{number}/comments", policy=SIGNED_IN, body=CommentForm(), answers={201: CommentShape()})
    def write(tx: Tx, number: str, body: NewComment) -> Answer:
        \"\"\"Write on a ticket.\"\"\"

The function gets the transaction, the parts of the path by name, and what was declared: `body`, `query`, `versions` (of
`If-Match`). Its docstring is its documentation. A route without a policy is a `RuntimeError` when its module is imported.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, TypeAlias

from itsm.api.auth import Policy
from itsm.api.forms import Form
from itsm.api.shapes import Shape
from itsm.people.access import Scope
from itsm.platform.errors import Kind

PREFIX: Final = "/api/v1"

_PARAMETER: Final = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Media:
    """An answer that is no JSON, by its media type."""

    type: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a route says: a value that becomes JSON, or ready bytes of another media type, or a file."""

    value: object = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    media_type: str = "application/json"
    file: Path | None = None


Handler: TypeAlias = Callable[..., Answer]
Answers: TypeAlias = Mapping[int, Shape | Media | None]


@dataclass(frozen=True, slots=True)
class Route:
    """A route as declared. `in_prefix` is False for the few that stand outside `/api/v1`.

    `changes` tells whether the handler writes: if not, a POST is still idempotent by key, but runs on a transaction that only
    reads. `etag` marks answers that carry the ticket's version; `refuses` are kinds of refusal that its other terms do not
    tell of.
    """

    resource: str
    method: str
    path: str
    handler: Handler
    policy: Policy
    scope: Scope
    answers: Answers
    body: Form | None = None
    query: Form | None = None
    if_match: bool = False
    etag: bool = False
    upload: bool = False
    changes: bool = True
    in_prefix: bool = True
    refuses: tuple[Kind, ...] = ()

    @property
    def full_path(self) -> str:
        """The path from the root, with its parameters in braces."""
        return PREFIX + self.path if self.in_prefix else self.path

    @property
    def rule(self) -> str:
        """The path as Flask's router wants it; each parameter takes only what its kind of key can look like."""
        return _PARAMETER.sub(lambda match: f"<{'row' if match[1].endswith('id') else 'key'}:{match[1]}>", self.full_path)

    @property
    def parameters(self) -> list[str]:
        """The names of the path's parameters."""
        return _PARAMETER.findall(self.path)

    @property
    def endpoint(self) -> str:
        """The route's name: that of its resource and function."""
        return f"{self.resource.lower().replace(' ', '-')}.{self.handler.__name__}"

    @property
    def summary(self) -> str:
        """The first line of what the route's author says of it."""
        return inspect.cleandoc(self.handler.__doc__ or "").split("\n")[0]

    @property
    def description(self) -> str:
        """The rest of it."""
        return inspect.cleandoc(self.handler.__doc__ or "").partition("\n")[2].strip()


class Resource:
    """The routes of one kind of thing, in the order in which they are declared.

    A resource of many routes is declared in parts, each in a module of its own: it shows their routes as its own, by its name.
    """

    def __init__(self, name: str, about: str, parts: Iterable[Resource] = ()) -> None:
        self.name = name
        self.about = about
        self.routes: list[Route] = [replace(route, resource=name) for part in parts for route in part.routes]

    def get(self, path: str, **terms: Any) -> Callable[[Handler], Handler]:
        """Declare a route that reads."""
        return self._declare("GET", path, {"scope": Scope.READ, "changes": False, **terms})

    def post(self, path: str, **terms: Any) -> Callable[[Handler], Handler]:
        """Declare a route that adds or does something; it is idempotent by key."""
        return self._declare("POST", path, terms)

    def put(self, path: str, **terms: Any) -> Callable[[Handler], Handler]:
        """Declare a route that puts something in the place of what was there."""
        return self._declare("PUT", path, terms)

    def patch(self, path: str, **terms: Any) -> Callable[[Handler], Handler]:
        """Declare a route that changes a part of something."""
        return self._declare("PATCH", path, terms)

    def delete(self, path: str, **terms: Any) -> Callable[[Handler], Handler]:
        """Declare a route that takes something away."""
        return self._declare("DELETE", path, terms)

    def _declare(self, method: str, path: str, terms: Mapping[str, Any]) -> Callable[[Handler], Handler]:
        if not isinstance(terms.get("policy"), Policy):
            raise RuntimeError(f"{method} {path} has no policy: say who may use it")  # noqa: TRY004  (no caller's mistake)

        def declare(handler: Handler) -> Handler:
            if not (handler.__doc__ or "").strip():
                raise RuntimeError(f"{method} {path} has no docstring: it is the route's documentation")
            known = {"scope": Scope.WRITE, **terms}
            self.routes.append(Route(resource=self.name, method=method, path=path, handler=handler, **known))
            return handler

        return declare
