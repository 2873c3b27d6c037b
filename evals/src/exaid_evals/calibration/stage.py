"""Calibration from end to end: no leakage, the sweep, the choice, and where it comes from."""

from __future__ import annotations

import json
import re
import tempfile
import textwrap
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median

from exaid_evals import __version__
from exaid_evals.artifacts.hashing import Signature, sha256_structure
from exaid_evals.artifacts.ids import ASSUMED, RECORDED, together
from exaid_evals.artifacts.manifest import Manifest, TraceEntry, read_manifest
from exaid_evals.artifacts.text_units import ctu
from exaid_evals.calibration.simulate import GATE_KIND, Policy, policies
from exaid_evals.calibration.sweep import Choice, Sweep, choose, sweep
from exaid_evals.config.base import load_config
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.metrics import CalibrationConfig
from exaid_evals.config.variant import Basis, FrozenConfig, PartConfig, VariantConfig
from exaid_evals.errors import ConfigError, DataError
from exaid_evals.middleware.gates import TokenGate, TokenGateSettings
from exaid_evals.middleware.registry import build_gate
from exaid_evals.replay.engine import stream_chunks
from exaid_evals.replay.eval_run import gate_hash
from exaid_evals.traces.freeze import verify_frozen
from exaid_evals.traces.model import Trace, read_trace

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


@dataclass(frozen=True)
class Plan:
    """What would be calibrated, checked.

    Attributes:
        traces: the campaign to calibrate on.
        manifest: of its traces, verified.
        n_evaluated: cases of the evaluated campaign, none of which is among them.
        config: grid, constraints, choice.
        chars_per_second: speed of text of whose time nothing was recorded.
        time_basis: whether the times of the text were recorded: `recorded`, `partly`, `assumed`; None without a
            conversation.
    """

    traces: Campaign
    manifest: Manifest
    n_evaluated: int
    config: CalibrationConfig
    chars_per_second: float
    time_basis: str | None

    @cached_property
    def grid(self) -> tuple[tuple[Policy, ...], int]:
        """The policies, and how many combinations are none."""
        return policies(self.config.grid)

    @property
    def conversations(self) -> tuple[TraceEntry, ...]:
        """The traces that hold a conversation."""
        return tuple(entry for entry in self.manifest.entries if not entry.failed)

    @property
    def resolved(self) -> dict[str, object]:
        """Return the whole configuration."""
        # Whose files are written decides nothing.
        config = self.config.model_dump(mode="json", exclude={"variants", "set_by_hand"})
        if config["first_flush"] == "conversation":
            config["first_flush"] = "talk"  # as it was once called: what was frozen then keeps its hash
        return {"calibration": config, "chars_per_second": self.chars_per_second}

    @property
    def calibration_hash(self) -> str:
        """Hash of all that the choice depends on: configuration, cases, traces, package version."""
        return sha256_structure(
            {
                **self.resolved,
                "cases": list(self.manifest.generation.ordered_case_list),
                "trace_dataset_hash": self.manifest.trace_dataset_hash,
                "version": __version__,
            }
        )

    @property
    def signature(self) -> Signature:
        """The line beside every number; no concept, language model or resample is involved."""
        return Signature(
            trace_dataset_hash=self.manifest.trace_dataset_hash,
            config_hash=sha256_structure(self.resolved),
            extractor_id="none",
            llm_id="none",
            bootstrap_resamples=0,
            bootstrap_seed=0,
            stub=self.manifest.stub,
            time_basis=self.time_basis,
        )


@dataclass(frozen=True)
class Calibration:
    """What came out.

    Attributes:
        plan: what was calibrated.
        sweep: all policies over all cases.
        choice: the policy that was chosen, and why.
        sensitivity: threshold of undersize in words → what it would have chosen; None where nobody survives it.
    """

    plan: Plan
    sweep: Sweep
    choice: Choice
    sensitivity: dict[int, Choice | None]

    @property
    def chosen(self) -> Policy:
        """The chosen policy."""
        return self.sweep.policies[self.choice.index]

    @property
    def gate(self) -> PartConfig:
        """The chosen gate."""
        return PartConfig.model_validate({"kind": GATE_KIND, **self.chosen.settings})

    def frozen(self, gate: PartConfig | None = None) -> FrozenConfig:
        """Return the provenance that goes into a variant's file.

        Args:
            gate: what follows from the choice for a variant with another gate; None takes the chosen gate.
        """
        return FrozenConfig(
            gate=gate or self.gate,
            calibration_hash=self.plan.calibration_hash,
            trace_dataset_hash=self.plan.manifest.trace_dataset_hash,
            cases=self.plan.manifest.generation.ordered_case_list,
            date=self.plan.manifest.created_at,
            version=__version__,
            stub=self.plan.manifest.stub,
        )


