"""`plan`: what stages 01 and 02 would do and cost, and everything that keeps them from it, before anything is spent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from exaid_evals.cli.verb import verb
from exaid_evals.config.request import options_of
from exaid_evals.config.requests import PlanRequest, RunsRequest, TracesRequest

MAKE_TRACES, RUN_VARIANTS = "make-traces", "run-variants"
_OF_CONFIGURATIONS = {"llm", "model", "n_cases", "mode", "source", "seed", "as_json", "stage", "variants"}


def run(request: PlanRequest) -> int:
    """Tell what make-traces and run-variants would do with the same options, and spend nothing.

    Prints each setting with its source, the cases, what is done or recorded already, the expected calls and CTU, and
    every problem at once. Exit status: 0 none; 2 one of the configuration at least; 1 problems of the data alone.

    With --price-input and --price-output (per million of the provider's tokens, in any currency) it also prints what
    that comes to. Tokens are CTU, at the ratio that the recorded calls show, or one to one.
    """
    from exaid_evals.artifacts.canonical import canonical_json
    from exaid_evals.cli.plan_facts import Facts, facts_of_runs, facts_of_traces, status_of, with_cost
    from exaid_evals.cli.plan_text import text_of
    from exaid_evals.replay import preflight as runs
    from exaid_evals.traces import plan as traces

    frozen = request.campaign.manifest_file.exists()
    stages = [request.stage] if request.stage else [RUN_VARIANTS] if frozen else [MAKE_TRACES, RUN_VARIANTS]
    if stages == [MAKE_TRACES]:
        request.require_macs_client()
    facts: Facts = {
        "campaign": str(request.campaign.root),
        "options": _options(request),
        "environment": _environment(),
        "stages": {},
        "problems": [],
    }
    conversation = None
    if MAKE_TRACES in stages:
        of_traces = request.derive(TracesRequest)
        found = traces.preflight(of_traces)
        facts_of_traces(facts, found, replays=of_traces.replayed)
        conversation = found.plan
    if RUN_VARIANTS in stages:
        of_runs = request.derive(RunsRequest)
        required = MAKE_TRACES not in stages
        facts_of_runs(facts, of_runs, runs.preflight(of_runs, traces_required=required), conversation)
    with_cost(facts, request.price_input, request.price_output)
    click.echo(_without_secrets(canonical_json(facts) if request.as_json else text_of(facts)), nl=request.as_json)
    return status_of(facts)


command = verb("plan", PlanRequest, run)


def _options(request: PlanRequest) -> dict[str, dict[str, Any]]:
    """Return the options that are not settings of a configuration, each with its value and its source."""
    found: dict[str, dict[str, Any]] = {}
    places = {"data_dir": request.campaign.root, "config_dir": request.configs}
    for name, one in options_of(type(request)).items():
        if name in _OF_CONFIGURATIONS:
            continue
        value = places.get(name, getattr(request, name))
        shown = str(value) if isinstance(value, Path) else list(value) if isinstance(value, tuple) else value
        found[one.long_name(name).removeprefix("--")] = {"value": shown, "source": request.source_of(name)}
    return found


def _environment() -> dict[str, str]:
    """Return what the environment says of the services: whether there is a key, and the URL without its secrets."""
    from exaid_evals.clients.endpoint import PROVIDERS, endpoint_of

    found = {}
    for provider, (key_variable, url_variable, _) in PROVIDERS.items():
        endpoint = endpoint_of(provider)
        found[key_variable] = "set" if endpoint.key else "not set"
        found[url_variable] = endpoint.shown or "not a URL"
    return found


def _without_secrets(text: str) -> str:
    """Take out what the environment keeps secret, for it may have been written into a configuration too."""
    from exaid_evals.clients.endpoint import PROVIDERS, endpoint_of

    for provider in PROVIDERS:
        text = endpoint_of(provider).redactor.shown(text)
    return text
