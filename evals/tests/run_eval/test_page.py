"""docs/run_eval.md is true: its Python runs, and its commands print what it shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from docs.console import ROOT, Shell, shown_in  # noqa: E402

PAGE = ROOT / "docs" / "run_eval.md"


def test_the_python_of_the_page_runs() -> None:
    """Every block in order, in one namespace, with the assertions that stand in them."""
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 4
    namespace: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), namespace)  # noqa: S102 - the page is ours


@pytest.mark.slow
def test_the_commands_of_the_page_print_what_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In order, over a campaign of their own; `…` stands for what depends on the processor, within a line too."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # threads that wait for each other are slower over such small tensors
    shell = Shell(tmp_path)
    commands = shown_in(PAGE.read_text(encoding="utf-8"))
    assert len(commands) == 5
    for shown in commands:
        # The campaign of the test lies elsewhere than the page says.
        actual = shell.run(shown.command.replace("evals/data", str(tmp_path / "data")))
        pattern = "".join(
            r"(?:[^\n]*\n)*" if line.strip() == "…" else re.escape(line).replace("…", r"[^\n]*") + "\n"
            for line in shown.output
        )
        assert re.fullmatch(pattern, "".join(f"{line}\n" for line in actual)), shown.command
