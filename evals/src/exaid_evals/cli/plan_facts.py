"""What `plan` has found, as plain data: printed as text, or as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from exaid_evals.cli.display import Progress
from exaid_evals.clients.replay import Count
from exaid_evals.config.base import Config, Loaded
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.mapping_file import leaves
from exaid_evals.config.requests import RunsRequest
from exaid_evals.errors import ConfigError, ExaidError
from exaid_evals.replay.forecast import Forecast, forecast, forecast_of_conversation
from exaid_evals.replay.preflight import Preflight as RunsPreflight
from exaid_evals.traces.plan import Plan as TracesPlan
from exaid_evals.traces.plan import Preflight as TracesPreflight

Facts = dict[str, Any]
_FIRST = 5
_MILLION = 1_000_000
_OF_STUB_CONVERSATION, _OF_LIVE_CONVERSATION = ("live", "mac.model_config_file"), ("stub", "seed", "epoch")
TOKENS = ("prompt", "completion")


def status_of(facts: Facts) -> int:
    """Return the exit status: 0 without a problem, 2 with one of the configuration, else 1."""
    return max((problem["exit_status"] for problem in facts["problems"]), default=0)


def facts_of_traces(facts: Facts, found: TracesPreflight, *, replays: bool) -> None:
    """Add what stage 01 would do; a conversation that replays its recording asks nobody."""
    plan = found.plan
    # Before anything is known of the cases: is the conversation live?
    live = found.model is not None
    stage: Facts = {"conversation": "live" if live else "simulated", "replays": replays, "configuration": {}}
    _add_settings(stage, "dataset.yaml", found.dataset)
    _add_settings(
        stage, "mas_generation.yaml", found.generation, but=_OF_LIVE_CONVERSATION if live else _OF_STUB_CONVERSATION
    )
    if found.generation is not None:
        _add_settings(stage, found.generation.value.mac.model_config_file, found.model)
    if plan is not None:
        generation = plan.manifest.generation
        stage["cases"] = {
            "source": generation.case_source,
            "available": generation.n_cases_available,
            **_cases(plan.case_ids),
            "frozen": len(plan.case_ids) if plan.frozen else 0,
            "failed": len(plan.frozen.failed_cases) if plan.frozen else 0,
        }
        if live and plan.frozen is None:
            _add_macs_calls(facts, stage, plan)
    facts["stages"]["make-traces"] = stage
    _add_problems(facts, "make-traces", found.problems)


def _add_macs_calls(facts: Facts, stage: Facts, plan: TracesPlan) -> None:
    from exaid_evals.traces.mac.forecast import forecast as forecast_of_mac
    from exaid_evals.traces.mac.recording import recording_file

    recording = recording_file(plan.campaign, plan.manifest.generation.mas_run_id)
    try:
        found = forecast_of_mac(plan.generation_config, plan.cases, recording, retry_failed=plan.retry_failed)
    except ExaidError as error:
        _add_problems(facts, "make-traces", [error])
        return
    stage["calls"] = {
        "cases_recorded": found.n_recorded,
        "cases_to_do": found.n_to_do,
        "recorded": _count(found.recorded),
        "expected": _count(found.expected),
        "high": _count(found.high),
        "basis": found.basis,
        "instructions_known": found.ctu_known,
        "tokens_per_ctu": {"prompt": found.prompt_tokens_per_ctu, "completion": found.completion_tokens_per_ctu},
    }


def facts_of_runs(facts: Facts, request: RunsRequest, found: RunsPreflight, conversation: TracesPlan | None) -> None:
    """Add what stage 02 would do: over the frozen conversation, or, as long as there is none, over a simulated one."""
    stage: Facts = {"configuration": {}, "remarks": list(found.remarks)}
    but = () if found.config and found.config.value.llm.client == "stub" else ("stub",)
    _add_settings(stage, "summarizer.yaml", found.config, but=but)
    for variant in found.variants:
        source = str(request.variants_folder / f"{variant.variant_id}.yaml")
        set_in = leaves(variant.model_dump(mode="json", exclude={"variant_id", "description", "frozen"}))
        stage["configuration"][source] = {key: {"value": value, "source": source} for key, value in set_in.items()}
    if found.plan is not None:
        entries = found.plan.entries
        failed = [entry.case_id for entry in found.plan.manifest.entries if entry.failed]
        stage["cases"] = {
            **_cases([entry.case_id for entry in entries]),
            "frozen": len(found.plan.manifest.entries),
            "failed": len(failed),
        }
    _add_problems(facts, "run-variants", found.problems)
    if found.settings is not None and found.client is not None:
        replays = found.config is not None and found.config.value.llm.client == "replay"
        stage["client"] = {"name": found.client.name, "model": found.client.model, "stub": found.client.stub}
        stage["client"]["replays"] = replays
        try:
            _add_calls(stage, request.campaign, found, conversation)
        except ExaidError as error:
            _add_problems(facts, "run-variants", [error])
    elif found.plan is not None and not found.plan.work:
        stage["calls"] = {"conversation": "frozen", "variants": [], "nothing_to_do": True}
    facts["stages"]["run-variants"] = stage


def _add_calls(stage: Facts, campaign: Campaign, found: RunsPreflight, conversation: TracesPlan | None) -> None:
    assert found.settings is not None  # noqa: S101 - for the type checker
    assert found.client is not None  # noqa: S101
    if found.plan is not None:
        forecasts = forecast(campaign, found.settings, found.plan, found.client)
        stage["calls"] = {"conversation": "frozen", "variants": _described(forecasts, len(found.variants))}
    elif conversation is not None:
        from exaid_evals.traces.stub.generator import StubSource

        stub = StubSource(conversation.generation_config, conversation.provenance, conversation.every_case)
        traces = [stub.generate(case) for case in conversation.cases]
        forecasts = forecast_of_conversation(found.settings, found.client, traces)
        stage["calls"] = {"conversation": "simulated", "variants": _described(forecasts, len(found.variants))}


def _described(forecasts: Iterable[Forecast], n_variants: int) -> list[Facts]:
    lines = []
    with Progress("plan", n_variants, unit="variant") as progress:
        for found in forecasts:
            lines.append(_variant(found))
            progress.advance(found.variant_id)
    return lines


def _variant(found: Forecast) -> Facts:
    return {
        "variant_id": found.variant_id,
        "eval_run_id": found.eval_run_id,
        "runs_current": found.n_current,
        "runs_to_do": found.n_to_do,
        "flushes": found.flushes,
        "recorded": _count(found.recorded),
        "expected": _count(found.expected),
        "high": _count(found.high),
        "measured": {"calls": found.measured.n_calls, "yes_share": found.measured.yes_share}
        | {"summary_ctu": found.measured.summary_ctu},
        "tokens_per_ctu": {
            "prompt": found.measured.prompt_tokens_per_ctu,
            "completion": found.measured.completion_tokens_per_ctu,
        },
        "unusable": list(found.unusable),
        "problem": found.problem,
    }


def with_cost(facts: Facts, price_input: float | None, price_output: float | None) -> None:
    """Add the sum of the calls to come, and what they would cost at prices for a million tokens."""
    totals: dict[str, Any] = {}
    for level in ("expected", "high"):
        rows = list(_rows(facts))
        total = {name: sum(row[level][name] for row in rows) for name in ("calls", "prompt_ctu", "completion_ctu")}
        tokens = {
            side: sum(row[level][f"{side}_ctu"] * (row["tokens_per_ctu"][side] or 1.0) for row in rows)
            for side in TOKENS
        }
        total |= {f"{side}_tokens": round(value) for side, value in tokens.items()}
        total["cost"] = None
        if price_input is not None and price_output is not None:
            total["cost"] = (tokens["prompt"] * price_input + tokens["completion"] * price_output) / _MILLION
        totals[level] = total
    ratios = [row["tokens_per_ctu"]["prompt"] for row in _rows(facts)]
    unknown = any(
        "calls" not in stage for stage in facts["stages"].values() if stage.get("conversation") != "simulated"
    )
    facts["total"] = {
        **totals,
        # Without the calls of some stage, a sum over the others would pass for the whole.
        "complete": not (unknown and facts["problems"]),
        "tokens": "as recorded" if ratios and all(ratios) else "one CTU taken for one token where none is recorded",
        "prices": {"input": price_input, "output": price_output},
    }


def _rows(facts: Facts) -> Iterable[Facts]:
    """Yield what is to be paid for, stage by stage and variant by variant."""
    stages = facts["stages"]
    conversation = stages.get("make-traces", {})
    if conversation.get("calls") and not conversation["replays"]:
        yield conversation["calls"]
    runs = stages.get("run-variants", {})
    client = runs.get("client", {})
    if not client.get("stub", False) and not client.get("replays", False):
        yield from runs.get("calls", {}).get("variants", [])


def _count(count: Count) -> Facts:
    return {
        "calls": count.n_calls,
        "of": dict(sorted(count.calls.items())),
        "prompt_ctu": count.prompt_ctu,
        "completion_ctu": count.completion_ctu,
    }


def _cases(ids: Sequence[str]) -> Facts:
    return {"wanted": len(ids), "first": list(ids[:_FIRST])}


def _add_settings(stage: Facts, name: str, loaded: Loaded[Any] | None, *, but: Sequence[str] = ()) -> None:
    if loaded is None:
        return
    value: Config = loaded.value
    settings = {
        key: {"value": setting, "source": loaded.sources.get(key, "default")}
        for key, setting in leaves(value.model_dump(mode="json")).items()
        if not any(key == left_out or key.startswith(f"{left_out}.") for left_out in but)
    }
    stage["configuration"][name] = settings


def _add_problems(facts: Facts, stage: str, problems: Iterable[ExaidError]) -> None:
    known = {problem["text"] for problem in facts["problems"]}
    facts["problems"] += [
        {
            "stage": stage,
            "text": str(problem),
            "what": problem.what,
            "where": problem.where,
            "remedy": problem.remedy,
            "exit_status": 2 if isinstance(problem, ConfigError) else 1,
        }
        for problem in problems
        if str(problem) not in known
    ]
