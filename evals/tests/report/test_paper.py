"""The folder `paper/`: complete, numbered, self-contained, and it compiles."""

from __future__ import annotations

import dataclasses
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from exaid_evals.artifacts.atomic import write_bytes
from exaid_evals.cli.main import run
from exaid_evals.config.campaign import Campaign, configs_dir
from exaid_evals.metrics.records import read_variant
from exaid_evals.report.formats import csv_table, latex, markdown
from exaid_evals.report.paper import TABLES, Item, write_paper
from exaid_evals.report.registry import FIGURES
from exaid_evals.report.registry import TABLES as REPORTED
from exaid_evals.report.results import measured_variants, read_results
from exaid_evals.report.stage import Report, write_report
from gold.examples import RESULTS
from latex_engine import compiled, needs_latex


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    """Return a measured stub campaign of three cases, whose tables and figures are made."""
    root = tmp_path_factory.mktemp("paper") / "data"
    common = ["--data-dir", str(root), "--config-dir", str(configs_dir())]
    assert run(["make-traces", "--stub", "--source", "synthetic", "--limit", "3", *common]) == 0
    assert run(["run-variants", "V0", "V3", *common]) == 0
    assert run(["compute-metrics", *common]) == 0
    return Campaign(root)


def reported(campaign: Campaign) -> Report:
    """Bring tables and figures up to date."""
    variants, primary = measured_variants(campaign)
    return write_report(campaign, variants, primary=primary)


def assembled(campaign: Campaign) -> list[Item]:
    """Write the folder; return what it lacks."""
    results = read_results(campaign, measured_variants(campaign)[0])
    return write_paper(campaign, results, left_out=reported(campaign).left_out)[1]


@pytest.fixture
def over_seeds(measured: Campaign) -> Iterator[None]:
    """Have a table over seeds, as an export writes it."""
    table = dataclasses.replace(REPORTED.find("main").build(RESULTS, "V3"), name="over_seeds", counted="seeds")
    for suffix, form in (("csv", csv_table), ("md", markdown), ("tex", latex)):
        write_bytes(measured.exports / f"over_seeds.{suffix}", form.render(table).encode())
    yield
    shutil.rmtree(measured.exports)


@pytest.mark.usefixtures("over_seeds")
def test_the_folder_holds_everything_under_its_number(measured: Campaign) -> None:
    """Tables and figures in all forms, the same bytes as where they come from, and nothing else."""
    assert assembled(measured) == []
    folder = measured.root / "paper"
    expected = {
        f"table-{number}-{name.replace('_', '-')}.{suffix}"
        for number, name in enumerate(TABLES, start=1)
        for suffix in ("tex", "md", "csv")
    } | {
        f"figure-{number}-{name.replace('_', '-')}.{suffix}"
        for number, name in enumerate(FIGURES, start=1)
        for suffix in ("pdf", "png", "csv")
    }
    assert {path.name for path in folder.iterdir()} == expected | {"paper.md", "paper.tex"}
    assert (folder / "table-2-main.tex").read_bytes() == (measured.tables / "main.tex").read_bytes()
    assert (folder / "figure-5-timeline.pdf").read_bytes() == (measured.figures / "timeline.pdf").read_bytes()


def test_every_table_of_the_report_has_a_place_in_the_paper() -> None:
    """Whoever adds a table is asked which number it gets."""
    assert set(REPORTED) <= set(TABLES)


def test_numbers_stay_when_one_is_missing(measured: Campaign) -> None:
    """Without seeds there is no table 5; what comes behind it keeps its number, and the index says what is missing."""
    missing = assembled(measured)
    assert [item.label for item in missing] == ["Table 5"]
    folder = measured.root / "paper"
    assert not list(folder.glob("table-5-*"))
    index = (folder / "paper.md").read_text(encoding="utf-8")
    assert "- Table 5: Results over seeds: not made, it is made of several seeds" in index
    assert "[tex](table-6-extractor-validity.tex)" in index
    tex = (folder / "paper.tex").read_text(encoding="utf-8")
    assert "\\setcounter{table}{5}\n\\input{table-6-extractor-validity}" in tex
    assert "Table 5 (Results over seeds) was not made" in tex


