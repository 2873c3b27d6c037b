"""How JSON is asked for: by schema where the server supports it, else as JSON, else in words alone."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from exaid_evals.errors import LLMError

Result = TypeVar("Result")

FORMATS = ("json_schema", "json_object", "text")
"""The strictest first."""

_REFUSED_KEYWORDS = frozenset({"minLength", "maxLength"})
"""What strict mode refuses. The prompt states the limits, and the middleware checks every answer against them."""


class RefusedError(LLMError):
    """The server refuses a request as it stands (HTTP 400 or 422)."""


class Negotiation:
    """Finds the strictest format that the server supports, once for all threads.

    A server that lacks a format refuses the request, as it does for other reasons too; so a laxer format is
    remembered only when a request that was refused in the stricter one has been answered in it. Until the first
    answer one thread asks and the others wait, so that a run learns it once.
    """

    def __init__(self, wanted: str) -> None:
        """Begin.

        Args:
            wanted: one of the formats, which is then the only one; or `auto`.
        """
        self._formats = FORMATS if wanted == "auto" else (wanted,)
        self._known: str | None = None if wanted == "auto" else wanted
        self._asking = threading.Lock()

    def ask(self, send: Callable[[str], Result]) -> tuple[Result, str]:
        """Send a request in the format known to work, else find that out; return the result and the format.

        Raises:
            RefusedError: the request was refused in every format; the first refusal, which says most.
        """
        if self._known is None:
            with self._asking:
                if self._known is None:
                    return self._first(send, self._formats)
        known = self._known
        try:
            return send(known), known
        except RefusedError as error:
            # A server may take one schema and not another, so a laxer format is still tried.
            laxer = self._formats[self._formats.index(known) + 1 :]
            if not laxer:
                raise
            with self._asking:
                return self._first(send, laxer, error)

    def _first(
        self, send: Callable[[str], Result], formats: Sequence[str], refused: RefusedError | None = None
    ) -> tuple[Result, str]:
        for name in formats:
            try:
                result = send(name)
            except RefusedError as error:
                refused = refused or error
            else:
                self._known = name
                return result, name
        raise refused or LLMError("no format to ask in")


def as_parameter(name: str, task: str, schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return a request's `response_format`; None where the format is words alone."""
    if name == "json_schema":
        return {"type": name, "json_schema": {"name": task, "strict": True, "schema": _strict(schema)}}
    return {"type": name} if name == "json_object" else None


def _strict(schema: Any) -> Any:
    if isinstance(schema, Mapping):
        return {key: _strict(value) for key, value in schema.items() if key not in _REFUSED_KEYWORDS}
    return [_strict(item) for item in schema] if isinstance(schema, list | tuple) else schema
