"""In what a request differs from those that were recorded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from exaid_evals.artifacts.canonical import canonical_json

_ORDER = ("task", "model", "parameters", "response_schema", "messages")
_ABSENT = object()
_AROUND = 30


def first_difference(asked: Mapping[str, Any], recorded: Iterable[Mapping[str, Any]]) -> str | None:
    """Describe the first field in which a request differs from the nearest of others; None where there are none.

    Fields come in the order task, model, parameters, response schema, messages. The nearest request is the one with
    the fewest fields that differ; of those, the one that agrees with the most text before it first differs.
    """
    best: tuple[tuple[int, int], str] | None = None
    for other in recorded:
        differing = list(_differences(asked, other))
        if not differing:
            continue
        path, ours, theirs = differing[0]
        distance = (len(differing), -_common(ours, theirs))
        if best is None or distance < best[0]:
            best = distance, _described(path, ours, theirs)
    return best[1] if best else None


def _differences(asked: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    for name in _ORDER:
        yield from _below(name, asked.get(name, _ABSENT), other.get(name, _ABSENT))


def _below(path: str, ours: Any, theirs: Any) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        for key in sorted({*ours, *theirs}, key=lambda key: (key != "role", key)):
            yield from _below(f"{path}.{key}", ours.get(key, _ABSENT), theirs.get(key, _ABSENT))
    elif _is_list(ours) and _is_list(theirs):
        for number in range(max(len(ours), len(theirs))):
            yield from _below(f"{path}[{number}]", _item(ours, number), _item(theirs, number))
    elif ours != theirs:
        yield path, ours, theirs


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _item(items: Sequence[Any], number: int) -> Any:
    return items[number] if number < len(items) else _ABSENT


def _common(ours: Any, theirs: Any) -> int:
    """Return how many characters two texts share from the start; 0 for what is not text."""
    if not (isinstance(ours, str) and isinstance(theirs, str)):
        return 0
    pairs = enumerate(zip(ours, theirs, strict=False))
    return next((number for number, (a, b) in pairs if a != b), min(len(ours), len(theirs)))


def _described(path: str, ours: Any, theirs: Any) -> str:
    at = _common(ours, theirs)
    if isinstance(ours, str) and isinstance(theirs, str) and at > _AROUND:
        return f"{path} from character {at} on: {_excerpt(theirs, at)} was recorded, {_excerpt(ours, at)} is asked"
    return f"{path}: {_value(theirs)} was recorded, {_value(ours)} is asked"


def _excerpt(text: str, at: int) -> str:
    start, end = max(at - _AROUND // 2, 0), at + _AROUND
    return f"{'…' if start else ''}{text[start:end]!r}{'…' if end < len(text) else ''}"


def _value(value: Any) -> str:
    if value is _ABSENT:
        return "nothing"
    text = canonical_json(value)
    return text if len(text) <= 2 * _AROUND else f"{text[: 2 * _AROUND]}…"
