"""Taking the one JSON object out of a model's answer, whatever it put around it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

_FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})([^`\n]*)\Z")
_DECODER: json.JSONDecoder


def json_object(text: str) -> dict[str, Any]:
    r"""Return the object that an answer is, or that stands in it inside a code fence or between prose.

    Strict: one object, no repeated key, nothing repaired. Two different objects are not answers, for choosing one of
    them would be guessing.

    >>> json_object('Sure!\n```json\n{"a": true}\n```'), json_object('It is {"a": 1}.')
    ({'a': True}, {'a': 1})

    Raises:
        ValueError: says why there is none.
    """
    text = text.strip().removeprefix("\ufeff")
    try:
        whole = _DECODER.decode(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except json.JSONDecodeError as error:
        return _inside(text, error)
    return _as_object(whole, text)


def _inside(text: str, problem: json.JSONDecodeError) -> dict[str, Any]:
    fenced = list(_fenced(text))
    found = [item for part in fenced for item in _objects(part)] or _objects(text)
    if not found:
        raise ValueError(f"not JSON: {problem}")
    if any(item != found[0] for item in found[1:]):
        raise ValueError(f"{len(found)} JSON objects where one must stand")
    return found[0]


def _fenced(text: str) -> Iterator[str]:
    """Yield what stands between fences: lines of ``` or ~~~ , of which the closing one says nothing more."""
    fence = ""
    held: list[str] = []
    for line in text.split("\n"):
        match = _FENCE.match(line)
        if not fence:
            fence, held = (match[1], []) if match else ("", [])
        elif match and match[1] == fence and not match[2].strip(" \t"):
            yield "\n".join(held) + "\n"
            fence = ""
        else:
            held.append(line)


def _objects(text: str) -> list[dict[str, Any]]:
    """Return the outermost objects of a text, in order."""
    found = []
    at = text.find("{")
    while at >= 0:
        try:
            value, end = _DECODER.raw_decode(text, at)
        except json.JSONDecodeError:
            end = at + 1
        except RecursionError:
            raise ValueError("nested too deeply") from None
        else:
            found.append(_as_object(value, text))
        at = text.find("{", end)
    return found


def _as_object(value: Any, text: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"a {type(value).__name__} where an object must stand")
    try:
        if "\\u" in text or not text.isascii():  # else there can be none
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError("holds half a character (a lone surrogate)") from None
    return value


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        raise ValueError("a key is a duplicate")
    return record


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_once_each, parse_constant=_refuse)
