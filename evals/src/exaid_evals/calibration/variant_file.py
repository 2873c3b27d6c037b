"""A variant's file with frozen settings: one block or two are rewritten, and the rest stays as it was typed."""

from __future__ import annotations

import json
import re
import tempfile
import textwrap
from pathlib import Path

from exaid_evals import __version__
from exaid_evals.calibration.simulate import GATE_KIND, Policy
from exaid_evals.config.base import load_config
from exaid_evals.config.variant import Basis, FrozenConfig, VariantConfig
from exaid_evals.errors import ConfigError
from exaid_evals.middleware.gates import TokenGateSettings
from exaid_evals.middleware.registry import build_gate
from exaid_evals.replay.eval_run import gate_hash

_COMMENT_COLUMN = 29
_WIDTH = 120


def frozen_blocks(frozen: FrozenConfig) -> dict[str, str]:
    """Return top-level key → its YAML block: the provenance, and the gate where it was chosen and not set."""
    settings = [f"{name}: {value}" for name, value in frozen.gate.model_dump(mode="json").items()]
    provenance = [
        _commented("frozen:", "written by `exaid-evals calibrate --write`; runs say where the gate differs from it"),
        f"  gate: {{{', '.join(settings)}}}",
        f"  basis: {frozen.basis.value}",
        *([f"  reason: {json.dumps(frozen.reason, ensure_ascii=False)}"] if frozen.reason else []),
        f"  calibration_hash: {frozen.calibration_hash}",
        f'  version: "{frozen.version}"',
    ]
    if frozen.basis is Basis.SET:
        return {"frozen": _joined(provenance)}
    cases = textwrap.wrap(
        f"cases: [{', '.join(frozen.cases)}]",
        _WIDTH,
        initial_indent="  ",
        subsequent_indent="    ",
        break_on_hyphens=False,
        break_long_words=False,
    )
    provenance += [
        f"  trace_dataset_hash: {frozen.trace_dataset_hash}",
        f"  date: {frozen.date}",
        f"  stub: {'true' if frozen.stub else 'false'}",
        *cases,
    ]
    gate = [
        _commented("gate:", "calibrated on cases that are not evaluated: see `frozen`"),
        *(f"  {setting}" for setting in settings),
    ]
    return {"gate": _joined(gate), "frozen": _joined(provenance)}


def frozen_as_set(path: Path, reason: str) -> FrozenConfig:
    """Return the provenance of a gate that is frozen as it stands in a variant's file.

    Args:
        path: the file.
        reason: why the gate is what it is.

    Raises:
        ConfigError: the file is not a variant.
    """
    gate = load_config(VariantConfig, path).value.gate
    return FrozenConfig(
        gate=gate, basis=Basis.SET, reason=reason, calibration_hash=gate_hash(gate), version=__version__
    )


def current_policy(path: Path) -> Policy:
    """Return the policy that a variant's file holds.

    Raises:
        ConfigError: the file is not a variant, or has no sound token gate.
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
    """Return what a variant's file becomes; where the gate was set, only its provenance is new.

    Raises:
        ConfigError: the file is not a variant, or is laid out so that replacing its blocks would change something else.
    """
    before = load_config(VariantConfig, path).value
    text = path.read_bytes().decode("utf-8")
    for key, block in frozen_blocks(frozen).items():
        text = _replaced(text, key, block.replace("\n", "\r\n") if "\r\n" in text else block)
    if _parsed(text, path) != before.model_copy(update={"gate": frozen.gate, "frozen": frozen}):
        raise ConfigError(
            "the blocks `gate` and `frozen` cannot be replaced in this layout",
            where=str(path),
            remedy="write each as a block of its own at the left margin, or enter the printed blocks by hand",
        )
    return text


def _joined(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


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
        copy.write_bytes(text.encode("utf-8"))
        try:
            return load_config(VariantConfig, copy).value
        except ConfigError:
            return None
