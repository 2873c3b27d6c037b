"""Stage 04 over campaigns: reading, consolidating, writing."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from conversations import conversation, freeze
from exaid_evals.artifacts.jsonl import read_jsonl, write_jsonl
from exaid_evals.artifacts.manifest import read_manifest
from exaid_evals.artifacts.schemas import violations
from exaid_evals.cli.main import run as cli
from exaid_evals.config.campaign import Campaign
from exaid_evals.errors import ConfigError, DataError
from exaid_evals.export.reading import read_runs
from exaid_evals.export.stage import consolidate
from exaid_evals.export.tables import runs_csv
from exaid_evals.export.write import write_export
from exaid_evals.metrics.records import CaseMetrics, Estimate, MadeFrom, VariantMetrics, case_line, write_metrics
from exaid_evals.metrics.runs import runs_on_disk
from exaid_evals.runs.base import Run

SIGNATURE = "exaid-evals/0|traces:{}|cfg:1|concepts:c|llm:l|boot:1/1|stub:yes"


def estimate(mean: float | None) -> Estimate:
    """Build an estimate of which only the mean matters."""
    return Estimate(mean, None, mean, mean, mean, None, None, int(mean is not None), int(mean is None))


def campaign(root: Path, coverage: dict[str, float | None], *, n_failed: int = 0) -> Path:
    """Write a campaign of one case whose variants have the given coverage, with run logs of one line."""
    place = freeze(root, [conversation("FEVER", root.name)])
    for variant_id, value in coverage.items():
        write_jsonl(place.run_file(variant_id, "case-1"), [{"variant": variant_id}])
        cases = [CaseMetrics("case-1", variant_id, measures={"coverage": value, "unsupported": 0.25})]
        cases += [CaseMetrics(f"case-f{n}", variant_id, "skipped_failed_trace") for n in range(n_failed)]
        variant = VariantMetrics(
            variant_id,
            1 + n_failed,
            n_failed,
            stub=True,
            signature=SIGNATURE.format(root.name),
            measures={"coverage": estimate(value), "unsupported": estimate(0.25)},
            made_from=MadeFrom(
                trace_dataset_hash=read_manifest(place.manifest_file).trace_dataset_hash,
                case_source="synthetic",
                runs_hash=runs_on_disk(place, variant_id, ["case-1"]) or "",
                primary_variant="V3",
                better={"coverage": "higher", "unsupported": "lower"},
            ),
        )
        lines = [case_line(case, stub=True, signature=variant.signature) for case in cases]
        write_metrics(place.metrics_file(variant_id), variant, lines)
    return root


def edit(path: Path, **changes: object) -> None:
    """Change fields of a metrics file's last record."""
    *cases, variant = read_jsonl(path)
    write_jsonl(path, [*cases, {**variant, **changes}])


def test_campaigns_are_consolidated(tmp_path: Path) -> None:
    """Means, spread and ranking over two campaigns, by hand: coverage of V3 is 0.5 and 0.7."""
    folders = [
        campaign(tmp_path / "seed-1", {"V0": 1.0, "V3": 0.5}),
        campaign(tmp_path / "seed-2", {"V0": 1.0, "V3": 0.7}),
    ]
    export = consolidate(read_runs(folders).runs)
    assert (export.primary_metric, export.warnings) == ("V3.coverage", ())
    assert export.best is not None
    assert export.worst is not None
    assert (export.best.run, export.worst.run) == ("seed-2", "seed-1")
    coverage = export.aggregated["V3.coverage"]
    assert coverage.mean == pytest.approx(0.6)
    assert coverage.std == pytest.approx(0.1)
    assert coverage.ci95_high == pytest.approx(0.6 + 1.96 * 0.1)
    assert coverage.n == 2


