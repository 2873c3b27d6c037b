"""Parts of other packages: every kind finds what an installed package registers, and CONTRIBUTING names every kind."""

from __future__ import annotations

import ast
import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import exaid_evals
from exaid_evals.cli.main import _kind
from exaid_evals.config.plugins import Kind
from exaid_evals.errors import ConfigError

SOURCE = Path(exaid_evals.__file__).parent
CONTRIBUTING = Path(__file__).resolve().parents[3] / "CONTRIBUTING.md"


def _declared() -> Iterator[tuple[str, str]]:
    """Yield module and group of every `Kind(…)` in the package."""
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Kind":
                module = ".".join(("exaid_evals", *path.relative_to(SOURCE).with_suffix("").parts))
                yield module, ast.literal_eval(node.args[1])


DECLARED = dict(sorted((group, module) for module, group in _declared()))


def _kind_of(group: str) -> Kind:
    if DECLARED[group].startswith("exaid_evals.run_eval."):
        pytest.importorskip("torch")
    module = importlib.import_module(DECLARED[group])
    return next(kind for kind in (*vars(module).values(), _kind()) if isinstance(kind, Kind) and kind.group == group)


def test_contributing_names_every_kind() -> None:
    """The table of "Adding a thing from outside" has each entry point group, and none that is not there."""
    table = (
        CONTRIBUTING.read_text(encoding="utf-8").partition("## Adding a thing from outside")[2].partition("\n## ")[0]
    )
    cells = [line.split("|")[2] for line in table.splitlines() if line.startswith("|")][2:]
    assert sorted(f"exaid_evals.{name}" for cell in cells for name in re.findall(r"`(\w+)`", cell)) == list(DECLARED)


@pytest.mark.parametrize("group", DECLARED)
def test_a_part_of_an_installed_package_is_found(group: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the name under which it is registered; what lacks something that the kind needs is refused by name."""
    (tmp_path / "parts_of_others.py").write_text("def part():\n    ...\n\n\nbare = object()\n", encoding="utf-8")
    info = tmp_path / "parts_of_others-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: parts-of-others\nVersion: 1.0\n", encoding="utf-8")
    points = "theirs = parts_of_others:part\nbare = parts_of_others:bare\n"
    (info / "entry_points.txt").write_text(f"[{group}]\n{points}", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "parts_of_others", raising=False)
    kind = _kind_of(group)
    part: Any = importlib.import_module("parts_of_others").part
    for needed in kind._needs:
        monkeypatch.setattr(part, needed, SimpleNamespace(), raising=False)
    assert kind.others() == ["bare", "theirs"]
    assert kind.find("theirs") is part
    with pytest.raises(ConfigError, match=r"lacks|cannot be called"):
        kind.find("bare")
