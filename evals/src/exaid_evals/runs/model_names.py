"""What a model's name says of it: size and quantisation, by patterns in YAML that users extend."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from exaid_evals.config.base import Config, load_config
from exaid_evals.config.campaign import configs_dir
from exaid_evals.errors import ConfigError

UNKNOWN = "unknown"
FILE_NAME = "model_names.yaml"

_BILLIONS = {"t": 1000.0, "b": 1.0, "m": 0.001}
# A folder's name has at most 255 bytes; longer text is not a name, and patterns may be slow on it.
_LONGEST = 300


def compiles(pattern: str) -> str:
    """Return a regular expression of a configuration, or say why it is not one."""
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"is not a regular expression ({error})") from None
    return pattern


Pattern = Annotated[str, Field(min_length=1), AfterValidator(compiles)]


class ParametersRule(Config):
    """How a size stands in a name.

    Attributes:
        name: of the rule, shown beside the number that it gave.
        pattern: with a group `size`, and optionally `unit` and `experts`.
        billions: the size where the pattern alone tells it.
    """

    name: str = Field(min_length=1)
    pattern: Pattern
    billions: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _says_the_size(self) -> ParametersRule:
        if (self.billions is None) != ("size" in re.compile(self.pattern).groupindex):
            raise ValueError("needs either a group `(?P<size>…)` in its pattern or `billions`, and not both")
        return self


class QuantisationRule(Config):
    """How a quantisation stands in a name.

    Attributes:
        pattern: finds it; its group `level`, else the whole match, is the answer.
        as_: the answer in its usual spelling; groups are named in braces, `{kind:upper}` in upper case.
    """

    pattern: Pattern
    as_: str | None = Field(default=None, min_length=1, alias="as")

    @model_validator(mode="after")
    def _names_groups(self) -> QuantisationRule:
        if self.as_ is not None:
            try:
                _Spelling().vformat(self.as_, (), dict.fromkeys(re.compile(self.pattern).groupindex, ""))
            except (KeyError, IndexError, ValueError, AttributeError) as error:
                raise ValueError(f"`as` names no group of the pattern ({error})") from None
        return self


class ModelNamesConfig(Config):
    """The whole file.

    Attributes:
        use_shipped: whether the patterns that ship are tried after these.
    """

    use_shipped: bool = True
    parameters: tuple[ParametersRule, ...] = ()
    quantisation: tuple[QuantisationRule, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelName:
    """What a name says.

    Attributes:
        billions: parameters in billions; None where the name does not say.
        rule: the rule that gave them.
        quantisation: such as `q4_K_M`; None where the name does not say.
    """

    billions: float | None
    rule: str | None
    quantisation: str | None


class _Spelling(string.Formatter):
    """Fills groups into `as`; the only thing that it can do with them is upper case."""

    def get_field(self, field_name: str, args: Any, kwargs: Mapping[str, Any]) -> Any:
        if not field_name.isidentifier():  # attributes and indices would reach into Python
            raise KeyError(field_name)
        return kwargs[field_name], field_name

    def format_field(self, value: Any, format_spec: str) -> Any:
        if format_spec not in ("", "upper"):
            raise ValueError(f"{format_spec!r} is not `upper`")
        return value.upper() if format_spec else value


def load_patterns(path: Path | None = None) -> ModelNamesConfig:
    """Return a user's patterns followed by those that ship.

    Raises:
        ConfigError: names every problem of the file.
    """
    shipped = load_config(ModelNamesConfig, configs_dir() / FILE_NAME).value
    if path is None:
        return shipped
    own = load_config(ModelNamesConfig, path).value
    if not own.parameters and not own.quantisation:
        raise ConfigError("holds no pattern", where=str(path), remedy=f"write it as configs/{FILE_NAME} is written")
    if not own.use_shipped:
        return own
    return ModelNamesConfig(
        parameters=own.parameters + shipped.parameters, quantisation=own.quantisation + shipped.quantisation
    )


def parse_model_name(name: str, patterns: ModelNamesConfig) -> ModelName:
    """Read a model's name.

    >>> shipped = load_patterns()
    >>> parse_model_name("llama3_2_1b-instruct-fp16", shipped)
    ModelName(billions=1.0, rule='plain', quantisation='fp16')
    >>> parse_model_name("gemma2-27b-it-q5_k_m", shipped).quantisation
    'q5_K_M'
    """
    lowered = name.lower()[:_LONGEST]
    billions, rule = _parameters(lowered, patterns)
    return ModelName(billions, rule, _quantisation(lowered, patterns))


def _parameters(name: str, patterns: ModelNamesConfig) -> tuple[float | None, str | None]:
    for rule in patterns.parameters:
        match = re.search(rule.pattern, name)
        if match is None:
            continue
        if rule.billions is not None:
            return rule.billions, rule.name
        groups = match.groupdict()
        try:
            size = float((groups["size"] or "").replace("_", "."))
            experts = float(groups.get("experts") or 1)
        except ValueError:
            continue  # a user's pattern may let its group `size` hold something else
        billions = size * experts * _BILLIONS.get(groups.get("unit") or "b", 1.0)
        return round(billions, 6), rule.name
    return None, None


def _quantisation(name: str, patterns: ModelNamesConfig) -> str | None:
    for rule in patterns.quantisation:
        match = re.search(rule.pattern, name)
        if match is None:
            continue
        groups = {key: value or "" for key, value in match.groupdict().items()}
        if rule.as_ is not None:
            return _Spelling().vformat(rule.as_, (), groups)
        return groups.get("level") or match.group()
    return None
