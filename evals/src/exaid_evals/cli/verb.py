"""Options of the command line, made from the requests that verbs are given."""

from __future__ import annotations

import contextlib
import functools
import inspect
import os
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, Union, get_args, get_origin, get_type_hints

import click
from click.core import ParameterSource

from exaid_evals.config.request import CampaignRequest, ConfigRequest, Option, Request, options_of
from exaid_evals.errors import ConfigError

if TYPE_CHECKING:
    from exaid_evals.config.metrics import MetricsConfig

RequestT = TypeVar("RequestT", bound=Request)
CampaignT = TypeVar("CampaignT", bound=CampaignRequest)
PREFIX = "EXAID_"
_WRITERS: set[Callable[..., int]] = set()


def verb(name: str, kind: type[RequestT], run: Callable[[RequestT], int]) -> click.Command:
    """Return the command that builds a request from its options and runs it; its help is what `run` says of itself."""

    def callback(**given: Any) -> int:
        _refuse_keys(given)
        sources = _sources(click.get_current_context())
        with contextlib.ExitStack() as stack:
            places = _Places(stack, given, writes=run in _WRITERS)
            return run(kind(**{name: places.local(value) for name, value in given.items()}, sources=sources))

    hints = get_type_hints(kind)
    defaults = {one.name: one.default for one in fields(kind)}
    declared = [_parameter(field, one, hints[field], defaults[field]) for field, one in options_of(kind).items()]
    # `--debug` is read before all verbs, and shown with each.
    debug = click.Option(["--debug"], is_flag=True, expose_value=False, help="Show the traceback of an error.")
    declared.sort(key=lambda one: one.param_type_name)  # arguments first
    return click.Command(name, callback=callback, params=[*declared, debug], help=_help(run))


def _help(run: Callable[..., int]) -> str:
    r"""Return what a function says of itself; below a line of `\b` (raw docstrings hold two characters) lines stay."""
    return (inspect.getdoc(run) or "").replace("\\b\n", "\b\n")


def _refuse_keys(given: Mapping[str, Any]) -> None:
    """Refuse values that look like keys, before they are written anywhere."""
    from exaid_evals.artifacts.redaction import looks_secret

    for name, value in given.items():
        values = value if isinstance(value, tuple) else (value,)
        if any(looks_secret(str(one)) for one in values if isinstance(one, str)):
            remedy = "keys come from the environment; others may have read this one: replace it at the provider"
            raise ConfigError("looks like a key, and is not shown", where=f"--{name.replace('_', '-')}", remedy=remedy)


def alone(run: Callable[[CampaignT], int]) -> Callable[[CampaignT], int]:
    """Return what runs a verb that writes a campaign: no other one writes there meanwhile, nor where nothing is."""

    @functools.wraps(run)
    def locked(request: CampaignT) -> int:
        from exaid_evals.artifacts.atomic import writing

        only_reads = getattr(request, "dry_run", False) or getattr(request, "check", False)
        with contextlib.nullcontext() if only_reads else writing(request.output.root):
            return run(request)

    _WRITERS.add(locked)
    return locked


@dataclass(frozen=True, slots=True)
class _Url:
    """The URL of a folder in an object store, and whether nothing may lie there yet."""

    text: str
    missing_ok: bool


class _Folder(click.Path):
    """A path, or the URL of a folder in an object store."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path, or the URL."""
        if isinstance(value, str) and "://" in value:
            return _Url(value, missing_ok=not self.exists)
        return super().convert(value, param, ctx)


class _Places:
    """Makes local copies of the folders that are named by URL, for as long as a verb runs.

    Args:
        stack: what ends with the verb.
        given: the verb's values.
        writes: whether the verb writes a campaign.
    """

    def __init__(self, stack: contextlib.ExitStack, given: Mapping[str, Any], *, writes: bool) -> None:
        self._stack, self._cluster = stack, given.get("cluster")
        self._writes = writes and not (given.get("dry_run") or given.get("check"))
        self._copies: dict[str, Path] = {}

    def local(self, value: Any) -> Any:
        """Return a value with paths in place of its URLs."""
        if isinstance(value, tuple):
            return tuple(self.local(one) for one in value)
        if not isinstance(value, _Url):
            return value
        if value.text not in self._copies:
            from exaid_evals.artifacts.object_store import local_copy

            if self._cluster and not self._cluster.startswith("local:") and "EXAID_CACHE_DIR" not in os.environ:
                remedy = "set EXAID_CACHE_DIR to a folder that the workers share, here and there"
                raise ConfigError("the workers cannot reach the local copy", where=value.text, remedy=remedy)
            copy = local_copy(value.text, writes=self._writes, missing_ok=value.missing_ok, report=report_store)
            self._copies[value.text] = self._stack.enter_context(copy)
        return self._copies[value.text]


