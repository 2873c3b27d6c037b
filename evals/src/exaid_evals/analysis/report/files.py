"""How the files of a report reach its folder: pictures first, the record and the page that names them after."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from exaid_evals.artifacts.atomic import write_bytes, write_text

PLOTS = "plots"
_OURS = re.compile(r"\d\d+\.png")


def plot_paths(names: Mapping[str, bytes]) -> dict[str, str]:
    """Return where each plot lies, relative to the report: numbered, since metrics' names are not files names.

    >>> plot_paths({"val/loss": b"", "acc": b""})
    {'val/loss': 'plots/01.png', 'acc': 'plots/02.png'}
    """
    return {name: f"{PLOTS}/{number:02d}.png" for number, name in enumerate(names, start=1)}


def write_files(folder: Path, files: Mapping[str, str | bytes], plots: Mapping[str, bytes] | None = None) -> None:
    """Write a report's files, each whole.

    Args:
        folder: made where it is missing.
        files: name → content, in order.
        plots: name of what is drawn → PNG; numbered pictures of an earlier report that are none of them are removed.
            None where the report has no plots at all.
    """
    if plots is not None:
        paths = plot_paths(plots)
        for name, data in plots.items():
            write_bytes(folder / paths[name], data)
        for path in sorted((folder / PLOTS).glob("*.png")):
            if _OURS.fullmatch(path.name) and f"{PLOTS}/{path.name}" not in paths.values():
                path.unlink()
    for name, content in files.items():
        if isinstance(content, str):
            write_text(folder / name, content)
        else:
            write_bytes(folder / name, content)
