"""A variant's file with calibrated settings: two blocks are rewritten, and the rest stays as it was typed."""

from __future__ import annotations

import re
import tempfile
import textwrap
from pathlib import Path

from exaid_evals.calibration.policy import GATE_KIND, Policy
from exaid_evals.config.base import load_config
from exaid_evals.config.variant import FrozenConfig, VariantConfig
from exaid_evals.errors import ConfigError
from exaid_evals.middleware.gates.token_gate import TokenGateSettings
from exaid_evals.middleware.registry import build_gate

_COMMENT_COLUMN = 29
_WIDTH = 120


def calibrated_blocks(frozen: FrozenConfig) -> dict[str, str]:
    """Return top-level key → its YAML block, for the gate and its provenance."""
    settings = [f"{name}: {value}" for name, value in frozen.gate.model_dump(mode="json").items()]
    gate = [
        _commented("gate:", "calibrated on cases that are not evaluated: see `frozen`"),
        *(f"  {setting}" for setting in settings),
    ]
    cases = textwrap.wrap(
        f"cases: [{', '.join(frozen.cases)}]",
        _WIDTH,
        initial_indent="  ",
        subsequent_indent="    ",
        break_on_hyphens=False,
        break_long_words=False,
    )
    provenance = [
        _commented("frozen:", "written by `exaid-evals calibrate --write`; runs say where the gate differs from it"),
        f"  gate: {{{', '.join(settings)}}}",
        f"  calibration_hash: {frozen.calibration_hash}",
        f"  trace_dataset_hash: {frozen.trace_dataset_hash}",
        f"  date: {frozen.date}",
        f'  version: "{frozen.version}"',
        f"  stub: {'true' if frozen.stub else 'false'}",
        *cases,
    ]
    return {"gate": "\n".join(gate) + "\n", "frozen": "\n".join(provenance) + "\n"}


def current_policy(path: Path) -> Policy:
    """Return the policy that a variant's file holds.

    Raises:
        ConfigError: the file is no variant, or has no sound token gate.
    """
    variant = load_config(VariantConfig, path).value
    if variant.gate.kind != GATE_KIND:
        raise ConfigError(
            f"the gate is {variant.gate.kind}, and only {GATE_KIND} is calibrated",
            where=str(path),
            remedy="correct `variants` in calibration.yaml",
        )
    build_gate(variant)
    return Policy(**TokenGateSettings.model_validate(variant.gate.settings).model_dump())


def calibrated_text(path: Path, frozen: FrozenConfig) -> str:
    """Return what a variant's file becomes.

    Raises:
        ConfigError: the file is no variant, or is laid out so that replacing its blocks would change something else.
    """
    before = load_config(VariantConfig, path).value
    text = path.read_text(encoding="utf-8")
    for key, block in calibrated_blocks(frozen).items():
        text = _replaced(text, key, block)
    if _parsed(text, path) != before.model_copy(update={"gate": frozen.gate, "frozen": frozen}):
        raise ConfigError(
            "the blocks `gate` and `frozen` cannot be replaced in this layout",
            where=str(path),
            remedy="write each as a block of its own at the left margin, or enter the printed blocks by hand",
        )
    return text


def _commented(key: str, comment: str) -> str:
    return f"{key:<{_COMMENT_COLUMN}}# {comment}"


def _replaced(text: str, key: str, block: str) -> str:
    """Put a block in the place of a top-level key and all that is indented below it, else at the end."""
    pattern = re.compile(rf"^{key}:.*\n?(?:[ \t]+\S.*\n?)*", re.MULTILINE)
    if pattern.search(text):
        return pattern.sub(lambda _: block, text, count=1)
    return text + ("" if text.endswith("\n") or not text else "\n") + block


def _parsed(text: str, path: Path) -> VariantConfig | None:
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        copy.write_text(text, encoding="utf-8")
        try:
            return load_config(VariantConfig, copy).value
        except ConfigError:
            return None
