"""`plan`: what stages 01 and 02 would do and cost, and everything that keeps them from it, before anything is spent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from exaid_evals.cli.options import (
    campaign_of,
    cases_option,
    config_dir_of,
    config_dir_option,
    data_dir_option,
    debug_option,
    exclude_from_option,
    force_option,
    jobs_option,
    limit_option,
    mac_dir_option,
    max_calls_option,
    max_ctu_option,
    mode_option,
    n_cases_option,
    option,
    overrides_of,
    seed_option,
    source_of,
    source_option,
    stub_option,
    variants_dir_option,
)
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.override import Override

MAKE_TRACES, RUN_VARIANTS = "make-traces", "run-variants"
_OF_TRACES = {"replay": "replay", "stub": "stub"}


@dataclass(frozen=True, slots=True)
class Prices:
    """What a provider asks for a million tokens, in any currency; None where the user gave no price."""

    input: float | None
    output: float | None


@click.command("plan")
@click.argument("variants", nargs=-1, metavar="[VARIANT]...")
@option(
    "--stage",
    type=click.Choice([MAKE_TRACES, RUN_VARIANTS]),
    default=None,
    help="The stage to plan.  [default: run-variants, and make-traces too where no traces are frozen yet]",
)
@data_dir_option
@config_dir_option
@variants_dir_option
@stub_option
@option("--llm", default=None, metavar="CLIENT", help="As for make-traces and run-variants.")
@option("--model", default=None, help="Live model behind the middleware, in place of the configured one.")
@option("--price-input", type=click.FloatRange(min=0), default=None, help="Price of a million tokens of prompts.")
@option("--price-output", type=click.FloatRange(min=0), default=None, help="Price of a million tokens of answers.")
@max_calls_option
@max_ctu_option
@seed_option
@n_cases_option
@mode_option
@source_option
@exclude_from_option
@limit_option
@cases_option
@jobs_option
@option("--retry-failed", is_flag=True, help="As for make-traces and run-variants.")
@force_option
@mac_dir_option
@option("--json", "as_json", is_flag=True, help="Print everything as one line of JSON.")
@debug_option
@click.pass_context
def command(
    ctx: click.Context,
    /,
    *,
    variants: tuple[str, ...],
    stage: str | None,
    data_dir: Path | None,
    stub: bool,
    llm: str | None,
    price_input: float | None,
    price_output: float | None,
    as_json: bool,
    **_others: Any,
) -> int:
    """Tell what make-traces and run-variants would do with the same options, and spend nothing.

    Prints each setting with its source, the cases, what is done or recorded already, the expected calls and CTU, and
    every problem at once. Exit status: 0 none; 2 one of the configuration at least; 1 problems of the data alone.

    With --price-input and --price-output (per million of the provider's tokens, in any currency) it also prints what
    that comes to. Tokens are CTU, at the ratio that the recorded calls show, or one to one.
    """
    if stub and llm not in (None, "stub"):
        raise click.UsageError(f"--llm {llm} in stub mode: leave out --stub and unset EXAID_STUB_MODE, or --llm")
    if (price_input is None) != (price_output is None):
        raise click.UsageError("give both --price-input and --price-output, or none")
    campaign = campaign_of(data_dir)
    stages = [stage] if stage else [RUN_VARIANTS] if campaign.manifest_file.exists() else [MAKE_TRACES, RUN_VARIANTS]
    if stages == [MAKE_TRACES] and llm not in (None, "openai", *_OF_TRACES):
        raise click.UsageError(f"--llm {llm}: MAC is answered by openai, replay or stub")
    return _tell(ctx, campaign, stages, variants, Prices(price_input, price_output), as_json=as_json)


def _tell(
    ctx: click.Context,
    campaign: Campaign,
    stages: list[str],
    variants: tuple[str, ...],
    prices: Prices,
    *,
    as_json: bool,
) -> int:
    from exaid_evals.artifacts.canonical import canonical_json
    from exaid_evals.cli.plan_facts import Facts, facts_of_runs, facts_of_traces, status_of, with_cost
    from exaid_evals.cli.plan_text import text_of
    from exaid_evals.replay import preflight as runs
    from exaid_evals.traces import preflight as traces

    facts: Facts = {
        "campaign": str(campaign.root),
        "options": _options(ctx),
        "environment": _environment(),
        "stages": {},
        "problems": [],
    }
    talk = None
    if MAKE_TRACES in stages:
        found = traces.preflight(campaign, _asked_of_traces(ctx))
        facts_of_traces(facts, found, replays=ctx.params["llm"] == "replay")
        talk = found.plan
    if RUN_VARIANTS in stages:
        asked = _asked_of_runs(ctx, variants)
        required = MAKE_TRACES not in stages
        facts_of_runs(facts, campaign, runs.preflight(campaign, asked, traces_required=required), asked, talk)
    with_cost(facts, prices)
    click.echo(_without_secrets(canonical_json(facts) if as_json else text_of(facts)), nl=as_json)
    return status_of(facts)


def _asked_of_traces(ctx: click.Context) -> Any:
    from exaid_evals.traces.preflight import Asked

    given = ctx.params
    exclude_from = given["exclude_from"]
    llm = given["llm"]
    return Asked(
        config_dir=config_dir_of(given["config_dir"]),
        stub=given["stub"] or llm == "stub",
        replay=llm == "replay",
        dataset=overrides_of(ctx, {"n_cases": "n_cases", "mode": "mode", "source": "source"}),
        generation=overrides_of(ctx, {"seed": "seed"}),
        mac_dir=given["mac_dir"],
        exclude_from=None if exclude_from is None else campaign_of(exclude_from),
        cases=given["cases"],
        limit=given["limit"],
        force=given["force"],
        dry_run=True,
        retry_failed=given["retry_failed"],
    )


def _asked_of_runs(ctx: click.Context, variants: tuple[str, ...]) -> Any:
    from exaid_evals.replay.preflight import Asked

    given = ctx.params
    overrides = overrides_of(ctx, {"llm": "llm.client", "model": "llm.model"})
    if given["stub"]:
        overrides["llm.client"] = Override("stub", _source(ctx, "stub"))
    names = ("cases", "limit", "jobs", "force", "max_calls", "max_ctu", "retry_failed", "variants_dir")
    return Asked(
        config_dir=config_dir_of(given["config_dir"]),
        variants=variants,
        overrides=overrides,
        **{name: given[name] for name in names},
    )


def _options(ctx: click.Context) -> dict[str, Mapping[str, Any]]:
    """Return the options that are no settings of a configuration, each with its value and its source."""
    settings = {"llm", "model", "n_cases", "mode", "source", "seed", "as_json", "stage", "variants"}
    found: dict[str, Mapping[str, Any]] = {}
    for parameter in ctx.command.params:
        name = parameter.name or ""
        if name in settings or name not in ctx.params:
            continue
        value = ctx.params[name]
        shown = str(value) if isinstance(value, Path) else list(value) if isinstance(value, tuple) else value
        found[parameter.opts[-1].removeprefix("--")] = {"value": shown, "source": source_of(ctx, parameter)}
    places = {
        "data-dir": campaign_of(ctx.params["data_dir"]).root,
        "config-dir": config_dir_of(ctx.params["config_dir"]),
    }
    for name, place in places.items():
        found[name] = {**found[name], "value": str(place)}
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


def _source(ctx: click.Context, name: str) -> str:
    return next(source_of(ctx, parameter) for parameter in ctx.command.params if parameter.name == name)
