"""`plan`: what stages 01 and 02 would do and cost, and everything that keeps them from it, before anything is spent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from exaid_evals.artifacts.canonical import canonical_json
from exaid_evals.cli.display import aligned, printable, printable_lines, shown
from exaid_evals.cli.verb import verb
from exaid_evals.config.request import options_of
from exaid_evals.config.requests import PlanRequest, RunsRequest, TracesRequest

_HEADINGS = {"make-traces": "01 make-traces", "run-variants": "02 run-variants"}
_LEVELS = ("expected", "high")


def text_of(facts: Mapping[str, Any]) -> str:
    """Return everything as text, problems last, where nobody overlooks them."""
    lines = [*_given(facts)]
    for name, stage in facts["stages"].items():
        lines += ["", f"--- {_HEADINGS[name]}", *_settings(stage["configuration"])]
        lines += [*_of_traces(stage)] if name == "make-traces" else [*_of_runs(stage)]
    lines += ["", *_total(facts), "", *_problems(facts["problems"])]
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _given(facts: Mapping[str, Any]) -> Iterator[str]:
    rows = [
        (f"  {name}", _value(one["value"], name), one["source"])
        for name, one in facts["options"].items()
        if one["source"] != "default" or name in ("data-dir", "config-dir")
    ]
    rows += [(f"  {name}", value, "environment") for name, value in facts["environment"].items()]
    yield from aligned(rows)


def _settings(configuration: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for settings in configuration.values():
        rows = [(f"  {key}", _value(one["value"]), _source(one["source"])) for key, one in settings.items()]
        yield from aligned(rows)


def _of_traces(stage: Mapping[str, Any]) -> Iterator[str]:
    yield ""
    cases = stage.get("cases")
    if cases is None:
        yield "cases: unknown, see the problems"
        return
    yield f"conversation: {stage['conversation']}"
    yield (
        f"cases: {cases['wanted']:,} of {cases['available']:,} ({cases['source']}), {cases['frozen']:,} frozen, "
        f"{cases['failed']:,} of them failed: {_first(cases)}"
    )
    calls = stage.get("calls")
    if calls is None:
        done = "nothing is left to do" if cases["frozen"] else "no language model is asked"
        yield f"calls: none; {done}"
        return
    yield f"recorded: {calls['cases_recorded']:,} cases to their end, {calls['recorded']['calls']:,} calls"
    yield from _table(
        ["calls of MAC", "cases to do", "speaker", "message", "prompt CTU", "answer CTU"],
        [
            [
                level,
                calls["cases_to_do"],
                *(calls[level]["of"].get(task, 0) for task in ("speaker", "message")),
                *(calls[level][name] for name in ("prompt_ctu", "completion_ctu")),
            ]
            for level in _LEVELS
        ],
    )
    yield f"expected: by {calls['basis']}"
    yield "high: all rounds, and each speaker asked for as often as MAC's code may"
    if not calls["instructions_known"]:
        yield "the instructions of this commit of MAC are not known: their CTU are missing"


def _of_runs(stage: Mapping[str, Any]) -> Iterator[str]:
    yield ""
    client = stage.get("client")
    if client is not None:
        name = f"replay of what {client['name']} answered" if client["replays"] else client["name"]
        free = ", simulated" if client["stub"] else ", recorded" if client["replays"] else ""
        yield f"client: {name}, model {printable(client['model'])}{free}{': it costs nothing' if free else ''}"
    cases = stage.get("cases")
    if cases is not None:
        yield (
            f"cases: {cases['wanted']:,} of {cases['frozen']:,} frozen, {cases['failed']:,} of them failed: "
            f"{_first(cases)}"
        )
    calls = stage.get("calls")
    if calls is not None and calls.get("nothing_to_do"):
        yield "calls: none; all run logs are current"
    elif calls is not None:
        yield from _calls(calls)
    for remark in stage["remarks"]:
        yield f"note: {remark}"


def _calls(calls: Mapping[str, Any]) -> Iterator[str]:
    if calls["conversation"] == "simulated":
        yield "nothing is frozen yet: forecast over simulated conversations about these cases; plan again when it is"
    header = ["variant", "to do", "current", "flushes", "recorded"]
    header += ["calls", "high", "prompt CTU", "high", "answer CTU", "high"]
    rows = []
    for one in calls["variants"]:
        row = [one["variant_id"], one["runs_to_do"], one["runs_current"], one["flushes"], one["recorded"]["calls"]]
        for name in ("calls", "prompt_ctu", "completion_ctu"):
            row += [one[level][name] for level in _LEVELS]
        rows.append(row)
    yield from _table(header, rows)
    for one in calls["variants"]:
        if one["problem"]:
            yield f"{one['variant_id']}: cannot be forecast: {printable_lines(one['problem'])}"
        if one["unusable"]:
            yield (
                f"{one['variant_id']}: recorded answers about {', '.join(one['unusable'][:3])} cannot be used; "
                "--retry-failed asks a live model anew"
            )
    yield (
        "flushes, and with them the trigger's decisions, are exact"
        if calls["conversation"] == "frozen"
        else "flushes are those of the simulated conversations"
    )
    yield "expected: as the recorded calls of a variant, else every decision summarises, half as long as allowed"
    yield "high: every decision summarises, as long as allowed"


def _total(facts: Mapping[str, Any]) -> Iterator[str]:
    total = facts["total"]
    if not total["complete"]:
        yield "to come: unknown until the problems below are solved"
        return
    for level in _LEVELS:
        one = total[level]
        cost = "" if one["cost"] is None else f", cost {one['cost']:,.4f}"
        yield (
            f"to come, {level}: {one['calls']:,} calls, {one['prompt_ctu'] + one['completion_ctu']:,} CTU "
            f"(about {one['prompt_tokens']:,} + {one['completion_tokens']:,} tokens{cost})"
        )
    if total["prices"]["input"] is not None:
        prices = total["prices"]
        yield f"prices: {prices['input']:g} and {prices['output']:g} per million tokens; {total['tokens']}"
    yield from _against_budget(facts)
    yield "not counted: answers asked for once more, requests sent again after errors, text that a trigger holds back"


def _against_budget(facts: Mapping[str, Any]) -> Iterator[str]:
    expected = facts["total"]["expected"]
    needed = {"max-calls": expected["calls"], "max-ctu": expected["prompt_ctu"] + expected["completion_ctu"]}
    for name, n_needed in needed.items():
        limit = facts["options"][name]["value"]
        if limit is not None and limit < n_needed:
            yield f"--{name} {limit:,} will stop before the expected {n_needed:,}; the same command then goes on"


def _problems(problems: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if not problems:
        yield "no problem: ready"
        return
    yield f"{len(problems)} problem{'' if len(problems) == 1 else 's'}:"
    for problem in problems:
        yield f"  - {problem['stage']}: {printable_lines(problem['text'])}"


def _first(cases: Mapping[str, Any]) -> str:
    more = ", …" if cases["wanted"] > len(cases["first"]) else ""
    return printable(", ".join(cases["first"])) + more


def _value(value: Any, name: str = "") -> str:
    if name.endswith("-dir") and value is not None:
        return shown(Path(value))
    return printable(value) if isinstance(value, str) else canonical_json(value)


def _source(source: str) -> str:
    return shown(Path(source)) if Path(source).is_absolute() else source


def _table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> Iterator[str]:
    cells = [[cell if isinstance(cell, str) else f"{cell:,}" for cell in row] for row in [header, *rows]]
    return aligned(cells, numbers=True)


MAKE_TRACES, RUN_VARIANTS = "make-traces", "run-variants"
_OF_CONFIGURATIONS = {"llm", "model", "n_cases", "mode", "source", "seed", "as_json", "stage", "variants"}


def run(request: PlanRequest) -> int:
    """Show what make-traces and run-variants would do with the same options, and spend nothing.

    Prints each setting with its source, the cases, what is done or recorded already, the expected calls and CTU, and
    every problem at once. Exit status: 0 no problem; 2 at least one in the configuration; 1 problems in the data alone.

    With --price-input and --price-output (per million of the provider's tokens, in any currency) it also prints what
    that comes to. Tokens are CTU, at the ratio that the recorded calls show, or one to one.
    """
    from exaid_evals.artifacts.canonical import canonical_json
    from exaid_evals.cli.plan_facts import Facts, facts_of_runs, facts_of_traces, status_of, with_cost
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
