"""Near duplicates without comparing every pair.

Two hashes of 64 bits that differ in at most d bits agree in at least one of d + 1 bands (pigeonhole; multi-index
hashing, Norouzi, Punjani and Fleet 2012). So only those that share a band are compared, and none is missed. With d = 4
a band has 12 or 13 bits: among 10,000 images each meets about a dozen others.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

_BITS = 64
_MASK = (1 << _BITS) - 1


def nearest_leaders(
    hashes: Sequence[int], distance: int, others: Sequence[Sequence[int]] | None = None
) -> dict[int, tuple[int, int]]:
    """Group hashes around the first of each group.

    A hash joins the earliest leader that is near, and leads a group of its own where there is none; so a chain of
    small changes does not join what is far apart.

    Args:
        hashes: of 128 bits: a perceptual hash, which finds, and below it a second one, which must agree to within
            twice the distance.
        distance: bits.
        others: of each image, hashes of further forms of it (turned, mirrored), by which it may be near to a leader.

    Returns:
        Place of each member → place of its leader, and their distance.
    """
    edges = [round(_BITS * band / (distance + 1)) for band in range(distance + 2)]
    bands = [(low, (1 << (high - low)) - 1) for low, high in itertools.pairwise(edges)]
    tables: list[dict[int, list[int]]] = [{} for _ in bands]
    same: dict[int, int] = {}
    found: dict[int, tuple[int, int]] = {}
    for place, whole in enumerate(hashes):
        # Equal hashes would fill one bucket: only the first of them is looked up and kept.
        if whole in same:
            leader = same[whole]
            found[place] = found.get(leader, (leader, 0))
            continue
        same[whole] = place
        forms = (whole, *(others[place] if others is not None else ()))
        near = next((one for form in forms if (one := _nearest(form, tables, bands, hashes, distance))), None)
        if near is not None:
            found[place] = near
            continue
        for table, (low, mask) in zip(tables, bands, strict=True):
            table.setdefault((whole >> _BITS >> low) & mask, []).append(place)
    return found


def _nearest(
    whole: int,
    tables: Sequence[dict[int, list[int]]],
    bands: Sequence[tuple[int, int]],
    hashes: Sequence[int],
    distance: int,
) -> tuple[int, int] | None:
    """Return the earliest leader that is near, and its distance."""
    upper, lower = whole >> _BITS, whole & _MASK
    keys = [(upper >> low) & mask for low, mask in bands]
    near = [
        leader
        for leader in {leader for table, key in zip(tables, keys, strict=True) for leader in table.get(key, ())}
        if (upper ^ (hashes[leader] >> _BITS)).bit_count() <= distance
        and (lower ^ (hashes[leader] & _MASK)).bit_count() <= 2 * distance
    ]
    return (min(near), (upper ^ (hashes[min(near)] >> _BITS)).bit_count()) if near else None
