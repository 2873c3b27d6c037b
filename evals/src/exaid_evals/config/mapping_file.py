"""YAML and JSON files that hold one mapping: read strictly, before anything is made of them."""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import yaml

from exaid_evals.errors import ConfigError, DataError
from exaid_evals.files import read_regular

MOST_VALUES = 100_000
MOST_LEVELS = 60
_LONGEST_NUMBER = 100
_TAG = "tag:yaml.org,2002:"
_BASE_60 = re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?")
_DIGITS = re.compile(r"[-+0-9._:]+")
_OCTAL = re.compile(r"[-+]?0[0-7_]+")


class BoundedLoader(yaml.SafeLoader):
    """A safe loader that bounds, while it composes, depth and the number of values with all aliases written out.

    Merge keys bring in what their aliases stand for, so the same bound holds for them. Numbers that YAML 1.1 reads in
    base 60 or 8 are refused: `12:30` was hardly meant as 750. A time stamp stays the text that was written, since
    configurations and settings are data for JSON, and JSON has no dates.
    """

    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own name and form
        first: [(tag, pattern) for tag, pattern in resolvers if tag != f"{_TAG}timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._n_values = self._n_levels = 0
        self._sizes: dict[int, int] = {}

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Compose a node, and count what it stands for."""
        before = self._n_values
        mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
        is_alias = self.check_event(yaml.AliasEvent)
        self._n_levels += 1
        if self._n_levels > MOST_LEVELS:
            raise _error(f"more than {MOST_LEVELS} levels", mark)
        node = super().compose_node(parent, index)
        self._n_levels -= 1
        if is_alias:
            if id(node) not in self._sizes:
                raise _error("a value within itself", mark)
            self._n_values += self._sizes[id(node)]
        else:
            self._n_values += 1
            self._sizes[id(node)] = self._n_values - before
        if self._n_values > MOST_VALUES:
            raise _error(f"stands for too many values, more than {MOST_VALUES:,}", mark)
        if isinstance(node, yaml.ScalarNode) and _is_number(node):
            _check_number(node.value, mark)
        return node

    def resolve(self, kind: type[yaml.Node], value: Any, implicit: Any) -> Any:
        """Return the tag of a value; a long one is text, and is not held against the patterns of numbers."""
        if kind is yaml.ScalarNode and isinstance(value, str) and len(value) > _LONGEST_NUMBER and implicit[0]:
            return f"{_TAG}str"
        return super().resolve(kind, value, implicit)  # type: ignore[no-untyped-call]


def _is_number(node: yaml.ScalarNode) -> bool:
    long = node.style is None and len(node.value) > _LONGEST_NUMBER and _DIGITS.fullmatch(node.value)
    return bool(long) or node.tag in (f"{_TAG}int", f"{_TAG}float")


def _check_number(text: str, mark: Any) -> None:
    if len(text) > _LONGEST_NUMBER:
        raise _error(f"a number of {len(text)} characters", mark)
    if _BASE_60.fullmatch(text):
        raise _error(f"{text!r} is a number in base 60 to YAML: put it in quotes, or write the number", mark)
    if _OCTAL.fullmatch(text):
        value = int(text.replace("_", ""), 8)
        raise _error(f"{text!r} is octal to YAML, and {value}: put it in quotes, or leave out the zero", mark)


def _error(problem: str, mark: Any) -> yaml.MarkedYAMLError:
    return yaml.constructor.ConstructorError(None, None, problem, mark)


def load_yaml(text: str, loader_class: type[BoundedLoader] = BoundedLoader) -> Any:
    """Return what a YAML text holds; None for an empty one.

    Raises:
        yaml.YAMLError: it is none, or exceeds a bound.
        ValueError, TypeError: a value cannot be made.
    """
    loader = loader_class(text)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()


_MOST_BYTES = 4 << 20
_SHOWN = 80


class _StrictLoader(BoundedLoader):
    """A loader that refuses a repeated key, of which YAML would silently keep the last."""


def _construct_unique_mapping(loader: _StrictLoader, node: yaml.MappingNode) -> dict[Hashable, Any]:
    seen: set[Hashable] = set()
    for key_node, _ in node.value:
        if key_node.tag == "tag:yaml.org,2002:merge":
            continue  # `<<` brings in keys that what stands beside it may replace
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, Hashable):
            raise yaml.constructor.ConstructorError(None, None, "a key must be plain text", key_node.start_mark)
        if key in seen:
            problem = f"the key {_shown(key)} is a duplicate"
            raise yaml.constructor.ConstructorError(None, None, problem, key_node.start_mark)
        seen.add(key)
    return loader.construct_mapping(node, deep=True)


_StrictLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _construct_unique_mapping)


def _shown(key: object) -> str:
    return f"{key!r:.{_SHOWN}}"


def read_mapping(path: Path) -> dict[str, Any]:
    """Read a YAML or JSON file that holds one mapping.

    Raises:
        ConfigError: the file is missing, malformed, repeats a key, or holds something else.
    """
    try:
        text = read_regular(path, _MOST_BYTES).decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"cannot be read ({error})", where=str(path), remedy="save it as UTF-8") from None
    except DataError as error:
        what = "no such configuration" if not path.exists() else error.what
        raise ConfigError(what, where=str(path), remedy=error.remedy) from None
    try:
        if path.suffix == ".json":
            data = json.loads(text, object_pairs_hook=_unique_pairs, parse_constant=_refuse_constant)
        else:
            data = load_yaml(text, _StrictLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise ConfigError(error.problem or "not valid YAML", where=where, remedy="correct the line") from None
    except (ValueError, yaml.YAMLError) as error:
        raise ConfigError(f"not valid ({str(error)[:200]})", where=str(path), remedy="correct the file") from None
    except RecursionError:
        raise ConfigError("not valid (nested too deeply)", where=str(path), remedy="correct the file") from None
    if data is None:
        return {}
    if isinstance(data, list):
        remedy = 'write the mapping alone, such as {"model": "gpt-4o-mini"}; keys come from the environment'
        raise ConfigError("holds a list", where=str(path), remedy=remedy)
    if not isinstance(data, dict) or not all(isinstance(key, str) for key in data):
        raise ConfigError("holds no mapping of names to values", where=str(path), remedy="write `key: value` lines")
    return data


def _unique_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping: dict[str, Any] = {}
    for key, value in pairs:
        if key in mapping:
            raise ValueError(f"the key {_shown(key)} is a duplicate")
        mapping[key] = value
    return mapping


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def leaves(data: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return dotted key → value of a nested mapping; an empty mapping is a value.

    >>> leaves({"a": {"b": 1, "c": {}}, "d": [2]})
    {'a.b': 1, 'a.c': {}, 'd': [2]}
    """
    found: dict[str, Any] = {}
    for key, value in data.items():
        if isinstance(value, Mapping) and value:
            found |= leaves(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found
