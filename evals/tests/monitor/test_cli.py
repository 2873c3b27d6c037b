"""The verb `monitor`: a history, a growing one, a configuration, and a test of the channels."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from exaid_evals.cli.main import run
from monitor.webhook_server import SECRET, webhook_server


def history(path: Path, values: list[float]) -> Path:
    """Write a history."""
    rows = [json.dumps({"step": step, "val_accuracy": value}) for step, value in enumerate(values)]
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.fixture
def falling(tmp_path: Path) -> Path:
    """Return a history with a drop."""
    return history(tmp_path / "run.jsonl", [0.9 + 0.001 * (step % 3) for step in range(30)] + [0.4] * 5)


def test_a_history_is_watched(falling: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The drop is reported with its step and numbers, then a summary."""
    assert run(["monitor", str(falling)]) == 0
    first, *_, last = capsys.readouterr().out.splitlines()
    assert first.startswith("critical  val_accuracy got worse at once by 0.501, step 30 (before 0.901, after 0.4")
    assert last.startswith("35 steps, 1 metric; anomalies: 1 critical")


def test_the_exit_status_says_how_bad_it_was(falling: Path, tmp_path: Path) -> None:
    """`--fail-on` is a floor."""
    assert run(["monitor", str(falling), "--fail-on", "high"]) == 1
    assert run(["monitor", str(history(tmp_path / "good.jsonl", [0.9] * 40)), "--fail-on", "low"]) == 0


def test_wrong_usage(tmp_path: Path, falling: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each in one line, with what to do."""
    for arguments, reported in (
        ([], "name the file or folder"),
        ([str(tmp_path / "none.jsonl")], "wait for it with --follow"),
        ([str(falling), "--until-idle", "3"], "add --follow"),
        ([str(falling), "--config", str(tmp_path / "none.yaml")], "no such configuration"),
        (["--test-alerts"], "no channel is configured"),
    ):
        assert run(["monitor", *arguments]) == 2
        assert reported in capsys.readouterr().err


def test_a_growing_history_is_followed(tmp_path: Path) -> None:
    """In a process of its own, that begins before the training: the drop is printed while the file is still written."""
    path = tmp_path / "run.jsonl"
    command = [sys.executable, "-m", "exaid_evals", "monitor", str(path), "--follow", "--until-idle", "60"]
    process = subprocess.Popen([*command, "--interval", "0.05"], stdout=subprocess.PIPE, text=True)
    try:
        time.sleep(0.2)
        with path.open("w") as stream:
            for step in range(45):
                stream.write(json.dumps({"step": step, "val_accuracy": 0.4 if step >= 30 else 0.9}) + "\n")
                stream.flush()
            assert process.stdout is not None
            assert process.stdout.readline().startswith("critical  val_accuracy got worse at once")
            assert process.poll() is None
    finally:
        process.terminate()
        assert process.wait(60) == 130


def test_the_configuration_is_shown_without_its_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every key, the names of variables, and whether they are set; what cannot be used is an error."""
    path = tmp_path / "experiment_config.yaml"
    path.write_text("experiment_monitoring: {alerts: {slack_webhook: '${TEST_HOOK}'}}")
    monkeypatch.setenv("TEST_HOOK", f"https://hooks.example.com/{SECRET}")
    assert run(["monitor", "--config", str(path), "--check-config"]) == 0
    out = capsys.readouterr().out
    assert "performance_drop_threshold: 0.05" in out
    assert "# ${TEST_HOOK}: set in the environment" in out
    assert SECRET not in out
    monkeypatch.delenv("TEST_HOOK")
    assert run(["monitor", "--config", str(path), "--check-config"]) == 2
    reported = capsys.readouterr()
    assert "not set in the environment" in reported.out
    assert "TEST_HOOK is not set" in reported.err


@pytest.mark.parametrize(("status", "expected"), [(200, 0), (403, 1)])
def test_the_channels_are_tested(
    status: int, expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A message over each, and what became of it."""
    path = tmp_path / "experiment_config.yaml"
    path.write_text("experiment_monitoring: {alerts: {slack_webhook: '${TEST_HOOK}'}}")
    with webhook_server(status) as hook:
        monkeypatch.setenv("TEST_HOOK", hook.url)
        assert run(["monitor", "--config", str(path), "--test-alerts"]) == expected
    out = capsys.readouterr().out
    assert out == (
        "slack_webhook: delivered\n" if status == 200 else "slack_webhook: failed, the server answered 403\n"
    )
    assert "test message" in hook.texts[0]


def test_an_alert_goes_out_for_what_another_process_writes(
    falling: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The webhook hears of the drop; the folder of the history stays as it was."""
    path = tmp_path / "experiment_config.yaml"
    path.write_text(
        "experiment_monitoring: {reporting: {log_dir: written}, alerts: {slack_webhook: '${TEST_HOOK}', "
        "min_severity: critical}}"
    )
    monkeypatch.chdir(tmp_path)
    with webhook_server() as hook:
        monkeypatch.setenv("TEST_HOOK", hook.url)
        assert run(["monitor", str(falling), "--config", str(path), "--run-name", "night run"]) == 0
    assert len(hook.texts) == 1
    assert "night run: val_accuracy got worse at once" in hook.texts[0]
    assert sorted(one.name for one in tmp_path.iterdir()) == ["experiment_config.yaml", "run.jsonl"]


@pytest.mark.parametrize("options", [[], ["--fail-on", "critical"], ["--follow", "--until-idle", "0"]])
@pytest.mark.parametrize(
    "text", ["", "not json\n", '{"step": 1, "note": "x"}\n', '{"step": 1, "epoch": 1, "lr": 0.1, "loss": "half"}\n']
)
def test_nothing_to_watch_is_no_success(
    text: str, options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A history of which no metric could be read is not taken for a good one, whatever was asked."""
    path = tmp_path / "run.jsonl"
    path.write_text(text)
    assert run(["monitor", str(path), *options]) == 1
    assert "nothing was watched" in capsys.readouterr().err


@pytest.mark.parametrize(("last", "expected"), [(0.4, 1), (0.9, 130)])
def test_following_ends_by_hand_with_its_summary(last: float, expected: int, tmp_path: Path) -> None:
    """Ctrl-C is how following mostly ends: the summary comes, --fail-on holds, and nothing else is claimed."""
    path = history(tmp_path / "run.jsonl", [0.9] * 30 + [last] * 5)
    command = [sys.executable, "-m", "exaid_evals", "monitor", str(path), "--follow", "--fail-on", "critical"]
    process = subprocess.Popen(
        [*command, "--interval", "0.05"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with path.open("a") as stream:
        stream.write(json.dumps({"step": 35, "val_loss": "NaN"}) + "\n")  # is reported at once: by then all was read
    assert process.stdout is not None
    while "val_loss" not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == expected
    assert "36 steps, 2 metrics; anomalies:" in out
    assert "interrupted" not in err


def test_a_direction_is_said_by_option(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A fall of a metric whose name does not tell is one, once `--better` says so."""
    path = tmp_path / "history.jsonl"
    values = [10 + 0.01 * (at % 3) if at < 20 else 4.0 for at in range(30)]
    path.write_text("".join(f'{{"step":{at},"flux":{value}}}\n' for at, value in enumerate(values)))
    assert run(["monitor", str(path), "--fail-on", "high"]) == 0
    assert run(["monitor", str(path), "--fail-on", "high", "--better", "flux=higher"]) == 1
    assert "flux got worse at once" in capsys.readouterr().out
    assert run(["monitor", str(path), "--better", "higher"]) == 2
