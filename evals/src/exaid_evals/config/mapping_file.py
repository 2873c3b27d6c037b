"""YAML and JSON files that hold one mapping: read strictly, before anything is made of them."""

from __future__ import annotations

import json
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from exaid_evals.config.yaml_text import BoundedLoader, load_yaml
from exaid_evals.errors import ConfigError, DataError
from exaid_evals.files import read_regular

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
        raise ConfigError(f"cannot be read ({error})", where=str(path), remedy="save it as UTF-8 text") from None
    except DataError as error:
        what = "no such configuration" if not path.exists() else error.what
        raise ConfigError(what, where=str(path), remedy=error.remedy) from None
    try:
        data = _parse_json(text) if path.suffix == ".json" else load_yaml(text, _StrictLoader)
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


def _parse_json(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_unique_pairs, parse_constant=_refuse_constant)


def _unique_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping: dict[str, Any] = {}
    for key, value in pairs:
        if key in mapping:
            raise ValueError(f"the key {_shown(key)} is a duplicate")
        mapping[key] = value
    return mapping


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
