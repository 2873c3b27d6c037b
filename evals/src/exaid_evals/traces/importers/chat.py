"""The shape that chat formats share: a message with role, name and content, the content as text or as parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from exaid_evals.traces.importers.base import NO_SPEECH, Conversation, Reading, Spot, Utterance
from exaid_evals.traces.importers.source import Root, Source
from exaid_evals.traces.importers.timing import when_of

CASE_KEYS = ("case_id", "conversation_id", "thread_id")
_SKIP = "remove it, or leave out what does not map with --skip-unmapped"
_TEXT_PARTS = frozenset({"text", "input_text", "output_text"})
# Beside the content, what a message may carry that is not text.
_NOT_TEXT = {
    "tool_calls": "tool call",
    "invalid_tool_calls": "tool call",
    "function_call": "tool call",
    "tool_responses": "tool result",
    "audio": "audio",
    "refusal": "refusal",
}
_JSON_NAMES = {dict: "an object", list: "a list", str: "text", bool: "a truth value", type(None): "null"}


def named(value: object) -> str:
    """Return what a JSON value is, in words."""
    return _JSON_NAMES.get(type(value), "a number")


def text_of(content: object, spot: Spot, reading: Reading, *, text_key: str = "text") -> str | None:
    """Return the text of a message's content, its text parts joined as they stand; None where something is wrong.

    Args:
        content: text, None, or a list of texts and parts.
        spot: where it stands.
        reading: takes down every part that is not text.
        text_key: the key under which a text part holds its text.
    """
    if content is None:
        return ""
    if isinstance(content, str):
        parts = [content]
    elif isinstance(content, list):
        parts = []
        for number, part in enumerate(content):
            text = _part(part, spot.below(number), reading, text_key)
            if text is not None:
                parts.append(text)
    else:
        reading.unmapped(spot, f"{named(content)} where text must stand", kind="no text", remedy=_SKIP)
        return None
    text = "".join(parts)
    if any("\ud800" <= character <= "\udfff" for character in text):
        reading.unmapped(spot, "holds half a surrogate pair, which is not text", kind="no text", remedy=_SKIP)
        return None
    return text


def _part(part: object, spot: Spot, reading: Reading, text_key: str) -> str | None:
    if isinstance(part, str):
        return part
    kind = part.get("type") if isinstance(part, dict) else None
    text = part.get(text_key) if isinstance(part, dict) else None
    if isinstance(kind, str) and kind in _TEXT_PARTS and isinstance(text, str):
        return text
    if isinstance(kind, str):
        reading.unmapped(spot, f"a part of type {kind!r:.60} is not text", kind="part that is not text", remedy=_SKIP)
    else:
        reading.unmapped(spot, f"{named(part)} without a type is not text", kind="part that is not text", remedy=_SKIP)
    return None


def utterance_of(
    message: object,
    spot: Spot,
    reading: Reading,
    *,
    role: object = None,
    tokens: object = None,
    content: tuple[str, str] = ("content", "text"),
) -> Utterance | None:
    """Return a message, or None where it says nothing that could be said in a trace; the reading records why.

    Args:
        message: the mapping with `content`, `role`, `name` and perhaps a time and usage.
        spot: where it stands.
        reading: takes down all that does not map.
        role: the role where the format keeps it elsewhere.
        tokens: the provider's count of this message where the format keeps it elsewhere.
        content: the key of the content, and the key of the text in its parts.
    """
    if not isinstance(message, Mapping):
        reading.unmapped(spot, f"{named(message)} where a message must stand", kind="no message", remedy=_SKIP)
        return None
    before = len(reading.problems)
    for key, kind in _NOT_TEXT.items():
        if message.get(key):
            reading.unmapped(spot.below(key), f"a {kind} is not text", kind=kind, remedy=_SKIP)
    text = text_of(message.get(content[0]), spot.below(content[0]), reading, text_key=content[1])
    who = _speaker(message.get("role") if role is None else role, message.get("name"), spot, reading)
    if text is not None and not text.strip() and len(reading.problems) == before:
        reading.unmapped(spot.below(content[0]), "is empty", kind="empty message", remedy=_SKIP)
    if who is None or not text or not text.strip():
        return None
    return Utterance(
        speaker=who[0],
        named=who[1],
        content=text,
        spot=spot,
        when=when_of(message, text, spot, reading),
        provider_token_count=token_count(_usage(message) if tokens is None else tokens, spot, reading),
    )


def _speaker(role: object, name: object, spot: Spot, reading: Reading) -> tuple[str, bool] | None:
    if isinstance(role, str) and role in NO_SPEECH:
        return role, False
    if isinstance(name, str) and name.strip():
        return name.strip(), True
    if isinstance(role, str) and role.strip():
        return role.strip(), False
    key = "role" if role is not None else "name"
    reading.unmapped(spot.below(key), "neither a name nor a role says who speaks", kind="no speaker", remedy=_SKIP)
    return None


def _usage(message: Mapping[str, Any]) -> object:
    if message.get("provider_token_count") is not None:
        return message["provider_token_count"]
    usage = message.get("usage")
    if not isinstance(usage, Mapping):
        return None
    return usage.get("completion_tokens", usage.get("output_tokens"))


def token_count(value: object, spot: Spot, reading: Reading) -> int | None:
    """Return a provider's count of tokens; what is not a count is reported."""
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 53:
        return value
    reading.unmapped(spot, f"{value!r:.60} is not a count of tokens", kind="token count", remedy=_SKIP)
    return None


