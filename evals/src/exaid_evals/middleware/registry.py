"""Parts of a variant by kind. To add one, write a file and name it here; other packages use an entry point."""

from __future__ import annotations

from typing import Any, cast

from pydantic import ValidationError

from exaid_evals.clients.base import LLMClient
from exaid_evals.config.base import Config
from exaid_evals.config.plugins import Kind, build_part
from exaid_evals.config.variant import PartConfig, VariantConfig
from exaid_evals.errors import ConfigError
from exaid_evals.middleware.gates import Gate
from exaid_evals.middleware.summarizers import Summarizer
from exaid_evals.middleware.triggers import Trigger

_PACKAGE = "exaid_evals.middleware"
GATES = Kind(
    "gate",
    "exaid_evals.gates",
    {
        "message": f"{_PACKAGE}.gates:MessageGate",
        "fixed_ctu": f"{_PACKAGE}.gates:FixedCtuGate",
        "token_gate": f"{_PACKAGE}.gates:TokenGate",
    },
)
TRIGGERS = Kind(
    "trigger",
    "exaid_evals.triggers",
    {
        "always": f"{_PACKAGE}.triggers:AlwaysTrigger",
        "llm": f"{_PACKAGE}.triggers:LLMTrigger",
    },
)
SUMMARIZERS = Kind(
    "summarizer",
    "exaid_evals.summarizers",
    {
        "passthrough": f"{_PACKAGE}.summarizers:PassthroughSummarizer",
        "structured": f"{_PACKAGE}.summarizers:StructuredSummarizer",
    },
)

# How a part of a variant is made, and what it must have.
_MADE = {
    GATES.noun: ("(settings)", "on_piece"),
    TRIGGERS.noun: ("(settings, client)", "decide"),
    SUMMARIZERS.noun: ("(settings, client)", "summarize"),
}


def build_gate(variant: VariantConfig) -> Gate:
    """Build a fresh gate; a gate holds the buffer of one case, so each replay needs its own.

    Raises:
        ConfigError: the kind is unknown, or its settings are wrong.
    """
    return cast("Gate", _build(GATES, variant.gate, variant.variant_id))


def build_trigger(variant: VariantConfig, client: LLMClient) -> Trigger:
    """Build a trigger.

    Raises:
        ConfigError: the kind is unknown, or its settings are wrong.
    """
    return cast("Trigger", _build(TRIGGERS, variant.trigger, variant.variant_id, client))


def build_summarizer(variant: VariantConfig, client: LLMClient) -> Summarizer:
    """Build a summarizer.

    Raises:
        ConfigError: the kind is unknown, or its settings are wrong.
    """
    return cast("Summarizer", _build(SUMMARIZERS, variant.summarizer, variant.variant_id, client))


def check_variant(variant: VariantConfig, client: LLMClient) -> list[ConfigError]:
    """Return every problem with a variant's parts, before anything is run."""
    problems = []
    for build in (
        lambda: build_gate(variant),
        lambda: build_trigger(variant, client),
        lambda: build_summarizer(variant, client),
    ):
        try:
            build()
        except ConfigError as error:
            problems.append(error)
    return problems


def _build(parts: Kind, part: PartConfig, variant_id: str, *arguments: Any) -> Any:
    where = f"{variant_id}: {parts.noun}"
    try:
        kind = parts.find(part.kind)
    except ConfigError as error:
        raise ConfigError(error.what, where=where, remedy=error.remedy) from error
    settings_type: type[Config] = getattr(kind, "Settings", Config)
    if not (isinstance(settings_type, type) and issubclass(settings_type, Config)):
        what = f"Settings of {part.kind} is not a class derived from exaid_evals.config.base.Config"
        raise ConfigError(what, where=where, remedy="derive them from it, or leave them out")
    try:
        settings = settings_type.model_validate(part.settings)
    except ValidationError as error:
        raise ConfigError.of(
            [
                ConfigError(
                    f"{item['msg'].removeprefix('Value error, ')} (got {item['input']!r:.60})",
                    where=".".join((where, *map(str, item["loc"]))),
                    remedy=f"settings of {part.kind} are {', '.join(settings_type.model_fields) or 'none'}",
                )
                for item in error.errors()
            ]
        ) from None
    made, method = _MADE[parts.noun]
    expected = f"a {parts.noun} is a class {made} with `{method}`"
    write_one = "write one as `Writing a part` in evals/README.md describes"
    try:
        built = build_part(parts.noun, part.kind, lambda: kind(settings, *arguments))
    except ConfigError as error:
        what, remedy = error.what, error.remedy
        if not isinstance(kind, type):
            what, remedy = f"{what}: it is a {type(kind).__name__}, and {expected}", write_one
        raise ConfigError(what, where=error.where or where, remedy=remedy) from error
    if not hasattr(built, method):
        what = f"the {parts.noun} {part.kind!r} makes a {type(built).__name__} without `{method}`, and {expected}"
        raise ConfigError(what, where=where, remedy=write_one)
    return built


def part_sources(variant: VariantConfig) -> dict[str, str | None]:
    """Return, for gate, trigger and summarizer, the hash of the source of a part that does not ship."""
    parts = ((GATES, variant.gate), (TRIGGERS, variant.trigger), (SUMMARIZERS, variant.summarizer))
    return {kind.noun: kind.source_hash(part.kind) for kind, part in parts}
