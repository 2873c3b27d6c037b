"""What stands in a cell of a table: each kind knows how it reads, and which numbers CSV gets of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from exaid_evals.metrics.records import Estimate

MISSING = "–"
_LEAST_P = 0.001


@dataclass(frozen=True, slots=True)
class Digits:
    """How numbers are shown.

    Attributes:
        decimals: shown; CSV always has all.
        scale: factor from the record's unit to the shown one.
    """

    decimals: int = 2
    scale: float = 1.0

    def show(self, value: float | None) -> str:
        """Return a number as readers see it.

        >>> Digits(1, 0.001).show(-1500.0), Digits(1).show(-0.01), Digits(0).show(1234567.0), Digits().show(None)
        ('−1.5', '0.0', '1,234,567', '–')
        """
        if value is None:
            return MISSING
        # + 0.0 turns the -0.0 that rounding can leave into 0.0.
        return f"{round(value * self.scale, self.decimals) + 0.0:,.{self.decimals}f}".replace("-", "−")

    def interval(self, low: float | None, high: float | None) -> str:
        """Return an interval in brackets; empty where there is none."""
        return "" if low is None or high is None else f"[{self.show(low)}, {self.show(high)}]"


class Cell(ABC):
    """One cell.

    Attributes:
        STATISTICS: what CSV has of it: a suffix to the column's name each; the empty one is the name itself.
    """

    __slots__ = ()
    STATISTICS: ClassVar[tuple[str, ...]] = ("",)

    @abstractmethod
    def shown(self, digits: Digits) -> str:
        """Return the cell's text, in the column's digits unless it has its own."""

    @abstractmethod
    def values(self) -> tuple[object, ...]:
        """Return a value per statistic, None where undefined."""

    def below(self, digits: Digits) -> str:
        """Return what stands below it in smaller print; empty for nothing."""
        return ""


@dataclass(frozen=True, slots=True)
class Mean(Cell):
    """A mean over cases or campaigns, its interval below."""

    STATISTICS: ClassVar[tuple[str, ...]] = ("mean", "ci95_low", "ci95_high", "sd", "n", "n_undefined")
    estimate: Estimate

    def shown(self, digits: Digits) -> str:
        """Return the mean."""
        return digits.show(self.estimate.mean)

    def below(self, digits: Digits) -> str:
        """Return its interval."""
        return digits.interval(self.estimate.ci95_low, self.estimate.ci95_high)

    def values(self) -> tuple[object, ...]:
        """Return the estimate's statistics."""
        return tuple(getattr(self.estimate, name) for name in self.STATISTICS)


@dataclass(frozen=True, slots=True)
class WithInterval(Cell):
    """A number with its interval beside it, in digits of its own where a column mixes measures."""

    STATISTICS: ClassVar[tuple[str, ...]] = ("", "ci95_low", "ci95_high")
    value: float | None
    low: float | None
    high: float | None
    digits: Digits | None = None

    def shown(self, digits: Digits) -> str:
        """Return the number, and its interval where there is one."""
        own = self.digits or digits
        return f"{own.show(self.value)} {own.interval(self.low, self.high)}".rstrip()

    def values(self) -> tuple[object, ...]:
        """Return the number and the interval's ends."""
        return self.value, self.low, self.high


@dataclass(frozen=True, slots=True)
class Number(Cell):
    """A single number, in digits of its own where a column mixes measures."""

    value: float | None
    digits: Digits | None = None

    def shown(self, digits: Digits) -> str:
        """Return the number."""
        return (self.digits or digits).show(self.value)

    def values(self) -> tuple[object, ...]:
        """Return the number."""
        return (self.value,)


@dataclass(frozen=True, slots=True)
class PValue(Cell):
    """A p-value: three decimals, and a bound for what would round to nothing."""

    value: float | None

    def shown(self, digits: Digits) -> str:
        """Return the value or `< 0.001`; a p that is not 1 never reads as 1.

        >>> [PValue(p).shown(Digits()) for p in (0.0004, 0.0412, 0.9999, 1.0, None)]
        ['< 0.001', '0.041', '> 0.999', '1.000', '–']
        """
        if self.value is None:
            return MISSING
        if self.value < _LEAST_P:
            return f"< {_LEAST_P}"
        return f"> {1 - _LEAST_P}" if 1 - _LEAST_P / 2 <= self.value < 1 else f"{self.value:.3f}"

    def values(self) -> tuple[object, ...]:
        """Return the unrounded p."""
        return (self.value,)


@dataclass(frozen=True, slots=True)
class Text(Cell):
    """Words, or an id."""

    text: str

    def shown(self, digits: Digits) -> str:
        """Return the text."""
        return self.text

    def values(self) -> tuple[object, ...]:
        """Return the text."""
        return (self.text,)
