"""OpenTelemetry spans of generative AI, as OTLP/JSON: a document, or one export request a line.

What is said is what spans put out: `gen_ai.output.messages` in the span's attributes or in an event's, and, as older
conventions have it, `gen_ai.choice` events. It is said by `gen_ai.agent.name` of the span or of one around it, from
the start of the span to its end. Inputs repeat what was said before; an input of a user's that was not is a message
of its own, there when its span began. A span around spans that hold messages repeats theirs and is passed over. The
case is `gen_ai.conversation.id` of the span or of one around it, else the trace's id.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from exaid_evals.traces.importers.base import Conversation, Moment, Reading, Spot, Utterance, When
from exaid_evals.traces.importers.chat import utterance_of
from exaid_evals.traces.importers.otlp import Attribute, Event, Span, read_spans
from exaid_evals.traces.importers.source import JSONError, Source, parse_json

# Key of the list → in attributes of the span or of the event that tells the details
# (`gen_ai.client.inference.operation.details`, since 1.37), and of the events `gen_ai.content.prompt` and
# `.completion` (1.27).
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
    """A message as a span records it.

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
    """Return whether the span's own attributes hold messages, which events would only repeat."""
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


_AGENT = ("gen_ai.agent.name", "gen_ai.agent.id")
_CASE = "gen_ai.conversation.id"
_TOKENS = ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens")
_INSTRUCTIONS = "gen_ai.system_instructions"
_ENOUGH = 10


class OtelImporter:
    """`--format otel`."""

    name = "otel"

    def claims(self, source: Source) -> bool:
        """Claim JSON objects with `resourceSpans`."""
        return source.is_json and any(
            isinstance(root.value, Mapping) and "resourceSpans" in root.value for root in source.roots[:_ENOUGH]
        )

    def read(self, source: Source) -> Reading:
        """Read every conversation of the file."""
        reading = Reading()
        spans = read_spans(source, reading)
        around = {(span.trace_id, span.span_id): span for span in spans if span.span_id}
        exchanged = {span.order: (inputs_of(span, reading), outputs_of(span, reading)) for span in spans}
        containers = {
            outer.order
            for span in spans
            if any(exchanged[span.order])
            for outer in _outwards(span, around)
            if outer.order != span.order
        }
        instructed = sum(_INSTRUCTIONS in span.attributes for span in spans)
        if instructed:
            reading.notices.append(f"instructions to models, which nobody says: {_INSTRUCTIONS} of {instructed} spans")
        by_case: dict[str | int | None, list[Span]] = {}
        for span in spans:
            if any(exchanged[span.order]) and span.order not in containers:
                by_case.setdefault(_case(span, around), []).append(span)
        for raw_id, members in by_case.items():
            said = _conversation(members, exchanged, around, reading)
            reading.conversations.append(Conversation(raw_id, members[0].spot, said))
        if not by_case and not reading.problems:
            remedy = "record message contents (gen_ai.input.messages, gen_ai.output.messages) and export again"
            reading.damage(Spot(source.roots[0].line), "no span holds a message", remedy=remedy)
        return reading


def _outwards(span: Span, around: Mapping[tuple[str, str], Span]) -> Iterable[Span]:
    """Yield a span and the spans around it, from the inside out."""
    seen = set()
    at: Span | None = span
    while at is not None and at.order not in seen:  # a forged file may run in a circle
        seen.add(at.order)
        yield at
        at = around.get((at.trace_id, at.parent_id))


def _nearest(span: Span, around: Mapping[tuple[str, str], Span], *names: str) -> str | None:
    for outer in _outwards(span, around):
        value = outer.first(*names)
        if isinstance(value, str) and value.strip():
            return value
    return None


def _case(span: Span, around: Mapping[tuple[str, str], Span]) -> str | None:
    return _nearest(span, around, _CASE) or span.trace_id or None


def _conversation(
    spans: list[Span],
    exchanged: Mapping[int, tuple[list[Part], list[Part]]],
    around: Mapping[tuple[str, str], Span],
    reading: Reading,
) -> list[Utterance]:
    """Return what is said in a conversation's spans, in order of time, or of the file where times are missing."""
    timed = all(span.start and span.end for span in spans)
    ordered = sorted(spans, key=lambda span: _ms(span.start) if timed else span.order)
    found: list[tuple[int, int, Utterance]] = []
    outputs: set[str] = set()
    for span in ordered:
        for utterance in _outputs(span, exchanged[span.order][1], _nearest(span, around, *_AGENT), reading):
            found.append((_ms(span.start) if timed else span.order, 1, utterance))
            outputs.add(utterance.content)
    heard: set[str] = set()
    for span in ordered:
        for item in exchanged[span.order][0]:
            unheard = _input(item, outputs, heard, reading)
            if unheard is not None:
                at = replace(unheard, when=When(end=span.start))
                found.append((_ms(span.start) if timed else span.order, 0, at))
    return [utterance for _, _, utterance in sorted(found, key=lambda item: item[:2])]


def _ms(moment: Moment | None) -> int:
    return moment.ms if moment else 0


def _outputs(span: Span, items: list[Part], agent: str | None, reading: Reading) -> Iterable[Utterance]:
    if len(items) > 1:
        what = f"{len(items)} choices, and nothing says which was said"
        reading.unmapped(items[1].spot, what, kind="several choices", remedy=_SKIP)
        return
    for item in items:
        message = {**item.message, "name": agent} if agent else item.message
        tokens = span.first(*_TOKENS)
        utterance = utterance_of(message, item.spot, reading, tokens=tokens, content=item.content)
        if utterance is not None:
            yield replace(utterance, when=When(span.start, span.end))


def _input(item: Part, outputs: set[str], heard: set[str], reading: Reading) -> Utterance | None:
    """Return an input that nobody has said before; each input is looked at once, however often it is repeated."""
    print_ = _print_of(item.message)
    if print_ in heard:
        return None
    heard.add(print_)
    role = item.message.get("role")
    if role == "assistant" and _calls_tools(item.message):
        return None  # an earlier span's output, where it was reported
    alone = Reading()
    utterance = utterance_of(item.message, item.spot, alone, content=item.content)
    if utterance is None or utterance.content not in outputs:
        reading.problems += alone.problems
    if utterance is None or utterance.content in outputs or utterance.content in heard:
        return None
    heard.add(utterance.content)
    if role == "assistant" and not utterance.named:
        what = "history that no span of this conversation put out"
        reading.unmapped(item.spot, what, kind="unknown history", remedy=_SKIP)
        return None
    return utterance


def _print_of(message: Mapping[str, Any]) -> str:
    return "\0" + json.dumps([message.get(key) for key in ("role", "name", "parts", "content")], sort_keys=True)


def _calls_tools(message: Mapping[str, Any]) -> bool:
    parts = message.get("parts")
    return bool(message.get("tool_calls")) or (
        isinstance(parts, list) and any(isinstance(part, Mapping) and part.get("type") == "tool_call" for part in parts)
    )
