"""The follower that a place means."""

from __future__ import annotations

from pathlib import Path

from exaid_evals.analysis.sources.registry import SOURCES
from exaid_evals.analysis.sources.tabular import history_files, pick
from exaid_evals.errors import ConfigError
from exaid_evals.monitor.follow.base import Follower
from exaid_evals.monitor.follow.rows import FollowedCsv, FollowedJsonl, FollowedRows
from exaid_evals.monitor.follow.stores import FollowedStore

FOLLOWED = ("jsonl", "csv", "parquet", "tensorboard", "mlflow", "wandb")
"""Sources that make sense while they grow; a campaign's steps are cases, whose order means nothing."""
_LINES: dict[str, tuple[type[FollowedRows], tuple[str, ...]]] = {
    "jsonl": (FollowedJsonl, (".jsonl", ".ndjson")),
    "csv": (FollowedCsv, (".csv", ".tsv")),
}


def follower(place: Path, source: str | None = None, run_name: str | None = None) -> Follower:
    """Return the follower of a place.

    Args:
        place: file or folder; a file of lines may not exist yet.
        source: of `FOLLOWED`; None finds out.
        run_name: of a place with several runs.

    Raises:
        ConfigError: no source knows the place, or several do.
        DataError: there is no such run.
    """
    if not place.exists():
        by_suffix = [name for name, (_, suffixes) in _LINES.items() if place.suffix.lower() in suffixes]
        if not by_suffix:
            remedy = "name a .jsonl or .csv, or wait until the training has begun to write"
            raise ConfigError("no such file or folder", where=str(place), remedy=remedy)
        return _LINES[by_suffix[0]][0](place)
    asked = (source,) if source else FOLLOWED
    claiming = [name for name in asked if SOURCES[name].claims(place)] or _empty(place, asked)
    if len(claiming) != 1:
        what = f"several sources know it ({', '.join(claiming)})" if claiming else "no source knows it"
        remedy = "say which with --source" if claiming else f"known are {', '.join(asked)}"
        raise ConfigError(what, where=str(place), remedy=remedy)
    name = claiming[0]
    if name not in _LINES:
        return FollowedStore(SOURCES[name], place, run_name)
    make, suffixes = _LINES[name]
    if place.is_file():
        return make(place)  # the name is then but a label
    return make(pick(history_files(place, suffixes), place, run_name)[1])


def _empty(place: Path, asked: tuple[str, ...]) -> list[str]:
    """Return the formats of lines that a file of the suffix is of, though it says nothing yet."""
    return [name for name in asked if name in _LINES and place.is_file() and place.suffix.lower() in _LINES[name][1]]