def report_store(line: str) -> None:
    """Show what is moved from or to an object store."""
    click.echo(f"store: {line}", err=True)


def _parameter(name: str, declared: Option, hint: Any, default: Any) -> click.Parameter:
    type_, several = _value_type(hint)
    settings: dict[str, Any] = {"metavar": declared.metavar, "type": _click_type(type_, declared)}
    several = several and declared.parse is None
    if declared.argument:
        required = declared.required
        fallback = {} if default in ((), None) else {"default": default}
        return click.Argument([name], nargs=-1 if several else 1, required=required, **settings, **fallback)
    long = declared.long_name(name)
    names = declared.names if any(one.startswith("--") for one in declared.names) else (*declared.names, long)
    if type_ is bool:
        settings = {"is_flag": True}
    if declared.parse is not None:
        settings["callback"] = _parsed(declared.parse, default)
        default = None
    return click.Option(
        [*names, name],
        default=None if default == () else default,
        multiple=several,
        required=declared.required,
        envvar=list(declared.variables) or PREFIX + long.removeprefix("--").replace("-", "_").upper(),
        show_envvar=True,
        show_default=default not in (None, False, (), "") and "[default:" not in declared.help,
        help=declared.help,
        **settings,
    )


def _value_type(hint: Any) -> tuple[Any, bool]:
    """Return the type of a field's values, and whether it holds several.

    >>> _value_type(tuple[str, ...] | None)
    (<class 'str'>, True)
    """
    if get_origin(hint) in (Union, types.UnionType):
        [hint] = [one for one in get_args(hint) if one is not types.NoneType]
    if get_origin(hint) is tuple:
        return get_args(hint)[0], True
    return hint, False


def _click_type(type_: Any, declared: Option) -> Any:
    if declared.parse is not None:
        return click.STRING
    if declared.choices:
        return click.Choice(declared.choices)
    if type_ is Path:
        return _Folder(path_type=Path, **declared.path)
    if type_ in (int, float) and (declared.minimum, declared.maximum) != (None, None):
        kind = click.IntRange if type_ is int else click.FloatRange
        return kind(min=declared.minimum, max=declared.maximum)
    return type_


def _parsed(parse: Callable[[str], Any], default: Any) -> Callable[[click.Context, click.Parameter, Any], Any]:
    def callback(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> Any:
        try:
            return default if value is None else parse(value)
        except ValueError as error:
            raise click.BadParameter(str(error)) from None

    return callback


def _sources(ctx: click.Context) -> Mapping[str, str]:
    """Return where each value comes from that was given: `--option`, or the variable that names it."""
    return {
        parameter.name: _given_by(ctx, parameter)
        for parameter in ctx.command.params
        if parameter.name
        and ctx.get_parameter_source(parameter.name) in (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT)
    }


def _given_by(ctx: click.Context, parameter: click.Parameter) -> str:
    if ctx.get_parameter_source(parameter.name or "") is ParameterSource.COMMANDLINE:
        return parameter.opts[-1]
    variables = [parameter.envvar] if isinstance(parameter.envvar, str) else list(parameter.envvar or ())
    return next((name for name in variables if os.environ.get(name)), "environment")


def measuring_of(request: ConfigRequest) -> tuple[MetricsConfig, frozenset[str]]:
    """Return the configuration of the measures, with what the request overrides, and the names that are no concepts.

    Raises:
        ConfigError: one of the files cannot be read, or does not fit.
    """
    from exaid_evals.concepts.registry import read_stop_entities
    from exaid_evals.config.base import load_config
    from exaid_evals.config.metrics import MetricsConfig

    config = load_config(MetricsConfig, request.configs / "metrics.yaml", request.overrides("metrics.yaml")).value
    return config, read_stop_entities(request.configs / config.stop_entities)
