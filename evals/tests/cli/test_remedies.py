"""What a message tells the user to do exists, and makes the error go away."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest

import exaid_evals
from exaid_evals.cli.main import root, run
from exaid_evals.config.campaign import Campaign
from stub_campaigns import ARGUMENTS, change_byte, change_record, copy_of, shared_campaign

SOURCE = Path(exaid_evals.__file__).parent
OF_OTHER_PROGRAMS = {
    "--init", "--no-optional-locks", "--verify", "--detach", "--include-untracked", "--porcelain", "--short",  # git
    "--no-deps", "--force-reinstall",  # pip
    "--no-log-samples",  # inspect
}  # fmt: skip
MAKEFILE = Path(__file__).parents[3] / "Makefile"


def written(node: ast.AST) -> str:
    """Return a literal's text, with `{}` for what is put in."""
    if isinstance(node, ast.JoinedStr):
        return "".join(written(part) or "{}" for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def remedies() -> Iterator[tuple[str, str]]:
    """Yield every literal that an error's remedy is made of, with its place."""
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            values = [
                *(keyword.value for keyword in getattr(node, "keywords", ()) if keyword.arg == "remedy"),
                *(
                    [node.value]
                    if isinstance(node, ast.Assign) and re.search("remedy|REMED", ast.unparse(node.targets[0]))
                    else []
                ),
            ]
            for value in values:
                for part in ast.walk(value):
                    if text := written(part):
                        yield f"{path.relative_to(SOURCE)}:{part.lineno}", text


def test_what_remedies_name_exists() -> None:
    """Every verb, option, make target and optional extra that a remedy names is there, for the verb that it names."""
    context = click.Context(root)
    options = {
        verb: {option for given in command.params for option in (*given.opts, *given.secondary_opts)} | {"--help"}
        for verb in root.list_commands(context)
        if (command := root.get_command(context, verb)) is not None
    }
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE.read_text(encoding="utf-8"), re.MULTILINE))
    extras = set(re.findall(r"^([a-z-]+) = \[", (MAKEFILE.parent / "pyproject.toml").read_text(), re.MULTILINE))
    wrong, n_named = [], 0
    for where, text in remedies():
        for verb, rest in re.findall(r"exaid-evals ([a-z][a-z-]+)([^`]*)", text):
            n_named += 1
            named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", rest))
            if verb not in options or named - options[verb]:
                wrong.append(f"{where}: exaid-evals {verb}{rest}")
        known = set.union(*options.values()) | OF_OTHER_PROGRAMS
        for option in re.findall(r"(?<![\w-])--[a-z][a-z-]+", text):
            n_named += 1
            wrong += [f"{where}: {option}"] if option not in known else []
        wrong += [f"{where}: make {name}" for name in re.findall(r"`make ([a-z-]+)", text) if name not in targets]
        wrong += [
            f"{where}: extra {name}" for name in re.findall(r"exaid-evals\[([a-z]+)\]", text) if name not in extras
        ]
    assert wrong == []
    assert n_named > 100


def without_a_run(campaign: Campaign) -> None:
    """Take a run log away."""
    next((campaign.runs / "V3").glob("case-*.jsonl.gz")).unlink()


def with_an_edited_trace(campaign: Campaign) -> None:
    """Change a letter of what was said."""
    change_byte(next(campaign.traces.glob("case-*.jsonl.gz")), b"patient", b"Patient")


def without_metrics(campaign: Campaign) -> None:
    """Take what stage 03 wrote away."""
    for path in campaign.metrics.glob("*.metrics.jsonl"):
        path.unlink()


def with_a_flush_behind_the_end(campaign: Campaign) -> None:
    """Let a flush end behind its message."""
    path = next((campaign.runs / "V3").glob("case-*.jsonl.gz"))
    change_record(path, 2, lambda record: record.update(end_char=100_000))


def without_a_manifest(campaign: Campaign) -> None:
    """Take the manifest away."""
    campaign.manifest_file.unlink()


MAKE_TRACES = ("make-traces", *ARGUMENTS, "--limit", "2")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spoil", "command", "remedy", "applied"),
    [
        (without_a_run, ["compute-metrics"], "run `exaid-evals run-variants V3`", [["run-variants", "V3"]]),
        (
            with_an_edited_trace,
            ["run-variants"],
            "`exaid-evals make-traces --force` makes all again",
            [[*MAKE_TRACES, "--force"]],
        ),
        (without_metrics, ["report"], "run `exaid-evals compute-metrics`", [["compute-metrics"]]),
        (
            with_a_flush_behind_the_end,
            ["compute-metrics", "--force"],
            "run the variant again with `exaid-evals run-variants --force`",
            [["run-variants", "V3", "--force"]],
        ),
        (without_a_manifest, ["run-variants"], "run `exaid-evals make-traces`", [[*MAKE_TRACES]]),
    ],
)
def test_the_remedy_of_a_stage_makes_its_error_go_away(
    spoil: Callable[[Campaign], None],
    command: list[str],
    remedy: str,
    applied: list[list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The command fails and says what to do; done as it says, the same command succeeds."""
    campaign = copy_of(shared_campaign(), tmp_path / "data")
    monkeypatch.setenv("EXAID_DATA_DIR", str(campaign.root))
    monkeypatch.setenv("EXAID_STUB_MODE", "1")
    spoil(campaign)
    assert run(command) in (1, 3), shlex.join(command)
    assert remedy in capsys.readouterr().err
    for step in applied:
        assert run(step) == 0, shlex.join(step)
    assert run(command) == 0, shlex.join(command)
