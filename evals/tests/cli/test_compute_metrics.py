"""`compute-metrics` from the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from conversations import conversation, failed_conversation, freeze
from exaid_evals.cli.main import run
from exaid_evals.config.campaign import Campaign, configs_dir
from exaid_evals.config.variant import StubLLMConfig, SummarizerConfig, load_variants
from exaid_evals.replay import stage as replay_stage
from stub_campaigns import copy_of

TABLES = {
    f"{name}.{form}"
    for name in ("data_set", "main", "coverage_at_budget", "comparisons", "delays")
    for form in ("csv", "md", "tex")
}
FIGURES = {
    f"{name}.{form}"
    for name in ("coverage_vs_budget", "compression_vs_coverage", "redundancy_by_tau", "concept_delay", "timeline")
    for form in ("csv", "pdf", "png")
}


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    """Return a replayed campaign of three cases, one of which failed; whoever changes anything takes a copy."""
    conversations = [
        conversation("A boy with FEVER and SEIZURES.", "Likely MEASLES.", case_id="case-1"),
        conversation("A girl with HEPATOMEGALY.", "GAUCHER is likely. We should order an MRI.", case_id="case-2"),
    ]
    campaign = freeze(tmp_path_factory.mktemp("replayed") / "data", [*conversations, failed_conversation("case-3")])
    wanted = replay_stage.Settings(
        variants=load_variants(configs_dir() / "variants", ["V0", "V3"]),
        summarizer=SummarizerConfig(stub=StubLLMConfig(concepts="conversations:build_words")),
        stop_entities=frozenset(),
    )
    plan = replay_stage.plan_runs(campaign, wanted)
    replay_stage.run_variants(campaign, wanted, plan, on_case=lambda _: None)
    return campaign


@pytest.fixture(scope="module")
def made(replayed: Campaign, tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    """Return the same campaign, measured."""
    folder = tmp_path_factory.mktemp("measured")
    campaign = copy_of(replayed, folder / "data")
    assert run(arguments(campaign, toy_configs(folder / "configs"))) == 0
    return campaign


@pytest.fixture
def campaign(replayed: Campaign, tmp_path: Path) -> Campaign:
    """Return a copy of the replayed campaign."""
    return copy_of(replayed, tmp_path / "data")


@pytest.fixture
def measured(made: Campaign, tmp_path: Path) -> Campaign:
    """Return a copy of the measured campaign."""
    return copy_of(made, tmp_path / "data")


@pytest.fixture
def configs(tmp_path: Path) -> Path:
    """Return a folder of configurations that measures with the toy extractor."""
    return toy_configs(tmp_path / "configs")


def toy_configs(folder: Path) -> Path:
    """Write configurations that measure with the toy extractor; return their folder."""
    folder.mkdir()
    data = yaml.safe_load((configs_dir() / "metrics.yaml").read_text(encoding="utf-8"))
    data |= {"extractor": {"name": "conversations:build_words"}, "bootstrap": {"resamples": 200}}
    (folder / "metrics.yaml").write_text(yaml.safe_dump(data), encoding="utf-8")
    (folder / "stop_entities.txt").write_text("# none\n", encoding="utf-8")
    return folder


def arguments(campaign: Campaign, configs: Path, *more: str) -> list[str]:
    """Return a command line."""
    return ["compute-metrics", *more, "--data-dir", str(campaign.root), "--config-dir", str(configs)]


def test_numbers_tables_and_figures(campaign: Campaign, configs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One command writes all of them, prints the main table, and names the failed case; status 0."""
    assert run(arguments(campaign, configs)) == 0
    assert {path.name for path in campaign.tables.iterdir()} == TABLES
    assert {path.name for path in campaign.figures.iterdir()} == FIGURES
    out = capsys.readouterr().out
    assert "Main results per variant" in out
    assert "1 cases have no conversation and were not measured: case-3" in out
    assert str(campaign.figures) in out


