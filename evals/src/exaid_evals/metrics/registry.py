"""Measures by family. To add one, write a module with a `measures` function and name it here, or use an entry point."""

from __future__ import annotations

from exaid_evals.config.metrics import MetricsConfig
from exaid_evals.config.plugins import Kind, build_part
from exaid_evals.errors import ConfigError
from exaid_evals.metrics.base import Measure

_PACKAGE = "exaid_evals.metrics.measures"
_FAMILIES = {
    "volume": f"{_PACKAGE}.volume:measures",
    "conversation": f"{_PACKAGE}.volume:conversation_measures",
    "coverage": f"{_PACKAGE}.coverage:measures",
    "coverage_at_budget": f"{_PACKAGE}.coverage:coverage_at_budget_measures",
    "coverage_auc": f"{_PACKAGE}.coverage:coverage_auc_measures",
    "coverage_gold": f"{_PACKAGE}.coverage_gold:measures",
    "redundancy": f"{_PACKAGE}.redundancy:measures",
    "redundancy_text": f"{_PACKAGE}.redundancy:redundancy_text_measures",
    "unsupported": f"{_PACKAGE}.unsupported:measures",
    "window_support": f"{_PACKAGE}.unsupported:window_support_measures",
    "timeliness": f"{_PACKAGE}.timeliness:measures",
    "lagging": f"{_PACKAGE}.timeliness:lagging_measures",
    "silences": f"{_PACKAGE}.timeliness:silences_measures",
    "flushes": f"{_PACKAGE}.flushes:measures",
    "latency": f"{_PACKAGE}.usage:latency_measures",
    "usage": f"{_PACKAGE}.usage:measures",
    "schema_failures": f"{_PACKAGE}.usage:schema_failures_measures",
    "extractor_validity": f"{_PACKAGE}.extractor_validity:measures",
}
MEANING = "meaning"
# Known by name, and measured only where a configuration asks for them, or has what they need.
ON_REQUEST = {
    "decisive_step": f"{_PACKAGE}.decisive_step:measures",
    "reference": f"{_PACKAGE}.statements:reference_measures",
    "statements": f"{_PACKAGE}.statements:measures",
    MEANING: f"{_PACKAGE}.statements:meaning_measures",
}
MEASURES = Kind("family of measures", "exaid_evals.measures", _FAMILIES)
"""Each part is `measures(config: MetricsConfig) -> list[Measure]`."""


def load_measures(config: MetricsConfig) -> tuple[Measure, ...]:
    """Return every measure of a configuration, in the order of the families; one named twice is measured once.

    Raises:
        ConfigError: a family cannot be found, or two measures have one name.
    """
    found: dict[str, Measure] = {}
    for family in dict.fromkeys((*MEASURES, *config.measures)):
        for measure in _declared(family, config):
            if measure.name in found:
                raise ConfigError(
                    f"{measure.name!r} is declared twice", where=f"measures: {family}", remedy="give it another name"
                )
            found[measure.name] = measure
    return tuple(found.values())


def check_measures(config: MetricsConfig) -> None:
    """Find every family that a configuration adds, and have it declare its measures, before any work.

    Raises:
        ConfigError: names all that cannot be found, declare something else than measures, or need a missing extra.
    """
    problems = []
    for family in config.measures:
        try:
            _declared(family, config)
            if family == MEANING:
                from exaid_evals.factuality.judge import model_files

                model_files()
        except ConfigError as error:
            problems.append(error)
    if problems:
        raise ConfigError.of(problems)


def measure_sources(config: MetricsConfig) -> dict[str, str | None]:
    """Return, for each family that a configuration adds, the hash of its source."""
    return {family: MEASURES.source_hash(family) for family in config.measures if family not in ON_REQUEST}


def _declared(family: str, config: MetricsConfig) -> list[Measure]:
    find = MEASURES.find(ON_REQUEST.get(family, family))
    measures = build_part(MEASURES.noun, family, lambda: list(find(config)))
    strangers = [measure for measure in measures if not isinstance(measure, Measure)]
    if strangers:
        raise ConfigError(
            f"declares {type(strangers[0]).__name__}, which is not a Measure",
            where=f"measures: {family}",
            remedy="return a list of `exaid_evals.metrics.base.Measure`",
        )
    return measures
