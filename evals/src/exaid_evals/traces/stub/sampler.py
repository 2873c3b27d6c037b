"""Randomness for one purpose of one case."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from exaid_evals.config.mas_generation import LogNormal

Item = TypeVar("Item")


class Sampler:
    """Draws from a stream that is seeded by the generation's seed, the case and the purpose.

    No case's draws depend on another's, and none of a purpose's on another's: planting failures does not change
    what the other cases say, and a new pause does not change a word.
    """

    def __init__(self, seed: int, case_id: str, purpose: str) -> None:
        digest = hashlib.sha256(f"{seed}\0{case_id}\0{purpose}".encode()).digest()
        self._rng = np.random.Generator(np.random.PCG64(int.from_bytes(digest, "big")))

    def chance(self, probability: float) -> bool:
        """Return True with a probability."""
        return self._rng.random() < probability

    def below(self, n: int) -> int:
        """Return one of 0 … n − 1, each as likely."""
        return int(self._rng.random() * n)

    def pick(self, items: Sequence[Item]) -> Item:
        """Return one of the items, each as likely."""
        return items[self.below(len(items))]

    def sample(self, items: Sequence[Item], n: int) -> list[Item]:
        """Return up to `n` different items in random order."""
        pool = list(items)
        return [pool.pop(self.below(len(pool))) for _ in range(min(n, len(pool)))]

    def binomial(self, n: int, probability: float) -> int:
        """Return the number of successes in `n` trials."""
        return sum(self.chance(probability) for _ in range(n))

    def log_normal(self, law: LogNormal) -> float:
        """Return a value of a cut-off log-normal distribution."""
        value = law.median * math.exp(law.sigma * self._rng.standard_normal())
        return min(max(value, law.low), law.high)
