"""What a scripted server is asked, and what it can do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it came in.

    Attributes:
        body: its JSON.
        headers: with names in lower case.
        path: with the query.
        at: when, on the monotonic clock, in s.
    """

    body: Mapping[str, Any]
    headers: Mapping[str, str]
    path: str
    at: float

    @property
    def messages(self) -> list[tuple[str, str]]:
        """Role and content of each message."""
        return [(message["role"], message["content"]) for message in self.body["messages"]]


@dataclass(frozen=True, slots=True)
class Answer:
    """A good answer.

    Attributes:
        text: what it says; None means what the server answers by itself.
        usage: whether token counts are reported.
        finish_reason: why it ends.
        chunks: into how many pieces a stream is cut.
        latency_s: waited before it begins; None means the server's own.
    """

    text: str | None = None
    usage: bool = True
    finish_reason: str = "stop"
    chunks: int = 4
    latency_s: float | None = None


@dataclass(frozen=True, slots=True)
class Fail:
    """An HTTP error; a text as body is sent as it is."""

    status: int
    message: str | Callable[[Received], str] = "scripted failure"
    code: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Drop:
    """The connection breaks: before the answer, or within a stream after so many chunks."""

    after_chunks: int = 0


@dataclass(frozen=True, slots=True)
class Hang:
    """Nothing happens for so many seconds; then the connection closes."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Garbage:
    """A good status with a body that is not JSON, or a stream that is none."""

    body: str = "<html>not an API</html>"


@dataclass(frozen=True, slots=True)
class StreamError:
    """A stream whose last event is an error."""

    message: str = "the engine failed"


@dataclass(frozen=True, slots=True)
class Cut:
    """A stream that ends well-formed, but before the answer does: without a finish reason."""


Step = Answer | Fail | Drop | Hang | Garbage | StreamError | Cut
Script = Iterable[Step] | Callable[[Received, int], Step]
