"""Alerts reach real servers, seldom enough, and neither a server nor its absence holds a training up."""

from __future__ import annotations

import logging
import socket
import threading
import time
from email import message_from_string, policy
from pathlib import Path
from typing import Any

import pytest

from exaid_evals.anomalies.base import Anomaly, Severity
from exaid_evals.errors import ConfigError, MissingDependencyError
from exaid_evals.monitor import MonitoringConfig, TrainingMonitor
from exaid_evals.monitor.alert_channels import Alert, DeliveryError, MailChannel, WebhookChannel
from exaid_evals.monitor.alerts import Alerts, AlertSender, Limiter, channels
from exaid_evals.monitor.settings import AlertsConfig, EmailConfig
from monitor.mail_servers import PASSWORD, USER, mail_server, make_certificate
from monitor.webhook_server import SECRET, webhook_server

HOOK = "${TEST_HOOK}"


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


def drop(metric: str = "val_accuracy", severity: Severity = "high", step: float = 7.0) -> Anomaly:
    """Return an anomaly."""
    return Anomaly(metric, "sudden_drop", step, -0.3, severity, "sudden_drop", {"before": 0.9, "after": 0.6})


def alert(**changes: Any) -> Alert:
    """Return an alert."""
    return Alert(**{"run_name": "run", "kind": "k", "metric": "m", "severity": "high", "text": "it fell", **changes})


def closed_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def mail_config(port: int, **changes: Any) -> EmailConfig:
    """Return a configuration of a mailbox on this machine."""
    given = {"host": "127.0.0.1", "port": port, "security": "none", "sender": "a@test.example"}
    return EmailConfig.model_validate({**given, "recipients": ["b@test.example", "c@test.example"], **changes})