def plan_calibration(
    evaluated: Campaign,
    traces: Campaign,
    config: CalibrationConfig,
    *,
    chars_per_second: float,
    allow_assumed_time: bool = False,
) -> Plan:
    """Check that there is something to calibrate, on cases that nobody evaluates.

    Args:
        evaluated: the campaign whose evaluation the calibrated variant will be part of; its manifest is enough.
        traces: the campaign frozen for calibration.
        config: grid, constraints, choice.
        chars_per_second: speed of text of whose time nothing was recorded.
        allow_assumed_time: calibrate also where such text is.

    Raises:
        ConfigError: the two campaigns share cases (all are named), the grid holds no policy, or times are assumed.
        DataError: a manifest is missing or damaged.
        FrozenError: the calibration's traces are not what was frozen.
    """
    kept_away = set(read_manifest(evaluated.manifest_file).generation.ordered_case_list)
    manifest = read_manifest(traces.manifest_file)
    shared = [case_id for case_id in manifest.generation.ordered_case_list if case_id in kept_away]
    if shared:
        raise ConfigError(
            f"{len(shared)} of {len(manifest.generation.ordered_case_list)} cases are evaluated in {evaluated.root}, "
            f"so calibrating on them would leak: {', '.join(shared)}",
            where=str(traces.root),
            remedy=f"freeze others: `exaid-evals make-traces --data-dir OTHER --exclude-from {evaluated.root}`",
        )
    verify_frozen(traces)
    conversations = [entry.case_id for entry in manifest.entries if not entry.failed]
    basis = together(read_trace(traces.trace_file(case_id)).time_basis for case_id in conversations)
    if basis not in (None, RECORDED) and not allow_assumed_time:
        raise _assumed_time(traces, basis, chars_per_second)
    plan = Plan(traces, manifest, len(kept_away), config, chars_per_second, basis)
    if not plan.grid[0]:
        raise ConfigError(
            "no policy: every min_words exceeds every max_words",
            where="calibration: grid",
            remedy="lower min_words or raise max_words",
        )
    return plan


def _assumed_time(traces: Campaign, basis: str | None, chars_per_second: float) -> ConfigError:
    of = "no message" if basis == ASSUMED else "only some messages"
    return ConfigError(
        f"of {of} it is recorded when the text arrived, and limits of silence and waiting would be those of an "
        f"assumed {chars_per_second:g} characters a second",
        where=str(traces.root),
        remedy="calibrate on traces with recorded times; or, for want of them, with --allow-assumed-time",
    )


def calibrate(
    plan: Plan, *, jobs: int = 1, cluster: str | None = None, on_case: Callable[[str], None] = lambda _: None
) -> Calibration:
    """Try every policy on every case, and choose.

    Raises:
        DataError: a trace is damaged, there is no word, or no policy keeps every constraint.
    """
    config = plan.config
    tried = sweep(
        plan.traces,
        plan.conversations,
        plan.grid[0],
        chars_per_second=plan.chars_per_second,
        jobs=jobs,
        cluster=cluster,
        on_case=on_case,
    )
    choice = _choose(tried, config, config.undersize_words)
    thresholds = sorted({*config.undersize_sensitivity, config.undersize_words})
    return Calibration(plan, tried, choice, {words: _try(tried, config, words) for words in thresholds})


def _choose(tried: Sweep, config: CalibrationConfig, undersize_words: int) -> Choice:
    measures = tried.measures(undersize_words)
    return choose(tried.policies, measures, config, undersize_words=undersize_words)


def _try(tried: Sweep, config: CalibrationConfig, undersize_words: int) -> Choice | None:
    try:
        return _choose(tried, config, undersize_words)
    except DataError:
        return None


INTERVAL_KIND = "fixed_ctu"


def interval_gate(plan: Plan, policy: Policy) -> PartConfig:
    """Return the gate that lets go as much text at a time as a policy does in the median, whatever the text says.

    Args:
        plan: of the calibration, on whose conversations the flushes are taken.
        policy: of the token gate.

    Raises:
        DataError: a trace is damaged, or holds no word.
    """
    traces = (read_trace(plan.traces.trace_file(entry.case_id)) for entry in plan.conversations)
    size = round(median_flush_ctu(traces, policy, chars_per_second=plan.chars_per_second))
    return PartConfig.model_validate({"kind": INTERVAL_KIND, "threshold_ctu": max(size, 1)})


def median_flush_ctu(traces: Iterable[Trace], policy: Policy, *, chars_per_second: float) -> float:
    """Return the median size of the flushes of all conversations together, in CTU.

    Raises:
        DataError: there is none.
    """
    sizes = [
        ctu("".join(piece.text for piece in chunk.pieces))
        for trace in traces
        for chunk in stream_chunks(trace, TokenGate(TokenGateSettings(**policy.settings)), chars_per_second)
    ]
    if not sizes:
        raise DataError(
            f"{GATE_KIND} lets nothing go: the conversations hold no word", remedy="calibrate on other traces"
        )
    return float(median(sizes))
