"""Tables of an export on a page: fitted to its width, with names for readers, in whatever script they are."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exaid_evals.cli.main import run as cli
from exaid_evals.export.export_table import fitted
from exaid_evals.report.base import Column, Row, Table
from exaid_evals.report.cells import Number, Text
from exaid_evals.report.formats import latex
from export.training_runs import write_run
from latex_engine import compiled, needs_latex

SCRIPTS = ["модель с длинным именем", "漢字の名前", "Ärzte und Größe", "evaluation_results_long_h100_20250115/model"]


def wide_table(n_columns: int, names: list[str], group: str = "") -> Table:
    """Return a table of numbers, and of one column of text."""
    columns = (
        Column("text", "Text", holds=Text),
        *(Column(f"c{number}", f"Column {number}", "s", 3, holds=Number) for number in range(n_columns)),
    )
    rows = tuple(
        Row((name,), (Text("words " * 20), *[Number(1234.5)] * n_columns), stub=False, signature="s", group=group)
        for name in names
    )
    return Table(
        "wide", "A title", columns, rows, ("A note with_a_name/" + "long_word_" * 12 + ".",), key_names=("name",)
    )


@needs_latex
def test_no_table_runs_off_the_page(tmp_path: Path) -> None:
    """Any width and length, with and without groups, in foreign scripts: no overfull line and no float too large."""
    tables = [
        wide_table(n, names, group)
        for n, names, group in [
            (1, SCRIPTS, ""),
            (14, SCRIPTS, "a group"),
            (6, [f"runs/of/a/long/folder/run_number_{k}_of_a_search_with_a_name_{k}" for k in range(120)], ""),
            (11, [f"PromptType.COT_NSHOT_{k}" for k in range(30)], "command_r_35b_08_2024_q4_K_M " * 5),
        ]
    ]
    text = "\n\\clearpage\n".join(latex.render(fitted(table)) for table in tables)
    source = "\\documentclass{article}\n\\usepackage{booktabs}\n\\begin{document}\n" + text + "\\end{document}\n"
    (tmp_path / "t.tex").write_text(source, encoding="utf-8")
    log = compiled(tmp_path, "t.tex")
    assert not re.search(r"Overfull|too large|Missing character", log), log


@needs_latex
def test_every_table_of_an_export_fits(tmp_path: Path) -> None:
    """Runs with long and foreign names, per class, and over folds: each .tex compiles without an overfull line."""
    for number in (1, 2):
        for fold in (0, 1):
            folder = tmp_path / f"Исследование_{number}_with_a_name_that_no_page_holds" / f"fold_{fold}" / "results"
            write_run(folder, seed=number)
    places = sorted(str(path) for path in tmp_path.iterdir())
    out = tmp_path / "out"
    assert cli(["export", *(part for place in places for part in ("--run", place)), "--out", str(out)]) == 0
    made = sorted(out.glob("*.tex"))
    assert len(made) >= 4
    inputs = "\\clearpage\n".join(f"\\input{{{path.stem}}}\n" for path in made)
    source = "\\documentclass{article}\n\\usepackage{booktabs}\n\\begin{document}\n" + inputs + "\\end{document}\n"
    (out / "all.tex").write_text(source, encoding="utf-8")
    log = compiled(out, "all.tex")
    assert not re.search(r"Overfull|too large", log), log


def test_names_that_begin_at_the_root_stand_beside_others() -> None:
    """A run may call itself `/models/…`, and others by their folders: they share none, and differ on the page too."""
    names = [f"{top}a_folder_with_a_long_name/and_another_with_one/run_number_1" for top in ("/", "")]
    rows = fitted(wide_table(1, names)).rows
    assert len({row.name for row in rows}) == len(names)


@given(
    st.lists(
        st.text(st.characters(min_codepoint=33, max_codepoint=122), min_size=1, max_size=80), unique=True, max_size=6
    )
)
def test_names_that_are_cut_still_differ(names: list[str]) -> None:
    """What tells rows apart is kept, whatever is cut of their names."""
    rows = fitted(wide_table(1, names)).rows
    assert len({row.name for row in rows}) == len(names)
    assert [row.keys for row in rows] == [(name,) for name in names]


def test_tables_speak_to_readers(tmp_path: Path) -> None:
    """Headings and rows bear display names; kappa is called quadratic where it is; the CSV keeps the names of files."""
    for seed in (1, 2):
        write_run(tmp_path / f"results_{seed}", seed=seed)
    assert cli(["export", "--runs", str(tmp_path / "results_*"), "--out", str(tmp_path / "out")]) == 0
    rows = (tmp_path / "out" / "aggregated_metrics.md").read_text(encoding="utf-8")
    assert "Bal. acc. (adj.)" in rows
    assert "balanced_accuracy_adjusted |" not in rows
    assert "balanced_accuracy_adjusted," in (tmp_path / "out" / "aggregated_metrics.csv").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("written", "weights", "reported"),
    [
        ("kappa_quadratic", "quadratic", "Kappa (quadr.)"),
        ("cohen_kappa", "none", "Kappa (unweighted)"),
        ("qwk", "none", "Kappa (unweighted)"),
        ("kappa", "linear", "Kappa (linear)"),
    ],
)
def test_kappa_is_called_by_its_weights(
    tmp_path: Path, written: str, weights: str, reported: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The value says which weights it has; a name that says otherwise is a warning."""
    from sklearn.metrics import cohen_kappa_score

    rng = np.random.default_rng(5)
    true = rng.integers(0, 4, 200)
    guess = np.where(rng.random(200) < 0.6, true, rng.integers(0, 4, 200))
    value = float(cohen_kappa_score(true, guess, weights=None if weights == "none" else weights))
    predictions = "id,y_true,y_pred\n" + "".join(
        f"{n},{t},{g}\n" for n, (t, g) in enumerate(zip(true, guess, strict=True))
    )
    folder = write_run(tmp_path / "results_1", metrics={written: value}, predictions=predictions)
    assert cli(["export", "--run", str(folder), "--out", str(tmp_path / "out")]) == 0
    assert reported in (tmp_path / "out" / "exported_metrics.md").read_text(encoding="utf-8")
    [run] = json.loads((tmp_path / "out" / "exported_summary.json").read_text(encoding="utf-8"))["runs"]
    assert run["attributes"]["kappa_weights"] == weights
    error = capsys.readouterr().err
    assert ("call it so" in error) == (written == "qwk")
    assert "kappa is reported as" not in error
