"""experiment_config.yaml: every mistake at once, each with a suggestion, and no secret in any message."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from exaid_evals.config.resources import configs_dir
from exaid_evals.errors import ConfigError
from exaid_evals.monitor import ExperimentConfig, TrainingMonitor, load_experiment_config

EXAMPLE = configs_dir() / "experiment_config.yaml"
URL = "https://hooks.example.com/services/T0/B0/s3cr3t"


def written(folder: Path, text: str) -> Path:
    """Write a configuration."""
    path = folder / "experiment_config.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_example_shows_every_key_with_its_default() -> None:
    """What the file says is what holds without it; what it has as comments is valid too."""
    assert load_experiment_config(EXAMPLE).value == ExperimentConfig()
    stated = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))["experiment_monitoring"]
    known = ExperimentConfig().model_dump()["experiment_monitoring"]
    assert {key: sorted(value) if isinstance(value, dict) else value for key, value in stated.items()} == {
        key: sorted(value) if isinstance(value, dict) else value for key, value in known.items()
    }


def test_the_commented_lines_of_the_example_are_valid(tmp_path: Path) -> None:
    """The mailbox without its hashes, and the recovery switched on."""
    text = EXAMPLE.read_text(encoding="utf-8").replace("    email: null\n", "")
    text = re.sub(r"^    # (email:|  \w+:.*)", r"    \1", text, flags=re.MULTILINE)
    text = text.replace("enable: false", "enable: true").replace("slack_webhook: null", "slack_webhook: ${HOOK}")
    text = text.replace("checkpoint_dir: null", "checkpoint_dir: here").replace(
        "metric: null ", "metric: val_accuracy "
    )
    config = load_experiment_config(written(tmp_path, text)).value.experiment_monitoring
    assert config.alerts.email is not None
    assert config.alerts.email.username == "${SMTP_USERNAME}"
    assert config.alerts.slack_webhook == "${HOOK}"
    assert config.auto_recovery.enable


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    """Unknown keys have a suggestion; values say what is wrong with them."""
    path = written(
        tmp_path,
        "experiment_monitoring:\n"
        "  anomaly_detecton: {}\n"
        "  anomaly_detection: {performance_drop_treshold: 0.1, drop_window: 1}\n"
        "  auto_recovery: {strategies: [rolback]}\n"
        "  reporting: {auto_generate_reports: true}\n"
        "  alerts: {min_severity: awful}\n",
    )
    with pytest.raises(ConfigError) as caught:
        load_experiment_config(path)
    told = str(caught.value)
    assert len(caught.value.parts) == 6
    for part in (
        "anomaly_detecton: unknown key; did you mean `anomaly_detection`?",
        "did you mean `performance_drop_threshold`?",
        "drop_window: Input should be greater than or equal to 3 (got 1)",
        "strategies.0",
        "auto_generate_reports needs log_dir",
        "min_severity",
    ):
        assert part in told


@pytest.mark.parametrize(
    "text",
    [
        f"experiment_monitoring:\n  alerts: {{slack_webhook: '{URL}'}}",
        f"experiment_monitoring:\n  alerts: {{slack_webhok: '{URL}'}}",
        f"experiment_monitoring:\n  alerts: '{URL}'",
        f"experiment_monitoring:\n  alerts: {{log: ['{URL}']}}",
        f"experiment_monitoring: ['{URL}']",
        "experiment_monitoring:\n  alerts: {email: {host: h, username: u, password: s3cr3t}}",
        "experiment_monitoring:\n  alerts: {email: {password: [s3cr3t]}}",
        "experiment_monitoring:\n  alerts: {slack_webhook: {a: s3cr3t}}",
    ],
)
def test_a_secret_in_the_file_is_refused_unseen(text: str, tmp_path: Path) -> None:
    """Wherever it stands, the message says what is wrong, and does not repeat it."""
    with pytest.raises(ConfigError) as caught:
        load_experiment_config(written(tmp_path, text))
    assert "s3cr3t" not in str(caught.value)
    assert "s3cr3t" not in repr(caught.value.__context__)
    assert "experiment_config.yaml" in str(caught.value)


def test_a_variable_that_is_not_set_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before any work, and of every channel at once."""
    for name in ("NO_HOOK", "NO_USER", "NO_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    text = (
        "experiment_monitoring:\n  alerts:\n    slack_webhook: ${NO_HOOK}\n    email:\n      {host: localhost, "
        "sender: a@b, recipients: [c@d], username: '${NO_USER}', password: '${NO_PASSWORD}'}\n"
    )
    with pytest.raises(ConfigError) as caught:
        TrainingMonitor(written(tmp_path, text))
    assert "NO_HOOK is not set" in str(caught.value)
    assert "NO_USER is not set" in str(caught.value)
