"""How `verify` tells what differs: settings first, then files by stage, down to record, field and both values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click

from exaid_evals.cli.display import printable

if TYPE_CHECKING:
    from exaid_evals.verification.compare import Comparison, Difference
    from exaid_evals.verification.configuration import Setting
    from exaid_evals.verification.sides import Side

_SHOWN_ROOTS = 10
_SHOWN_PER_STAGE = 1


@dataclass(frozen=True, slots=True)
class Reporting:
    """Compares, and prints what was found.

    Attributes:
        full: show every difference.
        packages: (distribution, expected version, installed version) of those that differ.
    """

    full: bool = False
    packages: Sequence[tuple[str, str, str]] = field(default=())

    def compare(self, expected: Side, found: Side, settings: Sequence[Setting] = ()) -> int:
        """Compare two sides and print the result; return the exit status: 0, or 1 where a file or setting differs."""
        from exaid_evals.verification.compare import compare

        comparison = compare(expected, found)
        labels = expected.label, found.label
        for setting in settings:
            click.echo(printable(_setting(setting, *labels)))
        if comparison.differences:
            for name, wanted, there in self.packages:
                click.echo(f"package {name}: {labels[0]} {wanted}, installed {there or 'not at all'}")
        for line in self._lines(comparison, *labels):
            click.echo(printable(line))
        n_differ = len(comparison.differences)
        verdict = f"{n_differ} differ" if n_differ else "all the same"
        if settings and not n_differ:
            # Without effect today, with this data: still not the configuration that the numbers are said to have.
            verdict += f", but {len(settings)} setting{'' if len(settings) == 1 else 's'} above"
        click.echo(f"{comparison.n_files} files compared by content: {verdict}")
        return 1 if n_differ or settings else 0

    def _lines(self, comparison: Comparison, expected: str, found: str) -> Iterator[str]:
        if comparison.introduced_by is None:
            return
        yield f"introduced by stage {comparison.introduced_by}"
        roots = comparison.roots
        for difference in roots if self.full else roots[:_SHOWN_ROOTS]:
            yield _line(difference, expected, found)
        if len(roots) > _SHOWN_ROOTS and not self.full:
            yield f"… and {len(roots) - _SHOWN_ROOTS} more that follow from no other; --full shows them"
        followers = [difference for difference in comparison.differences if difference.follows is not None]
        shown: Counter[str] = Counter()
        for difference in followers:
            shown[str(difference.stage)] += 1
            if self.full or shown[str(difference.stage)] <= _SHOWN_PER_STAGE:
                yield f"follows: {_line(difference, expected, found)}"
        left = {stage: n - _SHOWN_PER_STAGE for stage, n in shown.items() if n > _SHOWN_PER_STAGE}
        if left and not self.full:
            counts = ", ".join(f"{n} of stage {stage}" for stage, n in left.items())
            yield f"follow too: {counts}; --full shows them"


def _line(difference: Difference, expected: str, found: str) -> str:
    path, stage = difference.path, difference.stage
    match difference.kind:
        case "missing":
            return f"{path}: missing, it comes out of stage {stage}"
        case "extra":
            return f"{path}: extra, it does not come out of stage {stage}"
        case "damaged":
            return f"{path}: damaged ({difference.problem})"
    opening = f"{path}: differs from what stage {stage} makes"
    place = difference.place
    if place is None:
        of_picture = path.endswith((".png", ".pdf"))
        return (
            opening if of_picture else f"{opening}: no field differs, only the form (spaces, order, number of digits)"
        )
    named = ": ".join(part for part in (place.record, place.field) if part)
    more = f"; {place.n_records} records differ" if place.n_records > 1 else ""
    return f"{opening}: {named}: {expected} {place.expected}, {found} {place.found}{more}"


def _setting(setting: Setting, expected: str, found: str) -> str:
    key = f"{setting.key}: " if setting.key else ""
    values = f"{expected} {setting.expected}, {found} {setting.found}"
    return f"configuration, {setting.file}: {key}{values} (read from stage {setting.stage} on)"