def test_an_anomaly_reaches_the_webhook(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says run, metric and numbers; names cannot call channels or make links."""
    with webhook_server() as hook:
        monkeypatch.setenv("TEST_HOOK", hook.url)
        alerts = Alerts(AlertsConfig(slack_webhook=HOOK), "run-<!channel>")
        alerts.anomaly(drop())
        alerts.close()
    assert len(hook.texts) == 1
    assert "run-&lt;!channel&gt;: val_accuracy got worse at once by 0.3, step 7" in hook.texts[0]
    assert "before 0.9, after 0.6" in hook.texts[0]


def test_severity_and_rate_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of a kind and metric in an interval; the next says how many were held back, closing says the rest."""
    now = [0.0]
    with webhook_server() as hook:
        monkeypatch.setenv("TEST_HOOK", hook.url)
        config = AlertsConfig(slack_webhook=HOOK, min_interval_seconds=60)
        alerts = Alerts(config, "run", clock=lambda: now[0])
        alerts.anomaly(drop(severity="low"))
        for step in range(4):
            alerts.anomaly(drop(step=step))
        alerts.anomaly(drop("val_loss"))
        now[0] = 60.0
        alerts.anomaly(drop(step=9))
        alerts.anomaly(drop(step=10))
        alerts.close()
    assert [("step" in text, "held back" in text) for text in hook.texts] == [
        (True, False),  # the first drop of the accuracy
        (True, False),  # that of the loss is another metric
        (True, True),
        (False, True),
    ]
    assert "3 more of these were held back" in hook.texts[2]
    assert "1 alerts were held back" in hook.texts[3]


def test_what_could_not_be_queued_counts_as_held_back() -> None:
    """A limiter gives the number of those between, each once."""
    limiter = Limiter(10, lambda: 0.0)
    assert [limiter.admit("a"), limiter.admit("a"), limiter.admit("b")] == [0, None, 0]
    limiter.give_back("a", 2)
    assert limiter.held() == 3


def test_a_failing_webhook_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """After 500 comes another attempt; 403 is final. The address stands in no log line."""
    for statuses, sent, failed, attempts in (((500, 200), 1, 0, 2), ((403,), 0, 1, 1)):
        with webhook_server(*statuses) as hook:
            monkeypatch.setenv("TEST_HOOK", hook.url)
            alerts = Alerts(AlertsConfig(slack_webhook=HOOK), "run")
            alerts.anomaly(drop())
            alerts.close()
            (alert_sender,) = alerts._alert_senders
            assert (alert_sender.sent, alert_sender.failed, len(hook.texts)) == (sent, failed, attempts)


@pytest.mark.parametrize("trouble", ["hangs", "answers 500", "is not there"])
def test_no_server_delays_a_training(
    trouble: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Steps go on while a server hangs, and closing ends at its deadline; the secret address is reported nowhere."""
    caplog.set_level(logging.DEBUG)
    with webhook_server(*((500,) if trouble == "answers 500" else ()), hangs=trouble == "hangs") as hook:
        url = hook.url if trouble != "is not there" else f"http://127.0.0.1:{closed_port()}/services/{SECRET}"
        monkeypatch.setenv("TEST_HOOK", url)
        config = MonitoringConfig.model_validate(
            {"alerts": {"slack_webhook": HOOK, "timeout_seconds": 120, "close_seconds": 0.3, "min_interval_seconds": 0}}
        )
        monitor = TrainingMonitor(config, watch_stalls=False)
        for step in range(200):
            monitor.log_step(step, {"loss": float("nan")})
        if trouble == "hangs":  # the steps are through, and the first message is not answered yet
            assert not hook.hang.is_set()
            assert monitor._alerts._alert_senders[0].sent == 0
        started = time.monotonic()
        monitor.close()
        assert time.monotonic() - started < 60  # not the 120 s of the time-out
        assert monitor._alerts._alert_senders[0].sent == 0
    assert len(monitor.anomalies) == 8  # 1st, 3rd, 6th, 12th … 192nd
    assert SECRET not in caplog.text
    assert "dropped" in caplog.text


def test_a_full_queue_drops_and_counts() -> None:
    """`submit` says so at once; nothing waits."""
    end = threading.Event()

    class Stuck:
        name = "stuck"

        def send(self, alert: Alert) -> None:
            end.wait(120)

    alert_sender = AlertSender(Stuck(), size=2)
    taken = [alert_sender.submit(alert()) for _ in range(6)]
    assert taken.count(False) >= 3  # one may be under way, two wait
    assert alert_sender.dropped == taken.count(False)
    alert_sender.close(0.05)
    end.set()


def test_a_channel_that_breaks_does_not_end_the_thread() -> None:
    """A bug in a channel is a failure like others, and the next alert is delivered."""
    seen: list[str] = []

    class Broken:
        name = "broken"

        def send(self, alert: Alert) -> None:
            seen.append(alert.text)
            if len(seen) == 1:
                raise RuntimeError("a bug")

    alert_sender = AlertSender(Broken(), size=5)
    alert_sender.submit(alert(text="1"))
    alert_sender.submit(alert(text="2"))
    alert_sender.close(5)
    assert (seen, alert_sender.failed, alert_sender.sent, alert_sender.last_failure) == (
        ["1", "2"],
        1,
        1,
        "RuntimeError",
    )


@pytest.mark.parametrize("value", ["", "not an address", "ftp://host/x", "http://hooks.example.com/s3cret", "https://"])
def test_a_wrong_address_is_refused_unseen(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The constructor names the variable, and never what it holds; without encryption only this machine is asked."""
    monkeypatch.setenv("TEST_HOOK", value)
    with pytest.raises(ConfigError, match="TEST_HOOK") as caught:
        Alerts(AlertsConfig(slack_webhook=HOOK), "run")
    assert not value or value not in str(caught.value)


@pytest.mark.parametrize("host", ["10.0.0.7", "169.254.169.254", "[fd00::1]", "[::ffff:192.168.0.1]", "100.64.0.1"])
def test_a_private_address_is_refused_unless_it_is_allowed(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What only a network's own machines may reach is not posted to for whoever sets a variable."""
    monkeypatch.setenv("TEST_HOOK", f"https://{host}/s3cret")
    with pytest.raises(ConfigError, match="TEST_HOOK holds an address of a private network"):
        Alerts(AlertsConfig(slack_webhook=HOOK), "run")
    Alerts(AlertsConfig(slack_webhook=HOOK, allow_private_addresses=True), "run").close()


def test_a_public_name_that_leads_inside_gets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the name meant when it was checked: the address that was reached counts, and nothing was sent."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        here = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: here)
        monkeypatch.setenv("TEST_HOOK", f"https://hooks.example.com:{port}/s3cret")
        with pytest.raises(DeliveryError, match="leads into a private network") as caught:
            WebhookChannel(HOOK, 5).send(alert())
        assert caught.value.lasting
        connection, _ = server.accept()
        assert connection.recv(1) == b""
        connection.close()


def test_without_slack_sdk_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A webhook without its package is found before any work."""
    monkeypatch.setitem(__import__("sys").modules, "slack_sdk.webhook", None)
    monkeypatch.setenv("TEST_HOOK", "https://hooks.example.com/x")
    with pytest.raises(MissingDependencyError, match=r"exaid-evals\[analysis\]"):
        Alerts(AlertsConfig(slack_webhook=HOOK), "run")


def test_mail_arrives() -> None:
    """Subject and body say what happened; a name with line ends makes no header of its own."""
    with mail_server() as box:
        MailChannel(mail_config(box.port), 5).send(alert(run_name="run\r\nBcc: x@test.example", details="before 0.9"))
    message = message_from_string(box.messages[0], policy=policy.default)
    assert message["To"] == "b@test.example, c@test.example"
    assert message["Bcc"] is None
    assert message["Subject"].startswith("[high] run\\r\\nBcc")
    assert message.get_content().splitlines() == ["it fell", "before 0.9"]


@pytest.mark.parametrize("security", ["starttls", "ssl"])
def test_mail_over_tls_with_a_login(security: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the server's certificate trusted, user and password from the environment are taken."""
    certificate = make_certificate(tmp_path)
    monkeypatch.setenv("TEST_USER", USER)
    monkeypatch.setenv("TEST_PASSWORD", PASSWORD)
    secrets = {"username": "${TEST_USER}", "password": "${TEST_PASSWORD}"}
    with mail_server(certificate, security=security, login=True) as box:
        config = mail_config(box.port, security=security, ca_file=certificate, **secrets)
        MailChannel(config, 5).send(alert())
        monkeypatch.setenv("TEST_PASSWORD", "another-secret")
        with pytest.raises(DeliveryError, match="refused user or password") as caught:
            MailChannel(config, 5).send(alert())
        untrusted = mail_config(box.port, security=security, **secrets)
        with pytest.raises(DeliveryError, match="certificate is not trusted"):
            MailChannel(untrusted, 5).send(alert())
    assert len(box.messages) == 1
    assert set(box.logins) == {USER}
    assert "another-secret" not in str(caught.value)
    assert caught.value.lasting


def test_mail_without_a_server() -> None:
    """Nobody there, or nobody who answers: a failure in time."""
    with pytest.raises(DeliveryError):
        MailChannel(mail_config(closed_port()), 5).send(alert())
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(DeliveryError, match="no answer in time"):
            MailChannel(mail_config(silent.getsockname()[1]), 0.2).send(alert())


def test_a_mail_is_made_of_any_text() -> None:
    """Half of a character, a line end, a mark that turns text round: the message is made, and then nobody takes it."""
    channel = MailChannel(mail_config(closed_port()), 5)
    with pytest.raises(DeliveryError, match="ConnectionRefusedError"):
        channel.send(alert(text="a\ud800\r\nBcc: x@y.z", details="\u202e\ud800"))


def test_a_password_is_not_sent_in_the_clear() -> None:
    """Another machine, a password and no encryption do not go together."""
    with pytest.raises(ValueError, match="in the clear"):
        mail_config(25, host="mail.example.org", username="${A}", password="${B}")  # noqa: S106 - names of variables


def test_alerts_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Without a server the log has them, at the level of their severity."""
    caplog.set_level(logging.INFO, logger="exaid_evals.monitor")
    alerts = Alerts(AlertsConfig(), "run")
    alerts.anomaly(drop(severity="critical"))
    alerts.close()
    assert [(one.levelname, "val_accuracy got worse" in one.message) for one in caplog.records] == [("CRITICAL", True)]


def test_a_webhook_that_redirects_has_not_taken_the_alert(monkeypatch: pytest.MonkeyPatch) -> None:
    """Following would turn the post into a GET of a page, whose 200 says nothing."""
    with webhook_server(302) as hook:
        monkeypatch.setenv("TEST_HOOK", hook.url)
        (channel,) = channels(AlertsConfig(slack_webhook=HOOK, timeout_seconds=5))
        with pytest.raises(DeliveryError, match="answered 302") as caught:
            channel.send(alert())
    assert caught.value.lasting
    assert len(hook.texts) == 1
