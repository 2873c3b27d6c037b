"""The root command: verbs are imported only when used, and errors become exit statuses here and nowhere else."""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import select
import signal
import sys
import threading
from collections.abc import Iterable, Iterator
from types import FrameType
from typing import Any, NoReturn

import click

from exaid_evals import __version__
from exaid_evals.artifacts.redaction import printable_lines, with_urls
from exaid_evals.config.plugins import Kind
from exaid_evals.errors import DEBUG_VARIABLE, ConfigError, ExaidError
from exaid_evals.execution import SEARCH_FOR_CYCLES

PREFIX = "EXAID_"
# Read by no option of a verb: by the concept cache, the tracebacks of single cases, tests, containers and scripts.
_OTHERS = frozenset({"EXAID_CACHE_DIR", "EXAID_CONTAINER_LAB", "EXAID_DEBUG", "EXAID_IMAGE", "EXAID_TARGET"})
_OF_TESTS = "EXAID_REQUIRE_"
_BEST_KNOWN = frozenset({"EXAID_DATA_DIR", "EXAID_JOBS", "EXAID_MAC_DIR", "EXAID_STUB_MODE"})


def variables_of(command: click.Command) -> set[str]:
    """Return the variables that the options of a verb read."""
    found: set[str] = set()
    for parameter in command.params:
        if isinstance(parameter.envvar, str):
            found.add(parameter.envvar)
        else:
            found.update(parameter.envvar or ())
    return found


def unread(set_ones: Iterable[str], known: Iterable[str]) -> list[str]:
    """Return a line for each EXAID_ variable that nobody reads, with the one that may have been meant.

    >>> unread(["EXAID_JOB", "HOME", "EXAID_CACHE_DIR"], ["EXAID_JOBS"])
    ['EXAID_JOB is not read; did you mean EXAID_JOBS?']
    """
    import difflib

    names = sorted({*known, *_OTHERS})
    lines = []
    for name in sorted(set_ones):
        if not name.startswith(PREFIX) or name in names or name.startswith(_OF_TESTS):
            continue
        near = difflib.get_close_matches(name, names, n=1)
        lines.append(f"{name} is not read" + (f"; did you mean {near[0]}?" if near else " by any command"))
    return lines


def warn_of_unread(commands: Iterable[click.Command]) -> None:
    """Warn on stderr of every EXAID_ variable that no verb reads."""
    known = set().union(*(variables_of(command) for command in commands))
    for line in unread(os.environ, known):
        click.echo(f"warning: {line}", err=True)


