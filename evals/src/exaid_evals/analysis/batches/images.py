"""Statistics of the images that batches name, and which of them are plainly bad."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from exaid_evals.analysis.history import BatchRow
from exaid_evals.analysis.sources.base import optional

_SIDE = 256
_MOST_PIXELS = 64_000_000
"""Of an image that is opened: a small file may unpack to what no memory holds."""


@dataclass(frozen=True, slots=True)
class ImageStatistics:
    """Numbers of one image, in grey of 0 to 255.

    Attributes:
        brightness: mean.
        contrast: standard deviation.
        sharpness: variance of the Laplacian, of the image scaled to at most 256 pixels a side.
        megapixels: of the original.
    """

    brightness: float
    contrast: float
    sharpness: float
    megapixels: float


def measure(items: Iterable[str], folder: Path) -> tuple[dict[str, ImageStatistics], dict[str, str]]:
    """Measure the images of items.

    Args:
        items: paths below the folder, with or without a suffix.
        folder: of the images. What an item names outside it is not opened.

    Returns:
        Item → statistics, and item → why it is unreadable. Items without a file are in neither.

    Raises:
        MissingDependencyError: Pillow is not installed.
    """
    root = folder.resolve()
    files = [path for path in sorted(root.rglob("*")) if path.is_file() and path.resolve().is_relative_to(root)]
    by_path = {path.relative_to(root).as_posix(): path for path in files}
    times = Counter(key for path in files for key in {path.name, path.stem})
    by_name = {key: path for path in files for key in (path.name, path.stem) if times[key] == 1}
    found, unreadable = {}, {}
    for item in dict.fromkeys(items):
        file = _file_of(item, by_path, by_name)
        if file is None:
            continue
        try:
            found[item] = _statistics(file)
        except (OSError, ValueError, SyntaxError) as error:  # Pillow tells of damaged files by all three
            unreadable[item] = f"cannot be read ({type(error).__name__})"
    return found, unreadable


def _file_of(item: str, by_path: Mapping[str, Path], by_name: Mapping[str, Path]) -> Path | None:
    """Return an item's file: by its path or the end of it, and by its name alone only where it names no folder."""
    parts = item.split("/")
    paths = ("/".join(parts[start:]) for start in range(len(parts)))
    found = next((by_path[path] for path in paths if path in by_path), None)
    return found or (by_name.get(item) if len(parts) == 1 else None)


def _statistics(path: Path) -> ImageStatistics:
    import numpy as np

    image_module = optional("PIL.Image", "pillow", "measuring images")
    with image_module.open(path) as opened:
        width, height = opened.size
        if width * height > _MOST_PIXELS:
            raise ValueError("too many pixels")
        grey = opened.convert("L")
        grey.thumbnail((_SIDE, _SIDE))
        pixels = np.asarray(grey, dtype=np.float64)
    sharpness = 0.0
    if min(pixels.shape) >= 3:
        inner = pixels[1:-1, 1:-1]
        laplacian = pixels[:-2, 1:-1] + pixels[2:, 1:-1] + pixels[1:-1, :-2] + pixels[1:-1, 2:] - 4 * inner
        sharpness = float(laplacian.var())
    return ImageStatistics(float(pixels.mean()), float(pixels.std()), sharpness, width * height / 1e6)


def bad_images(statistics: Mapping[str, ImageStatistics], unreadable: Mapping[str, str]) -> dict[str, str]:
    """Return item → what is bad about it: unreadable, or far from the other images of the run.

    Far is a robust z of 6 and more on a logarithmic scale (brightness, contrast, sharpness), where most images lie
    close together whatever the data are; and what is nearly blank or black is bad in any data.
    """
    import numpy as np

    found = dict(unreadable)
    items = sorted(statistics)
    for name in ("brightness", "contrast", "sharpness"):
        values = np.array([math.log1p(getattr(statistics[item], name)) for item in items])
        if len(values) < 8:
            continue
        middle = float(np.median(values))
        spread = max(1.4826 * float(np.median(np.abs(values - middle))), 0.05)
        for item, value in zip(items, values, strict=True):
            if abs(value - middle) >= 6 * spread:
                way = "low" if value < middle else "high"
                found.setdefault(item, f"{name} is far too {way} ({getattr(statistics[item], name):.3g})")
    for item in items:
        if statistics[item].contrast < 2.0:
            found.setdefault(item, f"blank (contrast {statistics[item].contrast:.2g})")
    return dict(sorted(found.items()))


def with_image_profile(
    rows: Sequence[BatchRow], statistics: Mapping[str, ImageStatistics], unreadable: Mapping[str, str]
) -> tuple[BatchRow, ...]:
    """Return the batches with the means of their images' statistics added to their profiles."""
    return tuple(_profiled(row, statistics, unreadable) for row in rows)


def _profiled(row: BatchRow, statistics: Mapping[str, ImageStatistics], unreadable: Mapping[str, str]) -> BatchRow:
    own = [statistics[item] for item in row.items if item in statistics]
    lost = sum(item in unreadable for item in row.items)
    if not own and not lost:
        return row
    further: dict[str, float | None] = {"image_unreadable": float(lost)}
    for name in ("brightness", "contrast", "sharpness", "megapixels"):
        further[f"image_{name}"] = sum(getattr(one, name) for one in own) / len(own) if own else None
    return replace(row, profile={**further, **row.profile})
