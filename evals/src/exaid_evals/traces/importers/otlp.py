"""OTLP/JSON, the protocol's file form: spans with their attributes and events as plain data."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from exaid_evals.traces.importers.base import Moment, Reading, Spot
from exaid_evals.traces.importers.source import Source
from exaid_evals.traces.importers.timing import from_nanoseconds

# Attributes are nested by whoever wrote the file; nobody means to nest deeper.
_MAX_DEPTH = 50
_REMEDY = "export the spans as OTLP/JSON"


@dataclass(frozen=True, slots=True)
class Attribute:
    """A value and where it stands."""

    value: Any
    spot: Spot


@dataclass(frozen=True, slots=True)
class Event:
    """An event of a span."""

    name: str
    moment: Moment | None
    attributes: Mapping[str, Attribute]
    spot: Spot


@dataclass(frozen=True, slots=True)
class Span:
    """A span.

    Attributes:
        order: its place among all spans of the file.
    """

    order: int
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    start: Moment | None
    end: Moment | None
    attributes: Mapping[str, Attribute]
    events: Sequence[Event]
    spot: Spot

    def first(self, *names: str) -> Any:
        """Return the value of the first attribute that is there; None for none."""
        return next((self.attributes[name].value for name in names if name in self.attributes), None)


def read_spans(source: Source, reading: Reading) -> list[Span]:
    """Return every span of a file, in its order; what is not a span is reported as damage."""
    spans: list[Span] = []
    for root in source.roots:
        top = Spot(root.line)
        for resource, at_resource in _items(root.value, "resourceSpans", top, reading):
            # Before version 0.19 of the protocol, scopes were called instrumentation libraries.
            key = (
                "scopeSpans"
                if not isinstance(resource, Mapping) or "scopeSpans" in resource
                else "instrumentationLibrarySpans"
            )
            for scope, at_scope in _items(resource, key, at_resource, reading):
                for raw, at_span in _items(scope, "spans", at_scope, reading):
                    if isinstance(raw, Mapping):
                        spans.append(_span(len(spans), raw, at_span, reading))
                    else:
                        reading.damage(at_span, "no span", remedy=_REMEDY)
    return spans


def _items(value: Any, key: str, spot: Spot, reading: Reading) -> list[tuple[Any, Spot]]:
    items = value.get(key, []) if isinstance(value, Mapping) else None
    if not isinstance(items, list):
        reading.damage(spot.below(key), "no list stands here", remedy=_REMEDY)
        return []
    return [(item, spot.below(key, number)) for number, item in enumerate(items)]


def _span(order: int, raw: Mapping[str, Any], spot: Spot, reading: Reading) -> Span:
    events = [
        Event(
            _text(event.get("name")),
            from_nanoseconds(event.get("timeUnixNano")),
            _attributes(event, at_event, reading),
            at_event,
        )
        for event, at_event in _items(raw, "events", spot, reading)
        if isinstance(event, Mapping)
    ]
    return Span(
        order=order,
        name=_text(raw.get("name")),
        trace_id=_id(raw.get("traceId")),
        span_id=_id(raw.get("spanId")),
        parent_id=_id(raw.get("parentSpanId")),
        start=from_nanoseconds(raw.get("startTimeUnixNano")),
        end=from_nanoseconds(raw.get("endTimeUnixNano")),
        attributes=_attributes(raw, spot, reading),
        events=events,
        spot=spot,
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _id(value: object) -> str:
    """Return an id in hexadecimal digits; protobuf's own JSON writes base64 where OTLP's writes them."""
    text = _text(value)
    if text.endswith("=") or any(mark in text for mark in "+/"):
        try:
            return base64.b64decode(text, validate=True).hex()
        except binascii.Error:
            return text
    return text.lower() if all(digit in "0123456789abcdefABCDEF" for digit in text) else text


def _attributes(owner: Mapping[str, Any], spot: Spot, reading: Reading) -> dict[str, Attribute]:
    found = {}
    for item, at_item in _items(owner, "attributes", spot, reading):
        if not isinstance(item, Mapping) or not isinstance(item.get("key"), str):
            reading.damage(at_item, "no attribute", remedy=_REMEDY)
            continue
        key = item["key"]
        shown = Spot(at_item.line, at_item.keys, (*spot.shown, key))
        found[key] = Attribute(_any_value(item.get("value"), shown, reading), shown)
    return found


def _any_value(value: Any, spot: Spot, reading: Reading, depth: int = 0) -> Any:
    """Return an `AnyValue` as plain data; 64-bit integers come as digits, as protobuf's JSON has them."""
    if depth > _MAX_DEPTH:
        reading.damage(spot, f"an attribute nested more than {_MAX_DEPTH} levels deep", remedy="flatten it")
        return None
    if not isinstance(value, Mapping) or len(value) != 1:
        return None
    [(kind, inner)] = value.items()
    if kind == "intValue":
        digits = str(inner)
        return int(digits) if digits.lstrip("-").isdecimal() and len(digits) < 21 else None
    if kind in ("stringValue", "boolValue", "doubleValue"):
        return inner
    values = inner.get("values", []) if isinstance(inner, Mapping) else None
    if kind == "arrayValue" and isinstance(values, list):
        return [_any_value(item, spot, reading, depth + 1) for item in values]
    if kind == "kvlistValue" and isinstance(values, list):
        return {
            str(item.get("key")): _any_value(item.get("value"), spot, reading, depth + 1)
            for item in values
            if isinstance(item, Mapping)
        }
    return None
