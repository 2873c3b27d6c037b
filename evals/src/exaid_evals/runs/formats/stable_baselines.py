"""Stable-Baselines3: what `EvalCallback`, `Monitor` and the CSV logger leave of a training.

`evaluations.npz` holds arrays: timesteps of shape (n,), results and ep_lengths of shape (n, episodes). Each file
`*monitor.csv` has a row an episode below a line of JSON. `progress.csv` lies beside them where the logger wrote it.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from exaid_evals.errors import DataError, ExaidError
from exaid_evals.runs.base import Source
from exaid_evals.runs.files.archives import read_members
from exaid_evals.runs.formats.row_files import csv_rows
from exaid_evals.runs.rows import Row
from exaid_evals.runs.tool_files import ToolFile

_EVALUATIONS, _PROGRESS = "evaluations.npz", "progress.csv"
_TIMESTEPS = "time/total_timesteps"
_ARRAYS = {"results": "eval/mean_reward", "ep_lengths": "eval/mean_ep_length", "successes": "eval/success_rate"}
"""Array → what the library's own logger calls its means."""


class StableBaselinesFormat(ToolFile):
    """Reads evaluations and what the logger wrote, by timesteps; where neither is there, the monitors' episodes."""

    name = "stable_baselines3"
    files = (_EVALUATIONS, "*monitor.csv")
    sign = re.compile(rb'\A(?:PK\x03\x04|#\{"t_start"\s*:[^\n]*\nr,l,t\b)')
    leading = ("eval/mean_reward", "rollout/ep_rew_mean", "episode/reward")
    step = "step"

    def _alike(self, place: Path, own: Path) -> list[Path]:
        return [place]  # each environment has a monitor, and all are one training

    def rows(self, path: Path, warnings: list[str]) -> Iterable[Row]:
        """Yield them in this order: of the logger, of evaluations, of episodes."""
        progress = path.with_name(_PROGRESS)
        logged = list(csv_rows(progress, warnings)) if progress.is_file() else []
        found: list[Row] = [
            {"step": row[_TIMESTEPS], **{name: one for name, one in row.items() if one is not None}}
            for row in logged
            if row.get(_TIMESTEPS) is not None
        ]
        if path.name == _EVALUATIONS and not any("eval/mean_reward" in row for row in found):
            found += _evaluations(path)
        return found or list(_episodes(path, warnings))

    def inputs(self, source: Source) -> Sequence[Path] | None:
        """Return the file, the logger's, all monitors, and those with settings."""
        folder = source.folder
        return [*(super().inputs(source) or ()), folder / _PROGRESS, *sorted(folder.glob("*monitor.csv"))]


def _evaluations(path: Path) -> Iterator[Row]:
    """Yield a row an evaluation: means over its episodes.

    Raises:
        DataError: it is no such archive; one that would have to be unpickled is not opened.
    """
    import numpy as np

    wanted = {f"{name}.npy": name for name in ("timesteps", *_ARRAYS)}
    try:
        arrays = {
            wanted[name]: np.asarray(np.load(io.BytesIO(data), allow_pickle=False), dtype=np.float64)
            for name, data in read_members(path, wanted.__contains__)
        }
        steps = arrays["timesteps"]
        means = {
            name: arrays[key].reshape(len(steps), -1).mean(axis=1) for key, name in _ARRAYS.items() if key in arrays
        }
    except ExaidError:
        raise
    except Exception as error:  # of a damaged header NumPy raises what its tokenizer and the parser of Python do
        what = f"is not what EvalCallback writes ({type(error).__name__}: {error!s:.120})"
        raise DataError(what, where=str(path), remedy="write or copy it again") from None
    for at, step in enumerate(steps):
        yield {"step": float(step), **{name: float(one[at]) for name, one in means.items()}}


def _episodes(path: Path, warnings: list[str]) -> Iterator[Row]:
    """Yield a row an episode of all monitors of a folder, in order of time; its step is how many had been made."""
    monitors = sorted(path.parent.glob("*monitor.csv")) if path.name != _EVALUATIONS else []
    episodes = [row for one in monitors for row in csv_rows(one, warnings) if isinstance(row.get("l"), int | float)]
    made = 0.0
    for row in sorted(episodes, key=lambda row: row.get("t") or 0.0):
        made += row["l"]
        yield {"step": made, "episode/reward": row.get("r"), "episode/length": row["l"]}
