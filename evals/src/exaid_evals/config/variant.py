"""A variant of the middleware: which gate, trigger and summarizer, and how much history."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, Field, field_validator

from exaid_evals.config.base import Config, load_config
from exaid_evals.errors import ConfigError

VARIANT_ID_PATTERN = r"^[A-Za-z][A-Za-z0-9_-]{0,31}$"


class PartConfig(Config):
    """A gate, trigger or summarizer: its kind, and settings that the part itself checks."""

    model_config = ConfigDict(frozen=True, extra="allow")

    kind: str = Field(min_length=1)

    @property
    def settings(self) -> dict[str, Any]:
        """Return the settings beside the kind."""
        return dict(self.model_extra or {})


class VariantConfig(Config):
    """One YAML file of configs/variants.

    Attributes:
        variant_id: its name in files and tables.
        description: what it is for, in a sentence.
        gate: when a chunk of the stream leaves the buffer.
        trigger: whether to summarise now.
        summarizer: what is made of the window.
        history_k: how many earlier summaries trigger and summarizer are shown.
    """

    variant_id: str = Field(pattern=VARIANT_ID_PATTERN)
    description: str = ""
    gate: PartConfig
    trigger: PartConfig
    summarizer: PartConfig
    history_k: int = Field(ge=0, le=1000)

    @field_validator("description")
    @classmethod
    def _one_line(cls, value: str) -> str:
        return re.sub(r"\s+", " ", value).strip()


def load_variants(folder: Path, wanted: Iterable[str] = ()) -> list[VariantConfig]:
    """Read the variants of a folder, sorted by id.

    Args:
        folder: holds one YAML file a variant, named after it.
        wanted: ids to read; none means all.

    Raises:
        ConfigError: every malformed file, every file not named after its variant, every unknown id, at once.
    """
    paths = {path.stem: path for path in sorted(folder.glob("*.yaml"))}
    wanted = list(dict.fromkeys(wanted))
    if not paths:
        raise ConfigError("no variant here", where=str(folder), remedy="add a YAML file, or name another --config-dir")
    problems = [
        ConfigError(f"no variant is called {name!r}", where=str(folder), remedy=f"known are {', '.join(paths)}")
        for name in wanted
        if name not in paths
    ]
    variants = []
    for name in sorted(name for name in (wanted or paths) if name in paths):
        try:
            variant = load_config(VariantConfig, paths[name]).value
        except ConfigError as error:
            problems.append(error)
            continue
        if variant.variant_id != name:
            what = f"holds the variant {variant.variant_id!r}"
            problems.append(
                ConfigError(what, where=str(paths[name]), remedy=f"name the file {variant.variant_id}.yaml")
            )
        variants.append(variant)
    if problems:
        raise ConfigError.of(problems)
    return variants