def test_what_is_written_is_valid_and_complete(tmp_path: Path) -> None:
    """The summary meets its schema, the CSV has a row per run and a column per metric, the table its caption."""
    folders = [campaign(tmp_path / f"seed-{seed}", {"V0": 1.0, "V3": None}) for seed in (1, 2)]
    write_export(consolidate(read_runs(folders).runs), tmp_path / "out")
    summary = json.loads((tmp_path / "out" / "exported_summary.json").read_text(encoding="utf-8"))
    assert list(violations(summary)) == []
    assert summary["aggregated"]["V3.coverage"]["n"] == 0
    with (tmp_path / "out" / "exported_metrics.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["run"], row["V0.coverage"], row["V3.coverage"]) for row in rows] == [
        ("seed-1", "1.0", ""),
        ("seed-2", "1.0", ""),
    ]
    assert all(row["signature"].startswith("exaid-evals/") for row in rows)
    table = (tmp_path / "out" / "over_seeds.md").read_text(encoding="utf-8")
    assert "Mean over 2 seeds of their means over cases (1 distinct cases)" in table
    assert "Stub data" in table


def test_failed_cases_are_reported(tmp_path: Path) -> None:
    """A campaign with failed cases says so in the export."""
    [run] = read_runs([campaign(tmp_path / "a", {"V3": 0.5}, n_failed=2)]).runs
    assert "a: 2 of 3 cases failed in V3" in run.warnings


def test_metrics_of_other_traces_are_refused(tmp_path: Path) -> None:
    """After a new freeze the old metrics are not numbers about it."""
    folder = campaign(tmp_path / "a", {"V3": 0.5})
    freeze(folder, [conversation("COUGH")])
    with pytest.raises(DataError, match=r"V3\.metrics\.jsonl: measures other traces than are frozen here"):
        read_runs([folder])


def test_metrics_older_than_their_runs_are_refused(tmp_path: Path) -> None:
    """A run log that changed after it was measured makes its metrics stale."""
    folder = campaign(tmp_path / "a", {"V0": 1.0, "V3": 0.5})
    write_jsonl(Campaign(folder).run_file("V3", "case-1"), [{"variant": "changed"}])
    with pytest.raises(DataError, match=r"V3\.metrics\.jsonl: older than its run logs"):
        read_runs([folder])


def test_metrics_without_their_runs_are_read_and_warned_of(tmp_path: Path) -> None:
    """Who is given metrics alone can export them, and reads that nothing was checked."""
    folder = campaign(tmp_path / "a", {"V3": 0.5})
    Campaign(folder).run_file("V3", "case-1").unlink()
    [run] = read_runs([folder]).runs
    assert run.warnings == ("a: run logs of V3 are not here, so that its metrics were not checked",)


def test_variants_measured_differently_are_warned_of(tmp_path: Path) -> None:
    """Rows with different signatures stand in one table only with a warning in its caption."""
    folders = [campaign(tmp_path / name, {"V0": 1.0, "V3": 0.5}) for name in "ab"]
    path = Campaign(folders[0]).metrics_file("V3")
    *cases, variant = read_jsonl(path)
    other = SIGNATURE.format("a").replace("cfg:1", "cfg:2")
    write_jsonl(path, [{**record, "signature": other} for record in [*cases, variant]])
    export = consolidate(read_runs(folders).runs)
    assert "a: its parts were made in 2 ways and must not be compared" in export.warnings
    write_export(export, tmp_path / "out")
    assert "Mixed signatures" in (tmp_path / "out" / "over_seeds.md").read_text(encoding="utf-8")


def test_the_configured_primary_variant_and_directions_rank(tmp_path: Path) -> None:
    """What the metrics were made with says what is primary and which way each measure improves."""
    folders = [campaign(tmp_path / name, {"V0": value, "V3": 0.5}) for name, value in (("a", 0.1), ("b", 0.2))]
    for folder in folders:
        path = Campaign(folder).metrics_file("V0")
        made_from = read_jsonl(path)[-1]["made_from"]
        edit(path, made_from={**made_from, "primary_variant": "V0", "better": {"coverage": "lower"}})
    export = consolidate(read_runs(folders).runs)
    assert export.best is not None
    assert (export.primary_metric, export.best.run) == ("V0.coverage", "a")


