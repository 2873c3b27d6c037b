"""The root command: verbs are imported only when used, and errors become exit statuses here and nowhere else."""

from __future__ import annotations

import importlib
import os
import sys
from typing import NoReturn

import click

from exaid_evals import __version__
from exaid_evals.errors import ExaidError

# verb → (module, help). The help stands here so that `exaid-evals --help` imports no verb.
VERBS = {
    "validate": ("validate", "Stage 00: check records against their schemas and each other."),
    "make-traces": ("make_traces", "Stage 01: freeze the agents' talk about the selected cases."),
    "run-variants": ("run_variants", "Stage 02: replay the frozen traces through the middleware's variants."),
    "compute-metrics": ("compute_metrics", "Stage 03: measure the runs; write tables and figures."),
    "export": ("export", "Stage 04: consolidate runs over seeds, folds or trials."),
    "reproduce": ("reproduce", "All stages, one after the other."),
    "verify": ("verify", "Make a stub campaign again elsewhere, and compare every file."),
}
INTERRUPTED = 130


class _LazyVerbs(click.Group):
    """Loads a verb's module when the verb is used, so that `--help` needs none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the order of the stages."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a verb's module and return its command."""
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"exaid_evals.cli.{VERBS[cmd_name][0]}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of verbs without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(verb, text) for verb, (_, text) in VERBS.items()])


@click.group(cls=_LazyVerbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="exaid-evals")
def root() -> None:
    """Evaluate a summarizing middleware on frozen multi-agent talks.

    Every option of a verb also reads EXAID_<NAME> from the environment. Exit status: 0 done; 1 the data failed a
    check; 2 wrong usage or configuration; 3 done, but some cases failed; 130 interrupted.
    """


def main(verb: str | None = None) -> NoReturn:
    """Run the command line and exit.

    Args:
        verb: the verb that an entry script of its own stands for; None takes it from the arguments.
    """
    arguments = sys.argv[1:] if verb is None else [verb, *sys.argv[1:]]
    sys.exit(run(arguments))


def run(arguments: list[str]) -> int:
    """Run a command line and return its exit status."""
    # `--debug` may stand anywhere, since a user adds it to a line that has just failed.
    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    try:
        result = root.main(arguments, prog_name="exaid-evals", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return 2
    except ExaidError as error:
        if debug:
            raise
        click.echo(f"error: {error}", err=True)
        return error.exit_status
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted; finished work is kept, and the same command goes on from here", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output went away (`… | head`). What Python would still flush at exit goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if debug:
            raise
        where = f"{error.filename}: " if isinstance(error, OSError) and error.filename else ""
        what = error.strerror if isinstance(error, OSError) and error.strerror else f"{type(error).__name__}: {error}"
        click.echo(f"error: {where}{what}; run it again with --debug for the traceback", err=True)
        return 1
    return result if isinstance(result, int) else 0
