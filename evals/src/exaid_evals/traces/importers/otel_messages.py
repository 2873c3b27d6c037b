"""Where a span keeps its messages: attributes, events, and the ways of older conventions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from exaid_evals.traces.importers.base import Reading, Spot
from exaid_evals.traces.importers.otlp import Attribute, Event, Span
from exaid_evals.traces.importers.source import JSONError, parse_json

_DETAILS = "gen_ai.client.inference.operation.details"
# Key of the list → in attributes of the span or of the event that tells the details (since 1.37), and of the events
# `gen_ai.content.prompt` and `.completion` (1.27).
_INPUTS = ("gen_ai.input.messages", "gen_ai.prompt")
_OUTPUTS = ("gen_ai.output.messages", "gen_ai.completion")
# Events that are messages (1.28 to 1.36): name → role.
_INPUT_EVENTS = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
}
_OUTPUT_EVENT = "gen_ai.choice"
_BODY = "gen_ai.event.content"
_SKIP = "remove it, or leave out what does not map with --skip-unmapped"
_PARTS = ("parts", "content")
_PLAIN = ("content", "text")


@dataclass(frozen=True, slots=True)
class Part:
    """A message as a span tells it.

    Attributes:
        message: role, name, and `parts` or `content`.
        content: the key of its content, and of the text in a part.
    """

    message: Mapping[str, Any]
    spot: Spot
    content: tuple[str, str]


def inputs_of(span: Span, reading: Reading) -> list[Part]:
    """Return what a span was given, in order."""
    found = _listed(span, _INPUTS, reading)
    for event in span.events:
        if event.name in _INPUT_EVENTS and not found_in_attributes(span, _INPUTS):
            body = _body(event, reading)
            if "content" in body or "tool_calls" in body:
                found.append(Part({"role": _INPUT_EVENTS[event.name], **body}, event.spot, _PLAIN))
    return found


def outputs_of(span: Span, reading: Reading) -> list[Part]:
    """Return what a span put out, one message a choice."""
    found = _listed(span, _OUTPUTS, reading)
    for event in span.events:
        if event.name == _OUTPUT_EVENT and not found_in_attributes(span, _OUTPUTS):
            body = _body(event, reading)
            message = _decoded(body.get("message", body), event.spot, reading, texts=True)
            if isinstance(message, str):
                message = {"content": message}
            if isinstance(message, Mapping) and ("content" in message or "tool_calls" in message):
                found.append(Part({"role": "assistant", **message}, event.spot, _PLAIN))
    return found


def found_in_attributes(span: Span, names: tuple[str, ...]) -> bool:
    """Tell whether the span's own attributes hold messages, which events would only repeat."""
    return any(name in span.attributes for name in names)


def _listed(span: Span, names: tuple[str, ...], reading: Reading) -> list[Part]:
    holders = [span.attributes, *(event.attributes for event in span.events if event.name not in _INPUT_EVENTS)]
    for attributes in holders:
        for name in names:
            if name in attributes:
                return _messages(attributes[name], reading)
    return []


def _messages(attribute: Attribute, reading: Reading) -> list[Part]:
    value = _decoded(attribute.value, attribute.spot, reading)
    if value is None:
        return []
    if not isinstance(value, list):
        reading.unmapped(attribute.spot, "no list of messages", kind="no message", remedy=_SKIP)
        return []
    found = []
    for number, message in enumerate(value):
        spot = attribute.spot.below(number)
        if isinstance(message, Mapping):
            found.append(Part(message, spot, _PARTS if "parts" in message else _PLAIN))
        else:
            reading.unmapped(spot, "no message", kind="no message", remedy=_SKIP)
    return found


def _body(event: Event, reading: Reading) -> dict[str, Any]:
    """Return an event's fields: its attributes, or what one attribute holds as JSON."""
    fields = {name.removeprefix("gen_ai."): item.value for name, item in event.attributes.items()}
    if _BODY in event.attributes:
        inner = _decoded(event.attributes[_BODY].value, event.attributes[_BODY].spot, reading)
        fields |= inner if isinstance(inner, Mapping) else {}
    if isinstance(fields.get("content"), str):
        # Some write a list of parts as JSON, most write the text itself.
        inner = _decoded(fields["content"], event.spot, reading, texts=True)
        fields["content"] = inner if isinstance(inner, list) else fields["content"]
    return {name: fields[name] for name in ("role", "name", "content", "tool_calls", "message") if name in fields}


def _decoded(value: Any, spot: Spot, reading: Reading, *, texts: bool = False) -> Any:
    """Return structured data that an attribute holds as JSON text; with `texts`, other text is left as it is."""
    if not isinstance(value, str) or (texts and value.lstrip()[:1] not in ("{", "[")):
        return value
    try:
        return parse_json(value)
    except JSONError as error:
        if texts:
            return value
        reading.unmapped(spot, f"holds no messages: {error.what}", kind="no message", remedy=_SKIP)
        return None
