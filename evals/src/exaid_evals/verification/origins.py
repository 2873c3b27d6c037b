"""Which stage makes a file of a campaign, and which files it is made from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from exaid_evals.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage that makes files: its number as the user writes it, its verb, and the folders that it fills."""

    number: str
    verb: str
    folders: tuple[str, ...]

    def __str__(self) -> str:
        """Return how messages call it."""
        return f"{self.number} {self.verb}"


STAGES = (
    Stage("01", "make-traces", ("cases", "traces", "manifests")),
    Stage("02", "run-variants", ("runs",)),
    Stage("03", "compute-metrics", ("metrics",)),
    Stage("04", "export", ("exports",)),
)

# In the order in which one is made from the other; the longer of two prefixes comes first where both fit.
_KINDS = ("cases/", "traces/", "manifests/", "runs/", "metrics/", "metrics/tables/", "metrics/figures/", "exports/")
_COMPARISONS = "metrics/comparisons.metrics.jsonl"
_CONVERSATION = ("cases/", "traces/", "manifests/")
_SOURCES: dict[str, tuple[str, ...]] = {
    "cases/": (),
    "traces/": ("cases/",),
    "manifests/": ("cases/", "traces/"),
    "runs/": ("cases/", "manifests/"),
    "metrics/": (*_CONVERSATION, "runs/"),
    "metrics/tables/": (*_CONVERSATION, "runs/", "metrics/"),
    "metrics/figures/": (*_CONVERSATION, "runs/", "metrics/"),
    "exports/": (*_CONVERSATION, "runs/", "metrics/"),
}


def stage_of(path: str) -> Stage | None:
    """Return the stage that makes a file, from its path inside the campaign; None for what no stage makes.

    >>> str(stage_of("runs/V3/case-1.jsonl.gz")), stage_of(".state/report.jsonl")
    ('02 run-variants', None)
    """
    folder = path.partition("/")[0]
    return next((stage for stage in STAGES if folder in stage.folders), None)


def chosen_stages(numbers: Iterable[str]) -> tuple[Stage, ...]:
    """Return the stages that a user means by numbers (`02`, `2`) or verbs.

    Raises:
        ConfigError: names what is not a stage.
    """
    known = {name: stage for stage in STAGES for name in (stage.number, stage.number.lstrip("0"), stage.verb)}
    wanted = list(numbers)
    unknown = [name for name in wanted if name not in known]
    if unknown:
        there = ", ".join(str(stage) for stage in STAGES)
        raise ConfigError(f"no stage is called {', '.join(unknown)}", where="--stages", remedy=f"there are {there}")
    chosen = {known[name].number for name in wanted}
    return tuple(stage for stage in STAGES if stage.number in chosen)


def in_order(paths: Iterable[str]) -> list[str]:
    """Return paths sorted so that what is made from something comes behind it."""
    return sorted(paths, key=lambda path: (_KINDS.index(_kind(path)), path == _COMPARISONS, path))


def _kind(path: str) -> str:
    return max((prefix for prefix in _KINDS if path.startswith(prefix)), key=len)


def made_from(path: str, other: str) -> bool:
    """Tell whether a file is made from another one, directly or not.

    >>> made_from("runs/V3/case-1.jsonl.gz", "traces/case-1.jsonl.gz")
    True
    >>> made_from("runs/V3/case-1.jsonl.gz", "traces/case-2.jsonl.gz")
    False
    >>> made_from("metrics/tables/main.tex", "runs/V0/case-1.jsonl.gz")
    True
    """
    kind, source = _kind(path), _kind(other)
    if kind == "runs/" and source == "traces/":
        return path.rpartition("/")[2] == other.rpartition("/")[2]  # of the same case
    if path == _COMPARISONS and source == "metrics/":
        return other != path
    return source in _SOURCES[kind]
