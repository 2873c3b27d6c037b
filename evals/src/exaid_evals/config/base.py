"""Loading a configuration: layers with provenance, strict YAML, and every problem at once."""

from __future__ import annotations

import difflib
import json
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from exaid_evals.config.override import Override
from exaid_evals.errors import ConfigError


class Config(BaseModel):
    """Base of every typed configuration: immutable, and a misspelt key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)


ConfigT = TypeVar("ConfigT", bound=Config)


@dataclass(frozen=True, slots=True)
class Loaded(Generic[ConfigT]):
    """A configuration with the source of each value.

    Attributes:
        value: the typed configuration.
        sources: dotted key → `default`, the file's path, or the override's source.
    """

    value: ConfigT
    sources: Mapping[str, str] = field(default_factory=dict)

    def resolved(self) -> dict[str, Any]:
        """Return the whole configuration as plain data: what signatures and hashes are taken of."""
        return self.value.model_dump(mode="json")


class _StrictLoader(yaml.SafeLoader):
    """A safe loader that refuses a repeated key, of which YAML would silently keep the last."""


def _construct_unique_mapping(loader: _StrictLoader, node: yaml.MappingNode) -> dict[Hashable, Any]:
    seen: set[Hashable] = set()
    for key_node, _ in node.value:
        if key_node.tag == "tag:yaml.org,2002:merge":
            continue  # `<<` brings in keys that what stands beside it may replace
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, Hashable):
            raise yaml.constructor.ConstructorError(None, None, "a key must be plain text", key_node.start_mark)
        if key in seen:
            raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} stands twice", key_node.start_mark)
        seen.add(key)
    return loader.construct_mapping(node, deep=True)


_StrictLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _construct_unique_mapping)
# A time stamp stays the text that was written: configurations are data for JSON, and JSON has no dates.
_StrictLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read_mapping(path: Path) -> dict[str, Any]:
    """Read a YAML or JSON file that holds one mapping.

    Raises:
        ConfigError: the file is missing, malformed, repeats a key, or holds something else.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError("no such configuration", where=str(path), remedy="check the path") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot be read ({error})", where=str(path), remedy="save it as UTF-8 text") from None
    try:
        data = _parse_json(text) if path.suffix == ".json" else _parse_yaml(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise ConfigError(error.problem or "not valid YAML", where=where, remedy="correct the line") from None
    except (ValueError, yaml.YAMLError) as error:
        raise ConfigError(f"not valid ({error})", where=str(path), remedy="correct the file") from None
    except RecursionError:
        raise ConfigError("not valid (nested too deeply)", where=str(path), remedy="correct the file") from None
    if data is None:
        return {}
    if not isinstance(data, dict) or not all(isinstance(key, str) for key in data):
        raise ConfigError("holds no mapping of names to values", where=str(path), remedy="write `key: value` lines")
    return data


def _parse_yaml(text: str) -> Any:
    loader = _StrictLoader(text)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()


def _parse_json(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_unique_pairs, parse_constant=_refuse_constant)


def _unique_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping: dict[str, Any] = {}
    for key, value in pairs:
        if key in mapping:
            raise ValueError(f"the key {key!r} stands twice")
        mapping[key] = value
    return mapping


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def load_config(
    model: type[ConfigT], path: Path | None = None, overrides: Mapping[str, Override] | None = None
) -> Loaded[ConfigT]:
    """Layer overrides over a file over the defaults, and validate the result.

    Args:
        model: the typed configuration to build.
        path: a YAML or JSON file; None takes the defaults alone.
        overrides: dotted key → value from the command line or the environment.

    Raises:
        ConfigError: names every problem, each with its source and a remedy.
    """
    data = read_mapping(path) if path else {}
    sources = dict.fromkeys(_leaves(data), str(path))
    for dotted, override in (overrides or {}).items():
        _put(data, dotted, override.value)
        # A mapping that is given as a whole takes the place of what stood there.
        sources = {key: source for key, source in sources.items() if not key.startswith(f"{dotted}.")}
        sources |= dict.fromkeys([dotted, *_leaves({dotted: override.value})], override.source)
    try:
        value = model.model_validate(data)
    except ValidationError as error:
        raise ConfigError.of(_problems(error, model, sources, path)) from None
    every = dict.fromkeys(_leaves(value.model_dump(mode="json")), "default")
    return Loaded(value, every | {key: source for key, source in sources.items() if key in every})


def _leaves(data: Mapping[str, Any], prefix: str = "") -> list[str]:
    found = []
    for key, value in data.items():
        dotted = f"{prefix}{key}"
        found += _leaves(value, f"{dotted}.") if isinstance(value, Mapping) and value else [dotted]
    return found


def _put(data: dict[str, Any], dotted: str, value: Any) -> None:
    *parents, last = dotted.split(".")
    for parent in parents:
        data = data.setdefault(parent, {})
        if not isinstance(data, dict):
            return  # the model will say that a mapping belongs there
    data[last] = value


def _problems(
    error: ValidationError, model: type[Config], sources: Mapping[str, str], path: Path | None
) -> list[ConfigError]:
    found = []
    for item in error.errors():
        dotted = ".".join(str(part) for part in item["loc"])
        source = sources.get(dotted) or (str(path) if path else "default")
        where = f"{source}: {dotted}" if dotted else source
        if item["type"] == "extra_forbidden":
            near = difflib.get_close_matches(str(item["loc"][-1]), _known_keys(model), n=1)
            remedy = f"did you mean `{near[0]}`?" if near else "remove it"
            found.append(ConfigError("unknown key", where=where, remedy=remedy))
        else:
            message = item["msg"].removeprefix("Value error, ")
            given = "" if item["type"] == "missing" else f" (got {item['input']!r:.80})"
            found.append(ConfigError(f"{message}{given}", where=where, remedy="correct the value"))
    return found


def _known_keys(annotation: Any) -> list[str]:
    """Return the keys of a model and of the models inside it, lists of models included."""
    if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        return [key for part in get_args(annotation) for key in _known_keys(part)]
    fields = annotation.model_fields
    return [*fields, *(key for info in fields.values() for key in _known_keys(info.annotation))]
