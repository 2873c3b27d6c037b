"""An evaluation run: what all cases of a campaign share, and one case's run log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from exaid_evals import __version__
from exaid_evals.artifacts.hashing import sha256_structure
from exaid_evals.clients.base import CallContext, LLMClient, describe
from exaid_evals.config.summarizer import SummarizerConfig
from exaid_evals.config.variant import VariantConfig
from exaid_evals.replay.calibrated import calibration_note
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
