"""No regular expression of the package takes time that grows faster than the text it is given."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

import exaid_evals
from timing import cpu_seconds

_UNITS = ["0", "a", "A", " ", "\n", ".", "-", "_", "/", "=", ",", "(", "<", "a ", "a.", "0.", "\\", "&#", "a-", " \n"]
_SHORT, _LONG = 2_000, 8_000
_NOTHING_S, _MOST_S = 0.0004, 0.05
_CALLS = re.compile(r"\b(_?[A-Z][A-Z0-9_]+)\.(match|fullmatch|search|sub|finditer|findall|split)\(")
_SEEN_AS = {"match": "match", "fullmatch": "fullmatch"}
"""How a pattern is called; every other way looks at each place of the text, as `search` does."""


def _modules() -> Iterator[ModuleType]:
    for found in pkgutil.walk_packages(exaid_evals.__path__, "exaid_evals."):
        if found.name.endswith("__main__"):
            continue
        try:
            yield importlib.import_module(found.name)
        except ImportError:
            assert ".run_eval" in found.name, found.name  # all else is installed where tests run


def _held(value: object, levels: int = 3) -> Iterator[re.Pattern[str]]:
    if isinstance(value, re.Pattern) and isinstance(value.pattern, str):
        yield value
    elif levels and isinstance(value, list | tuple | set | frozenset | dict):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _held(one, levels - 1)


@cache
def patterns() -> dict[str, tuple[re.Pattern[str], str]]:
    """Return name → pattern and how it is called, of all that modules hold or give to `re` in place."""
    modules = list(_modules())
    sources = {module.__name__: Path(str(module.__file__)).read_text(encoding="utf-8") for module in modules}
    found = {}
    for module in modules:
        called = defaultdict(set)
        for name, way in _CALLS.findall(sources[module.__name__]):
            called[name].add(_SEEN_AS.get(way, "search"))
        for name, value in vars(module).items():
            ways = called[name] if isinstance(value, re.Pattern) and called[name] else {"search"}
            for pattern in _held(value):
                for way in ways:
                    found[f"{module.__name__}.{name} {pattern.pattern!r:.60} {way}"] = (pattern, way)
        for node in ast.walk(ast.parse(sources[module.__name__])):
            match node:
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id="re"), attr=attr), args=[ast.Constant(value=str(text)), *_]
                ) if attr not in ("compile", "escape"):
                    way = _SEEN_AS.get(attr, "search")
                    found[f"{module.__name__}:{node.lineno} {text!r:.60} {way}"] = (re.compile(text), way)
    return found


def seconds(pattern: re.Pattern[str], way: str, text: str) -> float:
    """Return what one look takes of the processor."""
    return cpu_seconds(lambda: getattr(pattern, way)(text))


def slow_text(pattern: re.Pattern[str], way: str) -> str | None:
    """Return the beginning of a text on which a pattern takes much longer than its length says; None where none is."""
    words = re.findall(r"[A-Za-z]{2,}", pattern.pattern)[:2]
    for unit in [*_UNITS, *words]:
        for head, tail in (("", "\0"), ("", ""), *((word, "\0") for word in words[:1])):
            short, long = (head + unit * (length // len(unit)) + tail for length in (_SHORT, _LONG))
            if (took := seconds(pattern, way, short)) < _NOTHING_S:
                continue
            took = min(took, *(seconds(pattern, way, short) for _ in range(3)))  # others may have disturbed the first
            most = 10 * max(took, _NOTHING_S)
            if took > _MOST_S or all(seconds(pattern, way, long) > most for _ in range(3)):
                return short[:20]
    return None


@pytest.mark.slow
def test_no_pattern_takes_quadratic_time() -> None:
    """Texts of 2,000 and 8,000 characters, of one thing over and over: four times as long, not sixteen."""
    assert len(patterns()) > 200
    assert {name: text for name, (pattern, way) in patterns().items() if (text := slow_text(pattern, way))} == {}


@pytest.mark.parametrize("text", [r"\s*\S+\s*", r"\d+x", r"(?:step)[a-z]*time"])
def test_a_slow_pattern_is_seen(text: str) -> None:
    """The ways in which patterns become slow: a space that ends nothing, digits without an end, a word with a tail."""
    assert slow_text(re.compile(text), "search") is not None
