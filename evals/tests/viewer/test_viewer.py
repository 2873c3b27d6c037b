"""The page of a campaign: what it holds, that its bytes are the same everywhere, and that nothing in it can run."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import yaml

from exaid_evals.cli.main import run as cli
from exaid_evals.config.base import load_config
from exaid_evals.config.campaign import Campaign, configs_dir
from exaid_evals.config.metrics import MetricsConfig
from exaid_evals.metrics.records import read_variant_and_cases
from exaid_evals.viewer import page as page_module
from stub_campaigns import change_record, copy_of, records_in, shared_campaign

VARIANTS = ("V0", "V1", "V2", "V3", "V4")


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    """Return a campaign with the page that `reproduce` writes."""
    return copy_of(shared_campaign(), tmp_path_factory.mktemp("viewer") / "data")


@pytest.fixture(scope="module")
def page(campaign: Campaign) -> str:
    """Return the page."""
    return (campaign.root / "report.html").read_text("utf-8")


def test_it_holds_every_case_under_every_variant(campaign: Campaign, page: str) -> None:
    """The overview lists the cases in the order of their records, and values are those of the metrics files."""
    overview, *cases = records_in(page)
    assert [case["id"] for case in cases] == [case["id"] for case in overview["cases"]]
    assert len(cases) == 2
    for variant in VARIANTS:
        measured = {one.case_id: one.measures for one in read_variant_and_cases(campaign.metrics_file(variant))[1]}
        for index, case in enumerate(cases):
            assert case["runs"][variant]["status"] == "ok"
            for name, value in measured[case["id"]].items():
                assert overview["values"][variant][name][index] == value


def test_a_concept_counts_as_stated_where_the_measure_says_so(page: str) -> None:
    """The share of concepts marked as stated in the overview is coverage itself."""
    overview, *_ = records_in(page)
    for index, case in enumerate(overview["cases"]):
        for variant in VARIANTS:
            stated = case["stated"][variant]
            assert stated.count("1") / len(stated) == pytest.approx(
                overview["values"][variant]["coverage"][index], abs=2e-6
            )


def test_every_number_carries_what_explain_says_of_it(
    campaign: Campaign, page: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The lines behind a cell are those of `explain`, but for where the campaign lies."""
    overview, *_ = records_in(page)
    tables = {table["name"]: table for table in overview["tables"]}
    assert list(tables) == ["main", "coverage_at_budget", "comparisons", "delays", "data_set", "cost"]
    cells = [cell for table in tables.values() for row in table["rows"] for cell in row["cells"] if cell]
    assert all(cell["lines"] for cell in cells)
    (row,) = (row for row in tables["main"]["rows"] if row["key"] == "V3")
    (cell,) = (cell for cell in row["cells"] if cell["measure"] == "coverage")
    shown = [tuple(overview["lines"][number]) for number in cell["lines"]]
    capsys.readouterr()
    assert cli(["explain", "main", "V3", "coverage", "--data-dir", str(campaign.root)]) == 0
    reported = capsys.readouterr().out.replace(f"{campaign.root}/", "").splitlines()
    assert [f"{label:<13}{text}".rstrip() for label, text in shown] == reported


@pytest.mark.slow
def test_its_bytes_are_the_same_again_and_a_current_page_is_not_made_anew(
    campaign: Campaign, page: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another process count and place give the same bytes; a second call finds the page current."""
    other = tmp_path / "elsewhere.html"
    assert cli(["view", "--data-dir", str(campaign.root), "--jobs", "2", "--out", str(other)]) == 0
    assert other.read_text("utf-8") == page
    capsys.readouterr()
    assert cli(["view", "--data-dir", str(campaign.root)]) == 0
    assert "current" in capsys.readouterr().out


def test_a_page_is_stale_where_a_template_has_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What every page is filled from counts among the inputs, as the viewer's own parts do."""
    before = page_module.assets_hash()
    shutil.copytree(page_module.TEMPLATES, tmp_path / "templates")
    monkeypatch.setattr(page_module, "TEMPLATES", tmp_path / "templates")
    assert page_module.assets_hash() == before
    with (tmp_path / "templates" / "page.css").open("a") as style:
        style.write("p { color: red }")
    assert page_module.assets_hash() != before


def test_it_asks_nobody_and_nothing_in_it_runs_but_its_own_script(page: str) -> None:
    """The policy allows nothing but a style and a script by their hashes; there is no handler and no address."""
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    assert policy[1].startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    assert "unsafe" not in policy[1]
    assert "connect-src" not in policy[1]
    markup = re.sub(r"<(script|style)\b[^>]*>.*?</\1>", "", page, flags=re.DOTALL)
    assert not re.search(r"\son\w+=|javascript:|\sstyle=|<link|<img|<iframe", markup)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", page)
    assert re.findall(r"https?://[^\s\"'<)]+", page) == ["http://www.w3.org/2000/svg"]  # a name, never asked for


@pytest.mark.slow
def test_another_extractor_than_the_one_that_measured_is_refused(
    campaign: Campaign, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Marks of another extractor would be a second truth beside the tables: an error that names both."""
    configs = tmp_path / "configs"
    shutil.copytree(configs_dir(), configs)
    settings = yaml.safe_load((configs / "metrics.yaml").read_text("utf-8"))
    settings["extractor"] = {"name": "lexicon", "settings": {"negation": False}}
    (configs / "metrics.yaml").write_text(yaml.safe_dump(settings), "utf-8")
    out = tmp_path / "report.html"
    arguments = ["view", "--data-dir", str(campaign.root), "--config-dir", str(configs), "--out", str(out)]
    assert cli(arguments) == 1
    reported = capsys.readouterr().err
    assert "was measured with concepts lexicon-" in reported
    assert "and the configuration here names lexicon-" in reported
    assert not out.exists()


def test_without_metrics_it_says_what_to_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An empty folder is not a campaign; the message names the stage, and no file appears."""
    assert cli(["view", "--data-dir", str(tmp_path)]) == 1
    assert "run `exaid-evals compute-metrics`" in capsys.readouterr().err
    assert not (tmp_path / "report.html").exists()


def test_one_price_alone_is_refused(tmp_path: Path) -> None:
    """Both prices or none, as elsewhere."""
    assert cli(["view", "--data-dir", str(tmp_path), "--price-input", "1"]) == 2


@pytest.mark.slow
def test_the_page_tells_of_changes_since_it_was_measured(campaign: Campaign, tmp_path: Path) -> None:
    """A run log that is another one by now is reported at the top; its numbers are those that were measured."""
    other = copy_of(campaign, tmp_path / "data")
    run_log = next((other.runs / "V4").glob("*.jsonl.gz"))
    change_record(run_log, 1, lambda record: record["versions"].update({"exaid-evals": "0.0.1"}))
    assert cli(["view", "--data-dir", str(other.root), "--jobs", "1"]) == 0
    overview, *_ = records_in((other.root / "report.html").read_text("utf-8"))
    assert overview["warnings"] == ["the run logs of V4 have changed since they were measured"]


def test_the_policy_of_the_budget_is_that_of_the_configuration(page: str) -> None:
    """The page counts as `metrics.yaml` says."""
    config = load_config(MetricsConfig, configs_dir() / "metrics.yaml").value
    overview, *_ = records_in(page)
    assert overview["policy"] == config.budget_policy
    assert overview["budgets"] == list(config.budget_list)
