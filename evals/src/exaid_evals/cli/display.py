"""How paths, foreign text, tables, JSON and progress are shown to a user."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Never, Self

import click

from exaid_evals.artifacts.redaction import clipped, printable, printable_lines, with_urls

if TYPE_CHECKING:
    from tqdm import tqdm

    from exaid_evals.config.campaign import Campaign

__all__ = ["printable", "printable_lines", "shown"]
SOME_FAILED = 3
"""Exit status where the work is done, but for some cases or runs."""


def shown(path: Path) -> str:
    """Return a path as it is shown: by its URL in a store, relative where it lies below the working directory."""
    absolute = with_urls(os.path.abspath(path))  # noqa: PTH100 - resolve() would rename links
    below = Path.cwd().as_posix().rstrip("/") + "/"
    return printable(absolute.removeprefix(below))


def show_changed(files: Iterable[tuple[Path, str]], campaign: Campaign) -> None:
    """Print which files are no longer what a verb wrote, and how to write them anew."""
    for path, name in files:
        # Which traces or which run they were made of, no ledger of outputs says.
        command = campaign.call(name) if name == "view" else f"the same `exaid-evals {name}` again"
        click.echo(f"{shown(path)}: changed since it was written; run {command}")


def shortened(text: str, most: int) -> str:
    """Return foreign text as it is shown, cut to so many characters."""
    return clipped(printable(text), most)


def aligned(rows: Sequence[Sequence[str]], *, numbers: bool = False) -> Iterator[str]:
    """Yield rows as lines in which the cells of a column begin at one place; numbers, behind a name, end at one.

    >>> list(aligned([["a", "b"], ["n", "100"]], numbers=True))
    ['a    b', 'n  100']
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        name, *cells = zip(row, widths, strict=True)
        rest = [cell.rjust(width) if numbers else cell.ljust(width) for cell, width in cells]
        yield "  ".join([name[0].ljust(name[1]), *rest]).rstrip()


def with_interval(value: float | None, low: float | None, high: float | None, undefined: str = "undefined") -> str:
    """Return a number, and its interval where it has one.

    >>> with_interval(0.5, 0.25, 1, "-"), with_interval(0.5, None, None), with_interval(None, None, None)
    ('0.500 [0.250, 1.000]', '0.500', 'undefined')
    """
    if value is None:
        return undefined
    return f"{value:.3f}" + (f" [{low:.3f}, {high:.3f}]" if low is not None and high is not None else "")


def show_json(document: Any) -> None:
    """Print one canonical JSON document."""
    from exaid_evals.artifacts.canonical import canonical_json

    click.echo(canonical_json(document))


def warn(lines: Iterable[str], label: str = "warning") -> None:
    """Print lines that are not results on standard error."""
    for line in lines:
        click.echo(f"{label}: {printable(line)}", err=True)


_PLAIN_INTERVAL_S = 5.0


class Progress:
    """Counts finished items of one piece of work.

    On a terminal it draws a bar; elsewhere it writes a line at most every few seconds and one at the end, so
    that a log stays readable.
    """

    def __init__(self, label: str, total: int, *, unit: str = "case") -> None:
        self._label = label
        self._total = total
        self._stream = sys.stderr
        self._done = 0
        self._last_line = time.monotonic()
        self._bar: tqdm[Never] | None = None
        if self._stream.isatty():
            from tqdm import tqdm  # here: verbs are asked for their help, and then count nothing

            self._bar = tqdm(total=total, desc=label, unit=unit, file=self._stream, leave=True, dynamic_ncols=True)

    def __enter__(self) -> Self:
        """Start."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the bar, or write the last line."""
        if self._bar is not None:
            self._bar.close()
        elif self._total:
            self._line()

    def advance(self, note: str = "") -> None:
        """Count one item; `note` is shown beside the bar."""
        self._done += 1
        if self._bar is not None:
            self._bar.set_postfix_str(note, refresh=False)
            self._bar.update()
        elif time.monotonic() - self._last_line >= _PLAIN_INTERVAL_S:
            self._line()

    def _line(self) -> None:
        self._last_line = time.monotonic()
        print(f"{self._label}: {self._done}/{self._total}", file=self._stream, flush=True)
