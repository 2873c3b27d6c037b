"""A streamed answer of a chat-completions service, put together as the plain one that MAC's client asked for."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

Deltas = tuple[tuple[int, int], ...]
"""`(ms since the request was sent, code points)` of each chunk that brought text."""

_DONE = "[DONE]"
_KEPT = ("id", "created", "model", "system_fingerprint", "service_tier")


def as_streamed(body: bytes) -> bytes | None:
    """Return a request that asks for the same answer chunk by chunk; None for one whose answer is not text alone."""
    try:
        request: Any = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(request, dict) or request.get("stream") or request.get("n", 1) not in (1, None):
        return None
    if any(request.get(name) for name in ("tools", "functions", "logprobs", "audio")):
        return None
    return json.dumps({**request, "stream": True, "stream_options": {"include_usage": True}}).encode()


@dataclass(slots=True)
class StreamedAnswer:
    """What has arrived of an answer.

    Attributes:
        started_s: when the request was sent, on the monotonic clock.
        whole: whether the answer came to its end.
    """

    started_s: float
    whole: bool = False
    _head: dict[str, Any] = field(default_factory=dict)
    _parts: list[str] = field(default_factory=list)
    _times: list[int] = field(default_factory=list)
    _finish: str | None = None
    _usage: Any = None
    error: Any = None

    def key(self, lines: Iterable[str]) -> None:
        """Take the lines of server-sent events, as they come."""
        for line in lines:
            if not line.startswith("data:"):
                continue
            data = line.removeprefix("data:").strip()
            if data == _DONE:
                self.whole = True
                return
            self._event(json.loads(data))
        self.whole = self._finish is not None

    def _event(self, event: Any) -> None:
        if not isinstance(event, dict):
            raise ValueError("an event that is not an object")
        if event.get("error"):
            self.error = event["error"]
        self._head |= {name: event[name] for name in _KEPT if event.get(name) is not None and name not in self._head}
        self._usage = event.get("usage") or self._usage
        for choice in event.get("choices") or ():
            text = (choice.get("delta") or {}).get("content")
            self._finish = choice.get("finish_reason") or self._finish
            if text:
                self._parts.append(text)
                self._times.append(round((time.monotonic() - self.started_s) * 1000))

    @property
    def deltas(self) -> Deltas:
        """The chunks with their times; those of one moment are one."""
        merged: list[tuple[int, int]] = []
        for t_ms, part in zip(self._times, self._parts, strict=True):
            if merged and merged[-1][0] == t_ms:
                merged[-1] = (t_ms, merged[-1][1] + len(part))
            else:
                merged.append((t_ms, len(part)))
        return tuple(merged)

    def plain(self) -> dict[str, Any]:
        """Return the answer as one that was never streamed."""
        message = {"role": "assistant", "content": "".join(self._parts)}
        choice = {"index": 0, "finish_reason": self._finish or "stop", "message": message}
        usage = {} if self._usage is None else {"usage": self._usage}
        return {**self._head, "object": "chat.completion", "choices": [choice], **usage}
