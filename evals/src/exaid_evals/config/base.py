"""Loading a configuration: layers with provenance, strict YAML, and every problem at once."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from exaid_evals.config.mapping_file import leaves, read_mapping
from exaid_evals.config.request import Override
from exaid_evals.errors import ConfigError, DataError, ExaidError

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
