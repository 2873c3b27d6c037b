"""`experiment_config.yaml`: all settings of a monitor, its alerts and the recovery."""

from __future__ import annotations

import ipaddress
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator

from exaid_evals.anomalies.base import DetectionSettings, NotNegative, Severity, Share
from exaid_evals.config.base import Config as BaseConfig
from exaid_evals.config.base import ConfigT, Loaded, load_config
from exaid_evals.config.mapping_file import read_mapping
from exaid_evals.config.plugins import Kind
from exaid_evals.config.request import Override
from exaid_evals.errors import ConfigError
from exaid_evals.monitor.environment import Reference, hidden, literals, secret_in_keys
from exaid_evals.runs.metric_names import direction_of

_log = logging.getLogger("exaid_evals.monitor")


def _named(value: Any) -> Any:
    if value == "":
        raise ValueError("is empty, which would mean the folder that one is in; write null for none")
    return value


Folder = Annotated[Path, BeforeValidator(_named)]


STRATEGIES = Kind(
    "recovery strategy",
    "exaid_evals.strategies",
    {
        "rollback": "exaid_evals.monitor.recovery.strategies:Rollback",
        "reduce_learning_rate": "exaid_evals.monitor.recovery.strategies:ReduceLearningRate",
        "early_stop": "exaid_evals.monitor.recovery.strategies:EarlyStop",
    },
)
"""Each part is a class without arguments; see `recovery.base.Strategy`. They are asked in this order by default."""


ALIASES = {"rollback_on_severe_drop": "rollback", "adjust_lr_on_plateau": "reduce_learning_rate"}
"""Other names of strategies → ours."""


def _strategy(value: str) -> str:
    value = ALIASES.get(value, value)
    # The value is not repeated: it may be a secret in the wrong place.
    if ":" not in value and value not in STRATEGIES.names():
        raise ValueError(f"no such strategy; known are {', '.join(STRATEGIES.names())}, and your own module:attribute")
    return value


Strategy = Annotated[str, AfterValidator(_strategy)]
_RUNS = Path("runs")


class Config(BaseConfig):
    """Base of what is here: an error of validation repeats no value, which may be a secret in the wrong place."""

    model_config = ConfigDict(hide_input_in_errors=True)


class AnomalyDetectionConfig(DetectionSettings):
    """When a value is an anomaly, and what only a training that goes on can tell: a stall."""

    model_config = ConfigDict(hide_input_in_errors=True)

    stall_factor: Annotated[float, Field(gt=1)] = 10.0
    """No step for this many times the usual time between steps is a stall."""
    stall_min_seconds: NotNegative = 60.0
    """…but never sooner than this."""
    metrics: list[str] | None = None
    """Only these metrics are watched; null watches all."""
    alert_thresholds: dict[str, float] = Field(default_factory=dict)
    """Metric → the value beyond which each value is reported, whatever came before; it asks for no recovery."""

    @model_validator(mode="after")
    def _ways_are_known(self) -> Self:
        unknown = [name for name in self.alert_thresholds if direction_of(name, self.directions) is None]
        if unknown:
            text = ", ".join(map(repr, unknown))
            raise ValueError(f"it is not known how {text} improves: say it under directions, as higher or lower")
        return self


class AutoRecoveryConfig(Config):
    """What is done without being asked."""

    enable: bool = False
    strategies: list[Strategy] = Field(default_factory=lambda: [*STRATEGIES], min_length=1)
    """In the order in which they are asked; your own by its entry point's name or `module:attribute`."""
    checkpoint_dir: Folder | None = None
    """Where checkpoints and the journal of actions lie; null takes `checkpoints` in the folder of the run's history."""
    metric: Annotated[str, Field(min_length=1)] | None = None
    """The metric by which checkpoints are ranked and actions judged; null takes the first validation metric."""
    max_actions: Annotated[int, Field(ge=1)] = 5
    """Actions of one training; early stopping and undoing are not counted."""
    cooldown_steps: NotNegative = 10.0
    """Steps after an action before the next."""
    judge_after: Annotated[int, Field(ge=1)] = 4
    """Values of the metric after an action, from whose median it is judged."""
    tolerance: Share = 0.02
    """An action that left the metric worse than before by more than this share is undone."""
    resume: bool = False
    """Whether checkpoints that lie in the folder are of this same training."""
    keep_checkpoints: Annotated[int, Field(ge=1, le=100)] = 3
    rollback_severity: Severity = "high"
    """An anomaly this bad is rolled back."""
    learning_rate_factor: Annotated[float, Field(gt=0, lt=1)] = 0.5
    min_learning_rate: NotNegative = 1e-6

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if len(set(self.strategies)) < len(self.strategies):
            raise ValueError("a strategy is a duplicate in strategies")
        return self