def test_a_second_run_does_nothing(measured: Campaign, configs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing changed: no file is touched, and the table is printed again."""
    before = {path: path.stat().st_mtime_ns for path in measured.metrics.rglob("*.*")}
    capsys.readouterr()
    assert run(arguments(measured, configs)) == 0
    assert {path: path.stat().st_mtime_ns for path in measured.metrics.rglob("*.*")} == before
    out = capsys.readouterr().out
    assert "Main results per variant" in out
    assert "nothing to measure; current: V0 V3; 0 tables and figures written" in out


def test_a_second_run_loads_nothing_heavy(measured: Campaign, configs: Path) -> None:
    """With nothing changed none of the slow libraries is imported."""
    script = (
        "import sys; from exaid_evals.cli.main import run; assert run(sys.argv[1:]) == 0;"
        "print(sorted({'spacy', 'pandas', 'matplotlib', 'numpy', 'scipy'} & sys.modules.keys()), file=sys.stderr)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-c", script, *arguments(measured, configs)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_a_deleted_table_is_made_again_alone(
    measured: Campaign, configs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is missing or edited is restored to the same bytes; the rest is left alone."""
    table = measured.tables / "main.tex"
    figure = measured.figures / "coverage_vs_budget.pdf"
    before = table.read_bytes(), figure.read_bytes()
    table.unlink()
    figure.write_bytes(b"edited")
    capsys.readouterr()
    run(arguments(measured, configs))
    assert (table.read_bytes(), figure.read_bytes()) == before
    assert "2 tables and figures written" in capsys.readouterr().out


@pytest.mark.slow
def test_measuring_one_variant_leaves_the_others(measured: Campaign, configs: Path) -> None:
    """A variant measured again alone gives the same bytes, and tables still show all."""
    before = {path: path.read_bytes() for path in sorted(measured.metrics.rglob("*.*"))}
    assert run(arguments(measured, configs, "V3", "--force")) == 0
    assert {path: path.read_bytes() for path in sorted(measured.metrics.rglob("*.*"))} == before


def test_dry_run_writes_nothing(campaign: Campaign, configs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It says what would be done."""
    assert run(arguments(campaign, configs, "--dry-run", "--limit", "2")) == 0
    assert "would measure 2 cases under V0 V3; current: none" in capsys.readouterr().out
    assert not campaign.metrics.exists()


@pytest.mark.parametrize(
    ("more", "status", "message"),
    [
        (["V9"], 2, "no runs of V9"),
        (["--cases", "case-9"], 2, "no case is called case-9 among the frozen traces; did you mean"),
        (["--cases", ","], 2, "names no case"),
        (["--cases", ""], 2, "names no case"),
        (["--limit", "0"], 2, "--limit"),
        (["--extractor", "nonsense"], 2, "extractor is called 'nonsense'"),
    ],
)
def test_what_is_wrong_is_said_before_any_work(
    campaign: Campaign, configs: Path, capsys: pytest.CaptureFixture[str], more: list[str], status: int, message: str
) -> None:
    """Wrong usage is 2, data that do not hold are 1; nothing is written."""
    assert run(arguments(campaign, configs, *more)) == status
    assert message in capsys.readouterr().err
    assert not campaign.metrics.exists()


def test_a_wrong_configuration_is_named_with_its_file(
    campaign: Campaign, configs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every problem at once: an unknown key, thresholds out of order, a level that nobody can set."""
    wrong = {"budgets": [1], "tau_list": [0.9, 0.5], "bootstrap": {"level": 0.9}}
    (configs / "metrics.yaml").write_text(yaml.safe_dump(wrong), encoding="utf-8")
    assert run(arguments(campaign, configs)) == 2
    error = capsys.readouterr().err
    for part in ("budgets: unknown key; did you mean `budget_list`?", "tau_list: must ascend", "bootstrap.level"):
        assert part in error


def test_damaged_runs_are_all_named(campaign: Campaign, configs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run log that was cut off behind its first record is named; no mean is taken over whatever is left."""
    import gzip

    path = campaign.run_file("V3", "case-1")
    lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
    path.write_bytes(gzip.compress(b"".join([*lines[:-1], lines[-1][:20] + b"\n"])))
    assert run(arguments(campaign, configs)) == 1
    assert "V3/case-1.jsonl.gz" in capsys.readouterr().err
    assert not campaign.tables.exists()


def test_the_environment_sets_options_too(
    campaign: Campaign, configs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """EXAID_LIMIT=1 is --limit 1."""
    monkeypatch.setenv("EXAID_LIMIT", "1")
    assert run(arguments(campaign, configs, "--dry-run")) == 0
    assert "would measure 1 cases" in capsys.readouterr().out


@pytest.mark.slow
def test_measuring_some_of_the_cases_is_reported(
    campaign: Campaign, configs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Tables of a part replace those of the whole: that is not done without a word."""
    assert run(arguments(campaign, configs, "--limit", "2")) == 0
    assert "warning: tables and figures now cover 2 of 3 cases" in capsys.readouterr().err
    assert run(arguments(campaign, configs)) == 0
    assert "warning" not in capsys.readouterr().err


def test_cases_may_be_written_in_any_way(campaign: Campaign, configs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With or without `case-`, upper or lower case: as for make-traces."""
    first, second, _ = sorted(path.name.removesuffix(".jsonl.gz") for path in campaign.traces.iterdir())
    wanted = f"{first.upper()},{second.removeprefix('case-')}"
    assert run(arguments(campaign, configs, "--dry-run", "--cases", wanted)) == 0
    assert "would measure 2 cases" in capsys.readouterr().out
