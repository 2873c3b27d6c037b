"""Anything else: runs whose id, seed and metrics a user's YAML file says where to find (`--mapping FILE`)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exaid_evals.errors import DataError
from exaid_evals.runs.base import Format, Run, Settings, Source
from exaid_evals.runs.files.summary import plain

if TYPE_CHECKING:  # without a mapping, what checks one need not be imported in every worker
    from exaid_evals.runs.files.mapping_lookup import Each, MappingConfig, Place

_MOST_RUNS = 200_000
_OF = "::"
"""Between a run's folder and its name in a file that holds several."""


class MappingFormat(Format):
    """Reads what the mapping says; without a mapping it claims nothing."""

    name = "mapping"

    def __init__(self, settings: Settings | None = None) -> None:
        """Load the mapping, so that its mistakes are found before any run is read.

        Raises:
            ConfigError: names every problem of the mapping.
        """
        super().__init__(settings)
        self._mapping: MappingConfig | None = None
        if self.settings.mapping:
            from exaid_evals.runs.files.mapping_lookup import load_mapping

            self._mapping = load_mapping(self.settings.mapping)

    def claims(self, folder: Path) -> bool:
        """Return whether any file that the mapping names lies in a run below; who gives a mapping means it."""
        if self._mapping is None:
            return False
        if folder.is_file():
            return self._mapping.runs == "." and folder.name in self._names()
        return folder.is_dir() and bool(self._runs(folder, most=1))

    def sources(self, folder: Path) -> Sequence[Source]:
        """Return the runs, by their paths."""
        folder = folder.parent if folder.is_file() else folder
        runs = self._runs(folder)
        if len(runs) > _MOST_RUNS:
            raise DataError(f"more than {_MOST_RUNS:,} runs", where=str(folder), remedy="narrow `runs` in the mapping")
        each = self._required().each
        if each is not None:
            return [share for run in runs for share in self._shares(folder, run, each)]
        if len(runs) == 1 and runs[0] == folder:
            return [Source(folder)]
        return [Source(folder, run.relative_to(folder).as_posix()) for run in runs]

    def _shares(self, folder: Path, run: Path, each: Each) -> list[Source]:
        from exaid_evals.runs.files.mapping_lookup import Folder

        below = "" if run == folder else run.relative_to(folder).as_posix()
        names = Folder(run, below or folder.name).shares(each)
        return [Source(folder, f"{below}{_OF}{name}", label=f"{below}/{name}".strip("/")) for name in names]

    def inputs(self, source: Source) -> Sequence[Path] | None:
        """Return the files that the mapping names, and the mapping; None where it names them by patterns."""
        names = self._names()
        if any(sign in name for name in names for sign in "*?["):
            return None
        path = self.settings.mapping
        below = source.part.partition(_OF)[0]
        return [*(source.path / below / name for name in sorted(names)), *([path] if path else [])]

    def read(self, source: Source, name: str) -> Run:
        """Read a run.

        Raises:
            DataError: names the file and the key of everything that is missing or wrong, at once.
        """
        from exaid_evals.runs.files.mapping_lookup import Folder, Share

        mapping = self._required()
        below, _, share = source.part.partition(_OF)
        place_of_run = source.path / below
        of_each = Share(mapping.each, share) if mapping.each is not None else None
        folder = Folder(place_of_run, below or source.path.name, of_each)
        problems: list[str] = []

        def take(key: str, place: Place | None, *, as_number: bool = False) -> Any:
            if place is None:
                return None
            try:
                return folder.number(place) if as_number else folder.value(place)
            except DataError as error:
                problems.append(f"{error} (`{key}` of the mapping)")
                return None

        metrics = {key: take(f"metrics.{key}", place, as_number=True) for key, place in mapping.metrics.items()}
        config = {key: plain(take(f"config.{key}", place)) for key, place in mapping.config.items()}
        run_id, seed = take("run_id", mapping.run_id), take("seed", mapping.seed, as_number=True)
        git_hash = take("git_hash", mapping.git_hash)
        if seed is not None and not float(seed).is_integer():
            problems.append(f"{seed:g} is not a whole number (`seed` of the mapping)")
        if problems:
            lines = "".join(f"\n  - {problem}" for problem in problems)
            what = problems[0] if len(problems) == 1 else f"{len(problems)} values cannot be read:{lines}"
            raise DataError(what, where=f"{place_of_run}{f' ({share})' if share else ''}")
        lacking = sorted(key for key, value in metrics.items() if value is None)
        undefined = [f"{', '.join(lacking)}: no number (NaN, empty or missing)"] if lacking else []
        return self.run(
            source,
            name,
            dict(sorted(metrics.items())),
            [*folder.warnings, *undefined],
            config=dict(sorted(config.items())),
            seed=None if seed is None else int(seed),
            git_hash=None if git_hash is None else str(git_hash),
            attributes={
                "mapping_format": mapping.format,
                "run_id": plain(run_id) if run_id is not None else share or below or source.path.name,
            },
            lower_is_better=frozenset(mapping.lower_is_better),
            higher_is_better=frozenset(mapping.higher_is_better),
            default_primary=mapping.primary_metric,
        )

    def _required(self) -> MappingConfig:
        if self._mapping is None:
            raise DataError("no mapping was given", where="--mapping", remedy="name a YAML file")
        return self._mapping

    def _names(self) -> set[str]:
        mapping = self._required()
        names = {place.file for place in mapping.places.values() if place.file is not None}
        return names | ({mapping.each.file} if mapping.each is not None else set())

    def _runs(self, folder: Path, most: int | None = None) -> list[Path]:
        """Return the folders that fit `runs` and hold a file that the mapping names, each once, links passed over."""
        mapping = self._required()
        found = [folder] if mapping.runs == "." else sorted(folder.glob(mapping.runs))
        names = sorted(self._names())
        runs: list[Path] = []
        seen: set[str] = set()
        for path in found:
            real = os.path.realpath(path)
            if real in seen or not path.is_dir() or (path.is_symlink() and path != folder):
                continue
            if not names or any(_has(path, name) for name in names):
                seen.add(real)
                runs.append(path)
                if most is not None and len(runs) >= most:
                    break
        return runs


def _has(folder: Path, name: str) -> bool:
    if any(sign in name for sign in "*?["):
        return next(folder.glob(name), None) is not None
    return (folder / name).exists()
