"""LangChain and LangGraph: dumped messages, alone or as the state of a graph.

Shapes of a message: `{"type": "ai", "data": {"content", "name", …}}` (`messages_to_dict`), `{"lc": 1, "type":
"constructor", "id": […, "AIMessage"], "kwargs": {…}}` (`dumps`), and `{"type": "ai", "content", "name", …}`
(`model_dump`, LangGraph's server). Around them: a list, `{"messages": […]}`, or a thread's state `{"values":
{"messages": […]}, …}`, one a file or one a line. The case is `case_id` or the thread's id, else the file's name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from exaid_evals.traces.importers.base import Reading, Spot, Utterance
from exaid_evals.traces.importers.chat import add_conversation, case_of, name_after_file, named, utterance_of
from exaid_evals.traces.importers.source import Source

_ENOUGH = 10
# Message class or type → the role that it stands for.
_ROLES = {
    "human": "human",
    "ai": "ai",
    "system": "system",
    "tool": "tool",
    "function": "function",
    "chat": "chat",
    "developer": "developer",
}
_WHERE_THREADS_ARE_NAMED = ((), ("metadata",), ("checkpoint",), ("config", "configurable"))


class LangchainImporter:
    """`--format langchain`."""

    name = "langchain"

    def claims(self, source: Source) -> bool:
        """Claim JSON that holds a list of messages as LangChain dumps them."""
        return source.is_json and any(_claimed(root.value) for root in source.roots[:_ENOUGH])

    def read(self, source: Source) -> Reading:
        """Read the conversation of the file, or of each line."""
        reading = Reading()
        for root in source.roots:
            messages, spot = _messages_of(root.value, Spot(root.line))
            if not isinstance(messages, list):
                reading.damage(spot, "no list of messages stands here", remedy="dump the list, or the graph's state")
                continue
            said = [_utterance(message, spot.below(number), reading) for number, message in enumerate(messages)]
            add_conversation(reading, _case(root.value, Spot(root.line), reading), spot, said)
        name_after_file(reading, source)
        return reading


def _messages_of(value: Any, spot: Spot) -> tuple[Any, Spot]:
    for key in ("values", "messages"):
        if isinstance(value, Mapping) and key in value:
            value, spot = value[key], spot.below(key)
    return value, spot


def _claimed(value: Any) -> bool:
    messages, _ = _messages_of(value, Spot(None))
    if not isinstance(messages, list):
        return False
    return any(isinstance(item, Mapping) and _opened(item, Spot(None)) is not None for item in messages[:_ENOUGH])


def _case(value: Any, spot: Spot, reading: Reading) -> str | int | None:
    for way in _WHERE_THREADS_ARE_NAMED if isinstance(value, Mapping) else ():
        inner = value
        for key in way:
            inner = inner.get(key) if isinstance(inner, Mapping) else None
        if isinstance(inner, Mapping):
            raw_id = case_of(inner, spot.below(*way), reading)
            if raw_id is not None:
                return raw_id
    return None


def _opened(message: Mapping[str, Any], spot: Spot) -> tuple[str, Mapping[str, Any], Spot] | None:
    """Return a message's kind, its fields and their place; None for what is not a message of LangChain's."""
    kind, key = message.get("type"), None
    if kind == "constructor" and isinstance(message.get("id"), list) and message["id"]:
        kind, key = message["id"][-1], "kwargs"
    elif isinstance(message.get("data"), Mapping):
        key = "data"
    if not isinstance(kind, str):
        return None
    fields = message if key is None else message.get(key)
    # `AIMessage`, `AIMessageChunk` and `ai` are one thing.
    short = kind.removesuffix("Chunk").removesuffix("Message").lower()
    if not isinstance(fields, Mapping) or (short not in _ROLES and key is None):
        return None
    return short, fields, spot if key is None else spot.below(key)


def _utterance(message: object, spot: Spot, reading: Reading) -> Utterance | None:
    remedy = "remove it, or leave out what does not map with --skip-unmapped"
    opened = _opened(message, spot) if isinstance(message, Mapping) else None
    if opened is None:
        what = f"{named(message)} that is not a message of LangChain's"
        reading.unmapped(spot, what, kind="no message", remedy=remedy)
        return None
    kind, fields, place = opened
    if kind not in _ROLES:
        reading.unmapped(spot, f"a message of type {kind!r:.60} is unknown", kind="unknown role", remedy=remedy)
        return None
    flat = dict(fields)
    for key, value in _additional(fields):
        # Providers' own spelling of what `tool_calls` says already.
        if not (key == "tool_calls" and flat.get("tool_calls")):
            flat.setdefault(key, value)
    role = fields.get("role") if kind == "chat" else kind
    return utterance_of(flat, place, reading, role=role, tokens=_tokens(fields))


def _additional(fields: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    additional = fields.get("additional_kwargs")
    if isinstance(additional, Mapping):
        for key in ("tool_calls", "function_call", "audio", "refusal"):
            if additional.get(key):
                yield key, additional[key]


def _tokens(fields: Mapping[str, Any]) -> object:
    usage = fields.get("usage_metadata")
    if isinstance(usage, Mapping):
        return usage.get("output_tokens")
    metadata = fields.get("response_metadata")
    usage = metadata.get("token_usage") if isinstance(metadata, Mapping) else None
    return usage.get("completion_tokens") if isinstance(usage, Mapping) else None
