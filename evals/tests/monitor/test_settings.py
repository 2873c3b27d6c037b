"""experiment_config.yaml: every mistake at once, each with a suggestion, and no secret in any message."""

from __future__ import annotations

import itertools
import re
import traceback
from pathlib import Path

import pytest
import yaml

from exaid_evals.config.campaign import configs_dir
from exaid_evals.errors import ConfigError
from exaid_evals.monitor import ExperimentConfig, MonitoringConfig, TrainingMonitor, load_experiment_config
from exaid_evals.monitor.settings import is_loopback
from monitor.training_states import Model, Optimizer

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


def test_all_mistakes_are_reported_at_once(tmp_path: Path) -> None:
    """Unknown keys have a suggestion; values say what is wrong with them."""
    path = written(
        tmp_path,
        "experiment_monitoring:\n"
        "  anomaly_detecton: {}\n"
        "  anomaly_detection: {performance_drop_treshold: 0.1, drop_window: 1}\n"
        "  auto_recovery: {strategies: [rolback]}\n"
        "  alerts: {min_severity: awful}\n",
    )
    with pytest.raises(ConfigError) as caught:
        load_experiment_config(path)
    reported = str(caught.value)
    assert len(caught.value.parts) == 5
    for part in (
        "anomaly_detecton: unknown key; did you mean `anomaly_detection`?",
        "did you mean `performance_drop_threshold`?",
        "drop_window: Input should be greater than or equal to 3 (got 1)",
        "strategies.0",
        "min_severity",
    ):
        assert part in reported


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
        "experiment_monitoring:\n  alerts: {email: [{host: h, password: s3cr3t}]}",
        "experiment_monitoring:\n  alerts: {email: 'user:s3cr3t@mail.example.org'}",
        "experiment_monitoring:\n  alerts: {email: {host: 'u:s3cr3t@h', sender: a@b, recipients: [c@d]}}",
        "experiment_monitoring:\n  alerts: [s3cr3t]",
        "experiment_monitoring:\n  alerts: {email: {password: *s3cr3t}}",
        "experiment_monitoring:\n  alerts: {email: {password: !s3cr3t foo}}",
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


@pytest.mark.parametrize(
    "alerts",
    [
        {"slack_webhook": URL},
        {"email": {"host": "h", "sender": "a@b", "recipients": ["c@d"], "username": "${U}", "password": "s3cr3t"}},
        {"email": "s3cr3t"},
    ],
)
def test_a_validation_error_repeats_no_value(alerts: object) -> None:
    """Also where the models are used without a file: neither the message nor a traceback holds the secret."""
    try:
        MonitoringConfig.model_validate({"alerts": alerts})
    except ValueError:
        assert "s3cr3t" not in traceback.format_exc()
    else:
        pytest.fail("was taken")


def test_the_keys_of_the_issue_suffice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Recovery and report need a folder, which is `runs` where none is named; a second training gets its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TEST_HOOK", "http://127.0.0.1:1/s3cr3t")
    path = written(
        tmp_path,
        "experiment_monitoring:\n"
        "  enable_real_time_analysis: true\n"
        "  anomaly_detection: {performance_drop_threshold: 0.05}\n"
        "  auto_recovery: {enable: true, strategies: [rollback, reduce_learning_rate, early_stop]}\n"
        "  reporting: {auto_generate_reports: true}\n"
        "  alerts: {slack_webhook: '${TEST_HOOK}'}\n",
    )
    for name in ("run", "run-2"):
        with TrainingMonitor(path, watch_stalls=False).attach(Model(), Optimizer()) as monitor:
            for step in range(20):
                monitor.log_step(step, {"val_accuracy": 0.5 + 0.01 * step})
        assert monitor.problems == {}
        assert (tmp_path / "runs" / name / "history.jsonl").read_text().count("\n") == 20
        assert len(list((tmp_path / "runs" / name / "checkpoints").glob("*.npz"))) == 3
        assert (tmp_path / "experiment_reports" / name / "summary.json").exists()


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("127.0.0.1.evil.com", False),
        ("127.mail.example.org", False),
        ("10.0.0.1", False),
    ],
)
def test_this_machine_is_reported_by_its_address(host: str, expected: bool) -> None:
    """A name that begins like a loopback address is anybody's."""
    assert is_loopback(host) == expected


def test_a_secret_in_the_place_of_a_key_is_not_reported(tmp_path: Path) -> None:
    """Messages name keys."""
    path = written(tmp_path, f'experiment_monitoring:\n  alerts:\n    "{URL}": 1\n')
    with pytest.raises(ConfigError) as refused:
        load_experiment_config(path)
    assert "s3cr3t" not in "".join(traceback.format_exception(refused.value))


def test_a_password_in_the_place_of_a_key_is_not_shown(tmp_path: Path) -> None:
    """Beside secrets an unknown key may be one; a misspelt one is reported all the same."""
    text = "experiment_monitoring: {alerts: {email: {server: s, hunter2: 1, pasword: 2}}}"
    with pytest.raises(ConfigError, match="did you mean `password`") as caught:
        load_experiment_config(written(tmp_path, text))
    assert "alerts.email.(a key that is not shown): unknown key; remove it" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_aliases_of_aliases_end(tmp_path: Path) -> None:
    """Nine lists of nine, nine times over: as many values as no memory holds, and one message."""
    names = "abcdefghi"
    lists = [f"  a: &a [{', '.join('x' * 9)}]"]
    lists += [f"  {name}: &{name} [{', '.join([f'*{before}'] * 9)}]" for before, name in itertools.pairwise(names)]
    with pytest.raises(ConfigError, match="too many values"):
        load_experiment_config(written(tmp_path, "\n".join(["experiment_monitoring:", *lists, ""])))


@pytest.mark.parametrize(
    "text",
    ["auto_recovery: {checkpoint_dir: ''}", "auto_recovery: {metric: ''}", "reporting: {log_dir: ''}",
     "reporting: {output_dir: ''}"],
)  # fmt: skip
def test_an_empty_name_is_none(tmp_path: Path, text: str) -> None:
    """An empty folder would be the one that one is in."""
    with pytest.raises(ConfigError, match=r"empty|at least 1 character"):
        load_experiment_config(written(tmp_path, f"experiment_monitoring:\n  {text}\n"))


def test_a_file_of_another_encoding_says_so(tmp_path: Path) -> None:
    """The message of the system is told whole."""
    path = tmp_path / "c.yaml"
    path.write_bytes(b"\xe9: 1\n")
    with pytest.raises(ConfigError, match="'utf-8' codec can't decode byte 0xe9"):
        load_experiment_config(path)