def test_a_file_of_another_variant_is_refused_and_comparisons_are_no_variant(tmp_path: Path) -> None:
    """The name of a metrics file and its records agree; the file of comparisons is passed over."""
    folder = campaign(tmp_path / "a", {"V3": 0.5})
    path = Campaign(folder).metrics_file("V3")
    (path.parent / "comparisons.metrics.jsonl").write_bytes(path.read_bytes())
    assert [run.attributes["variants"] for run in read_runs([folder]).runs] == [["V3"]]
    path.rename(path.parent / "V1.metrics.jsonl")
    with pytest.raises(DataError, match="variant V3 in the file of V1"):
        read_runs([folder])


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex here")
def test_the_latex_table_compiles(tmp_path: Path) -> None:
    """The table over campaigns compiles with booktabs alone."""
    folders = [campaign(tmp_path / f"seed-{seed}", {"V0": 1.0, "V3": 0.5}) for seed in (1, 2)]
    write_export(consolidate(read_runs(folders).runs), tmp_path)
    tables = "\\input{over_seeds}\\input{aggregated_metrics}"
    document = f"\\documentclass{{article}}\\usepackage{{booktabs}}\\begin{{document}}{tables}\\end{{document}}"
    (tmp_path / "paper.tex").write_text(document, encoding="utf-8")
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"],
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout.decode(errors="replace")[-1500:]


def test_every_unreadable_folder_is_named_at_once(tmp_path: Path) -> None:
    """One bad folder does not hide the next."""
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        DataError, match=r"(?s)2 runs.*empty.*known formats are .*campaign.*missing.*no such file or folder"
    ):
        read_runs([tmp_path / "empty", tmp_path / "missing"])


def test_a_run_given_twice_is_refused(tmp_path: Path) -> None:
    """Counting a run twice would shrink every interval."""
    folder = campaign(tmp_path / "a", {"V3": 0.5})
    with pytest.raises(ConfigError, match="given twice"):
        read_runs([folder, folder / ".." / "a"])


def test_an_unknown_primary_metric_is_refused(tmp_path: Path) -> None:
    """A metric that no run has ranks nothing."""
    runs = read_runs([campaign(tmp_path / "a", {"V3": 0.5})]).runs
    with pytest.raises(ConfigError, match=r"V9\.coverage"):
        consolidate(runs, "V9.coverage")


@pytest.mark.parametrize("name", ["=1+1", "+x", "-x", "@SUM(A1)"])
def test_no_cell_is_a_formula(name: str) -> None:
    """A run whose name a spreadsheet would calculate is written as text."""
    export = consolidate([Run(name, "test", {"loss": -1.5})])
    row = next(iter(csv.DictReader(runs_csv(export).splitlines())))
    assert (row["run"], row["loss"]) == (f"'{name}", "-1.5")


def test_the_command_takes_runs_patterns_and_an_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--run and --runs name folders, --out where to write; a dry run writes nothing; a pattern must match."""
    for seed in (1, 2):
        campaign(tmp_path / f"seed-{seed}", {"V3": 0.5})
    out = tmp_path / "out"
    assert cli(["export", "--runs", f"{tmp_path}/seed-*", "--out", str(out), "--dry-run"]) == 0
    assert not out.exists()
    assert cli(["export", "--run", str(tmp_path / "seed-1"), "--run", str(tmp_path / "seed-2"), "--out", str(out)]) == 0
    assert "read 2 runs: seed-1, seed-2" in capsys.readouterr().out
    assert (out / "exported_metrics.csv").is_file()
    assert cli(["export", "--runs", f"{tmp_path}/nothing-*"]) == 2
