"""What remedies name exists, and each of them is tried by a row or said to be none that a row could try."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest
import yaml

import exaid_evals
from exaid_evals.cli.main import root
from exaid_evals.config.base import Config, _known_keys
from exaid_evals.config.campaign import configs_dir
from remedies.tables import LONG, NEEDS_TORCH, ROWS
from remedies.texts import SOURCE, remedies

CHECKOUT = Path(__file__).parents[3]
UNTRIED = Path(__file__).with_name("untried.yaml")
OF_OTHER_PROGRAMS = {
    "--init", "--no-optional-locks", "--verify", "--detach", "--include-untracked", "--porcelain", "--short",  # git
    "--no-deps", "--force-reinstall",  # pip
    "--to",  # inspect
    "--no-log-samples",  # lm-eval
    "--nthreads",  # dask
}  # fmt: skip
NO_KEYS = {"key", "name", "module", "summarizer.yaml"}
"""What is written as a key is: `key: value`, `module:attribute`, and a file called as a key is."""


@cache
def options() -> dict[str, set[str]]:
    """Return the options of each verb."""
    context = click.Context(root)
    return {
        verb: {option for given in command.params for option in (*given.opts, *given.secondary_opts)} | {"--help"}
        for verb in root.list_commands(context)
        if (command := root.get_command(context, verb)) is not None
    }


def named(pattern: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield what a pattern finds in remedies, with the remedy."""
    for text in remedies():
        for match in re.finditer(pattern, text):
            yield text, match.groups()


def test_commands_and_options_that_remedies_name_exist() -> None:
    """Every verb there is has the options that a remedy names with it; an option alone is some verb's."""
    wrong = [
        text
        for text, (verb, rest) in named(r"exaid-evals ([a-z][a-z-]+)([^`]*)")
        if verb not in options() or set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", rest)) - options()[verb]
    ]
    known = set.union(*options().values()) | OF_OTHER_PROGRAMS
    found = list(named(r"(?<![\w-])(--[a-z][a-z-]+)"))
    assert wrong + [text for text, (option,) in found if option not in known] == []
    assert len(found) > 60


def test_make_targets_and_extras_that_remedies_name_exist() -> None:
    """`make NAME` is a target, and `exaid-evals[NAME]` an extra."""
    targets = set(re.findall(r"^([a-z-]+):", (CHECKOUT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    extras = set(
        re.findall(r"^([a-z-]+) = \[", (CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    )
    assert [text for text, (name,) in named(r"`make ([a-z-]+)") if name not in targets] == []
    found = list(named(r"exaid-evals\[([a-z-]+)\]|the extra `([a-z-]+)`"))
    assert [text for text, names in found if (names[0] or names[1]) not in extras] == []
    assert len(found) > 5


def test_environment_variables_that_remedies_name_are_read() -> None:
    """A variable is that of an option, or stands in the source elsewhere than in a remedy."""
    of_options = {f"EXAID_{name[2:].upper().replace('-', '_')}" for names in options().values() for name in names}
    source = "".join(path.read_text(encoding="utf-8") for path in SOURCE.rglob("*.py"))
    found = list(named(r"\b([A-Z]{2,}(?:_[A-Z]+)+)\b"))
    unread = [text for text, (name,) in found if name not in of_options and f'"{name}"' not in source]
    assert unread == []
    assert len(found) > 5


@cache
def keys() -> set[str]:
    """Return every key of every configuration, dotted, and each alone."""
    for found in pkgutil.walk_packages(exaid_evals.__path__, "exaid_evals."):
        if re.search(r"\.(config\.\w+|settings|mapping_lookup|spec|gates|triggers|model_names)$", found.name):
            importlib.import_module(found.name)
    models, waiting = set[type[Config]](), [Config]
    while waiting:
        below = waiting.pop().__subclasses__()
        models |= set(below)
        waiting += below
    dotted = {key for model in models for key in _known_keys(model)}
    return dotted | {key.rpartition(".")[2] for key in dotted}


def test_configuration_keys_that_remedies_name_exist() -> None:
    """`key: value` and dotted keys below a known one are keys of some configuration."""
    alone = [(text, key) for text, (key,) in named(r"`([a-z_]+): ?[^`]*`")]
    dotted = [(text, key) for text, (key,) in named(r"(?<![\w./(])([a-z_]+(?:\.[a-z_]+)+)(?![\w./(])")]
    within = [(text, key) for text, key in dotted if key.partition(".")[0] in keys()]
    assert [text for text, key in alone + within if key not in keys() and key not in NO_KEYS] == []
    assert len(alone) > 3
    assert len(within) > 3


def test_files_that_remedies_name_are_there() -> None:
    """A configuration lies in evals/configs, or stands in the source as what somebody writes."""
    shipped = {path.name for path in configs_dir().rglob("*")}
    source = "".join(path.read_text(encoding="utf-8") for path in SOURCE.rglob("*.py"))
    found = list(named(r"\b([\w-]+\.(?:yaml|json|jsonl|txt|md|tex))\b"))
    absent = [
        text
        for text, (name,) in found
        if name not in shipped and f'"{name}"' not in source and not (CHECKOUT / "evals" / name).exists()
        and not name.isupper() and not name.startswith("MAPPING")
    ]  # fmt: skip
    assert absent == []
    assert len(found) > 5


def untried() -> dict[str, tuple[str, ...]]:
    """Return the kinds of remedies that no row tries, each with its remedies."""
    reported = yaml.safe_load(UNTRIED.read_text(encoding="utf-8"))
    return {kind: tuple(texts) for kind, texts in reported.items()}


def tried_with_torch() -> set[str]:
    """Return the remedies of rows that need PyTorch: their tables cannot be imported without it, and are read."""
    texts: set[str] = set()
    for path in UNTRIED.parent.glob(f"{NEEDS_TORCH}*.py"):
        nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        texts |= {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return texts & set(remedies())


def test_every_remedy_is_tried_or_said_why_not() -> None:
    """A new remedy needs a row, or a line under the kind of those that none can try; a line that is not needed goes."""
    excused = [text for texts in untried().values() for text in texts]
    tried = {row.remedy for row in (*ROWS, *LONG)}
    assert sorted(tried - set(remedies())) == [], "rows of remedies that are no more"
    tried |= tried_with_torch()
    assert sorted(set(remedies()) - tried - set(excused)) == [], "no row tries these"
    assert sorted(one for one in excused if one in tried or one not in remedies() or excused.count(one) > 1) == []


@pytest.mark.parametrize("kind", untried())
def test_a_kind_of_untried_remedies_says_why(kind: str) -> None:
    """Each kind is a reason in words."""
    assert len(kind.split()) > 5