def test_links_of_the_index_lead_somewhere(measured: Campaign) -> None:
    """Every file that paper.md and paper.tex name lies beside them, and every file is named."""
    assembled(measured)
    folder = measured.root / "paper"
    index = (folder / "paper.md").read_text(encoding="utf-8")
    linked = set(re.findall(r"\]\(([^)]+)\)", index))
    assert linked == {path.name for path in folder.iterdir()} - {"paper.md", "paper.tex"}
    tex = (folder / "paper.tex").read_text(encoding="utf-8")
    inputs = set(re.findall(r"\\input\{([^}]+)\}", tex)) | set(re.findall(r"\\includegraphics\{([^}]+)\.pdf\}", tex))
    assert inputs == {path.stem for path in folder.iterdir() if path.stem != "paper"}


def test_signature_and_stub_stand_in_both_indexes(measured: Campaign) -> None:
    """Whoever opens one file learns how its numbers were made, and that they are simulated."""
    assembled(measured)
    signature = read_variant(measured.metrics_file("V3")).signature
    for name in ("paper.md", "paper.tex"):
        text = (measured.root / "paper" / name).read_text(encoding="utf-8").replace("\\allowbreak{}", "")
        assert signature.replace("_", "\\_" if name == "paper.tex" else "_") in text
        assert "Stub data" in text


def test_assembling_again_touches_nothing_and_changes_are_followed(measured: Campaign) -> None:
    """What is current is left alone; an edited file is restored, a leftover of an earlier paper removed."""
    assembled(measured)
    folder = measured.root / "paper"
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}
    assembled(measured)
    assert {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()} == before
    (folder / "table-2-main.tex").write_text("edited", encoding="utf-8")
    (folder / "notes.txt").write_text("mine", encoding="utf-8")
    assembled(measured)
    assert (folder / "table-2-main.tex").read_bytes() == before["table-2-main.tex"][0]
    assert (folder / "notes.txt").read_text(encoding="utf-8") == "mine"
    (folder / "notes.txt").unlink()


@pytest.mark.slow
def test_the_timeline_is_left_out_where_run_logs_are_not(measured: Campaign, tmp_path: Path) -> None:
    """Metrics alone give everything else; the index names the files that the timeline needs."""
    alone = Campaign(tmp_path)
    alone.metrics.mkdir()
    for path in measured.metrics.glob("*.jsonl"):
        (alone.metrics / path.name).write_bytes(path.read_bytes())
    missing = assembled(alone)
    assert [item.label for item in missing] == ["Table 5", "Figure 5"]
    assert re.search(r"runs/V0/case-[a-z0-9]+\.jsonl\.gz", missing[1].why_not)
    assert not list(alone.figures.glob("timeline.*"))


def test_the_verb_assembles_what_was_measured(measured: Campaign, capsys: pytest.CaptureFixture[str]) -> None:
    """`paper --assemble-only` runs no stage, and says where to begin and what is missing."""
    assert run(["paper", "--assemble-only", "--data-dir", str(measured.root)]) == 0
    out = capsys.readouterr().out
    assert "begin with paper.md" in out
    assert "Table 5 (Results over seeds) was not made" in out


def test_nothing_measured_is_an_error_with_a_remedy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An empty campaign: status 1, and the command that helps."""
    assert run(["paper", "--assemble-only", "--data-dir", str(tmp_path)]) == 1
    assert "nothing has been measured here; run `exaid-evals compute-metrics`" in capsys.readouterr().err


@needs_latex
@pytest.mark.usefixtures("over_seeds")
def test_the_article_compiles_as_it_is(measured: Campaign, tmp_path: Path) -> None:
    """With every table and figure, in the folder alone: no warning that an author would have to mend."""
    assembled(measured)
    folder = tmp_path / "paper"
    folder.mkdir()
    for path in (measured.root / "paper").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    log = compiled(folder, "paper.tex", runs=2)
    assert not re.search(r"Overfull|Missing character|Warning|too large|undefined", log), log
    assert (folder / "paper.pdf").stat().st_size > 100_000
