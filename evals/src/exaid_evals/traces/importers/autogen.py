"""AutoGen 0.2: a `chat_history`, the list that MAC writes as `{case}_conversation.json`.

Shape: `[{"content", "role", "name"?, "tool_calls"?, …}]`, or a dumped chat result that holds it as `chat_history`. The
case is the file's name. Messages of the history's owner carry no name: in MAC that is the supervisor, who speaks
first, and the rule of first appearance makes it so.
"""

from __future__ import annotations

from collections.abc import Mapping

from exaid_evals.traces.importers.base import Reading, Spot
from exaid_evals.traces.importers.chat import add_conversation, case_of, name_after_file, utterance_of
from exaid_evals.traces.importers.source import Source

_HISTORY = "chat_history"
_ENOUGH = 10


class AutogenImporter:
    """`--format autogen`."""

    name = "autogen"

    def claims(self, source: Source) -> bool:
        """Claim one JSON document that is a list of messages with roles, or holds one as `chat_history`."""
        if not source.is_json or source.roots[0].line is not None:
            return False
        value = source.roots[0].value
        messages = value.get(_HISTORY) if isinstance(value, Mapping) else value
        return isinstance(messages, list) and any(
            isinstance(item, Mapping) and "content" in item and "role" in item for item in messages[:_ENOUGH]
        )

    def read(self, source: Source) -> Reading:
        """Read the file's one conversation."""
        reading = Reading()
        for root in source.roots:
            spot = Spot(root.line)
            messages, raw_id = root.value, None
            if isinstance(messages, Mapping):
                raw_id = case_of(messages, spot, reading)
                messages, spot = messages.get(_HISTORY), spot.below(_HISTORY)
            if not isinstance(messages, list):
                reading.damage(spot, "no list of messages stands here", remedy="export the chat_history")
                continue
            said = [utterance_of(message, spot.below(number), reading) for number, message in enumerate(messages)]
            add_conversation(reading, raw_id, spot, said)
        name_after_file(reading, source)
        return reading
