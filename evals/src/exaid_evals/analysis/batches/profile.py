"""What tells batches apart: profiles of their inputs, and statistics of the images that they name."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from exaid_evals.analysis.batches.suspect_items import badness
from exaid_evals.analysis.images.checks import judge
from exaid_evals.analysis.images.files import AuditSettings, ImageFacts, ImageFile
from exaid_evals.analysis.images.measure import Measurer
from exaid_evals.files import lies_in
from exaid_evals.runs.history import BatchRow
from exaid_evals.stats.descriptive import holm

_OUTCOME = re.compile(r"conf|prob|pred|loss|acc|score|entropy|logit|grad", re.IGNORECASE)
"""Of a profile, what the model makes of the inputs rather than what they are: a bad model moves it on any data."""


@dataclass(frozen=True, slots=True)
class InputShift:
    """The statistic of the inputs that moved most.

    Attributes:
        name: of the statistic.
        p: of the Mann–Whitney test, before against after, times the number of statistics that were tested.
        share_outside: of the batches after, that lie outside the 1st to 99th percentile of those before.
        median_before: its median before the onset.
        median_after: its median after.
    """

    name: str
    p: float
    share_outside: float
    median_before: float
    median_after: float


@dataclass(frozen=True, slots=True)
class Correlation:
    """How a statistic of batches goes with how bad they are.

    Attributes:
        name: of the statistic.
        rho: Spearman's, None where it is constant.
        p: its p value, Holm-adjusted over the statistics.
        n: batches with both.
    """

    name: str
    rho: float | None
    p: float | None
    n: int


_DELAY = 0.1


def input_shift(rows: Sequence[BatchRow], low: float, high: float, horizon: float) -> InputShift | None:
    """Return the statistic of the inputs that differs most between the batches before and after an onset."""
    from scipy.stats import mannwhitneyu

    names = sorted({name for row in rows for name in row.profile if not _OUTCOME.search(name)})
    found = []
    for name in names:
        values = [(row.step, row.profile[name]) for row in rows if row.profile.get(name) is not None]
        # What harms a model shows in its loss some steps later.
        sound = low - _DELAY * horizon
        before = np.array([value for step, value in values if low - horizon <= step <= sound], dtype=np.float64)
        after = np.array([value for step, value in values if high <= step <= high + horizon], dtype=np.float64)
        if len(before) < 10 or len(after) < 10:
            continue
        p = float(mannwhitneyu(before, after).pvalue) if np.ptp(np.concatenate([before, after])) > 0 else 1.0
        inner, outer = np.quantile(before, [0.01, 0.99])
        outside = float(((after < inner) | (after > outer)).mean())
        found.append(InputShift(name, p * len(names), outside, float(np.median(before)), float(np.median(after))))
    return min(found, key=lambda one: (one.p, one.name), default=None)


def correlations(rows: Sequence[BatchRow]) -> tuple[Correlation, ...]:
    """Return how each statistic of the profiles goes with the badness of the batches, in order of names.

    Spearman's ρ, Holm-adjusted over the statistics.
    """
    from scipy.stats import spearmanr

    bad = badness(rows)
    names = sorted({name for row in rows for name in row.profile})
    raw: list[tuple[str, float | None, float | None, int]] = []
    for name in names:
        values = np.array(
            [np.nan if row.profile.get(name) is None else row.profile[name] for row in rows], dtype=np.float64
        )
        both = np.isfinite(values) & np.isfinite(bad)
        n = int(both.sum())
        if n < 5 or np.ptp(values[both]) == 0 or np.ptp(bad[both]) == 0:
            raw.append((name, None, None, n))
            continue
        result = spearmanr(values[both], bad[both])
        raw.append((name, float(result.statistic), float(result.pvalue), n))
    tested = [(name, p) for name, _, p, _ in raw if p is not None]
    adjusted = dict(zip((name for name, _ in tested), holm([p for _, p in tested]), strict=True))
    return tuple(Correlation(name, rho, adjusted.get(name), n) for name, rho, _, n in raw)


_ABSOLUTE = ("blurred", "too_dark", "too_bright", "low_contrast", "rotated")
"""Checks of the audit that need no comparison."""
_USUAL = 0.25
"""Share of a run's images above which what a check finds is how these data are, and nothing bad."""


@dataclass(frozen=True, slots=True)
class ImageStatistics:
    """Numbers of one image, in grey of 0 to 255.

    Attributes:
        brightness: mean.
        contrast: standard deviation.
        sharpness: variance of the Laplacian, of the image scaled to at most 512 pixels a side; 0 below 8 pixels.
        megapixels: of the original.
        found: check of the audit → what it found.
    """

    brightness: float
    contrast: float
    sharpness: float
    megapixels: float
    found: Mapping[str, str] = field(default_factory=dict)


def measure(items: Iterable[str], folder: Path) -> tuple[dict[str, ImageStatistics], dict[str, str]]:
    """Measure the images of items.

    Returns:
        Item → statistics, and item → why it is unreadable. Items without a file are in neither.
    """
    root = folder.resolve()
    files = [path for path in sorted(root.rglob("*")) if path.is_file() and lies_in(path, root)]
    by_path = {path.relative_to(root).as_posix(): path for path in files}
    times = Counter(key for path in files for key in {path.name, path.stem})
    by_name = {key: path for path in files for key in (path.name, path.stem) if times[key] == 1}
    found, unreadable = {}, {}
    settings = AuditSettings()
    measurer = Measurer(settings.max_bytes, settings.max_pixels)
    for item in dict.fromkeys(items):
        file = _file_of(item, by_path, by_name)
        if file is None:
            continue
        facts = measurer(ImageFile(file, item))
        if facts.problem is not None:
            unreadable[item] = f"cannot be read: {facts.reason}"
        else:
            found[item] = _statistics(facts, settings)
    return found, unreadable


def _file_of(item: str, by_path: Mapping[str, Path], by_name: Mapping[str, Path]) -> Path | None:
    """Return an item's file: by its path or the end of it, and by its name alone only where it names no folder."""
    parts = item.split("/")
    paths = ("/".join(parts[start:]) for start in range(len(parts)))
    found = next((by_path[path] for path in paths if path in by_path), None)
    return found or (by_name.get(item) if len(parts) == 1 else None)


def _statistics(facts: ImageFacts, settings: AuditSettings) -> ImageStatistics:
    brightness, contrast, sharpness = (facts.measure(name) or 0.0 for name in ("brightness", "contrast", "laplacian"))
    megapixels = (facts.width or 0) * (facts.height or 0) / 1e6
    findings = judge([facts], settings, _ABSOLUTE)[0]
    return ImageStatistics(brightness, contrast, sharpness, megapixels, {one.check: one.text for one in findings})


def bad_images(statistics: Mapping[str, ImageStatistics], unreadable: Mapping[str, str]) -> dict[str, str]:
    """Return item → what is bad about it: unreadable, or far from the other images of the run.

    Far is a robust z of 6 and more on a logarithmic scale (brightness, contrast, sharpness), where most images lie
    close together whatever the data are. And what a check of the audit finds in at most a quarter of the images is bad:
    what it finds in more of them is how the data are. What is nearly blank is bad in any data.
    """
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
    times = Counter(check for item in items for check in statistics[item].found)
    for item in items:
        for check, text in statistics[item].found.items():
            if times[check] <= _USUAL * len(items):
                found.setdefault(item, f"{check.replace('_', ' ')}: {text}")
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
