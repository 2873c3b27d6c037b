"""Options that several verbs share. Each also reads EXAID_<NAME>; the source of a value is kept."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from exaid_evals.config.campaign import Campaign
from exaid_evals.config.override import Override
from exaid_evals.config.resources import configs_dir, default_data_dir

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def option(*declarations: str, **settings: Any) -> Callable[[Decorated], Decorated]:
    """Declare an option that also reads `EXAID_<NAME>`, and says so in the help."""
    long = next(part for part in declarations if part.startswith("--")).split("/")[0]
    settings.setdefault("envvar", "EXAID_" + long.removeprefix("--").replace("-", "_").upper())
    settings.setdefault("show_envvar", True)
    return click.option(*declarations, **settings)


def _ids(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> tuple[str, ...] | None:
    if value is None:
        return None
    ids = tuple(part.strip() for part in value.split(",") if part.strip())
    if not ids:
        raise click.BadParameter("names no case; write ids with commas between them, such as case-1,case-2")
    return ids


data_dir_option = option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    help="Campaign folder to read and write.  [default: evals/data]",
)
config_dir_option = option(
    "--config-dir",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    default=None,
    help="Folder of configurations.  [default: evals/configs]",
)
jobs_option = option(
    "-j",
    "--jobs",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Cases processed at the same time.",
)
limit_option = option("--limit", type=click.IntRange(min=1), default=None, help="Only the first N cases.")
cases_option = option("--cases", callback=_ids, default=None, metavar="ID,ID", help="Only these cases.")
seed_option = option("--seed", type=click.IntRange(min=0), default=None, help="Seed of the stub generator.")
n_cases_option = option("--n-cases", type=click.IntRange(min=1), default=None, help="Size of the seeded subset.")
extractor_option = option(
    "--extractor", default=None, metavar="NAME", help="Concept extractor, in place of the configured one."
)
force_option = option("--force", is_flag=True, help="Make again what exists.")
dry_run_option = option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
stub_option = option(
    "--stub",
    is_flag=True,
    envvar=["EXAID_STUB_MODE", "EXAID_STUB"],
    help="Simulate agents and model: no key, no network.",
)
mac_dir_option = option(
    "--mac-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    help="Folder of MAC with dataset/.  [default: third_party/mac]",
)
source_option = option(
    "--source",
    metavar="NAME",
    default=None,
    help="Source of cases: auto, mac, synthetic or module:attribute.",
)
max_calls_option = option(
    "--max-calls",
    type=click.IntRange(min=1),
    default=None,
    help="Stop before more requests to a live model than these. What was done is kept.",
)
max_ctu_option = option(
    "--max-ctu",
    type=click.IntRange(min=1),
    default=None,
    help="Stop when prompts and answers of a live model have so many CTU (about four characters each).",
)
variants_dir_option = option(
    "--variants-dir",
    type=click.Path(path_type=Path),
    default=None,
    help="Folder of variants.  [default: CONFIG/variants]",
)
mode_option = option(
    "--mode", type=click.Choice(["fixed_subset", "all"]), default=None, help="A seeded subset, or every case."
)
exclude_from_option = option(
    "--exclude-from",
    metavar="DATA_DIR",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    help="Select from the cases that this other campaign does not have.",
)
debug_option = click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an error.")


def campaign_of(data_dir: Path | None) -> Campaign:
    """Return the campaign that `--data-dir` names."""
    return Campaign((data_dir or default_data_dir()).resolve())


def config_dir_of(config_dir: Path | None) -> Path:
    """Return the folder of configurations that `--config-dir` names."""
    return (config_dir or configs_dir()).resolve()


def overrides_of(ctx: click.Context, names: dict[str, str]) -> dict[str, Override]:
    """Return the options that were given, as overrides of configuration keys.

    Args:
        ctx: the verb's context.
        names: parameter name → dotted configuration key.
    """
    found = {}
    for parameter in ctx.command.params:
        source = ctx.get_parameter_source(parameter.name or "")
        if parameter.name not in names or source not in (
            ParameterSource.COMMANDLINE,
            ParameterSource.ENVIRONMENT,
        ):
            continue
        found[names[parameter.name]] = Override(ctx.params[parameter.name], source_of(ctx, parameter))
    return found


def source_of(ctx: click.Context, parameter: click.Parameter) -> str:
    """Return where an option's value comes from: `--option`, the variable that names it, or `default`."""
    source = ctx.get_parameter_source(parameter.name or "")
    if source is ParameterSource.COMMANDLINE:
        return parameter.opts[-1]
    if source is not ParameterSource.ENVIRONMENT:
        return "default"
    variables = [parameter.envvar] if isinstance(parameter.envvar, str) else list(parameter.envvar or ())
    return next((name for name in variables if os.environ.get(name)), "environment")
