"""A user's own raters: how far they agree with one another, and measures with them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, cast

import numpy as np

from exaid_evals.errors import DataError
from exaid_evals.stats.agreement import Floats, Interval, Level, bootstrap, correlation, kappa, krippendorff_alpha

_ITEM, _RATER, _RATING = ("item", "id", "case_id"), ("rater", "annotator"), ("rating", "score", "label")
NAMING = frozenset([*_ITEM, *_RATER])
"""Columns that name who or what is rated."""
_NOT_RATED = frozenset(["", "na", "n/a", "nan", "null", "none", "-"])
_MOST_CATEGORIES = 20
_REMEDY = "give columns item, rater, rating; or item and one column a rater"
_SHOWN = 10


@dataclass(frozen=True)
class Ratings:
    """Who rated what how.

    Attributes:
        items: in the order of the file.
        raters: likewise.
        values: shape (raters, items): the rating, or the number of its category; NaN where there is none.
        categories: names of the categories; empty where ratings are numbers.
    """

    items: Sequence[str]
    raters: Sequence[str]
    values: Floats
    categories: Sequence[str] = ()

    def shown(self, value: float) -> str | float | None:
        """Return a rating as it was given."""
        if math.isnan(value):
            return None
        return self.categories[int(value)] if self.categories else float(value)


def read_ratings(records: Iterable[tuple[int, Mapping[str, Any]]], where: str) -> Ratings:
    """Read ratings: a record each, or a record an item with a field for each rater.

    Raises:
        DataError: a record names no item, an item is rated twice by one rater, or there are fewer than two raters.
    """
    given: dict[tuple[str, str], str] = {}
    for number, record in records:
        item = _named(record, _ITEM)
        if item is None:
            raise DataError("names no item", where=f"{where}:{number}", remedy=_REMEDY)
        rater, rating = _named(record, _RATER), _named(record, _RATING)
        pairs = {rater: rating} if rater is not None else {name: record[name] for name in record if name not in _ITEM}
        for name, value in pairs.items():
            if (str(name), str(item)) in given:
                raise DataError(
                    f"duplicate rating of {item!r} by {name!r}", where=f"{where}:{number}", remedy="keep one of them"
                )
            given[str(name), str(item)] = "" if value is None else str(value).strip()
    raters = list(dict.fromkeys(rater for rater, _ in given))
    items = list(dict.fromkeys(item for _, item in given))
    if len(raters) < 2:
        given_by = "one rater" if raters else "nobody"
        raise DataError(f"has ratings of {given_by}, and needs those of two", where=where, remedy=_REMEDY)
    rated = [value for value in given.values() if value.lower() not in _NOT_RATED]
    categories = [] if all(_number(value) is not None for value in rated) else sorted(set(rated))
    values = np.full((len(raters), len(items)), np.nan)
    rows, columns = ({name: index for index, name in enumerate(names)} for names in (raters, items))
    for (rater, item), value in given.items():
        if value.lower() not in _NOT_RATED:
            values[rows[rater], columns[item]] = categories.index(value) if categories else float(value)
    return Ratings(items, raters, values, categories)


def read_scores(records: Iterable[tuple[int, Mapping[str, Any]]], where: str) -> dict[str, dict[str, float]]:
    """Read measure → item → number, of records as `notes` writes them, of case metrics, or of plain columns.

    Raises:
        DataError: a record names no item.
    """
    scores: dict[str, dict[str, float]] = {}
    for number, record in records:
        item = _named(record, _ITEM)
        if item is None and record.get("record_type") in (None, "case_metrics"):
            raise DataError("names no item", where=f"{where}:{number}", remedy="give it as id")
        measures = record.get("measures", record)
        for name, value in measures.items() if item is not None and isinstance(measures, Mapping) else ():
            score = _number(value)
            if score is not None and name not in _ITEM:
                scores.setdefault(str(name), {})[str(item)] = score
    return scores


def _named(record: Mapping[str, Any], names: Sequence[str]) -> Any:
    return next((record[name] for name in names if record.get(name) not in (None, "")), None)


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def report(
    ratings: Ratings,
    scores: Mapping[str, Mapping[str, float]],
    *,
    level: Level | None,
    seed: int,
    resamples: int,
) -> dict[str, Any]:
    """Return the agreement of raters, of pairs of them, and of measures with their mean, as plain data.

    Args:
        ratings: of at least two raters.
        scores: measure → item → number.
        level: of measurement; None means nominal for words, and interval for numbers.
        seed: of the resamples.
        resamples: how often items are drawn.

    Raises:
        DataError: the level does not fit the ratings.
    """
    chosen: Level = level or ("nominal" if ratings.categories else "interval")
    words = ", ".join([name for name in ratings.categories if _number(name) is None][:_SHOWN])
    if ratings.categories and chosen != "nominal":
        remedy = f"write numbers for {words}, or leave out --level"
        raise DataError(f"{words}: not numbers, and words have no {chosen} level", where="--level", remedy=remedy)
    if ratings.categories and scores:
        remedy = f"write numbers for {words}, or leave out --measures"
        raise DataError("ratings are words, which have no mean", where="--measures", remedy=remedy)

    def interval(statistic: Any, n: int) -> Interval:
        return bootstrap(statistic, n, np.random.default_rng(seed), resamples=resamples)

    alpha = interval(krippendorff_alpha(ratings.values, chosen), len(ratings.items))
    raters = {name: _described(ratings, row) for name, row in zip(ratings.raters, ratings.values, strict=True)}
    return {
        "level": chosen,
        "items": len(ratings.items),
        "raters": raters,
        "alpha": alpha.to_record(),
        "pairs": [_pair(ratings, one, other, chosen, interval) for one, other in combinations(range(len(raters)), 2)],
        "measures": {} if ratings.categories else _measures(ratings, scores, interval),
        "disagreements": _disagreements(ratings, chosen),
    }


def _described(ratings: Ratings, row: Floats) -> dict[str, Any]:
    rated = row[~np.isnan(row)]
    described: dict[str, Any] = {"rated": int(rated.size)}
    if ratings.categories:
        counts = Counter(str(ratings.shown(value)) for value in rated)
        return described | {"counts": {name: counts[name] for name in ratings.categories}}
    return described | {"mean": round(float(rated.mean()), 6) if rated.size else None}


def _pair(ratings: Ratings, one: int, other: int, level: Level, interval: Any) -> dict[str, Any]:
    """Return how two raters agree on what both have rated: κ and confusion of categories, Spearman of numbers."""
    both = ~np.isnan(ratings.values[[one, other]]).any(axis=0)
    first, second = ratings.values[one, both], ratings.values[other, both]
    pair: dict[str, Any] = {"raters": [ratings.raters[one], ratings.raters[other]], "items": int(both.sum())}
    pair["agreeing"] = round(float((first == second).mean()), 6) if first.size else None
    used, places = np.unique(np.concatenate([first, second]), return_inverse=True)
    if used.size <= _MOST_CATEGORIES:
        codes = places.astype(np.int64).reshape(2, -1)
        scores = None if level == "nominal" else _scores(ratings, used, level)
        pair["kappa"] = interval(kappa(codes[0], codes[1], scores), first.size).to_record()
        table = np.bincount(codes[0] * used.size + codes[1], minlength=used.size**2).reshape(used.size, used.size)
        pair["confusion"] = {"categories": [ratings.shown(value) for value in used], "counts": table.tolist()}
    if not ratings.categories:
        pair["spearman"] = interval(correlation(first, second), first.size).to_record()
    return pair


def _scores(ratings: Ratings, used: Floats, level: Level) -> Floats:
    """Return what ratings weigh by, whichever of them a pair has used: themselves, or their ranks among all ratings."""
    if level == "interval":
        return used
    return np.searchsorted(np.unique(ratings.values[~np.isnan(ratings.values)]), used).astype(np.float64)


def _measures(ratings: Ratings, scores: Mapping[str, Mapping[str, float]], interval: Any) -> dict[str, Any]:
    """Return Spearman's correlation of each measure with the mean rating, over the items that have both."""
    rated = ~np.isnan(ratings.values)
    totals = np.nansum(ratings.values, axis=0)
    mean = {
        item: float(total / n) for item, total, n in zip(ratings.items, totals, rated.sum(axis=0), strict=True) if n
    }
    found = {}
    for name, of_items in scores.items():
        common = [item for item in ratings.items if item in mean and item in of_items]
        ours, theirs = (np.array([values[item] for item in common], dtype=float) for values in (of_items, mean))
        found[name] = interval(correlation(ours, theirs), len(common)).to_record()
    return found


def _disagreements(ratings: Ratings, level: Level) -> list[dict[str, Any]]:
    """Return the items on which raters differ most: by their spread, of words by the share of other pairs."""
    ranked = []
    for place, item in enumerate(ratings.items):
        row = ratings.values[:, place]
        rated = row[~np.isnan(row)]
        differing = [float(a != b) if level == "nominal" else abs(float(a - b)) for a, b in combinations(rated, 2)]
        if any(differing):
            ranked.append((sum(differing) / len(differing), item, row))
    ranked.sort(key=lambda one: -one[0])  # stable: the file's order decides among equals
    return [
        {
            "item": item,
            "difference": round(difference, 6),
            "ratings": {name: ratings.shown(value) for name, value in zip(ratings.raters, row, strict=True)},
        }
        for difference, item, row in ranked[:_SHOWN]
    ]


def level_of(text: str) -> Level:
    """Return the level that a name stands for."""
    return cast("Level", text)
