"""A package of one's own, installed beside this one, adds a part of each kind by its entry points."""

from __future__ import annotations

import importlib
import shutil
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from conversations import conversation, freeze
from exaid_evals.cli.main import run
from exaid_evals.config.plugins import Kind
from exaid_evals.errors import ConfigError

PACKAGE = Path(__file__).resolve().parents[3] / "examples" / "own_parts"
PROJECT = tomllib.loads((PACKAGE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
GROUPS: dict[str, dict[str, str]] = PROJECT["entry-points"]
MODULES = sorted(path.stem for path in (PACKAGE / "own_parts").glob("[a-z]*.py"))


@pytest.fixture(autouse=True)
def _installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Install the example: its modules, and the metadata that a package manager makes of its pyproject.toml."""
    site = tmp_path / "site"
    shutil.copytree(PACKAGE / "own_parts", site / "own_parts", ignore=shutil.ignore_patterns("__pycache__"))
    info = site / "own_parts-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: own-parts\nVersion: 1.0\n", encoding="utf-8")
    lines = [f"[{group}]\n{name} = {target}\n" for group, points in GROUPS.items() for name, target in points.items()]
    (info / "entry_points.txt").write_text("".join(lines), encoding="utf-8")
    monkeypatch.syspath_prepend(str(site))
    names = ["own_parts", *(f"own_parts.{module}" for module in MODULES)]
    for name in names:
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield
    for name in names:  # other tests have a module of that name
        sys.modules.pop(name, None)


def test_each_module_is_registered_and_short() -> None:
    """Every module of the example is a part of some kind, in at most 30 lines."""
    targets = {target.partition(":")[0] for points in GROUPS.values() for target in points.values()}
    assert targets == {f"own_parts.{module}" for module in MODULES}
    for module in MODULES:
        assert len((PACKAGE / "own_parts" / f"{module}.py").read_text(encoding="utf-8").splitlines()) <= 30


@pytest.mark.slow
def test_a_table_and_a_figure_are_written_with_the_others(tmp_path: Path) -> None:
    """Table and figure come in all forms, are current the next time, and paper's numbers stay as they are."""
    from exaid_evals.config.campaign import Campaign
    from exaid_evals.report.paper import FIGURES as NUMBERED
    from exaid_evals.report.stage import write_report

    data = tmp_path / "data"
    stages = ["--stub", "--limit", "1", "--data-dir", str(data)]
    assert run(["make-traces", *stages]) == 0
    assert run(["run-variants", "--stub", "V0", "V3", "--data-dir", str(data)]) == 0
    assert run(["compute-metrics", "--data-dir", str(data)]) == 0
    campaign = Campaign(data)
    assert (campaign.tables / "reading_load.csv").read_text(encoding="utf-8").startswith("variant")
    assert (campaign.figures / "updates_per_case.pdf").read_bytes().startswith(b"%PDF")
    assert (campaign.figures / "updates_per_case.csv").read_text(encoding="utf-8").splitlines()[0] == "variant,updates"
    assert write_report(campaign, ["V0", "V3"], primary="V3").written == ()
    assert "updates_per_case" not in NUMBERED
    assert run(["report", "--check", "--data-dir", str(data)]) == 0


@pytest.mark.parametrize("source", [[], ["--source", "pairs"], ["--source", "own_parts.pairs_log:PairsFormat"]])
def test_a_format_of_runs_is_analysed(tmp_path: Path, capsys: pytest.CaptureFixture[str], source: list[str]) -> None:
    """The format is found out, goes by its name, and goes by `module:attribute`."""
    log = tmp_path / "mine.pairs"
    log.write_text("".join(f"step={step} val_loss={1 / (step + 1):.4f}\n" for step in range(40)), encoding="utf-8")
    assert run(["analyze", "--run-name", str(log), "--output-dir", str(tmp_path / "out"), *source]) == 0
    assert "mine (pairs): 1 metric, 40 steps" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["stuck", "own_parts.stuck:Stuck"])
def test_a_detector_serves_monitor_and_analysis(name: str) -> None:
    """Ten equal values are reported by the detector that is named, during a training and after it."""
    from exaid_evals.analysis.settings import AnalysisConfig
    from exaid_evals.anomalies.base import DetectionSettings
    from exaid_evals.anomalies.registry import find_anomalies
    from exaid_evals.anomalies.watches import watch
    from exaid_evals.runs.rows import history_of

    values = [0.5 + step / 100 for step in range(10)] + [0.25] * 10
    settings = DetectionSettings(detectors=(name,))
    one = watch("accuracy", settings)
    during = [found for step, value in enumerate(values) for found in one.update(step, value)]
    history = history_of("run", "jsonl", [{"step": step, "accuracy": value} for step, value in enumerate(values)])
    after = find_anomalies(history, AnalysisConfig(anomaly_detection=settings))
    for reported in (during, after):
        assert [(found.kind, found.step) for found in reported if found.detector == "stuck"] == [("plateau", 10)]
    assert "detectors" not in DetectionSettings().model_dump()  # signatures without any stay as they were
    assert not [one for one in find_anomalies(history, AnalysisConfig()) if one.detector == "stuck"]


@pytest.mark.parametrize("name", ["overheated", "own_parts.overheated:Overheated"])
def test_a_cause_is_weighed_beside_the_others(name: str) -> None:
    """A drop with a hot GPU before it is explained by the cause that is named, and by another without it."""
    from exaid_evals.analysis.settings import AnalysisConfig, RootCauseSettings
    from exaid_evals.analysis.stage import analyse
    from exaid_evals.runs.rows import history_of

    rows = [
        {
            "step": step,
            "val_accuracy": 0.9 - 0.001 * (step % 2) if step < 60 else 0.3,
            "system/gpu_temperature": 99.0 if step in (58, 59) else 60.0,
        }
        for step in range(100)
    ]
    history = history_of("run", "jsonl", rows)
    found = analyse(history, AnalysisConfig(root_cause=RootCauseSettings(causes=(name,)))).diagnosis
    assert found is not None
    assert found.hypotheses[0].claim == "The GPU overheated."
    assert found.hypotheses[0].evidence[0].step == 58
    without = analyse(history, AnalysisConfig()).diagnosis
    assert without is not None
    assert "The GPU overheated." not in [one.claim for one in without.hypotheses]


@pytest.mark.parametrize("name", ["upright", "own_parts.upright:Upright"])
def test_a_check_of_images_judges_where_the_settings_name_it(name: str) -> None:
    """A wide image is found by the check that is named, and by none where none is."""
    from exaid_evals.analysis.images.checks import check_names, judge
    from exaid_evals.analysis.images.files import AuditSettings, ImageFacts

    images = [ImageFacts("wide.png", width=200, height=100), ImageFacts("tall.png", width=100, height=200)]
    settings = AuditSettings(checks=(name,))
    assert [[one.check for one in found] for found in judge(images, settings, ["upright"])] == [["upright"], []]
    assert check_names(settings)[-1] == "upright"
    assert "upright" not in check_names(AuditSettings())
    assert "checks" not in AuditSettings().model_dump()  # the signature of an audit without any stays as it was


def test_a_channel_of_alerts_takes_what_stands_beside_its_kind(tmp_path: Path) -> None:
    """An alert reaches the channel that the configuration names; a wrong setting is reported before the training."""
    from exaid_evals.monitor.alerts import Alerts, channels
    from exaid_evals.monitor.settings import AlertsConfig

    reported = {"kind": "notebook", "path": str(tmp_path / "alerts.txt")}
    alerts = Alerts(AlertsConfig.model_validate({"log": False, "channels": [reported]}), "run-1")
    alerts.notice("test", "loss", "high", "it works")
    alerts.close()
    assert (tmp_path / "alerts.txt").read_text(encoding="utf-8") == "[high] run-1: it works\n"
    with pytest.raises(ConfigError, match=r"alerts\.channels\.1: the alert channel 'notebook' cannot be built"):
        channels(AlertsConfig.model_validate({"channels": [reported, {"kind": "notebook"}]}))


@pytest.mark.parametrize("name", ["stop_on_divergence", "own_parts.stop_on_divergence:StopOnDivergence"])
def test_a_recovery_strategy_is_asked(tmp_path: Path, name: str) -> None:
    """A severe divergence ends the training, in the journal under the strategy's name."""
    from exaid_evals.anomalies.base import Anomaly
    from exaid_evals.monitor.recovery.system import AutoRecoverySystem
    from monitor.training_states import Model, Optimizer

    recovery = AutoRecoverySystem(tmp_path, [name], metric="val_loss", direction="lower")
    recovery.attach(Model(), Optimizer())
    recovery.observe(1, {"val_loss": 1.0}, [])
    found = Anomaly("val_loss", "divergence", 2, 8.0, "critical", "divergence")
    action = recovery.observe(2, {"val_loss": 9.0}, [found])
    assert recovery.should_stop
    assert action is not None
    assert action.strategy == "stop_on_divergence"
    recovery.close()


def test_an_unknown_strategy_is_named_with_those_there_are(tmp_path: Path) -> None:
    """The message lists what ships and what is installed, and not the value, which may be a secret."""
    from exaid_evals.monitor.recovery.system import AutoRecoverySystem

    with pytest.raises(ConfigError, match="stop_on_divergence"):
        AutoRecoverySystem(tmp_path, ["no_such"])


def test_a_verb_stands_in_the_help_and_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`exaid-evals --help` lists the verb without importing it; called, it does its work."""
    freeze(tmp_path / "data", [conversation("one two", "three", case_id="case-a1")])
    assert run(["--help"]) == 0
    assert "count-words" in capsys.readouterr().out
    assert "own_parts.count_words" not in sys.modules
    assert run(["count-words", "--data-dir", str(tmp_path / "data")]) == 0
    assert capsys.readouterr().out == "3 words\n"


def test_a_part_that_lacks_something_is_refused_by_name() -> None:
    """Of a module, what it must have is named; of anything else, that it can be called."""
    tables = Kind("table", "none", {}, needs=("build", "WHY_NOT"))
    with pytest.raises(ConfigError, match=r"the table 'own_parts.upright:Upright' lacks build, WHY_NOT"):
        tables.find("own_parts.upright:Upright")
    with pytest.raises(ConfigError, match="is a str, which cannot be called"):
        Kind("gate", "none", {}).find("own_parts.reading_load:WHY_NOT")
    assert importlib.import_module("own_parts.reading_load") is Kind(
        "table", "exaid_evals.tables", {}, needs=("build",)
    ).find("reading_load")