class ReportingConfig(Config):
    """What is written."""

    log_dir: Folder | None = None
    """Folder in which a run's folder gets history.jsonl; null takes `runs` where one is needed, else writes none."""
    resume: bool = False
    """Whether to go on with the history that lies in the run's folder; else a folder of its own is taken."""
    auto_generate_reports: bool = False
    """Whether the analysis of the history is written when the monitor is closed."""
    output_dir: Folder = Path("experiment_reports")


class EmailConfig(Config):
    """A mailbox, and the server that takes mail for it."""

    SECRETIVE = True

    host: Annotated[str, Field(min_length=1, pattern=r"^[^@/\s]+$")]
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    security: Literal["starttls", "ssl", "none"] = "starttls"
    ca_file: Path | None = None
    """Certificates to trust in place of the system's."""
    sender: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$")]
    recipients: Annotated[list[Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$")]], Field(min_length=1)]
    username: Reference | None = None
    password: Reference | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password belong together")
        if self.security == "none" and self.username is not None and not is_loopback(self.host):
            raise ValueError("security: none would send the password in the clear")
        return self


class ChannelConfig(Config):
    """A channel of one's own: its kind, and its further settings. A secret goes by `${NAME}`."""

    model_config = ConfigDict(extra="allow")
    kind: Annotated[str, Field(min_length=1)]
    """An entry point's name, or `module:attribute`."""

    @property
    def settings(self) -> dict[str, Any]:
        """What stands beside the kind."""
        return dict(self.model_extra or {})


class AlertsConfig(Config):
    """Who is alerted, and how often."""

    SECRETIVE = True

    min_severity: Severity = "medium"
    log: bool = True
    slack_webhook: Reference | None = None
    allow_private_addresses: bool = False
    """Whether the webhook's name may lead to an address of a private network; one of this machine may be written."""
    email: EmailConfig | None = None
    channels: list[ChannelConfig] = Field(default_factory=list)
    """Others, that other packages have."""
    min_interval_seconds: NotNegative = 300.0
    """Between two alerts of one kind about one metric; what is held back is counted in the next one."""
    timeout_seconds: Annotated[float, Field(gt=0, le=120)] = 10.0
    queue_size: Annotated[int, Field(ge=1, le=10_000)] = 100
    close_seconds: Annotated[float, Field(ge=0, le=600)] = 10.0
    """How long closing waits for alerts that are still to be sent."""


class MonitoringConfig(Config):
    """Watching a training."""

    enable_real_time_analysis: bool = True
    anomaly_detection: AnomalyDetectionConfig = Field(default_factory=AnomalyDetectionConfig)
    auto_recovery: AutoRecoveryConfig = Field(default_factory=AutoRecoveryConfig)
    reporting: ReportingConfig = Field(default_factory=ReportingConfig)
    alerts: AlertsConfig = Field(default_factory=AlertsConfig)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.auto_recovery.enable and not self.enable_real_time_analysis:
            raise ValueError("auto_recovery acts on anomalies, and enable_real_time_analysis is off")
        return self

    @property
    def history_dir(self) -> Path | None:
        """Where histories are written: as the configuration says, else `runs` for what cannot be done without one."""
        needed = self.reporting.auto_generate_reports or (
            self.auto_recovery.enable and self.auto_recovery.checkpoint_dir is None
        )
        return self.reporting.log_dir or (_RUNS if needed else None)

    @property
    def resumes(self) -> bool:
        """Whether the history goes on: a training that resumes is one training."""
        return self.reporting.resume or (self.auto_recovery.enable and self.auto_recovery.resume)


class ExperimentConfig(Config):
    """The file. What belongs to the training itself is read by it, and may be anything under `trainer`."""

    project_name: str | None = None
    experiment_name: str | None = None
    """The run's name in alerts, and of its history's folder, where no other is given."""
    trainer: dict[str, Any] = Field(default_factory=dict)
    validation_interval: Annotated[int, Field(ge=1)] | None = None
    """Steps between two validations."""
    checkpoint_dir: Folder | None = None
    """Of the recovery, where `auto_recovery` names none."""
    experiment_monitoring: MonitoringConfig = Field(default_factory=MonitoringConfig)

    @property
    def monitoring(self) -> MonitoringConfig:
        """The monitor's settings, with the folder of checkpoints that stands above."""
        found = self.experiment_monitoring
        if self.checkpoint_dir is None or found.auto_recovery.checkpoint_dir is not None:
            return found
        recovery = found.auto_recovery.model_copy(update={"checkpoint_dir": self.checkpoint_dir})
        return found.model_copy(update={"auto_recovery": recovery})


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine.

    >>> [is_loopback(host) for host in ("localhost", "127.0.0.1", "::1", "127.0.0.1.example.org")]
    [True, True, True, False]
    """
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def load_experiment_config(path: Path | None) -> Loaded[ExperimentConfig]:
    """Read the file; None takes the defaults.

    Raises:
        ConfigError: names every problem at once. What may be a secret is never part of the message.
    """
    if path is None:
        return load_config(ExperimentConfig)
    data, problem = {}, None
    try:
        data = read_mapping(path)
    except ConfigError as error:
        # YAML's own messages quote what they stumble over: an alias, a tag, a key, which may be a password.
        what = error.what
        if not what.startswith("cannot be read"):  # that one is of the system's, and quotes nothing
            what = re.sub(r"(['\"]).*\1", hidden(), what, flags=re.DOTALL)
        problem = ConfigError(what, where=error.where, remedy=error.remedy)
    if problem is not None:
        raise problem  # out of the handler: a debugger shows the context of an exception, too
    if secret_in_keys(data):
        what, remedy = "a key holds an address or a password", "write ${NAME}, the environment variable, as a value"
        raise ConfigError(what, where=str(path), remedy=remedy)
    return load_config(ExperimentConfig, path, _covered(data, str(path)))


def monitoring_of(config: Any) -> tuple[MonitoringConfig, str | None]:
    """Return a monitor's settings, and the name of the run if that is said, from a configuration of any form.

    Args:
        config: a configuration, the path of experiment_config.yaml, or a mapping: the file's content, its
            `experiment_monitoring`, the `anomaly_detection` in that, or thresholds of metrics; None takes the defaults.

    Raises:
        ConfigError: it is none of these, or names every problem in it.
    """
    if config is None or isinstance(config, Path | str):
        config = load_experiment_config(Path(config) if config is not None else None).value
    elif isinstance(config, Mapping):
        config = _of_mapping(config)
    if isinstance(config, ExperimentConfig):
        return config.monitoring, config.experiment_name
    if isinstance(config, MonitoringConfig):
        return config, None
    what = f"a {type(config).__name__} is not a configuration"
    raise ConfigError(what, where="TrainingMonitor", remedy="give the path of experiment_config.yaml, or a mapping")


def _of_mapping(given: Mapping[str, Any]) -> ExperimentConfig | MonitoringConfig:
    where, data = "TrainingMonitor", _copied(given)
    if not set(data) - set(ExperimentConfig.model_fields):
        return _loaded(ExperimentConfig, data, where).value
    if set(data) & set(MonitoringConfig.model_fields):
        return _loaded(MonitoringConfig, data, where).value
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in data.values())
    if numbers and not set(data) & set(AnomalyDetectionConfig.model_fields):
        data = {"alert_thresholds": data}
    return _loaded(MonitoringConfig, {"anomaly_detection": data}, where).value


def _copied(value: Any) -> Any:
    return {str(key): _copied(item) for key, item in value.items()} if isinstance(value, Mapping) else value


def _loaded(model: type[ConfigT], data: dict[str, Any], where: str) -> Loaded[ConfigT]:
    given = {key: Override(value, where) for key, value in data.items()}
    return load_config(model, None, {**given, **_covered(data, where)})


def _covered(data: Mapping[str, Any], where: str) -> dict[str, Override]:
    """Return what takes the place of literal secrets: a validation error would show the value that is wrong.

    An address that is written as an example, `https://hooks.slack.com/...`, is none, and counts as not given.
    """
    found = {}
    for dotted in literals(data):
        example = _is_example(dotted, data)
        if example:
            _log.warning(
                "%s: %s is an example: no alert goes there; write ${NAME}, the variable with it", where, dotted
            )
        found[dotted] = Override(None if example else hidden(), where)
    return found


def _is_example(dotted: str, data: Any) -> bool:
    *parents, last = dotted.split(".")
    if last != "slack_webhook":
        return False
    for key in (*parents, last):
        data = data.get(key) if isinstance(data, Mapping) else None
    return isinstance(data, str) and data.rstrip().endswith(("...", "\N{HORIZONTAL ELLIPSIS}"))
