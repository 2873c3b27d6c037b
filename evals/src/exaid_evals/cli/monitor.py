"""`monitor`: watch a training that another process runs, and report anomalies as they happen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from exaid_evals.cli.display import printable, shown, warn
from exaid_evals.cli.histories import directions_said
from exaid_evals.cli.verb import verb
from exaid_evals.config.request import Request, argument, flag, option
from exaid_evals.errors import ConfigError
from exaid_evals.runs.registry import SOURCES

if TYPE_CHECKING:
    from exaid_evals.anomalies.base import Anomaly
    from exaid_evals.config.base import Loaded
    from exaid_evals.monitor.settings import ExperimentConfig, MonitoringConfig
    from exaid_evals.monitor.watching import Watched

INTERRUPTED = 130
_LONGEST = 365 * 86400.0
_SEVERITIES = ("low", "medium", "high", "critical")


class MonitorRequest(Request):
    """What is watched, and how."""

    history: Path | None = argument(default=None)
    config_file: Path | None = option(
        "experiment_config.yaml; see docs/monitoring.md.",
        "--config",
        path={"dir_okay": False},
        variables=("EXAID_EXPERIMENT_CONFIG",),  # EXAID_CONFIG is that of run-eval
    )
    source: str | None = option(
        f"Format of the history: {', '.join(SOURCES)}, or module:attribute.  [default: found out]",
        metavar="FORMAT",
        variables=("EXAID_HISTORY_SOURCE",),  # EXAID_SOURCE is that of cases
    )
    run_name: str | None = option("Run of a folder that holds several; also named in alerts.", metavar="NAME")
    follow: bool = flag("Go on as the history grows; it need not exist yet.")
    until_idle: float | None = option(
        "With --follow: end when nothing has come for so long.", minimum=0, metavar="SECONDS"
    )
    interval: float = option("With --follow: time between two looks.", default=1.0, minimum=0.01, metavar="SECONDS")
    better: tuple[str, ...] = option(
        "Which way a metric improves, if its name does not tell: NAME=higher, NAME=lower. May be given again.",
        default=(),
        metavar="NAME=WAY",
    )
    fail_on: str | None = option("Exit with 1 if an anomaly was this severe or more.", choices=_SEVERITIES)
    check_config: bool = flag("Print the configuration that holds, secrets by name, and end.")
    test_alerts: bool = flag("Send a test message over every channel, and end.")


def run(request: MonitorRequest) -> int:
    """Watch the HISTORY of a training for anomalies, and alert about them.

    HISTORY is a file or folder that another process writes: JSON Lines and CSV are read as they grow; TensorBoard,
    MLflow, W&B and Parquet are read again at each look. Exit status: 0 done; 1 an anomaly as severe as --fail-on, no
    metric that could be watched, a test message that did not arrive, or a history that cannot be read; 2 wrong usage;
    130 ended by hand, and nothing was as severe as --fail-on.
    """
    from exaid_evals.monitor.settings import load_experiment_config

    loaded = load_experiment_config(request.config_file)
    config = _with_directions(loaded.value.monitoring, request.better)
    if request.check_config:
        return _show_config(loaded)
    if request.test_alerts:
        return _test_alerts(config, request.run_name or "test")
    history, follow = request.history, request.follow
    if history is None:
        raise ConfigError("no history is named", where="monitor", remedy="name the file or folder that is written")
    for name, seconds in (("--interval", request.interval), ("--until-idle", request.until_idle)):
        if seconds is not None and not 0 <= seconds <= _LONGEST:
            remedy = "give seconds, at most a year"
            raise ConfigError(f"is not a time to wait (got {seconds:g})", where=name, remedy=remedy)
    if request.until_idle is not None and not follow:
        raise ConfigError("says nothing without --follow", where="--until-idle", remedy="add --follow")
    if not follow and not history.exists():
        remedy = "check the path, or wait for it with --follow"
        raise ConfigError("no such file or folder", where=shown(history), remedy=remedy)
    return _watch(history, config, request)


command = verb("monitor", MonitorRequest, run)


def _with_directions(config: MonitoringConfig, better: tuple[str, ...]) -> MonitoringConfig:
    said = directions_said(better, None)
    if not said:
        return config
    detection = config.anomaly_detection
    detection = detection.model_copy(update={"directions": {**detection.directions, **said}})
    return config.model_copy(update={"anomaly_detection": detection})


def _watch(place: Path, config: MonitoringConfig, request: MonitorRequest) -> int:
    from exaid_evals.monitor.settings import AutoRecoveryConfig, ReportingConfig
    from exaid_evals.monitor.training_monitor import TrainingMonitor
    from exaid_evals.monitor.watching import watch
    from exaid_evals.runs.registry import follower

    followed = follower(place, request.source, request.run_name)
    if config.auto_recovery.enable:
        click.echo("note: auto_recovery acts inside a training only; here it is off", err=True)
    # The history is another's: it is not written again. Anomalies are printed, so the log is not needed.
    alerts = config.alerts.model_copy(update={"log": False})
    config = config.model_copy(
        update={"auto_recovery": AutoRecoveryConfig(), "reporting": ReportingConfig(), "alerts": alerts}
    )
    with TrainingMonitor(config, run_name=request.run_name or place.stem, watch_stalls=False) as monitor:
        seen = watch(
            followed,
            monitor,
            _print_anomaly,
            follow=request.follow,
            until_idle=request.until_idle,
            interval=request.interval,
        )
    warn([*followed.warnings, *monitor.reported_problems])
    status = _summary(seen, request.fail_on)
    if seen.interrupted and status == 0:
        return INTERRUPTED
    return status


def _print_anomaly(one: Anomaly) -> None:
    from exaid_evals.anomalies.base import described, evidence_of

    click.echo(f"{one.severity:<9} {printable(described(one))} ({printable(evidence_of(one))})")


def _summary(seen: Watched, fail_on: str | None) -> int:
    from exaid_evals.runs.metric_names import role_of_column

    counts = {severity: sum(one.severity == severity for one in seen.anomalies) for severity in reversed(_SEVERITIES)}
    reported = ", ".join(f"{count} {severity}" for severity, count in counts.items() if count) or "none"
    n_metrics = len(seen.metrics)
    click.echo(
        f"{seen.n_steps} step{'' if seen.n_steps == 1 else 's'}, {n_metrics} metric{'' if n_metrics == 1 else 's'}; "
        f"anomalies: {reported}"
    )
    if all(role_of_column(name) in ("schedule", "counter", "system") for name in seen.metrics):
        click.echo("error: nothing was watched: the history holds no row with a step and a metric in numbers", err=True)
        return 1
    if fail_on is None:
        return 0
    at_least = _SEVERITIES[_SEVERITIES.index(fail_on) :]
    return 1 if any(counts[severity] for severity in at_least) else 0


def _show_config(loaded: Loaded[ExperimentConfig]) -> int:
    import yaml

    from exaid_evals.monitor.alerts import channels
    from exaid_evals.monitor.environment import is_set, references

    click.echo(yaml.safe_dump(loaded.resolved(), sort_keys=False, allow_unicode=True), nl=False)
    monitoring = loaded.value.monitoring
    if monitoring.history_dir is not None:
        run = monitoring.history_dir / "<run name>"
        click.echo(f"# history: {shown(run / 'history.jsonl')}")
        if monitoring.auto_recovery.enable:
            click.echo(f"# checkpoints: {shown(monitoring.auto_recovery.checkpoint_dir or run / 'checkpoints')}")
    for reference in references(loaded.resolved()):
        click.echo(f"# {reference}: {'set' if is_set(reference) else 'not set'} in the environment")
    channels(loaded.value.monitoring.alerts)
    return 0


def _test_alerts(config: MonitoringConfig, run_name: str) -> int:
    from exaid_evals.monitor.alert_channels import Alert, DeliveryError
    from exaid_evals.monitor.alerts import channels

    found = channels(config.alerts)
    if not found:
        remedy = "add slack_webhook or email under alerts, in the file that --config names"
        raise ConfigError("no channel is configured", where="--test-alerts", remedy=remedy)
    status = 0
    alert = Alert(run_name, "test", "", "low", "this is a test message of exaid-evals monitor")
    for channel in found:
        try:
            channel.send(alert)
        except DeliveryError as error:
            click.echo(f"{channel.name}: failed, {printable(str(error))}")
            status = 1
        else:
            click.echo(f"{channel.name}: delivered")
    return status
