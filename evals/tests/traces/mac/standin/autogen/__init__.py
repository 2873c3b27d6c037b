"""What the integration touches of autogen: a manager that receives messages, and the hook that tells of it."""

from __future__ import annotations

from typing import Any

from autogen import runtime_logging

__all__ = ["Agent", "GroupChatManager", "runtime_logging"]


class Agent:
    """Somebody with a name, who keeps what he hears."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.history: list[dict[str, str]] = []

    def receive(self, message: dict[str, str] | str, sender: Agent) -> None:
        """Keep a message, and tell the logger."""
        content = message if isinstance(message, str) else message["content"]
        self.history.append({"content": content, "role": "user", "name": sender.name})
        if runtime_logging.logger is not None:
            runtime_logging.logger.log_event(self, "received_message", message=message, sender=sender.name, valid=True)


class GroupChatManager(Agent):
    """The one who receives every message of the conversation."""


class Answer:
    """What a model answered, as autogen hands it to a logger."""

    def __init__(self, body: dict[str, Any]) -> None:
        usage = body.get("usage")
        self.usage = type("Usage", (), usage)() if usage else None
