"""How far an output lags behind its source, as simultaneous translation measures it.

Sources: average lagging, M. Ma et al., "STACL", ACL 2019; length-adaptive, S. Papi et al., "Over-generation cannot be
rewarded", AutoSimTrans 2022; differentiable, C. Cherry and G. Foster, arXiv 1906.00048. With delays d_1 … d_n, each the
units of the source that were there when the i-th unit of the output came, |X| units of source and |Y| of output.
"""

from __future__ import annotations

from collections.abc import Sequence

Blocks = Sequence[tuple[float, int]]
"""`(delay, units)`: units of the output that came together, in order; a hundred at once cost no more than one."""


def average_lagging(blocks: Blocks, source_length: int, target_length: int) -> float | None:
    """AL = (1/τ) Σ_{i ≤ τ} d_i − (i − 1) |X|/|Y|, with τ the first unit that came when all of the source was there.

    Args:
        blocks: the output.
        source_length: |X|.
        target_length: |Y|: of what an ideal policy would say; `length_adaptive_lagging` takes the longer.

    Returns:
        Units of the source; None without output or source.

    Each unit of the output is one behind:

    >>> average_lagging([(1, 1), (2, 1), (3, 1)], source_length=3, target_length=3)
    1.0
    """
    if not sum(units for _, units in blocks) or not source_length or not target_length:
        return None
    step = source_length / target_length
    total, done = 0.0, 0
    for delay, units in blocks:
        if delay >= source_length and units:
            return (total + delay - done * step) / (done + 1)
        total += units * delay - step * (units * done + units * (units - 1) / 2)
        done += units
    return total / done


def length_adaptive_lagging(blocks: Blocks, source_length: int, target_length: int) -> float | None:
    """LAAL: AL with the longer of output and |Y|, so that saying much is not rewarded.

    >>> round(length_adaptive_lagging([(1, 2), (2, 2)], source_length=2, target_length=2), 3)
    0.833
    """
    return average_lagging(blocks, source_length, max(sum(units for _, units in blocks), target_length))


def differentiable_lagging(blocks: Blocks, source_length: int) -> float | None:
    """DAL = (1/n) Σ d'_i − (i − 1) |X|/n, with d'_i = max(d_i, d'_{i−1} + |X|/n): a unit takes its time to be said.

    >>> differentiable_lagging([(2, 2)], source_length=2)
    2.0
    """
    length = sum(units for _, units in blocks)
    if not length or not source_length:
        return None
    step = source_length / length
    total, done, last = 0.0, 0, None
    for delay, units in blocks:
        if not units:
            continue
        first = delay if last is None else max(delay, last + step)
        # Within a block each unit is one step after the one before, so that all lag alike.
        total += units * (first - done * step)
        done += units
        last = first + (units - 1) * step
    return total / length
