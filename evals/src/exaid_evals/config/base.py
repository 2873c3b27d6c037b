"""Settings in files: read strictly, layered with provenance, and every problem at once."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from exaid_evals.config.request import Override
from exaid_evals.errors import ConfigError, DataError, ExaidError
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


Found = TypeVar("Found")


class Problems:
    """Collects problems of configuration and data while checks go on."""

    def __init__(self) -> None:
        self._found: list[ExaidError] = []

    def checked(self, check: Callable[[], Found]) -> Found | None:
        """Return what a check finds; None where it finds a problem, which is kept."""
        try:
            return check()
        except (ConfigError, DataError) as error:
            self.add(error)
            return None

    def add(self, *errors: ExaidError) -> None:
        """Keep problems; one that joins several counts as these, and one that is known already adds nothing."""
        known = {str(problem) for problem in self._found}
        self._found += [part for error in errors for part in error.parts if str(part) not in known]

    @property
    def found(self) -> tuple[ExaidError, ...]:
        """The problems, in the order in which they were found."""
        return tuple(self._found)

    def require_none(self) -> None:
        """Make sure that there is none.

        Raises:
            ConfigError: at least one is of the configuration.
            DataError: all are of the data.
        """
        error = joined(self._found)
        if error is not None:
            raise error


def joined(problems: Iterable[ExaidError]) -> ExaidError | None:
    """Return one error that names all problems: of the configuration if any of them is, else of the data."""
    found = list(problems)
    if len(found) <= 1:
        return found[0] if found else None
    of_configuration = [problem for problem in found if isinstance(problem, ConfigError)]
    if len(of_configuration) == len(found):
        return ConfigError.of(of_configuration)
    return (ConfigError if of_configuration else DataError).joining(found, "problems")


class Config(BaseModel):
    """Base of every typed configuration: immutable, and a misspelt key is an error.

    Attributes:
        MOVED: dotted key that stood here once → where to write it now.
        SECRETIVE: whether it holds secrets, so that an unknown key in it may be one, and is not shown.
    """

    MOVED: ClassVar[Mapping[str, str]] = {}
    SECRETIVE: ClassVar[bool] = False
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True, defer_build=True)


ConfigT = TypeVar("ConfigT", bound=Config)
_LONGEST_KEY = 80
_REMOVE = "remove it"


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
    sources = dict.fromkeys(leaves(data), str(path))
    for dotted, override in (overrides or {}).items():
        _put(data, dotted, override.value)
        # A mapping that is given as a whole takes the place of what stood there.
        sources = {key: source for key, source in sources.items() if not key.startswith(f"{dotted}.")}
        sources |= dict.fromkeys([dotted, *leaves({dotted: override.value})], override.source)
    try:
        value = model.model_validate(data)
    except ValidationError as error:
        raise ConfigError.of(_problems(error, model, sources, path)) from None
    every = dict.fromkeys(leaves(value.model_dump(mode="json")), "default")
    return Loaded(value, every | {key: source for key, source in sources.items() if key in every})


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
        dotted = ".".join(_clipped(str(part)) for part in item["loc"])
        source = sources.get(dotted) or (str(path) if path else "default")
        where = f"{source}: {dotted}" if dotted else source
        if item["type"] == "extra_forbidden":
            if dotted in model.MOVED:
                found.append(ConfigError("is not a key of this file any more", where=where, remedy=model.MOVED[dotted]))
                continue
            remedy = _place_for(dotted, _known_keys(model))
            parent = dotted.rpartition(".")[0]
            if remedy == _REMOVE and parent in _known_keys(model, secretive=True):
                where = f"{source}: {parent}.(a key that is not shown)"
            found.append(ConfigError("unknown key", where=where, remedy=remedy))
        else:
            message = item["msg"].removeprefix("Value error, ")
            given = "" if item["type"] == "missing" else f" (got {item['input']!r:.80})"
            found.append(ConfigError(f"{message}{given}", where=where, remedy="correct the value"))
    return found


def _clipped(key: str) -> str:
    return key if len(key) <= _LONGEST_KEY else f"{key[: _LONGEST_KEY - 1]}…"


def _place_for(dotted: str, known: Sequence[str]) -> str:
    """Return what to do about an unknown key: where a key of that name belongs, else the one nearest to it."""
    name = dotted.rpartition(".")[2]
    places = [one for one in known if one.rpartition(".")[2] == name]
    if places:
        return f"it belongs at `{places[0]}`"
    near = difflib.get_close_matches(name, [one.rpartition(".")[2] for one in known], n=1)
    return f"did you mean `{near[0]}`?" if near else _REMOVE


def _known_keys(annotation: Any, prefix: str = "", *, secretive: bool = False) -> list[str]:
    """Return the dotted keys of a model and of those inside it, lists included; or of those that hold secrets alone."""
    if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        return [key for part in get_args(annotation) for key in _known_keys(part, prefix, secretive=secretive)]
    found = [prefix.removesuffix(".")] if secretive and getattr(annotation, "SECRETIVE", False) else []
    for name, info in annotation.model_fields.items():
        found += [] if secretive else [f"{prefix}{name}"]
        found += _known_keys(info.annotation, f"{prefix}{name}.", secretive=secretive)
    return found
