"""Stage 03, its comparisons: made from the metrics files alone, and only when those have changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from exaid_evals.artifacts.hashing import sha256_file
from exaid_evals.artifacts.jsonl import scan_jsonl
from exaid_evals.artifacts.ledger import Ledger, fingerprint
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.metrics import MetricsConfig
from exaid_evals.errors import ConfigError, DataError
from exaid_evals.metrics.comparison_records import write_comparisons
from exaid_evals.metrics.records import SKIPPED_FAILED_TRACE, read_cases
from exaid_evals.metrics.registry import load_measures

_KEY = "comparisons"


@dataclass(frozen=True, slots=True)
class ComparisonReport:
    """What was compared.

    Attributes:
        against: the variant that the others are compared with.
        compared: the others, in order; empty where there is no file.
        measures: what they are compared in.
        otherwise_made: variants whose metrics bear another signature, and are not compared.
        against_measured: whether `against` has metrics of this signature.
        written: whether the file is new.
    """

    against: str
    compared: tuple[str, ...]
    measures: tuple[str, ...]
    otherwise_made: tuple[str, ...]
    against_measured: bool
    written: bool


def check_comparisons(campaign: Campaign, config: MetricsConfig, present: Sequence[str]) -> None:
    """Check, before any work, that what is to be compared can be.

    Raises:
        ConfigError: a variant or a measure is not here, or a variant has the name of the comparisons' file.
    """
    problems = []
    against = config.comparisons.against
    if against is not None and against not in present:
        problems.append(
            ConfigError(
                f"no runs of {against}",
                where="comparisons.against",
                remedy=f"run {campaign.call(f'run-variants {against}')}; there are runs of {', '.join(present)}",
            )
        )
    if any(campaign.metrics_file(variant) == campaign.comparisons_file for variant in present):
        problems.append(
            ConfigError(
                f"a variant cannot be called {_KEY}: its metrics would lie where the comparisons do",
                where=str(campaign.runs / _KEY),
                remedy="give it another name",
            )
        )
    try:
        compared_measures(config)
    except ConfigError as error:
        problems.append(error)
    if problems:
        raise ConfigError.of(problems)


def compared_measures(config: MetricsConfig) -> dict[str, str]:
    """Return measure → direction for each measure to compare, in the order of the measures.

    Raises:
        ConfigError: names every name that no measure has. A pattern may match none.
    """
    better = {measure.name: measure.better for measure in load_measures(config)}
    wanted = config.comparisons.measures
    unknown = [name for name in wanted if name not in better and not set(name) & set("*?[")]
    if unknown:
        raise ConfigError(
            f"no measure is called {', '.join(unknown)}",
            where="comparisons.measures",
            remedy=f"there are {', '.join(better)}",
        )
    return {
        name: direction for name, direction in better.items() if any(fnmatchcase(name, pattern) for pattern in wanted)
    }


def compare_variants(
    campaign: Campaign,
    config: MetricsConfig,
    present: Sequence[str],
    *,
    stub: bool,
    signature: str,
    force: bool = False,
) -> ComparisonReport:
    """Write the campaign's comparisons where they are not current; remove them where there is nothing to compare.

    Only metrics with the given signature are compared: others were made from something else.

    Args:
        campaign: where the metrics lie.
        config: what to compare.
        present: variants that have runs, in order.
        stub: whether any part of the data is simulated.
        signature: of the metrics.
        force: write also what is current.

    Raises:
        DataError: a metrics file is damaged, or two of one signature hold other cases.
    """
    measured = [variant for variant in present if campaign.metrics_file(variant).is_file()]
    alike = [variant for variant in measured if _signature_of(campaign, variant) == signature]
    better = compared_measures(config)
    against = config.against
    others = [variant for variant in alike if variant != against] if against in alike and better else []
    with Ledger(campaign.state / "compare-variants.jsonl") as ledger:
        written = False
        if others:
            hashes = {variant: sha256_file(campaign.metrics_file(variant)) for variant in (*others, against)}
            inputs = fingerprint(
                metrics=hashes, order=others, against=against, better=list(better.items()), signature=signature
            )
            if force or not ledger.is_current(_KEY, inputs, campaign.comparisons_file):
                _write(campaign, config, others, hashes, better, stub=stub, signature=signature)
                ledger.record(_KEY, inputs, campaign.comparisons_file)
                written = True
        elif ledger.recorded():
            campaign.comparisons_file.unlink(missing_ok=True)
            ledger.keep_only([])
    return ComparisonReport(
        against=against,
        compared=tuple(others),
        measures=tuple(better),
        otherwise_made=tuple(variant for variant in measured if variant not in alike),
        against_measured=against in alike,
        written=written,
    )


def _write(
    campaign: Campaign,
    config: MetricsConfig,
    others: Sequence[str],
    hashes: Mapping[str, str],
    better: Mapping[str, str],
    *,
    stub: bool,
    signature: str,
) -> None:
    # NumPy is imported only when there is something to compare: a run with nothing to do stays quick.
    from exaid_evals.metrics.comparisons import Side, compare

    sides = {}
    for variant, file_hash in hashes.items():
        side = Side(better)
        read_cases(campaign.metrics_file(variant), side.take)
        sides[variant] = side.of(variant, file_hash)
    base = sides[config.against]
    for variant, compared in sides.items():
        if _outline(compared.cases) != _outline(base.cases):
            raise DataError(
                f"holds other cases than {campaign.metrics_file(base.variant_id).name}, under the same signature",
                where=str(campaign.metrics_file(variant)),
                remedy=f"run {campaign.call('compute-metrics --force')}",
            )
    write_comparisons(
        campaign.comparisons_file,
        compare([sides[variant] for variant in others], base, better, config.bootstrap, stub=stub, signature=signature),
    )


def _outline(cases: Sequence[tuple[str, str]]) -> list[tuple[str, bool]]:
    return [(case_id, status == SKIPPED_FAILED_TRACE) for case_id, status in cases]


def _signature_of(campaign: Campaign, variant: str) -> str | None:
    """Return the signature in a metrics file's first record; None where that is not a record."""
    for line in scan_jsonl(campaign.metrics_file(variant)):
        return line.value.get("signature") if line.value is not None else None
    return None
