"""Configurations and schemas: whether all of them can be read."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from exaid_evals.artifacts.schemas import current_versions, known_versions, validator
from exaid_evals.clients.endpoint import secrets_hidden
from exaid_evals.config.base import Config, load_config
from exaid_evals.config.calibration import CalibrationConfig
from exaid_evals.config.dataset import DatasetConfig
from exaid_evals.config.mas_generation import MacModelConfig, MasGenerationConfig
from exaid_evals.config.metrics import MetricsConfig
from exaid_evals.config.summarizer import SummarizerConfig
from exaid_evals.config.variant import load_variants
from exaid_evals.doctor.base import STUB, Environment, Finding
from exaid_evals.errors import ExaidError

_FILES: dict[str, type[Config]] = {
    "dataset.yaml": DatasetConfig,
    "mas_generation.yaml": MasGenerationConfig,
    "mac_model_config.json": MacModelConfig,
    "summarizer.yaml": SummarizerConfig,
    "metrics.yaml": MetricsConfig,
    "calibration.yaml": CalibrationConfig,
}


def configurations(environment: Environment) -> Iterator[Finding]:
    """Read every configuration as the stages do."""
    read: dict[str, Callable[[], object]] = {
        name: lambda name=name, model=model: load_config(model, environment.config_dir / name)  # type: ignore[misc]
        for name, model in _FILES.items()
    }
    read["variants/"] = lambda: load_variants(environment.config_dir / "variants")
    sound = []
    for name, load in read.items():
        try:
            with secrets_hidden():
                load()
        except ExaidError as error:
            where = (error.where or "").rpartition(": ")[2]
            what = f"{where}: {error.what}" if where and where != error.where else error.what
            yield Finding("configuration", name, "problem", what, error.remedy or "correct it", STUB)
        else:
            sound.append(name)
    yield Finding("configuration", str(environment.config_dir), "ok", ", ".join(sound))


def schemas(_: Environment) -> Iterator[Finding]:
    """Compile every version of every schema."""
    count = 0
    for name in current_versions():
        for version in known_versions(name):
            try:
                validator(name, version)
                count += 1
            except Exception as error:  # the compiler of schemas raises errors of its own
                remedy = "restore evals/schemas from the repository"
                yield Finding("schemas", f"{name} {version}", "problem", str(error)[:200], remedy, STUB)
    yield Finding(
        "schemas", "registry", "ok", f"{count} versions of {len(current_versions())} schemas", needed_for=STUB
    )