# verb → (module[:attribute], help). The help stands here so that `exaid-evals --help` imports no verb.
VERBS = {
    "validate": ("validate:validate_command", "Stage 00: check records against their schemas and each other."),
    "make-traces": (
        "stages:make_traces_command",
        "Stage 01: freeze the agents' conversation about the selected cases.",
    ),
    "import-traces": (
        "import_traces:import_command",
        "Stage 01, of your own: freeze conversations that another system has had.",
    ),
    "plan": ("plan", "What stages 01 and 02 would do and cost, and what is missing; spends nothing."),
    "run-variants": (
        "stages:run_variants_command",
        "Stage 02: replay the frozen traces through the middleware's variants.",
    ),
    "compute-metrics": ("stages:compute_metrics_command", "Stage 03: measure the runs; write tables and figures."),
    "merge": ("pack:merge_command", "Join the parts of a stage that --shard has made into one campaign."),
    "export": ("export", "Stage 04: consolidate runs over seeds, folds or trials."),
    "concepts": ("concepts", "Show which clinical concepts the extractor sees in a text."),
    "notes": (
        "notes:notes_command",
        "Compare summaries with clinicians' notes, and check each statement against its source.",
    ),
    "agreement": (
        "notes:agreement_command",
        "Show how far your own raters agree with one another, and measures with them.",
    ),
    "calibrate": ("calibrate", "Choose the token gate's limits on cases that are not evaluated."),
    "reproduce": ("reproduce", "All stages, one after the other."),
    "paper": ("reproduce:paper", "All stages, then the paper's tables and figures in one folder."),
    "verify": ("verify", "Make a campaign again elsewhere, and compare every file, record and field."),
    "report": ("report", "Write tables and figures from the metrics, without measuring again."),
    "report-pack": ("report:report_pack", "Copy tables and figures into an article, and fill its marked blocks."),
    "tables": ("report:tables", "Write the tables alone; --check says which are not what the metrics give."),
    "view": (
        "explain:view_command",
        "Write a campaign as one HTML file: tables, and each case's conversation beside its updates.",
    ),
    "explain": ("explain:explain_command", "Show where a number of a table comes from."),
    "import-campaign": (
        "import_traces:campaign",
        "Take a published evaluation's traces and runs as a campaign.",
    ),
    "replicate": (
        "import_traces:replicate_command",
        "Recompute the published EXAIM evaluation, and show which numbers are confirmed.",
    ),
    "analyze": (
        "analyze:analyze_command",
        "Diagnose a run of any experiment: what went wrong, when and why (extra analysis).",
    ),
    "compare": ("compare", "Compare runs: which is best, how certainly, and where they diverge (extra analysis)."),
    "compare-logs": (
        "compare:logs",
        "Compare two logs of an evaluation item by item (inspect, lm-eval, promptfoo, HELM, …).",
    ),
    "impact": ("compare:impact", "Show which hyper-parameters go with how runs end (extra analysis)."),
    "monitor": ("monitor", "Watch a training as it goes on, and report anomalies (extra analysis for webhooks)."),
    "audit-images": (
        "analyze:audit_images_command",
        "Find what is wrong with the images of a folder (extra analysis).",
    ),
    "doctor": ("validate:doctor_command", "Show what is installed, what is missing, and how to get it."),
    "cassette": ("pack:cassette", "Mend recordings of a live model's calls: keep what can be read."),
    "migrate": ("pack:migrate", "Rewrite records of older versions to the current one."),
    "pack": ("pack:pack_command", "Put traces and runs into shards of many cases each."),
    "unpack": ("pack:unpack_command", "Take traces and runs out of shards, each a file of its own again."),
    "run-eval": ("run_eval", "Evaluate a vision or text model on a held-out set (extra torch)."),
    "run-training": ("run_eval:run_training", "Train a small model, evaluating it after each epoch (extra torch)."),
}
INTERRUPTED = 130
# What they have finished lies in a ledger.
_RESUMED = frozenset({"make-traces", "run-variants", "compute-metrics", "reproduce", "paper", "migrate"})


def _kind() -> Kind:
    """Return the verbs as a kind of part; other packages register a click.Command."""
    modules = ((verb, module if ":" in module else f"{module}:command") for verb, (module, _) in VERBS.items())
    return Kind("verb", "exaid_evals.verbs", {verb: f"exaid_evals.cli.{module}" for verb, module in modules})


class _LazyVerbs(click.Group):
    """Loads a verb's module when the verb is used, so that `--help` needs none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the order of the stages, then those of other packages."""
        return _kind().names()

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a verb's module and return its command."""
        if cmd_name not in VERBS and cmd_name not in _kind().others():
            return None
        command = _kind().find(cmd_name)
        if not isinstance(command, click.Command):
            what = f"the verb {cmd_name!r} is a {type(command).__name__}"
            raise ConfigError(what, remedy="register a click.Command")
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run a verb; a pipe that broke is met here, for click would end with status 1 and not a word."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            if not _reader_left():
                remedy = "look why it ended, and give the same command again"
                raise ExaidError("the program or server that this command wrote to is gone", remedy=remedy) from error
            # What Python would still flush at exit goes nowhere.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of verbs without importing them."""
        with formatter.section("Commands"):
            shipped = [(verb, text) for verb, (_, text) in VERBS.items()]
            formatter.write_dl([*shipped, *((verb, "Of another package.") for verb in _kind().others())])


@click.group(cls=_LazyVerbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="exaid-evals")
def root() -> None:
    """Evaluate a summarizing middleware on frozen multi-agent conversations.

    Every option of a verb also reads EXAID_<NAME> from the environment. Exit status: 0 done; 1 the data failed a
    check; 2 wrong usage or configuration; 3 done, but some cases failed; 130 interrupted.
    """
    # A mistyped name would change nothing, without a word. Asking the verbs what they read imports them all, so it is
    # done only where one is set that is not among the best known.
    if any(name.startswith(PREFIX) and name not in _BEST_KNOWN | _OTHERS for name in os.environ):
        context = click.get_current_context()
        found = []
        for verb in root.list_commands(context):
            with contextlib.suppress(ConfigError):  # of another package, and broken: it says so where it is used
                found.append(root.get_command(context, verb))
        warn_of_unread(command for command in found if command is not None)


