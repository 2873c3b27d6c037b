"""What must be in place before MAC runs: every problem is found at once, and before anything is spent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from exaid_evals.artifacts.timestamps import format_timestamp
from exaid_evals.clients.endpoint import Endpoint, endpoint_of
from exaid_evals.config.mas_generation import MacModelConfig, MasGenerationConfig
from exaid_evals.errors import ConfigError
from exaid_evals.traces.mac.checkout import AUTOGEN, require_autogen, require_mac
from exaid_evals.traces.mac.recording import recorded_cases, recorded_run
from exaid_evals.traces.mac.source import MacSettings

Found = TypeVar("Found")


def prepare(
    generation: MasGenerationConfig,
    model: MacModelConfig,
    *,
    mac_dir: Path | None,
    recording: Path,
    case_ids: tuple[str, ...],
    replay: bool,
    environment: Mapping[str, str] | None = None,
) -> MacSettings:
    """Check that MAC could run now.

    Args:
        generation: how the talk is made.
        model: MAC's language model.
        mac_dir: MAC's folder.
        recording: where its calls are recorded.
        case_ids: the cases that will be asked for.
        replay: whether calls are answered from the recording alone, so that neither key nor network is needed.
        environment: where keys and base URLs stand; None takes the process's own.

    Raises:
        ConfigError: names everything that is missing: MAC at its commit, autogen, the key, or the recording.
    """
    problems: list[ConfigError] = []

    def checked(check: Callable[[], Found]) -> Found | None:
        try:
            return check()
        except ConfigError as error:
            problems.append(error)
            return None

    checked(require_autogen)
    verified = checked(lambda: require_mac(mac_dir, generation.mac.commit))
    endpoint: Endpoint | None = None
    if replay:
        checked(lambda: _require_recorded(recording, case_ids))
    else:
        endpoint = endpoint_of(model.asked_of, environment)
        checked(endpoint.check)
    if problems or verified is None:
        raise ConfigError.of(problems)
    return MacSettings(generation.mac, generation.live, model, verified, endpoint, recording)


def started_at(recording: Path, *, anew: bool) -> str:
    """Return when the generation began: as its recording says, else now.

    Args:
        recording: the recording of the generation, which need not exist.
        anew: whether the recording is about to be set aside.

    Raises:
        DataError: the recording is damaged.
    """
    run = None if anew else recorded_run(recording)
    return run.created_at if run else format_timestamp(datetime.now(UTC))


def decoding_note(model: MacModelConfig) -> str:
    """Say how the model is sampled."""
    return f"temperature {model.temperature:g}, no cache; MAC as released, on {' '.join(AUTOGEN)}"


def _require_recorded(recording: Path, case_ids: tuple[str, ...]) -> None:
    remedy = "replay with the configuration and cases that were recorded, or record them with --llm openai"
    if not recording.exists():
        others = sorted(recording.parent.glob("mac-*.jsonl.gz"))
        here = f"; recorded are {', '.join(path.name for path in others)}" if others else ""
        what = f"nothing was recorded for these cases, model and commit{here}"
        raise ConfigError(what, where=str(recording), remedy=remedy)
    missing = sorted(set(case_ids) - recorded_cases(recording))
    if missing:
        more = ", …" if len(missing) > 3 else ""
        what = f"{len(missing)} cases were not recorded to their end: {', '.join(missing[:3])}{more}"
        raise ConfigError(what, where=str(recording), remedy=remedy)
