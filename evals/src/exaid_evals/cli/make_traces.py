"""`exaid-evals make-traces`: freeze the agents' conversation about the selected cases."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from exaid_evals.cli.display import SOME_FAILED, Progress, printable_lines, shown
from exaid_evals.cli.verb import alone, verb
from exaid_evals.config.requests import TracesRequest

if TYPE_CHECKING:
    from exaid_evals.traces.generate import Plan, Result


@alone
def run(request: TracesRequest) -> int:
    """Stage 01: freeze the agents' conversation about the selected cases.

    Writes traces/case-….jsonl.gz and manifests/dataset_manifest.jsonl. Traces are written once: the same command again
    has nothing to do, an interrupted one continues, another configuration needs --force or another --data-dir.

    Without --stub, MAC itself generates the conversation: its commit is verified, its model is the one of
    mac_model_config.json, with the key in OPENAI_API_KEY (or GOOGLE_API_KEY) and, where it is not the provider's own,
    the service in OPENAI_BASE_URL. Every call is recorded in cassettes/, and with --llm replay the same traces are made
    again without key and network.
    """
    from exaid_evals.clients.base import Budget
    from exaid_evals.traces.generate import make_traces
    from exaid_evals.traces.plan import preflight
    from exaid_evals.verification.expected import note_configuration

    request.require_simulated(simulated=request.simulated)
    plan = preflight(request).required()
    if plan.source_reason:
        click.echo(f"cases: {plan.manifest.generation.case_source}: {plan.source_reason}", err=True)
    if request.dry_run:
        _show_plan(plan)
        return 0
    if plan.frozen is not None:
        result = make_traces(plan)
    else:
        with Progress("make-traces", len(plan.cases)) as progress:
            result = make_traces(
                plan,
                jobs=request.jobs,
                cluster=request.cluster,
                budget=Budget(request.max_calls, request.max_ctu),
                on_case=lambda case: progress.advance(case.case_id),
                on_note=lambda note: click.echo(note, err=True),
            )
    if not result.stopped:
        note_configuration(
            request.output,
            "01",
            {
                "dataset.yaml": plan.dataset.model_dump(mode="json") | {"source": plan.manifest.generation.case_source},
                "mas_generation.yaml": plan.generation_config.model_dump(mode="json"),
            },
        )
    _show_result(plan, result)
    return SOME_FAILED if result.failed or result.stopped else 0


command = verb("make-traces", TracesRequest, run)


def _show_plan(plan: Plan) -> None:
    generation = plan.manifest.generation
    state = "frozen already, nothing to do" if plan.frozen is not None else "would be made"
    click.echo(f"{len(plan.cases)} of {generation.n_cases_available} cases ({generation.case_source}): {state}")
    for case in plan.cases:
        click.echo(f"  {case.case_id}  {case.category}")


def _show_result(plan: Plan, result: Result) -> None:
    entries = result.manifest.entries
    conversations = [entry for entry in entries if not entry.failed]
    if result.nothing_to_do:
        click.echo("nothing to do: the same traces are frozen already", err=True)
    if result.reused:
        click.echo(f"went on from an interrupted call: {len(result.reused)} traces were there", err=True)
    if result.removed:
        click.echo(f"removed {len(result.removed)} traces of other cases", err=True)
    for case_id, reason in result.failed:
        click.echo(f"failed: {case_id}: {printable_lines(reason)}", err=True)
    rows = [
        ("cases", f"{len(entries)} ({result.manifest.generation.case_source})"),
        ("messages", f"{sum(entry.n_records for entry in conversations)}"),
        ("CTU", f"{sum(entry.text_units_ctu for entry in conversations)}"),
        ("failed", f"{len(result.failed)}"),
        ("stub", "yes" if result.manifest.stub else "no"),
        *([] if result.manifest.stub else [("model", result.manifest.generation.base_model)]),
        ("traces", shown(plan.campaign.traces)),
        ("part", f"{plan.shard}") if plan.shard else ("manifest", shown(plan.campaign.manifest_file)),
    ]
    for name, value in rows:
        click.echo(f"{name:<9} {value}")
    if result.spent.calls:
        recorded = f"recorded in {shown(plan.campaign.cassettes)}"
        click.echo(f"{result.spent.calls:,} requests to the model, {result.spent.ctu:,} CTU, {recorded}")
    if result.stopped:
        click.echo(f"stopped with {result.left} cases to go, and nothing frozen: {result.stopped}", err=True)
