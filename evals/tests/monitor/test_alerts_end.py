"""Alerts arrive where a training ends without a word, or goes on in another process; none comes twice or late."""

from __future__ import annotations

import gc
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from exaid_evals.monitor import MonitoringConfig, TrainingMonitor
from exaid_evals.monitor.alert_channels import MailChannel
from monitor.test_alerts import HOOK, alert, mail_config
from monitor.webhook_server import webhook_server

FALLING = """
for step in range(44):
    monitor.log_step(step, {"val_accuracy": 0.9 + 0.001 * (step % 3) - 0.7 * (step > 40)})
"""


def waited(until: Callable[[], bool], seconds: float = 120) -> bool:
    """Wait for something; False where it does not come."""
    end = time.monotonic() + seconds
    while not until() and time.monotonic() < end:
        time.sleep(0.02)
    return until()


def watching(**parts: object) -> TrainingMonitor:
    """Return a monitor that tells the webhook of the test."""
    return TrainingMonitor(MonitoringConfig.model_validate({"alerts": {"log": False, "slack_webhook": HOOK}, **parts}))


def test_a_program_that_does_not_close_its_monitor_delivers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last alert before the end is the one that counts."""
    script = (
        "from exaid_evals.monitor import MonitoringConfig, TrainingMonitor\n"
        f"alerts = {{'alerts': {{'log': False, 'slack_webhook': '{HOOK}'}}}}\n"
        f"monitor = TrainingMonitor(MonitoringConfig.model_validate(alerts))\n{FALLING}"
    )
    with webhook_server() as hook:
        monkeypatch.setenv("TEST_HOOK", hook.url)
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, "")
        assert len(hook.texts) == 1


def test_a_forked_process_delivers_its_alerts(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has none of its parent's threads, and makes its own."""
    with webhook_server() as hook:
        monkeypatch.setenv("TEST_HOOK", hook.url)
        with watching() as monitor:
            monitor.log_step(0, {"val_accuracy": 0.9})
            child = os.fork()
            if child == 0:
                exec(FALLING, {"monitor": monitor})  # noqa: S102 - the same loop as above
                monitor.close()
                os._exit(0)
            os.waitpid(child, 0)
        assert len(hook.texts) == 1


@pytest.mark.slow
def test_monitors_that_are_forgotten_leave_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search over hundreds of trainings, none of which closes its monitor."""
    with webhook_server() as hook:
        monkeypatch.setenv("TEST_HOOK", hook.url)
        before = threading.active_count()
        for _ in range(5):
            monitor = watching(anomaly_detection={"stall_min_seconds": 0.1})
            exec(FALLING, {"monitor": monitor})  # noqa: S102 - the same loop as above
        del monitor
        gc.collect()
        assert waited(lambda: threading.active_count() <= before)


def test_no_stall_is_reported_a_training_that_has_ended() -> None:
    """A function that has returned and did not close its monitor is not hung."""
    reported = []
    now = [0.0]

    def train() -> None:
        settings = {"alerts": {"log": False}, "anomaly_detection": {"stall_min_seconds": 0.04}}
        monitor = TrainingMonitor(MonitoringConfig.model_validate(settings), clock=lambda: now[0])
        monitor._alerts.anomaly = reported.append  # type: ignore[method-assign]
        for step in range(20):
            now[0] += 0.01
            monitor.log_step(step, {"loss": 1.0})

    train()
    now[0] += 100
    assert waited(lambda: not [one for one in threading.enumerate() if one.name == "exaid-stall-watch"])
    time.sleep(0.5)
    assert reported == []


@contextmanager
def farewell(answer: bytes | None) -> Iterator[tuple[int, list[bytes]]]:
    """Run a mail server that takes messages, and answers QUIT so, or not at all."""
    taken: list[bytes] = []
    end = threading.Event()
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = server.accept()
        with connection, connection.makefile("rwb", buffering=0) as stream:
            stream.write(b"220 test\r\n")
            in_message = False
            for line in stream:
                if in_message:
                    in_message = line != b".\r\n"
                    if not in_message:
                        taken.append(line)
                        stream.write(b"250 taken\r\n")
                elif line.upper().startswith(b"DATA"):
                    in_message = True
                    stream.write(b"354 go on\r\n")
                elif line.upper().startswith(b"QUIT"):
                    stream.write(answer) if answer else end.wait(120)
                    return
                else:
                    stream.write(b"250 fine\r\n")

    threading.Thread(target=serve, daemon=True).start()
    with server:
        yield server.getsockname()[1], taken
        end.set()


@pytest.mark.parametrize("answer", [b"221 bye\r\n", b"421 too late\r\n", b"\xff\xff\r\n", None])
def test_a_message_that_was_taken_is_delivered(answer: bytes | None) -> None:
    """Whatever the server says to the farewell: a failure would have it sent three times."""
    with farewell(answer) as (port, taken):
        MailChannel(mail_config(port, recipients=["b@test.example"]), 0.5).send(alert())
        assert len(taken) == 1