def case_of(
    fields: Mapping[str, Any], spot: Spot, reading: Reading, *, keys: Sequence[str] = CASE_KEYS
) -> str | int | None:
    """Return the name of a case out of the first field that holds one."""
    for key in keys:
        value = fields.get(key)
        if isinstance(value, str | int) and not isinstance(value, bool) and value != "":
            return value
        if value is not None and value != "":
            remedy = "write text or a whole number"
            reading.unmapped(spot.below(key), f"{named(value)} is not a case id", kind="case id", remedy=remedy)
    return None


def add_conversation(reading: Reading, raw_id: str | int | None, spot: Spot, said: Sequence[Utterance | None]) -> None:
    """Note a conversation of the messages that map."""
    reading.conversations.append(Conversation(raw_id, spot, [item for item in said if item is not None]))


def name_after_file(reading: Reading, source: Source) -> None:
    """Give the file's only conversation the file's name where it has none (`37470964_conversation` is 37470964)."""
    if len(reading.conversations) == 1 and reading.conversations[0].raw_id is None:
        only = reading.conversations[0]
        reading.conversations = [Conversation(source.stem.removesuffix("_conversation"), only.spot, only.utterances)]


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


_CONVERSATION_KEYS = (*CASE_KEYS, "custom_id", "id")


class OpenaiImporter:
    """`--format openai`."""

    name = "openai"

    def claims(self, source: Source) -> bool:
        """Claim JSON objects that are messages with a role, or hold a list of them as `messages`."""
        return source.is_json and any(_claimed(root.value) for root in source.roots[:_ENOUGH])

    def read(self, source: Source) -> Reading:
        """Read every conversation of the file."""
        reading = Reading()
        by_case: dict[str | int | None, tuple[Spot, list[Utterance | None]]] = {}
        for root in source.roots:
            spot, value = Spot(root.line), root.value
            if isinstance(value, list):
                _conversation(Root(root.line, {"messages": value}), spot, reading, listed=True)
            elif isinstance(value, Mapping) and "messages" in value:
                _conversation(root, spot, reading)
            elif isinstance(value, Mapping):
                raw_id = case_of(value, spot, reading)
                _, said = by_case.setdefault(raw_id, (spot, []))
                said.append(utterance_of(value, spot, reading))
            else:
                remedy = "write one message, or one object with `messages`, a line"
                reading.unmapped(spot, f"{named(value)} where a message must stand", kind="no message", remedy=remedy)
        for raw_id, (spot, said) in by_case.items():
            add_conversation(reading, raw_id, spot, said)
        name_after_file(reading, source)
        return reading


def _claimed(value: Any) -> bool:
    messages = value.get("messages") if isinstance(value, Mapping) else None
    return any(_is_message(item) for item in (messages[:_ENOUGH] if isinstance(messages, list) else [value]))


def _is_message(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and isinstance(value.get("role"), str)
        and ("content" in value or "tool_calls" in value)
    )


def _conversation(root: Root, spot: Spot, reading: Reading, *, listed: bool = False) -> None:
    messages = root.value["messages"]
    below = spot if listed else spot.below("messages")
    if not isinstance(messages, list):
        reading.damage(
            below, f"{named(messages)} where the list of messages must stand", remedy="write or copy it again"
        )
        return
    raw_id = case_of(root.value, spot, reading, keys=_CONVERSATION_KEYS)
    said = [utterance_of(message, below.below(number), reading) for number, message in enumerate(messages)]
    add_conversation(reading, raw_id, below, said)
