"""What is seen of MAC's conversation from inside its process, through the hook that autogen itself offers.

`autogen.runtime_logging` tells a logger of each message that an agent has received and of each answer of a model. A
logger of our own is the least invasive place to stand: it is autogen's public interface, one for the process; it needs
neither the agents, which MAC makes for itself, nor a wrapped method; and what it is told has already happened. The
group chat's manager receives every message of the conversation once, when it is emitted and before anything follows
from it; what speaker selection says to itself goes to other agents, and is no part of the conversation.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from typing import Any, BinaryIO

_LAST_MOMENT_S = 5


class Events:
    """Tells the parent process what happens, as it happens: JSON lines over a pipe."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def send(self, **event: Any) -> None:
        """Send one event. Without a parent there is nobody to work for, and the process ends."""
        try:
            # ASCII, so that half a surrogate pair, which a model may write, cannot break the line.
            self._stream.write(json.dumps(event).encode("ascii") + b"\n")
            self._stream.flush()
        except OSError:
            time.sleep(_LAST_MOMENT_S)  # whoever watches for the parent's end tidies up meanwhile, and ends us
            os._exit(1)


class Observer:
    """A logger for autogen that passes on messages of the group chat, and changes nothing.

    Args:
        events: where to.
        manager_type: autogen's class of the group chat's manager.
    """

    def __init__(self, events: Events, manager_type: type) -> None:
        self._events = events
        self._manager_type = manager_type
        self._tokens: dict[str, int] = {}

    def start(self) -> str:
        """Return the session's id, which autogen asks for."""
        return "exaid"

    def stop(self) -> None:
        """Nothing is held open."""

    def get_connection(self) -> None:
        """Return no database: there is none."""

    def log_event(self, source: Any, name: str, **details: Any) -> None:
        """Pass on a message that the group chat's manager has received."""
        if name != "received_message" or not isinstance(source, self._manager_type):
            return
        now = time.monotonic_ns()
        message, sender = details.get("message"), str(details.get("sender"))
        content = message.get("content") if isinstance(message, dict) else message
        self._events.send(
            event="message", name=sender, content=_text(content), tokens=self._tokens.pop(sender, None), t_ns=now
        )

    def log_chat_completion(self, *arguments: Any, **details: Any) -> None:
        """Keep the tokens that the provider reports, for the message that the agent is about to send."""
        # autogen passes these by position: invocation, client, wrapper, agent, request, response, …
        with contextlib.suppress(AttributeError, IndexError, TypeError):
            agent, response = arguments[3], arguments[5]
            tokens = response.usage.completion_tokens
            if isinstance(tokens, int) and tokens >= 0:
                self._tokens[agent.name] = tokens

    def log_new_agent(self, *_arguments: Any, **_details: Any) -> None:
        """Pass over the making of an agent."""

    def log_new_wrapper(self, *_arguments: Any, **_details: Any) -> None:
        """Pass over the making of a client's wrapper."""

    def log_new_client(self, *_arguments: Any, **_details: Any) -> None:
        """Pass over the making of a client."""

    def log_function_use(self, *_arguments: Any, **_details: Any) -> None:
        """Pass over the use of a function: MAC's agents have none."""


def _text(content: Any) -> str:
    """Return a message's text; the parts of one in parts are joined as autogen's group chat joins them."""
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return "" if content is None else str(content)