def main(verb: str | None = None) -> NoReturn:
    """Run the command line and exit.

    Args:
        verb: the verb that an entry script of its own stands for; None takes it from the arguments.
    """
    gc.set_threshold(*SEARCH_FOR_CYCLES)
    # NumPy's threads gain nothing here, and would keep workers from beginning as copies of this process.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    arguments = sys.argv[1:] if verb is None else [verb, *sys.argv[1:]]
    sys.exit(run(arguments))


def run(arguments: list[str]) -> int:
    """Run a command line and return its exit status."""
    # `--debug` may stand anywhere, since a user adds it to a line that has just failed.
    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    try:
        with _terminable(), _debugging(debug):
            result = root.main(arguments, prog_name="exaid-evals", standalone_mode=False)
    except click.ClickException as error:
        error.message = _without_secrets(error.message)
        error.show()
        return 2
    except ExaidError as error:
        if debug:
            raise
        click.echo(f"error: {printable_lines(_without_secrets(str(error)))}", err=True)
        return error.exit_status
    except (KeyboardInterrupt, click.Abort):
        goes_on = "; finished work is kept, and the same command goes on from here"
        click.echo(f"interrupted{goes_on if _RESUMED & set(arguments[:1]) else ''}", err=True)
        return INTERRUPTED
    except Exception as error:
        if debug:
            raise
        click.echo(f"error: {printable_lines(_without_secrets(_described(error)))}", err=True)
        return 1
    return result if isinstance(result, int) else 0


def _reader_left() -> bool:
    """Return whether nobody reads our output any more (`… | head`)."""
    try:
        poll = select.poll()
        poll.register(sys.stdout.fileno(), 0)
        return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))
    except (OSError, ValueError):  # there is no output
        return False


def _without_secrets(text: str) -> str:
    from exaid_evals.clients.endpoint import environment_redactor

    return environment_redactor().shown(with_urls(text))


_PERMISSIONS = 'check who owns the file and its folder (sudo chown -R "$(id -un)" FOLDER), or name another --data-dir'
_REMEDIES = {
    errno.EACCES: _PERMISSIONS,
    errno.EPERM: _PERMISSIONS,
    errno.EROFS: "the file system is read-only: name another --data-dir",
    errno.EEXIST: "a file stands where a folder must be: move it away, or name another --data-dir",
    errno.ENOTDIR: "a file stands where a folder must be: move it away, or name another --data-dir",
    errno.EISDIR: "a folder stands where a file must be: move it away, or name another --data-dir",
    errno.ELOOP: "a link that leads to itself, or may not be followed, stands where a file must be: remove it",
    errno.ENXIO: "what stands there is not a file: remove it, or name another --data-dir",
    errno.ENAMETOOLONG: "the path is longer than the file system takes: name another --data-dir",
    errno.ENOSPC: "make room and give the same command again, or name another --data-dir",
    errno.EDQUOT: "make room and give the same command again, or name another --data-dir",
    errno.EIO: "the disk, or the connection to it, failed: mend that, and give the same command again",
    errno.ENOENT: "check the path; something may have removed it meanwhile",
}


def _described(error: Exception) -> str:
    """State what went wrong in a place that nobody has foreseen, and what to do."""
    remedy = "run it again with --debug for the traceback"
    if isinstance(error, ModuleNotFoundError) and error.name:
        remedy = f"install {error.name.partition('.')[0]}: `make setup` brings all that the lock files name"
    if not isinstance(error, OSError) or not error.strerror:
        return f"{type(error).__name__}: {error}; {remedy}"
    where = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
    return f"{where}{error.strerror}; {_REMEDIES.get(error.errno or 0, remedy)}"


@contextlib.contextmanager
def _debugging(wanted: bool) -> Iterator[None]:
    """Let also those errors show their tracebacks that fail one case only, in whichever process."""
    before = os.environ.get(DEBUG_VARIABLE)
    if wanted:
        os.environ[DEBUG_VARIABLE] = "1"
    try:
        yield
    finally:
        if wanted and before is None:
            del os.environ[DEBUG_VARIABLE]


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """Answer SIGTERM (of `timeout`, `kill`, a service manager) as Ctrl-C is answered."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    # `timeout` sends it twice; the second must not meet the work of stopping.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt
