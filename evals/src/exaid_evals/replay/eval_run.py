"""An evaluation run: what all cases of a campaign share, one case's run log, and whether it keeps to a calibration."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from exaid_evals import __version__
from exaid_evals.artifacts.canonical import canonical_json
from exaid_evals.artifacts.hashing import sha256_structure
from exaid_evals.clients.base import CallContext, LLMClient, describe
from exaid_evals.config.variant import Basis, FrozenConfig, PartConfig, SummarizerConfig, VariantConfig
from exaid_evals.replay.engine import replay
from exaid_evals.replay.run_log import FAILED, OK, SKIPPED_FAILED_TRACE, RunLog
from exaid_evals.traces.model import Trace


@dataclass(frozen=True)
class EvalRun:
    """One variant over one frozen data set; what all its cases share is computed once.

    Attributes:
        variant: what is replayed.
        summarizer: model and stream settings.
        llm: client, model and parameters, as described by the client.
        stub_llm: whether the client simulates.
        trace_dataset_hash: of the frozen traces.
    """

    variant: VariantConfig
    summarizer: SummarizerConfig
    llm: Mapping[str, Any]
    stub_llm: bool
    trace_dataset_hash: str

    @cached_property
    def config(self) -> dict[str, Any]:
        """The whole resolved configuration."""
        return {
            "variant": self.variant.model_dump(mode="json"),
            "llm": self.llm,
            "stream": self.summarizer.stream.model_dump(mode="json"),
        }

    @cached_property
    def config_hash(self) -> str:
        """Hash of `config`."""
        return sha256_structure(self.config)

    @cached_property
    def eval_run_id(self) -> str:
        """Names the run: the same inputs and configuration have the same id."""
        digest = sha256_structure({"config": self.config, "trace_dataset_hash": self.trace_dataset_hash})
        return f"eval-{digest.removeprefix('sha256:')[:16]}"


def eval_run(variant: VariantConfig, summarizer: SummarizerConfig, client: LLMClient, dataset_hash: str) -> EvalRun:
    """Describe the run of a variant with a client over a data set."""
    return EvalRun(variant, summarizer, describe(client), client.stub, dataset_hash)


def run_case(run: EvalRun, trace: Trace, trace_sha256: str, client: LLMClient) -> RunLog:
    """Replay one case and return its log; a failed trace gives run_meta alone.

    Raises:
        StoppedError: no more calls may be made.
        LLMError: a call failed for good.
    """
    if trace.failed:
        return RunLog(_meta(run, trace, trace_sha256, SKIPPED_FAILED_TRACE))
    meta = _meta(run, trace, trace_sha256, OK)
    client = client.bind(CallContext(run.eval_run_id, run.variant.variant_id, trace.case_id))
    speed = run.summarizer.stream.chars_per_second
    return RunLog(meta, *replay(trace, run.variant, client, chars_per_second=speed))


def failed_case(run: EvalRun, trace: Trace, trace_sha256: str, reason: str) -> RunLog:
    """Return the log of a case whose replay failed: `run_meta` alone, with the reason."""
    return RunLog({**_meta(run, trace, trace_sha256, FAILED), "failure_reason": reason})


def _meta(run: EvalRun, trace: Trace, trace_sha256: str, status: str) -> dict[str, Any]:
    meta = {
        "case_id": trace.case_id,
        "variant_id": run.variant.variant_id,
        "status": status,
        "eval_run_id": run.eval_run_id,
        "mas_run_id": trace.provenance.mas_run_id,
        "trace_sha256": trace_sha256,
        "trace_dataset_hash": run.trace_dataset_hash,
        "config": run.config,
        "config_hash": run.config_hash,
        "history_k": run.variant.history_k,
        "gate": run.variant.gate.model_dump(mode="json"),
        "trigger": run.variant.trigger.model_dump(mode="json"),
        "summarizer": run.variant.summarizer.model_dump(mode="json"),
        "llm": dict(run.llm),
        "stub": run.stub_llm or trace.provenance.stub,
        "created_at": trace.epoch,
        "versions": {"exaid-evals": __version__},
    }
    if trace.time_basis is not None:
        meta["time_basis"] = trace.time_basis
    note = calibration_note(run.variant, trace.case_id)
    if note is not None:
        meta["calibration"] = note
    return meta


def gate_hash(gate: PartConfig) -> str:
    """Return what stands as `calibration_hash` of a gate that was set by hand: nothing but the gate decides it."""
    return sha256_structure({"gate": gate.model_dump(mode="json")})


def calibration_note(variant: VariantConfig, case_id: str) -> dict[str, Any] | None:
    """Return what a run's `run_meta` says about the calibration; None where none is recorded.

    Returns:
        The calibration's hash; whether the gate is `as_calibrated`; each setting that is not, with both values; and
        whether the gate was `calibrated_on_this_case`, which makes the run no evaluation.
    """
    frozen = variant.frozen
    if frozen is None:
        return None
    differences = _differences(variant, frozen)
    return {
        "calibration_hash": frozen.calibration_hash,
        "as_calibrated": not differences,
        "differences": differences,
        "calibrated_on_this_case": case_id in frozen.cases,
    }


def remarks(variants: Sequence[VariantConfig], case_ids: Iterable[str], *, stub_conversation: bool) -> Iterator[str]:
    """Yield what a user must know, before a run, about variants that do not keep to their calibration.

    Args:
        variants: about to be run.
        case_ids: the cases about to be run.
        stub_conversation: whether their conversation is simulated.
    """
    wanted = sorted(case_ids)
    for variant in variants:
        frozen = variant.frozen
        if frozen is None:
            continue
        differences = _differences(variant, frozen)
        if differences:
            shown = ", ".join(
                f"{name} is {canonical_json(both['used'])}, and {canonical_json(both['calibrated'])} was recorded"
                for name, both in differences.items()
            )
            yield f"{variant.variant_id} differs from its recorded calibration: {shown}; run_meta says so"
        shared = [case_id for case_id in wanted if case_id in set(frozen.cases)]
        if shared:
            more = ", …" if len(shared) > 3 else ""
            shown = f"{len(shared)} of these cases ({', '.join(shared[:3])}{more})"
            yield f"{variant.variant_id} was calibrated on {shown}, which evaluates nothing; run_meta says so"
        if frozen.stub and not stub_conversation:
            yield (
                f"{variant.variant_id} was calibrated on simulated conversations, and this conversation is not; "
                "calibrate it on conversation of the same kind, of other cases"
            )


def _differences(variant: VariantConfig, frozen: FrozenConfig) -> dict[str, dict[str, Any]]:
    calibrated, used = frozen.gate.model_dump(mode="json"), variant.gate.model_dump(mode="json")
    differences = {
        name: {"calibrated": calibrated.get(name), "used": used.get(name)}
        for name in sorted({*calibrated, *used})
        if calibrated.get(name) != used.get(name)
    }
    if frozen.basis is Basis.SET and frozen.calibration_hash != gate_hash(frozen.gate):
        # An edit of gate and record alike is found by the record's own hash.
        differences["calibration_hash"] = {"calibrated": frozen.calibration_hash, "used": gate_hash(frozen.gate)}
    return differences
