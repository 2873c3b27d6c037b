"""The YAML file that says where a run's id, seed and metrics lie in files of no known format."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from exaid_evals.config.base import Config, load_config
from exaid_evals.errors import ConfigError
from exaid_evals.runs.model_names import compiles


def _inside(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name:
        raise ValueError("must name a file inside the run's folder, with `/`, without `..`")
    return name


FileName = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_inside)]
RowWord = Literal["first", "last", "last non-empty", "only"]


class BestRow(Config):
    """The row in which a column is best; of several the first.

    Attributes:
        best: the column.
        direction: which way it improves.
    """

    best: str = Field(min_length=1)
    direction: Literal["higher", "lower"]


class Place(Config):
    """Where one value lies.

    Attributes:
        file: below the run's folder; `*` may stand in it where exactly one file matches.
        key: JSON pointer (`/metrics/acc`) or dotted key (`metrics.acc`), of a JSON or YAML file.
        column: name of a column, of a CSV or JSON Lines file.
        row: which row of it.
        path: in place of a file: a pattern over the run's path below the folder that was named, whose group `value`,
            else its first group, is the value.
        value: in place of both: the value itself, the same for every run.
        scale: factor from the number that stands there, such as 0.01 for per cent.
        optional: whether a run may lack it; it is then undefined.
    """

    file: FileName | None = None
    key: str | None = Field(default=None, min_length=1)
    column: str | None = Field(default=None, min_length=1)
    row: RowWord | BestRow = "last"
    path: Annotated[str, AfterValidator(compiles)] | None = None
    value: str | int | float | bool | None = None
    scale: float = Field(default=1.0, gt=0)
    optional: bool = False

    @model_validator(mode="after")
    def _says_one_thing(self) -> Place:
        ways = [self.file is not None, self.path is not None, self.value is not None]
        if sum(ways) != 1:
            raise ValueError("needs exactly one of `file`, `path` and `value`")
        if self.file is not None and (self.key is None) == (self.column is None):
            raise ValueError("needs with `file` either `key` or `column`")
        if self.path is not None and not re.compile(self.path).groups:
            raise ValueError("`path` needs a group, such as `run-(?P<value>.+)`")
        return self


class Each(Config):
    """How a file holds several runs: other places in this file are then looked up in the run's share of it.

    Attributes:
        file: below the folder that `runs` means.
        column: of a CSV or JSON Lines file: rows with one value of it are one run; without it each row is.
        key: of a JSON or YAML file: what holds the runs, a list or a mapping; `/` is the whole document.
    """

    file: FileName
    column: str | None = Field(default=None, min_length=1)
    key: str | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _says_one_thing(self) -> Each:
        if self.column is not None and self.key is not None:
            raise ValueError("takes either `column` or `key`")
        return self


class MappingConfig(Config):
    """The whole file.

    Attributes:
        format: what the user calls the format.
        runs: pattern of the runs' folders below the folder that a user names; `.` is that folder itself.
        each: the file that holds several runs; without it a folder is one.
        run_id: where the run's id lies; without it the folder's name serves.
        seed: where its seed lies.
        git_hash: where the code's version lies.
        metrics: name → where it lies.
        config: name of a hyper-parameter → where it lies.
        lower_is_better, higher_is_better: names of metrics.
        primary_metric: ranks the runs.
    """

    format: str = Field(default="mapping", pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,39}$")
    runs: Annotated[str, Field(min_length=1), AfterValidator(_inside)] = "."
    each: Each | None = None
    run_id: Place | None = None
    seed: Place | None = None
    git_hash: Place | None = None
    metrics: dict[str, Place] = Field(min_length=1)
    config: dict[str, Place] = Field(default_factory=dict)
    lower_is_better: tuple[str, ...] = ()
    higher_is_better: tuple[str, ...] = ()
    primary_metric: str | None = None

    @model_validator(mode="after")
    def _names_metrics(self) -> MappingConfig:
        named = [*self.lower_is_better, *self.higher_is_better, *filter(None, [self.primary_metric])]
        unknown = sorted({name for name in named if name not in self.metrics})
        if unknown:
            raise ValueError(f"{', '.join(unknown)}: no such metric in `metrics`")
        both = sorted(set(self.lower_is_better) & set(self.higher_is_better))
        if both:
            raise ValueError(f"{', '.join(both)}: is said to improve both ways")
        return self

    @property
    def places(self) -> dict[str, Place]:
        """Return dotted key in this file → place, of everything that is looked up."""
        single = {"run_id": self.run_id, "seed": self.seed, "git_hash": self.git_hash}
        return {
            **{name: place for name, place in single.items() if place is not None},
            **{f"metrics.{name}": place for name, place in self.metrics.items()},
            **{f"config.{name}": place for name, place in self.config.items()},
        }


def load_mapping(path: Path) -> MappingConfig:
    """Load a mapping.

    Raises:
        ConfigError: names every problem, each with its key.
    """
    if path.is_dir():
        raise ConfigError("is a folder", where=f"--mapping {path}", remedy="name a YAML file")
    return load_config(MappingConfig, path).value
