"""What names say: paths of their fold, trial or seed and of how runs differ; models of their size and quantisation."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypeVar

from pydantic import AfterValidator, Field, model_validator

from exaid_evals.artifacts.redaction import printable
from exaid_evals.config.base import Config, load_config
from exaid_evals.config.campaign import configs_dir
from exaid_evals.errors import ConfigError
from exaid_evals.runs.base import Source

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


Found = TypeVar("Found")


def run_names(sources: Sequence[Source]) -> list[str]:
    """Return the shortest trailing parts of the paths, with the part of a file, that tell the runs apart.

    >>> from pathlib import Path
    >>> run_names([Source(Path("/a/seed-1")), Source(Path("/a/seed-2"))])
    ['seed-1', 'seed-2']
    >>> run_names([Source(Path("/a/x/results"), "7"), Source(Path("/a/y/results"), "7")])
    ['x/results/7', 'y/results/7']
    >>> run_names([Source(Path("/a/results_1.json"), label="small"), Source(Path("/a/results_2.json"), label="large")])
    ['small', 'large']
    """
    counts = Counter(source.label for source in sources)
    own = {
        at: printable(source.label) for at, source in enumerate(sources) if counts[source.label] == 1 and source.label
    }
    others = _by_paths([source for at, source in enumerate(sources) if at not in own])
    # Of runs that call themselves alike the path tells which is which.
    names = iter(others)
    found = [own[at] if at in own else next(names) for at in range(len(sources))]
    return found if len(set(found)) == len(found) else _by_paths(sources)


def distinct(found: Sequence[tuple[str, str, Found]]) -> dict[str, Found]:
    """Return each thing by its label, with its id behind where a label is a duplicate.

    >>> distinct([("a", "1", 10), ("b", "2", 20), ("a", "3", 30)])
    {'a-1': 10, 'b': 20, 'a-3': 30}
    """
    counts = Counter(label for label, *_ in found)
    return {label if counts[label] == 1 else f"{label}-{id_}": one for label, id_, one in found}


def _by_paths(sources: Sequence[Source]) -> list[str]:
    if not sources:
        return []
    depth, deepest = 1, max(len(source.path.parts) for source in sources)
    while True:
        names = [
            "/".join([*source.path.parts[-depth:], source.part][: None if source.part else -1]) for source in sources
        ]
        names = [printable(name.lstrip("/")) or "/" for name in names]
        if len(set(names)) == len(names):
            return names
        if depth >= deepest:  # names that differ in what cannot be printed alone
            seen: Counter[str] = Counter()
            for number, name in enumerate(names):
                seen[name] += 1
                names[number] = f"{name} ({seen[name]})" if seen[name] > 1 else name
            return names
        depth += 1


_FOLD = re.compile(r"^(?:cv[_-]?)?fold[_\- ]?(\d+)$", re.I)
_TRIAL = re.compile(r"^(?:trial|run_trial|hpo_trial|ray_trial|_?train_fn)[_\- ]?([0-9A-Za-z_\-.]+)$", re.I)


class Position(NamedTuple):
    """A run's place; None where its folders do not say.

    Attributes:
        fold: number of the fold.
        trial: id of the trial, `0` and `00007` as written.
        group: the folder that holds the folds or trials.
    """

    fold: int | None = None
    trial: str | None = None
    group: str | None = None


def position_of(folder: Path) -> Position:
    """Return the place of a run from its folder or the one above: `fold_3/results`, `fold_3`, `hpo_runs/trial_7`.

    >>> position_of(Path("/a/resnet/fold_3/results"))
    Position(fold=3, trial=None, group='resnet')
    >>> position_of(Path("/a/hpo_runs/trial_0007"))
    Position(fold=None, trial='0007', group='hpo_runs')
    >>> position_of(Path("/a/results_4"))
    Position(fold=None, trial=None, group=None)
    """
    for place in (folder, folder.parent):
        if match := _FOLD.match(place.name):
            return Position(fold=int(match[1]), group=place.parent.name or None)
        if match := _TRIAL.match(place.name):
            return Position(trial=match[1], group=place.parent.name or None)
    return Position()


def is_fold(name: str) -> bool:
    """Return whether a folder's name is that of a fold."""
    return _FOLD.match(name) is not None


def is_trial(name: str) -> bool:
    """Return whether a folder's name is that of a trial."""
    return _TRIAL.match(name) is not None
