"""What the numbers of one aggregate, or of one curve, contradict in each other."""

from __future__ import annotations

from collections.abc import Iterator

from exaid_evals.artifacts.canonical import equal_as_rounded
from exaid_evals.validation.base import Record

_ORDER = (("min", "median"), ("median", "max"), ("min", "mean"), ("mean", "max"), ("ci95_low", "ci95_high"))


def disorder(aggregate: Record) -> Iterator[str]:
    """Yield what an aggregate's numbers contradict in each other."""
    defined = {name: aggregate.get(name) for pair in _ORDER for name in pair}
    for low, high in _ORDER:
        below, above = defined[low], defined[high]
        if below is not None and above is not None and below > above and not equal_as_rounded(below, above):
            yield f"{low} {below} exceeds {high} {above}"
    if aggregate["n"] == 0 and any(value is not None for value in defined.values()):
        yield "numbers over no defined value"
    if aggregate["n"] > 0 and defined["mean"] is None:
        yield f"no mean over {aggregate['n']} values"


def curve_problems(curve: Record) -> Iterator[str]:
    """Yield what the parts of a curve contradict in each other; bands may be absent (before version 1.1.0)."""
    parts = {name: values for name, values in curve.items() if values or not name.startswith("band_")}
    lengths = {name: len(values) for name, values in parts.items()}
    if len(set(lengths.values())) > 1 or len({"band_low", "band_high"} & set(parts)) == 1:
        yield f"parts of different length: {', '.join(f'{name} {n}' for name, n in sorted(lengths.items()))}"
        return
    for low, high in (("ci95_low", "ci95_high"), ("band_low", "mean"), ("mean", "band_high")):
        for x, below, above in zip(curve["x"], parts.get(low, ()), parts.get(high, ()), strict=False):
            if below is not None and above is not None and below > above and not equal_as_rounded(below, above):
                yield f"at {x}, {low} {below} exceeds {high} {above}"
