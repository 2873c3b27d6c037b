"""docs/run_eval.md is true: its Python runs, and its commands print what it shows."""

from __future__ import annotations

import importlib.util
import re
import shlex
import warnings
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from docs.console import ROOT, shown_in  # noqa: E402
from exaid_evals.cli.main import run  # noqa: E402

PAGE = ROOT / "docs" / "run_eval.md"


def test_the_python_of_the_page_runs() -> None:
    """Every block in order, in one namespace, with the assertions that stand in them."""
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 4
    namespace: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), namespace)  # noqa: S102 - the page is ours


@pytest.mark.slow
def test_the_commands_of_the_page_print_what_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In order, over a campaign of their own; `…` stands for what depends on the processor, within a line too."""
    data = str(tmp_path / "data")
    monkeypatch.setenv("EXAID_DATA_DIR", data)
    monkeypatch.chdir(ROOT)
    commands = shown_in(PAGE.read_text(encoding="utf-8"))
    assert len(commands) == 5
    for shown in commands:
        # The campaign of the test lies elsewhere than the page says; one process has PyTorch loaded once.
        program, *arguments = shlex.split(shown.command.replace("evals/data", data))
        assert program == "exaid-evals"
        capsys.readouterr()
        assert run(arguments) == 0
        actual = [line.rstrip() for line in capsys.readouterr().out.replace(data, "evals/data").splitlines()]
        pattern = "".join(
            r"(?:[^\n]*\n)*" if line.strip() == "…" else re.escape(line).replace("…", r"[^\n]*") + "\n"
            for line in shown.output
        )
        assert re.fullmatch(pattern, "".join(f"{line}\n" for line in actual)), shown.command


def test_nothing_differs_that_the_page_of_agreement_does_not_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """One seed against scikit-learn: what disagrees, or is refused, stands in its row; the others agree."""
    place = ROOT / "evals" / "bench" / "bench_agreement.py"
    spec = importlib.util.spec_from_file_location("bench_agreement", place)
    assert spec is not None
    assert spec.loader is not None
    bench = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bench)
    monkeypatch.setattr(bench, "SEEDS", (0,))
    monkeypatch.setattr(bench, "LIBRARIES", {"sklearn": bench.sklearn_of})
    rows = [line.split("|") for line in bench.PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| sk")]
    reported = {cells[2].strip(" `"): cells[6] for cells in rows}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = bench.compared()
    assert {metric for _, metric in found} == set(reported)
    for (_, metric), row in found.items():
        assert row["n_agree"] > 0
        assert [kind for kind in (*row["kinds"], *row["refused"]) if kind not in reported[metric]] == []
